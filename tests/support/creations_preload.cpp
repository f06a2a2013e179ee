// Preloaded into gravity-sync: writes "MODE PATH" into the file that GSYNC_CREATIONS names for each file, directory and socket that it
// makes, with the mode that it had at that very moment. A later chmod is too late for who looked in between.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool is_there(int dir, const char* path) {
  struct stat st {};
  return ::fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void note(int dir, const char* path) {
  const int before = errno;
  static const char* const log = std::getenv("GSYNC_CREATIONS");
  struct stat st {};
  char directory[PATH_MAX] = "";
  if (log && std::strcmp(program_invocation_short_name, "gravity-sync") == 0 && ::fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
    if (path[0] != '/' && dir != AT_FDCWD) {
      char link[64];
      std::snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
      if (::readlink(link, directory, sizeof directory - 2) > 0) std::strcat(directory, "/");
    }
    char line[2 * PATH_MAX];
    const int length = std::snprintf(line, sizeof line, "%o %s%s\n", st.st_mode & 07777, directory, path);
    const long fd = ::syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd >= 0 && length > 0) {
      [[maybe_unused]] const auto n = ::write(static_cast<int>(fd), line, static_cast<size_t>(length));
      ::close(static_cast<int>(fd));
    }
  }
  errno = before;
}

template <class Open>
int opened(int dir, const char* path, int flags, Open open) {
  const bool makes = (flags & O_CREAT) != 0 && !is_there(dir, path);
  const int fd = open();
  if (fd >= 0 && makes) note(dir, path);
  return fd;
}

mode_t mode_of(int flags, va_list more) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(more, int)) : 0;
}

}  // namespace

// Both names of each: the program is built for large files, what it links may not be.
extern "C" {

#define GSYNC_OPEN(name)                                                               \
  int name(const char* path, int flags, ...) {                                         \
    static auto* const original = real<int(const char*, int, mode_t)>(#name);          \
    va_list more;                                                                      \
    va_start(more, flags);                                                             \
    const mode_t mode = mode_of(flags, more);                                          \
    va_end(more);                                                                      \
    return opened(AT_FDCWD, path, flags, [&] { return original(path, flags, mode); }); \
  }
#define GSYNC_OPENAT(name)                                                             \
  int name(int dir, const char* path, int flags, ...) {                                \
    static auto* const original = real<int(int, const char*, int, mode_t)>(#name);     \
    va_list more;                                                                      \
    va_start(more, flags);                                                             \
    const mode_t mode = mode_of(flags, more);                                          \
    va_end(more);                                                                      \
    return opened(dir, path, flags, [&] { return original(dir, path, flags, mode); }); \
  }
#undef open
#undef open64
#undef openat
#undef openat64
GSYNC_OPEN(open)
GSYNC_OPEN(open64)
GSYNC_OPENAT(openat)
GSYNC_OPENAT(openat64)

int mkdirat(int dir, const char* path, mode_t mode) noexcept {
  static auto* const original = real<int(int, const char*, mode_t)>("mkdirat");
  const int result = original(dir, path, mode);
  if (result == 0) note(dir, path);
  return result;
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const original = real<int(const char*, mode_t)>("mkdir");
  const int result = original(path, mode);
  if (result == 0) note(AT_FDCWD, path);
  return result;
}

int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  static auto* const original = real<int(int, const sockaddr*, socklen_t)>("bind");
  const int result = original(fd, address, length);
  if (result == 0 && address->sa_family == AF_UNIX) note(AT_FDCWD, reinterpret_cast<const sockaddr_un*>(address)->sun_path);
  return result;
}
}
