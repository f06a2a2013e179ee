#include "gsync/sqlite/file_format.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "gsync/util/error.hpp"

namespace gsync::sqlite {
namespace {

// sqlite.org/fileformat2.html#the_lock_byte_page and lockingv3.html: the bytes at 1 GiB that no page holds.
constexpr off_t pending_byte = 0x40000000;
constexpr off_t reserved_byte = pending_byte + 1;
constexpr off_t shared_first = pending_byte + 2;
constexpr off_t shared_size = 510;

bool set_lock(int fd, short type, off_t start, off_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  lock.l_pid = 0;  // must be zero for open-file-description locks
  while (::fcntl(fd, F_OFD_SETLK, &lock) != 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EACCES) return false;
    throw_errno(errno, "cannot lock the live database");
  }
  return true;
}

void unlock(int fd, off_t start, off_t length) noexcept {
  struct flock lock {};
  lock.l_type = F_UNLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  ::fcntl(fd, F_OFD_SETLK, &lock);
}

std::uint32_t big_endian(const std::array<unsigned char, 100>& header, std::size_t at, unsigned bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value = value << 8 | header[at + i];
  return value;
}

}  // namespace

std::optional<FileHeader> read_header(int fd) {
  std::array<unsigned char, 100> header{};
  ssize_t n = 0;
  do {
    n = ::pread(fd, header.data(), header.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0) throw_errno(errno, "cannot read a database's header");
  if (static_cast<std::size_t>(n) < header.size() || std::memcmp(header.data(), "SQLite format 3", 16) != 0) return std::nullopt;
  FileHeader result;
  result.page_size = big_endian(header, 16, 2);
  if (result.page_size == 1) result.page_size = 65536;
  result.wal = header[18] == 2 || header[19] == 2;
  result.change_counter = big_endian(header, 24, 4);
  result.pages = big_endian(header, 28, 4);
  return result;
}

bool writer_is_active(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = reserved_byte;
  lock.l_len = 1;
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) throw_errno(errno, "cannot ask for the lock of the live database");
  return lock.l_type != F_UNLCK;
}

std::optional<WriterLock> WriterLock::try_acquire(int fd) {
  // First without a lock of our own, which would fail a writer's commit that comes in that moment.
  if (writer_is_active(fd)) return std::nullopt;
  // A reader passes by PENDING so that it cannot starve a writer who waits there; we do the same.
  if (!set_lock(fd, F_RDLCK, pending_byte, 1)) return std::nullopt;
  bool shared = set_lock(fd, F_RDLCK, shared_first, shared_size);
  unlock(fd, pending_byte, 1);
  if (!shared) return std::nullopt;
  if (!set_lock(fd, F_WRLCK, reserved_byte, 1)) {
    unlock(fd, shared_first, shared_size);
    return std::nullopt;
  }
  return WriterLock(fd);
}

WriterLock::~WriterLock() {
  if (fd_ >= 0) unlock(fd_, pending_byte, 2 + shared_size);
}

bool journal_is_hot(int dir, const char* journal_name) {
  util::Fd journal(::openat(dir, journal_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!journal) {
    if (errno == ENOENT) return false;
    throw_errno(errno, std::string("cannot look at ") + journal_name);
  }
  char first = 0;
  ssize_t n = 0;
  do {
    n = ::pread(journal.get(), &first, 1, 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0) throw_errno(errno, std::string("cannot read ") + journal_name);
  return n == 1 && first != 0;
}

}  // namespace gsync::sqlite
