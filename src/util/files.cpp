#include "gsync/util/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "gsync/util/thread.hpp"

namespace gsync::util {

std::optional<std::string> read_file(const std::string& path, std::size_t limit) {
  // Non-blocking, so that a FIFO in the file's place does not hang us.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    if (errno == ENOENT) return std::nullopt;
    throw Error(ErrorCode::io, "cannot open " + path + ": " + std::generic_category().message(errno));
  }
  return read_file(fd, path, limit);
}

std::string read_file(const Fd& fd, const std::string& path, std::size_t limit) {
  struct stat st {};
  if (::fstat(fd.get(), &st) == 0 && !S_ISREG(st.st_mode)) throw Error(ErrorCode::io, path + " is not a file", "name the file itself");
  std::string content;
  char buffer[16384];
  for (;;) {
    auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n == 0) return content;
    if (n < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorCode::io, "cannot read " + path + ": " + std::generic_category().message(errno));
    }
    if (static_cast<std::size_t>(n) > limit - content.size())
      throw Error(ErrorCode::refused, path + " is larger than the " + human_bytes(limit) + " that such a file may have",
                  "is it the right one?");
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

namespace {

/// Removes the temporary file of a replacement that did not come to its end.
class TemporaryName {
 public:
  TemporaryName(FileOps& files, int dir, const std::string& name) : files_(files), dir_(dir), name_(&name) {}
  ~TemporaryName() {
    if (name_ == nullptr) return;
    try {
      files_.unlink_at(dir_, *name_);
    } catch (const Error&) {
      // The error that is on its way says more.
    }
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  void keep() { name_ = nullptr; }

 private:
  FileOps& files_;
  int dir_;
  const std::string* name_;
};

/// What is to replace `name`, on the disk.
void write_temporary(FileOps& files, int dir, const std::string& name, const std::string& temporary, std::string_view content,
                     unsigned mode) {
  auto before = files.stat_at(dir, name);
  bool replaces = before && S_ISREG(before->st_mode);
  auto fd = files.open_at(dir, temporary, O_WRONLY | O_CREAT | O_EXCL, 0);
  auto made = files.stat(fd.get());
  if (replaces && (made.st_uid != before->st_uid || made.st_gid != before->st_gid))
    files.change_owner(fd.get(), before->st_uid, before->st_gid);
  files.change_mode(fd.get(), replaces ? before->st_mode & 07777 : mode);
  files.write(fd.get(), std::as_bytes(std::span(content)), 0);
  files.sync(fd.get());
}

}  // namespace

void replace_file(FileOps& files, int dir, const std::string& name, const std::string& temporary, std::string_view content, unsigned mode) {
  files.unlink_at(dir, temporary);
  TemporaryName unfinished(files, dir, temporary);
  write_temporary(files, dir, name, temporary, content, mode);
  files.rename_at(dir, temporary, dir, name);
  unfinished.keep();
  files.sync(dir);
}

namespace {

struct Place {
  Fd dir;
  std::string name;
  std::string temporary;
};

Place place_of(const std::string& path) {
  auto slash = path.rfind('/');
  auto directory = slash == std::string::npos ? std::string(".") : slash == 0 ? std::string("/") : path.substr(0, slash);
  auto name = slash == std::string::npos ? path : path.substr(slash + 1);
  return {open_directory(directory), name, "." + name + "." + random_hex(6) + ".tmp"};
}

}  // namespace

Replacement::Replacement(std::string path, std::string_view content, unsigned mode) : path_(std::move(path)) {
  try {
    auto place = place_of(path_);
    TemporaryName unfinished(files_, place.dir.get(), place.temporary);
    write_temporary(files_, place.dir.get(), place.name, place.temporary, content, mode);
    unfinished.keep();
    directory_ = std::move(place.dir);
    name_ = std::move(place.name);
    temporary_ = std::move(place.temporary);
  } catch (const Error& e) {
    throw e.within("cannot replace " + path_);
  }
}

Replacement::~Replacement() {
  if (!temporary_.empty()) const TemporaryName unfinished(files_, directory_.get(), temporary_);
}

void Replacement::commit() {
  try {
    files_.rename_at(directory_.get(), temporary_, directory_.get(), name_);
    temporary_.clear();
    files_.sync(directory_.get());
  } catch (const Error& e) {
    throw e.within("cannot replace " + path_);
  }
}

void replace_file(const std::string& path, std::string_view content, unsigned mode) {
  Replacement(path, content, mode).commit();
}

bool create_file(const std::string& path, std::string_view content, unsigned mode) {
  PosixFileOps files;
  try {
    const auto place = place_of(path);
    TemporaryName unfinished(files, place.dir.get(), place.temporary);
    const auto fd = files.open_at(place.dir.get(), place.temporary, O_WRONLY | O_CREAT | O_EXCL, 0);
    files.change_mode(fd.get(), mode);
    files.write(fd.get(), std::as_bytes(std::span(content)), 0);
    files.sync(fd.get());
    // Not a rename, which would replace what is there.
    const bool made = ::linkat(place.dir.get(), place.temporary.c_str(), place.dir.get(), place.name.c_str(), 0) == 0;
    if (!made && errno != EEXIST) throw_errno(errno, "cannot name it");
    files.unlink_at(place.dir.get(), place.temporary);
    unfinished.keep();
    files.sync(place.dir.get());
    return made;
  } catch (const Error& e) {
    throw e.within("cannot make " + path);
  }
}

namespace {

/// Whoever waits for a FileLock holds this lock of the first byte meanwhile, together with all others who wait. flock() does not see it,
/// and it goes with the descriptor, however its process ends.
struct flock waiting(short type) {
  struct flock byte {};
  byte.l_type = type;
  byte.l_whence = SEEK_SET;
  byte.l_len = 1;
  return byte;
}

/// Where it cannot be done, as on NFS, where flock() is such a lock itself, the holder does not hear of us, and that is all.
void announce(const Fd& fd, bool waits) noexcept {
  auto byte = waiting(waits ? F_RDLCK : F_UNLCK);
  ::fcntl(fd.get(), F_OFD_SETLK, &byte);
}

}  // namespace

bool FileLock::wanted() const noexcept {
  auto byte = waiting(F_WRLCK);
  return ::fcntl(fd_.get(), F_OFD_GETLK, &byte) == 0 && byte.l_type != F_UNLCK;
}

std::optional<FileLock> FileLock::acquire(int dir, const std::string& name, Deadline deadline) {
  PosixFileOps ops;
  for (;;) {
    auto fd = ops.open_at(dir, name, O_RDWR | O_CREAT, 0600);
    bool waits = false;
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) throw_errno(errno, "cannot lock " + name);
      if (deadline.passed()) return std::nullopt;
      if (!std::exchange(waits, true)) announce(fd, true);
      // flock knows no timeout, and a signal to end a blocking one would be process-wide.
      std::this_thread::sleep_for(std::min(deadline.remaining(), std::chrono::milliseconds(10)));
    }
    if (waits) announce(fd, false);
    // Somebody may have removed the file while we waited: a lock on a file without a name keeps nobody out.
    auto mine = ops.stat(fd.get());
    auto named = ops.stat_at(dir, name);
    if (named && named->st_dev == mine.st_dev && named->st_ino == mine.st_ino) return FileLock(std::move(fd));
  }
}

// Not fsync: whoever is told of a write error takes it away from the next one who asks.
WriteBack::WriteBack(int fd) : thread_(thread_without_signals([fd] { ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); })) {}

}  // namespace gsync::util
