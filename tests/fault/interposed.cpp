// The C library's functions, defined by this program: the dynamic linker prefers an executable's definitions to those of shared libraries. Each does what the
// real one does, unless a fault is due. Their names are given as assembler names, because <fcntl.h> and others declare some of them as names of their 64-bit variants.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "fault/faults.hpp"
#include "fault/power.hpp"

namespace gsync::test {
namespace {

struct State {
  bool armed = false;
  Fault fault;
  Trace* trace = nullptr;
  int stream = -1;
  std::string root;
  std::atomic<bool> broken = false;
  std::vector<std::pair<ino_t, ino_t>> inodes;
  Filesystem filesystem;
  char random = 0;
} state;

std::atomic<int> threads{0};
thread_local int own_number = -1;

/// Those that work side by side begin one after the other: the check comes when all rows were read.
int thread_number() {
  if (own_number < 0) own_number = std::min(threads++, most_threads - 1);
  return own_number;
}

template <class Function>
Function* real(const char* name) {
  auto* found = ::dlsym(RTLD_NEXT, name);
  if (!found) ::abort();
  return reinterpret_cast<Function*>(found);
}

struct Call {
  unsigned kinds;
  const char* name;
  int fd = -1;
  const char* path = nullptr;
};

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

void describe(const Call& call) {
  char link[64];
  char target[160] = {};
  if (call.fd >= 0) {
    ::snprintf(link, sizeof link, "/proc/self/fd/%d", call.fd);
    if (::readlink(link, target, sizeof target - 1) < 0) target[0] = 0;
  }
  ::snprintf(state.trace->operation, sizeof state.trace->operation, "%s %s %s", call.name, target, call.path ? call.path : "");
}

int error_of(const Call& call) {
  if (call.kinds & Kind::stream) return ECONNRESET;
  if (call.kinds & Kind::lock) return ENOLCK;
  if (call.kinds & Kind::child) return EAGAIN;
  return EIO;
}

void break_connection() {
  static const auto next = real<int(int, int)>("shutdown");
  next(state.stream, SHUT_RDWR);
  state.broken = true;
}

/// `half` does a part of the operation, where it has parts; else it does the whole.
template <class Whole, class Half>
auto around(const Call& call, Whole whole, Half half) -> decltype(whole()) {
  using Result = decltype(whole());
  if (!state.armed || call.kinds == 0) return whole();
  const int thread = thread_number();
  auto fail = [](int error) {
    errno = error;
    return Result(-1);
  };
  if (state.broken && (call.kinds & Kind::stream)) return fail(ECONNRESET);
  if (state.trace->happened) {
    if (state.fault.event == Event::disk_full && (call.kinds & Kind::room)) return fail(ENOSPC);
    if (state.fault.event == Event::read_only && (call.kinds & Kind::change)) return fail(EROFS);
    return whole();
  }
  if (!(call.kinds & state.fault.kinds)) return whole();
  const int at = state.trace->operations[static_cast<std::size_t>(thread)]++;
  if (thread != state.fault.thread || at != state.fault.at || state.fault.event == Event::none) return whole();
  state.trace->happened = true;
  describe(call);
  switch (state.fault.event) {
    case Event::none:
      break;
    case Event::die:
    case Event::lose_power:
      die();
    case Event::die_within:
      half();
      die();
    case Event::fail:
      if (call.kinds & Kind::stream) break_connection();
      return fail(error_of(call));
    case Event::fail_after:
      whole();
      if (call.kinds & Kind::stream) break_connection();
      return fail(error_of(call));
    case Event::disk_full: {
      // A write that arrives in part says so; its rest fails.
      if (std::strstr(call.name, "write") != nullptr) return half();
      return fail(ENOSPC);
    }
    case Event::read_only:
      return fail(EROFS);
    case Event::shorten:
      return half();
  }
  return whole();
}
template <class Whole>
auto around(const Call& call, Whole whole) -> decltype(whole()) {
  return around(call, whole, whole);
}

bool is_regular(int fd) {
  static const auto next = real<int(int, struct stat*)>("fstat64");
  struct stat st {};
  const int before = errno;
  const bool yes = next(fd, &st) == 0 && S_ISREG(st.st_mode);
  errno = before;
  return yes;
}

bool is_ours(const char* path) { return std::strncmp(path, state.root.c_str(), state.root.size()) == 0; }

bool is_below_root(int dir, const char* path) {
  if (path != nullptr && path[0] == '/') return is_ours(path);
  char link[64];
  char target[512] = {};
  ::snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
  return dir >= 0 && ::readlink(link, target, sizeof target - 1) > 0 && is_ours(target);
}

unsigned kind_of_open(int dir, const char* path, int flags) {
  if (!state.armed) return 0;
  if (flags & (O_CREAT | O_TRUNC)) return Kind::change | Kind::room;
  return is_below_root(dir, path) ? Kind::look : 0;
}
unsigned kind_of_look(int dir, const char* path) { return state.armed && is_below_root(dir, path) ? Kind::look : 0; }
unsigned kind_of_transfer(int fd, unsigned on_file) {
  if (!state.armed) return 0;
  if (fd == state.stream) return Kind::stream;
  if (!is_regular(fd)) return 0;
  return on_file == Kind::look && !is_below_root(fd, nullptr) ? 0 : on_file;
}

/// How often one asks in vain is a matter of luck, so that is no operation.
bool nothing_to_read(int fd) {
  static const auto next = real<ssize_t(int, void*, size_t, int)>("recv");
  char byte;
  return next(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

size_t half_of(size_t size) { return std::max<size_t>(1, size / 2); }

struct stat* shown(struct stat* st) {
  for (const auto& [from, to] : state.inodes) {
    if (st->st_ino != from) continue;
    st->st_ino = to;
    break;
  }
  return st;
}

/// The whole of an open; the log hears of a file that was made or emptied by it.
template <class Open>
int opened(int dir, const char* path, int flags, Open open) {
  if (!(flags & (O_CREAT | O_TRUNC)) || !state.armed) return open();
  static const auto next = real<int(int, const char*, struct stat*, int)>("fstatat64");
  struct stat st {};
  const bool there = next(dir, path, &st, 0) == 0;
  const int fd = open();
  if (fd < 0) return fd;
  if (!there)
    note_create(dir, path, fd);
  else if (flags & O_TRUNC)
    note_truncate(fd, 0);
  return fd;
}

/// What `change` gives, which the log hears of when it is 0.
template <class Change, class Note>
int noted(Change change, Note note) {
  const int result = change();
  if (result == 0) note();
  return result;
}

}  // namespace

void arm(const Fault& fault, Trace& trace, int stream_descriptor, const std::string& root) {
  state.fault = fault;
  state.trace = &trace;
  state.stream = stream_descriptor;
  state.root = root;
  state.armed = true;
  thread_number();
}

void show_inodes(std::vector<std::pair<ino_t, ino_t>> numbers) { state.inodes = std::move(numbers); }
void limit_filesystem(const Filesystem& filesystem) { state.filesystem = filesystem; }
void give_random(char byte) { state.random = byte; }

}  // namespace gsync::test

using namespace gsync::test;

#define NAMED(name) __asm__(name)

extern "C" {

int gsync_open(const char* path, int flags, mode_t mode) NAMED("open");
int gsync_open(const char* path, int flags, mode_t mode) {
  static const auto next = real<int(const char*, int, ...)>("open");
  return around({kind_of_open(AT_FDCWD, path, flags), "open", -1, path},
                [&] { return opened(AT_FDCWD, path, flags, [&] { return next(path, flags, mode); }); });
}
int gsync_open64(const char* path, int flags, mode_t mode) NAMED("open64");
int gsync_open64(const char* path, int flags, mode_t mode) { return gsync_open(path, flags | O_LARGEFILE, mode); }
int gsync_openat(int dir, const char* path, int flags, mode_t mode) NAMED("openat");
int gsync_openat(int dir, const char* path, int flags, mode_t mode) {
  static const auto next = real<int(int, const char*, int, ...)>("openat");
  return around({kind_of_open(dir, path, flags), "openat", dir, path},
                [&] { return opened(dir, path, flags, [&] { return next(dir, path, flags, mode); }); });
}
int gsync_openat64(int dir, const char* path, int flags, mode_t mode) NAMED("openat64");
int gsync_openat64(int dir, const char* path, int flags, mode_t mode) { return gsync_openat(dir, path, flags | O_LARGEFILE, mode); }

ssize_t gsync_read(int fd, void* to, size_t size) NAMED("read");
ssize_t gsync_read(int fd, void* to, size_t size) {
  static const auto next = real<ssize_t(int, void*, size_t)>("read");
  const auto kinds = kind_of_transfer(fd, Kind::look);
  if ((kinds & Kind::stream) && !state.broken && nothing_to_read(fd)) {
    errno = EAGAIN;
    return -1;
  }
  return around({kinds, "read", fd}, [&] { return next(fd, to, size); }, [&] { return next(fd, to, half_of(size)); });
}
ssize_t gsync_write(int fd, const void* from, size_t size) NAMED("write");
ssize_t gsync_write(int fd, const void* from, size_t size) {
  static const auto next = real<ssize_t(int, const void*, size_t)>("write");
  const auto whole = [&] {
    const auto written = next(fd, from, size);
    if (written > 0 && fd != state.stream) note_write(fd, from, written, ::lseek(fd, 0, SEEK_CUR) - written);
    return written;
  };
  return around({kind_of_transfer(fd, Kind::change | Kind::room), "write", fd}, whole, [&] { return next(fd, from, half_of(size)); });
}
ssize_t gsync_pread64(int fd, void* to, size_t size, off_t at) NAMED("pread64");
ssize_t gsync_pread64(int fd, void* to, size_t size, off_t at) {
  static const auto next = real<ssize_t(int, void*, size_t, off_t)>("pread64");
  return around({kind_of_transfer(fd, Kind::look), "pread", fd}, [&] { return next(fd, to, size, at); }, [&] { return next(fd, to, half_of(size), at); });
}
ssize_t gsync_pwrite64(int fd, const void* from, size_t size, off_t at) NAMED("pwrite64");
ssize_t gsync_pwrite64(int fd, const void* from, size_t size, off_t at) {
  static const auto next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite64");
  const auto whole = [&] {
    const auto written = next(fd, from, size, at);
    note_write(fd, from, written, at);
    return written;
  };
  return around({kind_of_transfer(fd, Kind::change | Kind::room), "pwrite", fd}, whole, [&] { return next(fd, from, half_of(size), at); });
}

/// A test's machine does not lose its power, so nothing waits for its disk.
int gsync_fsync(int fd) NAMED("fsync");
int gsync_fsync(int fd) {
  return around({Kind::change | Kind::room, "fsync", fd}, [&] {
    note_sync(fd);
    return 0;
  });
}
int gsync_fdatasync(int fd) NAMED("fdatasync");
int gsync_fdatasync(int fd) {
  return around({Kind::change | Kind::room, "fdatasync", fd}, [&] {
    note_sync(fd);
    return 0;
  });
}
int gsync_ftruncate64(int fd, off_t size) NAMED("ftruncate64");
int gsync_ftruncate64(int fd, off_t size) {
  static const auto next = real<int(int, off_t)>("ftruncate64");
  return around({Kind::change, "ftruncate", fd}, [&] { return noted([&] { return next(fd, size); }, [&] { note_truncate(fd, size); }); });
}
int gsync_fchmod(int fd, mode_t mode) NAMED("fchmod");
int gsync_fchmod(int fd, mode_t mode) {
  static const auto next = real<int(int, mode_t)>("fchmod");
  return around({Kind::change, "fchmod", fd}, [&] { return next(fd, mode); });
}
int gsync_fchown(int fd, uid_t uid, gid_t gid) NAMED("fchown");
int gsync_fchown(int fd, uid_t uid, gid_t gid) {
  static const auto next = real<int(int, uid_t, gid_t)>("fchown");
  return around({Kind::change, "fchown", fd}, [&] { return next(fd, uid, gid); });
}

int gsync_rename(const char* from, const char* to) NAMED("rename");
int gsync_rename(const char* from, const char* to) {
  static const auto next = real<int(const char*, const char*)>("rename");
  return around({Kind::change, "rename", -1, from}, [&] {
    return noted([&] { return next(from, to); }, [&] { note_names(DiskLog::What::rename, AT_FDCWD, from, AT_FDCWD, to); });
  });
}
int gsync_renameat(int from_dir, const char* from, int to_dir, const char* to) NAMED("renameat");
int gsync_renameat(int from_dir, const char* from, int to_dir, const char* to) {
  static const auto next = real<int(int, const char*, int, const char*)>("renameat");
  return around({Kind::change, "renameat", from_dir, from}, [&] {
    return noted([&] { return next(from_dir, from, to_dir, to); }, [&] { note_names(DiskLog::What::rename, from_dir, from, to_dir, to); });
  });
}
int gsync_renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) NAMED("renameat2");
int gsync_renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  static const auto next = real<int(int, const char*, int, const char*, unsigned)>("renameat2");
  if (!state.filesystem.exchange && (flags & RENAME_EXCHANGE)) {
    errno = EINVAL;
    return -1;
  }
  return around({Kind::change, "renameat2", from_dir, from}, [&] {
    const auto what = flags & RENAME_EXCHANGE ? DiskLog::What::exchange : DiskLog::What::rename;
    return noted([&] { return next(from_dir, from, to_dir, to, flags); }, [&] { note_names(what, from_dir, from, to_dir, to); });
  });
}
int gsync_linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) NAMED("linkat");
int gsync_linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) {
  static const auto next = real<int(int, const char*, int, const char*, int)>("linkat");
  return around({Kind::change | Kind::room, "linkat", from_dir, from}, [&] {
    return noted([&] { return next(from_dir, from, to_dir, to, flags); },
                 [&] { note_names(DiskLog::What::link, from_dir, from, to_dir, to); });
  });
}
int gsync_unlink(const char* path) NAMED("unlink");
int gsync_unlink(const char* path) {
  static const auto next = real<int(const char*)>("unlink");
  return around({Kind::change, "unlink", -1, path},
                [&] { return noted([&] { return next(path); }, [&] { note_names(DiskLog::What::remove, AT_FDCWD, path); }); });
}
int gsync_unlinkat(int dir, const char* path, int flags) NAMED("unlinkat");
int gsync_unlinkat(int dir, const char* path, int flags) {
  static const auto next = real<int(int, const char*, int)>("unlinkat");
  return around({Kind::change, "unlinkat", dir, path},
                [&] { return noted([&] { return next(dir, path, flags); }, [&] { note_names(DiskLog::What::remove, dir, path); }); });
}
int gsync_mkdirat(int dir, const char* path, mode_t mode) NAMED("mkdirat");
int gsync_mkdirat(int dir, const char* path, mode_t mode) {
  static const auto next = real<int(int, const char*, mode_t)>("mkdirat");
  return around({Kind::change | Kind::room, "mkdirat", dir, path}, [&] { return next(dir, path, mode); });
}

int gsync_fstat64(int fd, struct stat* st) NAMED("fstat64");
int gsync_fstat64(int fd, struct stat* st) {
  static const auto next = real<int(int, struct stat*)>("fstat64");
  const int result = around({state.armed && is_below_root(fd, nullptr) ? Kind::look : 0, "fstat", fd}, [&] { return next(fd, st); });
  if (result == 0) shown(st);
  return result;
}
int gsync_stat64(const char* path, struct stat* st) NAMED("stat64");
int gsync_stat64(const char* path, struct stat* st) {
  static const auto next = real<int(const char*, struct stat*)>("stat64");
  const int result = around({kind_of_look(AT_FDCWD, path), "stat", -1, path}, [&] { return next(path, st); });
  if (result == 0) shown(st);
  return result;
}
int gsync_lstat64(const char* path, struct stat* st) NAMED("lstat64");
int gsync_lstat64(const char* path, struct stat* st) {
  static const auto next = real<int(const char*, struct stat*)>("lstat64");
  const int result = around({kind_of_look(AT_FDCWD, path), "lstat", -1, path}, [&] { return next(path, st); });
  if (result == 0) shown(st);
  return result;
}
int gsync_fstatat64(int dir, const char* path, struct stat* st, int flags) NAMED("fstatat64");
int gsync_fstatat64(int dir, const char* path, struct stat* st, int flags) {
  static const auto next = real<int(int, const char*, struct stat*, int)>("fstatat64");
  const int result = around({kind_of_look(dir, path), "fstatat", dir, path}, [&] { return next(dir, path, st, flags); });
  if (result == 0) shown(st);
  return result;
}

int gsync_fcntl64(int fd, int command, void* argument) NAMED("fcntl64");
int gsync_fcntl64(int fd, int command, void* argument) {
  static const auto next = real<int(int, int, ...)>("fcntl64");
  if (command == F_SETLEASE && !state.filesystem.leases) {
    errno = EINVAL;
    return -1;
  }
  // How often a lease is asked for depends on when the last reader goes.
  static int leased = -1;
  const bool again = command == F_SETLEASE && std::exchange(leased, fd) == fd;
  const bool locks = command == F_SETLK || command == F_OFD_SETLK || (command == F_SETLEASE && !again);
  return around({locks ? Kind::lock : 0, "fcntl", fd}, [&] { return next(fd, command, argument); });
}
int gsync_flock(int fd, int operation) NAMED("flock");
int gsync_flock(int fd, int operation) {
  static const auto next = real<int(int, int)>("flock");
  return around({Kind::lock, "flock", fd}, [&] { return next(fd, operation); });
}
int gsync_shutdown(int fd, int how) NAMED("shutdown");
int gsync_shutdown(int fd, int how) {
  static const auto next = real<int(int, int)>("shutdown");
  return around({fd == state.stream ? Kind::stream : 0, "shutdown", fd}, [&] { return next(fd, how); });
}

ssize_t gsync_getrandom(void* to, size_t size, unsigned flags) NAMED("getrandom");
ssize_t gsync_getrandom(void* to, size_t size, unsigned flags) {
  static const auto next = real<ssize_t(void*, size_t, unsigned)>("getrandom");
  if (state.random == 0) return next(to, size, flags);
  std::memset(to, state.random, size);
  return static_cast<ssize_t>(size);
}
/// Two operations, before and after it, because the child must not fail or die in our place.
pid_t gsync_fork() NAMED("fork");
pid_t gsync_fork() {
  static const auto next = real<pid_t()>("fork");
  if (around({Kind::child, "fork"}, [] { return 0; }) != 0) return -1;
  const pid_t pid = next();
  if (pid == 0) {
    state.armed = false;
  } else {
    around({Kind::child, "forked"}, [] { return 0; });
  }
  return pid;
}

}  // extern "C"
