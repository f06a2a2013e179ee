#pragma once
#include <cstdint>
#include <optional>
#include <utility>

#include "gsync/util/fd.hpp"

/// What we must know of SQLite's files without asking SQLite (sqlite.org/fileformat2.html, sqlite.org/lockingv3.html).
namespace gsync::sqlite {

/// The part of the 100-byte header that matters to us.
struct FileHeader {
  std::uint32_t page_size = 0;
  bool wal = false;                  ///< file format write or read version 2
  std::uint32_t change_counter = 0;  ///< raised by every commit in rollback mode
  std::uint32_t pages = 0;           ///< in-header database size
};
/// nullopt when the file is shorter than a header or does not begin with SQLite's magic. Error{io}.
std::optional<FileHeader> read_header(int fd);

/// Whether another than this descriptor holds RESERVED: somebody writes. Takes no lock.
bool writer_is_active(int fd);

/// SQLite's lock bytes, taken with open-file-description locks: they stand against the POSIX locks of every other process, and closing another descriptor of the file in this
/// process does not drop them. While it lives readers read on, and nobody can begin or finish writing. Released with the object. The descriptor must be
/// open for reading and writing and outlive it.
class WriterLock {
 public:
  /// Takes SHARED (a read lock on the shared range, passing by PENDING as SQLite does) and RESERVED (a write lock). nullopt when somebody writes or is about to.
  static std::optional<WriterLock> try_acquire(int fd);
  WriterLock(WriterLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  WriterLock& operator=(WriterLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~WriterLock();

 private:
  explicit WriterLock(int fd) : fd_(fd) {}
  int fd_;
};

/// Whether the file beside a database would be played back by the next connection that finds no RESERVED lock: it is not empty and its header was not zeroed.
bool journal_is_hot(int dir, const char* journal_name);

}  // namespace gsync::sqlite
