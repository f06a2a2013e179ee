#include "support/small_disk.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace gsync::test {

SmallDisk::SmallDisk(std::uint64_t bytes) {
  if (!reason().empty()) return;
  mounts_.tmpfs(where_.path(), bytes);
  if (const char* before = std::getenv("TMPDIR")) before_ = before;
  ::setenv("TMPDIR", where_.path().c_str(), 1);
}

SmallDisk::~SmallDisk() {
  if (!reason().empty()) return;
  if (before_)
    ::setenv("TMPDIR", before_->c_str(), 1);
  else
    ::unsetenv("TMPDIR");
}

void SmallDisk::leave_free(std::uint64_t bytes) {
  struct statvfs fs {};
  if (::statvfs(where_.path().c_str(), &fs) != 0) throw std::runtime_error("statvfs");
  const auto free = std::uint64_t{fs.f_bavail} * fs.f_frsize;
  if (free < bytes) throw std::runtime_error("the small disk is too small");
  write_text(where_ / "filler", std::string(free - bytes / fs.f_frsize * fs.f_frsize, 'x'));
}

void SmallDisk::empty() {
  ::unlink((where_ / "filler").c_str());
}

}  // namespace gsync::test
