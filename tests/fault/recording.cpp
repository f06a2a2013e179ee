#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fault/power.hpp"

namespace gsync::test {
namespace {

DiskLog* log_to = nullptr;
std::string log_root;

using What = DiskLog::What;

std::string path_of(int fd) {
  char target[512];
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto size = ::readlink(link.c_str(), target, sizeof target);
  return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

bool is_logged(const std::string& path) {
  return path.starts_with(log_root);
}

std::string absolute(int dir, const char* path) {
  return path[0] == '/' ? path : path_of(dir) + "/" + path;
}

/// Keeps errno, and does nothing where nothing is recorded.
template <class Action>
void noting(Action action) {
  if (!log_to) return;
  const int before = errno;
  action();
  errno = before;
}

/// The file as stat shows it; 0 for one that is not to be logged.
ino_t logged_file(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !is_logged(path_of(fd))) return 0;
  return st.st_ino;
}

}  // namespace

void record(DiskLog& log, const std::string& root) {
  log_to = &log;
  log_root = root;
}

void note_write(int fd, const void* data, ssize_t size, off_t at) {
  noting([&] {
    if (size <= 0) return;
    if (const auto inode = logged_file(fd))
      log_to->add(What::write, inode, static_cast<std::uint64_t>(at), {static_cast<const char*>(data), static_cast<std::size_t>(size)});
  });
}

void note_truncate(int fd, off_t size) {
  noting([&] {
    if (const auto inode = logged_file(fd)) log_to->add(What::truncate, inode, static_cast<std::uint64_t>(size), {});
  });
}

void note_sync(int fd) {
  noting([&] {
    struct stat st {};
    if (::fstat(fd, &st) != 0) return;
    const auto path = path_of(fd);
    if (!is_logged(path)) return;
    if (S_ISDIR(st.st_mode))
      log_to->add(What::sync_directory, 0, 0, {}, path);
    else
      log_to->add(What::sync, st.st_ino, 0, {});
  });
}

void note_create(int dir, const char* path, int fd) {
  noting([&] {
    const auto name = absolute(dir, path);
    struct stat st {};
    if (is_logged(name) && ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) log_to->add(What::create, st.st_ino, 0, {}, name);
  });
}

void note_names(What what, int dir, const char* path, int other_dir, const char* other) {
  noting([&] {
    const auto first = absolute(dir, path);
    if (is_logged(first)) log_to->add(what, 0, 0, {}, first, other ? absolute(other_dir, other) : std::string());
  });
}

}  // namespace gsync::test
