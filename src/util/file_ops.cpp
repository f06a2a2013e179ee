#include "gsync/util/file_ops.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>

#include <cerrno>
#include <system_error>

#include "gsync/util/error.hpp"

namespace gsync::util {
namespace {

/// Repeats a system call that a signal interrupted.
template <class Call>
auto repeat(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

/// What a file that is bound to its name alone answers (docker -v file:file).
[[noreturn]] void cannot_move(int error, const std::string& what) {
  if (error != EBUSY && error != EXDEV) throw_errno(error, what);
  throw Error(ErrorCode::refused, fmt::format("{}: {} (one of them is a mount of its own)", what, std::generic_category().message(error)),
              "mount the directory that holds the file, not the file alone");
}

}  // namespace

Fd PosixFileOps::open_at(int dir, const std::string& name, int flags, mode_t mode) {
  Fd fd(repeat([&] { return ::openat(dir, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode); }));
  if (!fd) throw_errno(errno, "cannot open " + name, errno == ELOOP ? "it is a symbolic link, which is not followed here" : "");
  return fd;
}

std::optional<struct stat> PosixFileOps::stat_at(int dir, const std::string& name) {
  struct stat st {};
  if (::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) return st;
  if (errno == ENOENT) return std::nullopt;
  throw_errno(errno, "cannot look at " + name);
}

struct stat PosixFileOps::stat(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) throw_errno(errno, "cannot look at an open file");
  return st;
}

void PosixFileOps::write(int fd, std::span<const std::byte> data, off_t offset) {
  while (!data.empty()) {
    auto n = repeat([&] { return ::pwrite(fd, data.data(), data.size(), offset); });
    if (n <= 0) throw_errno(n < 0 ? errno : EIO, "cannot write to a file");
    data = data.subspan(static_cast<std::size_t>(n));
    offset += n;
  }
}

void PosixFileOps::truncate(int fd, off_t size) {
  if (repeat([&] { return ::ftruncate(fd, size); }) != 0) throw_errno(errno, "cannot set a file's size");
}

void PosixFileOps::sync(int fd) {
  if (repeat([&] { return ::fsync(fd); }) != 0) throw_errno(errno, "cannot bring a file or directory to the disk (fsync)");
}

void PosixFileOps::change_owner(int fd, uid_t uid, gid_t gid) {
  if (repeat([&] { return ::fchown(fd, uid, gid); }) != 0) throw_errno(errno, "cannot change a file's owner");
}

void PosixFileOps::change_mode(int fd, mode_t mode) {
  if (repeat([&] { return ::fchmod(fd, mode); }) != 0) throw_errno(errno, "cannot change a file's mode");
}

void PosixFileOps::make_directory(int dir, const std::string& name, mode_t mode) {
  if (::mkdirat(dir, name.c_str(), mode) != 0) throw_errno(errno, "cannot make the directory " + name);
}

bool PosixFileOps::unlink_at(int dir, const std::string& name) {
  if (::unlinkat(dir, name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  throw_errno(errno, "cannot remove " + name);
}

void PosixFileOps::rename_at(int from_dir, const std::string& from, int to_dir, const std::string& to) {
  if (::renameat(from_dir, from.c_str(), to_dir, to.c_str()) != 0) cannot_move(errno, "cannot rename " + from + " to " + to);
}

void PosixFileOps::link_at(int from_dir, const std::string& from, int to_dir, const std::string& to) {
  if (::linkat(from_dir, from.c_str(), to_dir, to.c_str(), 0) != 0) cannot_move(errno, "cannot link " + from + " as " + to);
}

bool PosixFileOps::exchange_at(int a_dir, const std::string& a, int b_dir, const std::string& b) {
  if (::renameat2(a_dir, a.c_str(), b_dir, b.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS || errno == EPERM) return false;
  cannot_move(errno, "cannot exchange " + a + " and " + b);
}

Fd open_directory(const std::string& path) {
  Fd fd(repeat([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd) throw_errno(errno, "cannot open the directory " + path);
  return fd;
}

}  // namespace gsync::util
