#include "gsync/replica/live_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "gsync/util/error.hpp"

namespace gsync::replica {

namespace {

/// Several steps of the clock that files get their times from.
constexpr std::chrono::milliseconds same_time{100};

std::int64_t nanoseconds(const timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

std::string to_string(const Identity& i) {
  return fmt::format("{:x}:{:x}:{:x}:{:x}:{:x}", i.device, i.inode, i.size, i.mtime_ns, i.change_counter);
}

Identity identity_of(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) throw_errno(errno, "cannot look at a database file");
  Identity identity;
  identity.device = st.st_dev;
  identity.inode = st.st_ino;
  identity.size = st.st_size;
  identity.mtime_ns = nanoseconds(st.st_mtim);
  if (auto header = sqlite::read_header(fd)) identity.change_counter = header->change_counter;
  return identity;
}

LiveFile::LiveFile(const std::string& path, util::FileOps& files) : path_(path), files_(files) {
  auto slash = path.rfind('/');
  GSYNC_ASSERT(slash != std::string::npos);
  name_ = path.substr(slash + 1);
  directory_ = util::open_directory(slash == 0 ? "/" : path.substr(0, slash));
}

std::shared_mutex& LiveFile::guard() {
  // One for the process, because POSIX locks belong to the process and not to an object of ours.
  static std::shared_mutex guard;
  return guard;
}

LiveFile::Reader LiveFile::open_reader(sqlite::Vfs vfs) {
  std::shared_lock lock(guard());
  if (!is_there()) {
    throw Error(ErrorCode::not_found, fmt::format("{} does not exist", path_),
                "run `pihole -g` to make it, or take a whole database with `gravity-sync pull --full`");
  }
  sqlite::Database database(path_, sqlite::OpenMode::read_only, vfs);
  // A writer's commit is over in milliseconds; FTL and the web page see nothing of our waiting.
  database.set_busy_timeout(std::chrono::milliseconds(2'000));
  return Reader(std::move(lock), std::move(database));
}

bool LiveFile::is_there() {
  const auto st = files_.stat_at(directory_.get(), name_);
  // To open a pipe would take until somebody else opens it. Symbolic links are for open_at() to refuse.
  if (st && !S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
    throw Error(ErrorCode::corrupt, fmt::format("{} is not a file", path_), "see what stands in its place");
  return st.has_value();
}

LiveFile::Raw LiveFile::open_raw() {
  std::unique_lock lock(guard());
  is_there();
  auto fd = files_.open_at(directory_.get(), name_, O_RDWR);
  return Raw(std::move(lock), std::move(fd));
}

std::optional<Identity> LiveFile::identity() {
  std::unique_lock lock(guard());
  if (!is_there()) return std::nullopt;
  return identity_of(files_.open_at(directory_.get(), name_, O_RDONLY).get());
}

std::optional<Look> LiveFile::look() {
  const auto st = files_.stat_at(directory_.get(), name_);
  if (!st || !S_ISREG(st->st_mode) || files_.stat_at(directory_.get(), name_ + "-wal")) return std::nullopt;
  Look look{st->st_dev, st->st_ino, st->st_size, nanoseconds(st->st_mtim), nanoseconds(st->st_ctim)};
  const std::chrono::nanoseconds last(std::max(look.mtime_ns, look.ctime_ns));
  // What is written after the clock was set back gets another time than a file that is of the future.
  if (std::chrono::abs(std::chrono::system_clock::now().time_since_epoch() - last) < same_time) return std::nullopt;
  return look;
}

std::optional<sqlite::FileHeader> LiveFile::header() {
  std::unique_lock lock(guard());
  if (!is_there()) return std::nullopt;
  return sqlite::read_header(files_.open_at(directory_.get(), name_, O_RDONLY).get());
}

std::optional<std::string> LiveFile::wal_mode() {
  auto found = header();
  if (found && found->wal)
    return fmt::format("{} is in WAL mode, which Pi-hole does not use: exchanging it would lose what stands in its -wal file", path_);
  if (auto wal = files_.stat_at(directory_.get(), name_ + "-wal"); wal && wal->st_size > 0) {
    return fmt::format("{}-wal exists: another program uses the database in WAL mode", path_);
  }
  return std::nullopt;
}

}  // namespace gsync::replica
