#pragma once
#include <optional>
#include <string>
#include <thread>
#include <string_view>

#include "gsync/util/deadline.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/file_ops.hpp"

namespace gsync::util {

/// The whole file; nullopt when it does not exist. Error{io}, or Error{refused} when it is larger than `limit` bytes.
std::optional<std::string> read_file(const std::string& path, std::size_t limit = 16u << 20);
/// The same of an open file; `path` is for messages.
std::string read_file(const Fd& fd, const std::string& path, std::size_t limit = 16u << 20);

/// Replaces `path` so that after a crash it is the whole old or the whole new content: temporary file in the same directory with its final mode from the first
/// byte, fsync, rename, fsync of the directory. Owner and mode are those of the file that is replaced, or `mode` and the caller's for a new one.
void replace_file(const std::string& path, std::string_view content, unsigned mode = 0644);
/// The same in two steps, for files of which either all or none are to be replaced. After the constructor the content is on the disk under
/// a temporary name, and what can fail for want of room has not. Gone with this object, unless it was committed.
class Replacement {
 public:
  explicit Replacement(std::string path, std::string_view content, unsigned mode = 0644);
  ~Replacement();
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  void commit();

 private:
  PosixFileOps files_;
  std::string path_;
  Fd directory_;
  std::string name_;
  std::string temporary_;  ///< empty: it has its name
};
/// The same in an open directory, with the caller's name for the temporary file; one that a crash has left is removed first.
void replace_file(FileOps& files, int dir, const std::string& name, const std::string& temporary, std::string_view content,
                  unsigned mode = 0644);

/// Makes a file that is whole as soon as it has its name, with `mode` from its first byte, and on the disk. False, and nothing is changed,
/// when something of that name is there.
bool create_file(const std::string& path, std::string_view content, unsigned mode);

/// An advisory lock (flock) on a file, which is made if need be and stays. Held until destroyed; the kernel frees it when the process dies.
class FileLock {
 public:
  /// Waits until `deadline`. nullopt when somebody else still has it then.
  static std::optional<FileLock> acquire(int dir, const std::string& name, Deadline deadline);
  /// Whether somebody waits for it in acquire(). False also where the filesystem cannot tell.
  bool wanted() const noexcept;

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// Lets the kernel write to the disk what was written to the file, in a thread, while its owner goes on: a later fsync then takes less long.
/// Promises nothing and hides no error from that fsync. The descriptor must stay open as long as this lives.
class WriteBack {
 public:
  explicit WriteBack(int fd);
  ~WriteBack() { thread_.join(); }
  WriteBack(const WriteBack&) = delete;
  WriteBack& operator=(const WriteBack&) = delete;

 private:
  std::thread thread_;
};

}  // namespace gsync::util
