#include "gsync/replica/publish.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "gsync/util/error.hpp"
#include "lease.hpp"

namespace gsync::replica {
namespace {

constexpr const char* previous_name = "shadow.previous";
constexpr auto revert_deadline = std::chrono::seconds(5);
constexpr auto unwatched_wait = std::chrono::milliseconds(2'500);

/// What a writer that died has left, for the next reader to play back. A living one holds RESERVED as long as its journal is there.
void require_no_left_journal(const LiveFile& live, int fd) {
  const auto name = live.name() + "-journal";
  auto left = [&] { return !sqlite::writer_is_active(fd) && sqlite::journal_is_hot(live.directory(), name.c_str()); };
  // A writer may have ended between the two looks of one.
  for (int times = 0; times < 2; ++times)
    if (!left()) return;
  throw Error(
      ErrorCode::busy,
      fmt::format("{}-journal is what an interrupted write has left; pihole-FTL plays it back when it next uses the database", live.path()),
      "if it stays, restart pihole-FTL");
}

/// Step 2. A writer is done in milliseconds; waiting for it beats planning again.
sqlite::WriterLock keep_writers_off(const LiveFile& live, int fd, util::Clock& clock, util::Deadline deadline) {
  std::optional<sqlite::WriterLock> lock;
  // Before RESERVED is ours: with it, a reader would take the journal for a living writer's, and read what was half written.
  for (require_no_left_journal(live, fd); !(lock = sqlite::WriterLock::try_acquire(fd)); require_no_left_journal(live, fd)) {
    if (deadline.passed()) {
      throw Error(ErrorCode::busy, fmt::format("another program keeps {} locked for writing", live.path()), "try again later");
    }
    clock.sleep(std::chrono::milliseconds(5));
  }
  // Of a writer that died in between; we hold RESERVED ourselves.
  require_no_left_journal(live, fd);
  return std::move(*lock);
}

[[noreturn]] void refuse_moved(const LiveFile& live) {
  throw Error(ErrorCode::conflict, fmt::format("{} was moved away while the new version was published", live.path()), "run it again");
}

/// `pihole -g` makes its new database live by two `mv`, and for a moment there is none.
LiveFile::Raw open_live(LiveFile& live) {
  try {
    return live.open_raw();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    refuse_moved(live);
  }
}

}  // namespace

Publication::Publication(LiveFile& live, Shadow& shadow, const Identity& expected, const PublishHooks& hooks, util::Clock& clock,
                         util::Deadline deadline)
    : live_(live), shadow_(shadow), clock_(clock), raw_(open_live(live)) {
  lock_ = keep_writers_off(live, raw_.fd(), clock, deadline);
  auto locked = clock.now();
  // Step 3.
  old_ = identity_of(raw_.fd());
  if (old_ != expected || !is_called(old_, live.directory(), live.name())) {
    throw Error(ErrorCode::conflict, fmt::format("{} was changed while the new version was prepared", live.path()), "run it again");
  }
  if (hooks.gravity_is_running && hooks.gravity_is_running()) {
    throw Error(ErrorCode::busy, fmt::format("`pihole -g` is running on {}", live.path()), "run it again when it is done");
  }
  new_ = identity_of(shadow.open_raw().get());
  // Step 4.
  exchange();
  held_ = std::chrono::duration_cast<std::chrono::microseconds>(clock.now() - locked);
  raw_.no_longer_live();
  // Step 5. From here on the new version is live, whatever fails; an exception would let go of the old file's lock.
  if (hooks.signal_reload) {
    try {
      hooks.signal_reload();
    } catch (const Error&) {
      // FTL's own poll does it.
    }
  }
  sync_directories();
}

void Publication::sync_directories() {
  try {
    live_.files().sync(live_.directory());
    live_.files().sync(shadow_.directory());
  } catch (const Error&) {
    durable_ = false;
  }
}

bool Publication::is_called(const Identity& file, int directory, const std::string& name) {
  auto st = live_.files().stat_at(directory, name);
  return st && st->st_ino == file.inode && st->st_dev == file.device;
}

bool Publication::certainly_called(const Identity& file, int directory, const std::string& name) {
  try {
    return is_called(file, directory, name);
  } catch (const Error&) {
    return false;
  }
}

bool Publication::exchange_names() {
  try {
    return live_.files().exchange_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name());
  } catch (const Error& error) {
    // What has failed may have happened all the same.
    if (certainly_called(old_, shadow_.directory(), Shadow::name)) return true;
    if (error.code() != ErrorCode::not_found) throw;
    refuse_moved(live_);
  }
}

void Publication::exchange() {
  if (!exchange_names()) {
    replace_by_link();
    return;
  }
  // Somebody's `mv` may have come between the look and the exchange: then what came out is theirs, and it goes back.
  if (certainly_called(old_, shadow_.directory(), Shadow::name)) return;
  auto& files = live_.files();
  files.exchange_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name());
  if (!certainly_called(new_, shadow_.directory(), Shadow::name)) {
    // A second `mv` went over our new version before we took it back. It is the latest one; what it replaced is nobody's any more.
    files.exchange_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name());
    shadow_.remove();
  }
  throw Error(ErrorCode::conflict, fmt::format("{} was replaced while the new version was published", live_.path()), "run it again");
}

void Publication::replace_by_link() {
  // Weaker: a `mv` by somebody between the look at the link and the rename is lost. Documented in src/README.md.
  atomic_ = false;
  auto& files = live_.files();
  files.unlink_at(shadow_.directory(), previous_name);
  try {
    files.link_at(live_.directory(), live_.name(), shadow_.directory(), previous_name);
    if (!is_called(old_, shadow_.directory(), previous_name) || !is_called(old_, live_.directory(), live_.name())) {
      throw Error(ErrorCode::conflict, fmt::format("{} was replaced while the new version was published", live_.path()), "run it again");
    }
    files.rename_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name());
  } catch (const Error&) {
    if (!certainly_called(new_, live_.directory(), live_.name())) {
      try {
        files.unlink_at(shadow_.directory(), previous_name);
      } catch (const Error&) {
        // The next begin() removes it.
      }
      throw;
    }
  }
  try {
    files.rename_at(shadow_.directory(), previous_name, shadow_.directory(), Shadow::name);
  } catch (const Error&) {
    // The new version is live. Without a shadow the next one is made afresh, but perhaps not soon.
    try {
      files.unlink_at(shadow_.directory(), previous_name);
    } catch (const Error&) {
      // begin() removes it.
    }
  }
}

bool Publication::wait_until_old_is_closed(util::Deadline deadline) {
  // FTL closes within 10 to 50 ms of a signal, within a second by its poll.
  auto pause = std::chrono::milliseconds(1);
  for (;;) {
    switch (open_elsewhere(raw_.fd())) {
      case OpenElsewhere::no:
        return true;
      case OpenElsewhere::yes:
        break;
      case OpenElsewhere::unknown:
        // Long enough for FTL's poll; writers are kept off meanwhile.
        watchable_ = false;
        clock_.sleep(std::min<std::chrono::milliseconds>(unwatched_wait, deadline.remaining()));
        return false;
    }
    if (deadline.passed()) return false;
    clock_.sleep(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
}

bool Publication::keep_old() {
  bool untouched = identity_of(raw_.fd()) == old_;
  lock_.reset();
  return untouched;
}

void Publication::abandon_old() {
  shadow_.remove();
  live_.files().sync(shadow_.directory());
  lock_.reset();
}

void Publication::revert() {
  // As on the way there: a writer's journal lies beside the name and must not be found by a reader of the other file, and nobody's edit is
  // buried.
  auto raw = live_.open_raw();
  auto lock = keep_writers_off(live_, raw.fd(), clock_, util::Deadline::in(revert_deadline));
  if (identity_of(raw.fd()) != new_ || !is_called(new_, live_.directory(), live_.name()) ||
      !is_called(old_, shadow_.directory(), Shadow::name)) {
    throw Error(ErrorCode::conflict,
                fmt::format("{} was changed since it was published, so the version before was not put back", live_.path()));
  }
  std::swap(old_, new_);
  try {
    exchange();
  } catch (...) {
    std::swap(old_, new_);
    throw;
  }
  // The old file is live again, so its lock goes; the other one is kept from writers until its readers are gone.
  lock_.reset();
  raw_ = std::move(raw);
  lock_ = std::move(lock);
  raw_.no_longer_live();
  sync_directories();
}

}  // namespace gsync::replica
