#pragma once
#include <compare>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>

#include "gsync/sqlite/database.hpp"
#include "gsync/sqlite/file_format.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/file_ops.hpp"

namespace gsync::replica {

/// Tells one version of a database file from every other: a commit changes the change counter, a replacement the inode.
struct Identity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t change_counter = 0;
  bool operator==(const Identity&) const = default;
};
template <class Archive>
void fields(Archive& a, Identity& i) {
  a(i.device, i.inode, i.size, i.mtime_ns, i.change_counter);
}
std::string to_string(const Identity& i);

/// What stat(2) tells of a file. It takes no open file to learn.
struct Look {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const Look&) const = default;
};

/// The gravity.db that FTL has open: the only place that opens it, in one of two ways that exclude each other in this process. Closing *any* descriptor of a file drops all POSIX
/// locks that the process has on it (fcntl(2)), SQLite's among them; so a raw descriptor and a SQLite connection of ours never exist at the same time.
class LiveFile {
 public:
  /// `path` has no symbolic links left. Opens its directory. Error{not_found}.
  explicit LiveFile(const std::string& path, util::FileOps& files);

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }
  int directory() const { return directory_.get(); }
  util::FileOps& files() const { return files_; }

  /// A read-only SQLite connection, held as short as possible and never between runs. Others may be open at the same time.
  class Reader {
   public:
    sqlite::Database& operator*() { return database_; }
    sqlite::Database* operator->() { return &database_; }

   private:
    friend class LiveFile;
    Reader(std::shared_lock<std::shared_mutex> guard, sqlite::Database database) : guard_(std::move(guard)), database_(std::move(database)) {}
    std::shared_lock<std::shared_mutex> guard_;  // before the connection, so that it is given back after it
    sqlite::Database database_;
  };
  Reader open_reader(sqlite::Vfs vfs = sqlite::Vfs::system);

  /// A raw descriptor for reading and writing lock bytes, and for asking who else has the file open. Waits until all Readers of this process are gone.
  class Raw {
   public:
    int fd() const { return fd_.get(); }
    /// After an exchange the descriptor is not live's any more, and Readers of the new file may come.
    void no_longer_live() {
      if (guard_.owns_lock()) guard_.unlock();
    }

   private:
    friend class LiveFile;
    Raw(std::unique_lock<std::shared_mutex> guard, util::Fd fd) : guard_(std::move(guard)), fd_(std::move(fd)) {}
    std::unique_lock<std::shared_mutex> guard_;
    util::Fd fd_;
  };
  Raw open_raw();

  /// nullopt when there is no file of that name. Reads the file's first hundred bytes and nothing else. Error{corrupt}, as from all others, for what is not a file (a pipe would keep
  /// us waiting).
  std::optional<Identity> identity();

  /// While this stays what it is, so does the file's content. Opens nothing. nullopt when it cannot be told this way: there is no such file, a -wal file is beside it, or it was
  /// written to so lately that another write could leave the same times.
  std::optional<Look> look();

  /// Of the file as it is; nullopt when it is missing, shorter than a header or not SQLite.
  std::optional<sqlite::FileHeader> header();

  /// Why this file must not be exchanged or read now, in a sentence: it is in WAL mode, or a -wal file is beside it. nullopt when all is well or it is missing.
  std::optional<std::string> wal_mode();

 private:
  static std::shared_mutex& guard();
  bool is_there();

  std::string path_;
  std::string name_;
  util::Fd directory_;
  util::FileOps& files_;
};

/// The identity of an open file.
Identity identity_of(int fd);

}  // namespace gsync::replica
