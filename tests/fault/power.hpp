#pragma once
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/household.hpp"

/// What a disk may hold after the power went: of what was not brought to it with fsync, anything between all and nothing.
namespace gsync::test {

/// What one process changed below a directory, in its order, in memory that the process leaves to its parent. interposed.cpp fills it.
class DiskLog {
 public:
  enum class What : std::uint8_t { write, truncate, sync, create, link, remove, rename, exchange, sync_directory };
  struct Entry {
    What what{};
    ino_t inode = 0;       ///< of the file, as stat shows it: write, truncate, sync, create
    std::uint64_t at = 0;  ///< write: the offset; truncate: the size
    std::string data{};    ///< write
    std::string path{};    ///< absolute; sync_directory: the directory
    std::string other{};   ///< link, rename, exchange: the other name
  };

  DiskLog();
  ~DiskLog();
  DiskLog(const DiskLog&) = delete;
  DiskLog& operator=(const DiskLog&) = delete;

  /// May be called by any thread of the process that changes things.
  void add(What what, ino_t inode, std::uint64_t at, std::string_view data, std::string_view path = {}, std::string_view other = {});
  std::vector<Entry> entries() const;

 private:
  struct Memory;
  Memory* memory_;
};

/// From here on what this process does below `root` is written down. Meant for one that was armed.
void record(DiskLog& log, const std::string& root);
/// For interposed.cpp: what has just succeeded. errno stays.
void note_write(int fd, const void* data, ssize_t size, off_t at);
void note_truncate(int fd, off_t size);
void note_sync(int fd);
void note_create(int dir, const char* path, int fd);
void note_names(DiskLog::What what, int dir, const char* path, int other_dir = -1, const char* other = nullptr);

/// Some directories of one host, as they were before the run that the log is of.
class Disk {
 public:
  /// Reads all files below them.
  explicit Disk(std::vector<std::string> directories);
  ~Disk();

  /// What `directories` hold after the process of the log was stopped becomes what they may hold after the power went at that moment. What
  /// is not in the log stays as it is. `aside`: a directory on the same filesystem for what was there. `inodes` gets new and former number
  /// of each file that is made anew; show_inodes() must be called with them afterwards.
  void lose_power(const DiskLog& log, Random& random, const std::string& aside, std::vector<std::pair<ino_t, ino_t>>& inodes) const;

 private:
  struct File;
  class Replay;
  std::vector<std::string> directories_;
  std::vector<std::pair<std::string, std::shared_ptr<File>>> files_;
};

}  // namespace gsync::test
