#include "gsync/replica/shadow.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gsync/util/error.hpp"
#include "lease.hpp"

namespace gsync::replica {
namespace {

constexpr const char* directory_name = ".gravity-sync";
constexpr const char* building = "shadow.building";
constexpr const char* previous_name = "shadow.previous";

}  // namespace

Shadow::Shadow(LiveFile& live) : live_(live), path_(live.path().substr(0, live.path().rfind('/') + 1) + directory_name) {}

int Shadow::directory() {
  if (directory_) return directory_.get();
  auto& files = live_.files();
  struct stat around = files.stat(live_.directory());
  bool made = false;
  if (!files.stat_at(live_.directory(), directory_name)) {
    try {
      files.make_directory(live_.directory(), directory_name, 0700);
      made = true;
    } catch (const Error&) {
      if (!files.stat_at(live_.directory(), directory_name)) throw;  // another process was quicker
    }
  }
  auto fd = files.open_at(live_.directory(), directory_name, O_RDONLY | O_DIRECTORY);
  struct stat st = files.stat(fd.get());
  // By us, who died before the next lines: nobody else gives it to root, or to nobody but its owner.
  if ((st.st_uid != around.st_uid && st.st_uid == ::geteuid()) || (st.st_mode & 077) == 0) made = true;
  if (made && (st.st_uid != around.st_uid || st.st_gid != around.st_gid)) files.change_owner(fd.get(), around.st_uid, around.st_gid);
  if (made && (st.st_mode & 0777) != (around.st_mode & 0777)) files.change_mode(fd.get(), around.st_mode & 0777);
  if (!made && st.st_uid != around.st_uid) {
    throw Error(ErrorCode::refused, fmt::format("{} belongs to user {}, the directory around it to user {}", path_, st.st_uid, around.st_uid),
                fmt::format("remove it: sudo rm -r {}", path_));
  }
  directory_ = std::move(fd);
  return directory_.get();
}

util::FileLock Shadow::lock(util::Deadline deadline) {
  auto lock = util::FileLock::acquire(directory(), "lock", deadline);
  if (!lock) {
    throw Error(ErrorCode::busy, fmt::format("another gravity-sync is working on {}", live_.path()), "try again when it is done");
  }
  return std::move(*lock);
}

std::optional<Identity> Shadow::identity() {
  auto st = live_.files().stat_at(directory(), name);
  // What somebody else put there is no shadow of ours; begin() removes it.
  if (!st || !S_ISREG(st->st_mode)) return std::nullopt;
  return identity_of(open_raw().get());
}

void Shadow::remove_journals(const std::string& of) {
  for (const char* suffix : {"-journal", "-wal", "-shm"}) live_.files().unlink_at(directory(), of + suffix);
}

void Shadow::clear(const std::string& file) {
  auto& files = live_.files();
  if (auto st = files.stat_at(directory(), file); st && S_ISDIR(st->st_mode)) {
    // Ours are files: what is in it is somebody else's.
    throw Error(ErrorCode::refused, fmt::format("{}/{} is a directory, where a file of ours belongs", path_, file), fmt::format("look into it, then: sudo rm -r {}/{}", path_, file));
  }
  files.unlink_at(directory(), file);
}

void Shadow::begin(Previous previous) {
  auto& files = live_.files();
  for (const char* file : {name, building, previous_name}) remove_journals(file);
  clear(building);
  clear(previous_name);
  auto st = files.stat_at(directory(), name);
  if (st && (!S_ISREG(st->st_mode) || st->st_nlink != 1)) {
    // Somebody else's link would be written through.
    clear(name);
    st.reset();
  }
  if (st && previous == Previous::reuse && open_elsewhere(files.open_at(directory(), name, O_RDWR).get()) != OpenElsewhere::no) {
    // The live file of a reader that has not reloaded since a publication that was killed: it would read what we write.
    files.unlink_at(directory(), name);
    st.reset();
  }
  if (st) files.rename_at(directory(), name, directory(), previous == Previous::reuse ? building : previous_name);
  if (!st || previous == Previous::keep) {
    files.open_at(directory(), building, O_RDWR | O_CREAT | O_EXCL, 0600);
  }
  // On disk before the first write: a crash must not leave a half-written file under the name of a whole one.
  files.sync(directory());
}

sqlite::Database Shadow::open_building() {
  sqlite::Database database(building_path(), sqlite::OpenMode::read_write, sqlite::Vfs::page_copying);
  database.execute("PRAGMA locking_mode=EXCLUSIVE");
  database.write_without_journal();
  return database;
}

sqlite::Database Shadow::open_building_reader() { return sqlite::Database(building_path(), sqlite::OpenMode::read_only); }

util::Fd Shadow::open_building_raw(int flags) { return live_.files().open_at(directory(), building, flags); }

void Shadow::finish(const struct stat& like) {
  auto& files = live_.files();
  try {
    remove_journals(building);
    auto fd = open_building_raw(O_RDWR);
    struct stat st = files.stat(fd.get());
    if (st.st_uid != like.st_uid || st.st_gid != like.st_gid) files.change_owner(fd.get(), like.st_uid, like.st_gid);
    if ((st.st_mode & 07777) != (like.st_mode & 07777)) files.change_mode(fd.get(), like.st_mode & 07777);
    files.sync(fd.get());
    files.rename_at(directory(), building, directory(), name);
    files.unlink_at(directory(), previous_name);
    files.sync(directory());
  } catch (...) {
    discard();
    try {
      // Renamed already, perhaps, but not for certain.
      files.unlink_at(directory(), name);
    } catch (const Error&) {
      // A file that is whole, or none: what was not brought to the disk is found by the checks before it is used.
    }
    throw;
  }
}

void Shadow::discard() noexcept {
  auto& files = live_.files();
  try {
    remove_journals(building);
    files.unlink_at(directory(), building);
    const auto previous = files.stat_at(directory(), previous_name);
    // A second link is live itself, by a publication that was killed.
    if (previous && S_ISREG(previous->st_mode) && previous->st_nlink == 1 && !files.stat_at(directory(), name))
      files.rename_at(directory(), previous_name, directory(), name);
    else if (previous)
      files.unlink_at(directory(), previous_name);
  } catch (const Error&) {
    // begin() removes it before anything trusts it.
  }
}

sqlite::Database Shadow::open_previous() { return sqlite::Database(path_ + "/" + previous_name, sqlite::OpenMode::read_only); }

sqlite::Database Shadow::open_reader() { return sqlite::Database(path(), sqlite::OpenMode::read_only); }

util::Fd Shadow::open_raw() { return live_.files().open_at(directory(), name, O_RDONLY); }

void Shadow::remove() {
  remove_journals(name);
  live_.files().unlink_at(directory(), name);
}

}  // namespace gsync::replica
