#include "gsync/replica/publish.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gsync/util/error.hpp"

namespace gsync::replica {
namespace {

/// Blocks SIGIO in this thread and has the kernel send it here: it comes when somebody opens a file on which we hold a lease, and its default action is to
/// kill the process.
class LeaseSignalBlocked {
 public:
  explicit LeaseSignalBlocked(int fd) {
    sigset_t io;
    sigemptyset(&io);
    sigaddset(&io, SIGIO);
    pthread_sigmask(SIG_BLOCK, &io, &before_);
    struct f_owner_ex owner {F_OWNER_TID, ::gettid()};
    ::fcntl(fd, F_SETOWN_EX, &owner);
  }
  ~LeaseSignalBlocked() {
    sigset_t io;
    sigemptyset(&io);
    sigaddset(&io, SIGIO);
    const struct timespec now {};
    while (sigtimedwait(&io, nullptr, &now) == SIGIO) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  LeaseSignalBlocked(const LeaseSignalBlocked&) = delete;
  LeaseSignalBlocked& operator=(const LeaseSignalBlocked&) = delete;

 private:
  sigset_t before_{};
};

/// A write lease is granted exactly when no other open file description of the file exists (fcntl(2)). It is given back at once.
bool nobody_else_has_it_open(int fd) {
  LeaseSignalBlocked blocked(fd);
  if (::fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return false;
  ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return true;
}

}  // namespace

Publication::Publication(LiveFile& live, Shadow& shadow, const Identity& expected, const PublishHooks& hooks, util::Clock& clock, util::Deadline deadline)
    : live_(live), shadow_(shadow), clock_(clock), raw_(live.open_raw()) {
  // Step 2. A writer is done in milliseconds; waiting for it beats planning again.
  while (!(lock_ = sqlite::WriterLock::try_acquire(raw_.fd()))) {
    if (deadline.passed()) {
      throw Error(ErrorCode::busy, fmt::format("another program keeps {} locked for writing", live.path()), "try again later");
    }
    clock.sleep(std::chrono::milliseconds(5));
  }
  auto locked = clock.now();
  // We hold RESERVED, so no living writer owns a journal that is still there: it is what a crashed one left.
  if (sqlite::journal_is_hot(live.directory(), (live.name() + "-journal").c_str())) {
    throw Error(ErrorCode::busy, fmt::format("{}-journal is what an interrupted write has left; pihole-FTL plays it back when it next uses the database", live.path()),
                "if it stays, restart pihole-FTL");
  }
  // Step 3.
  old_ = identity_of(raw_.fd());
  if (old_ != expected || !is_ours(live.name(), live.directory())) {
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
  // Step 5. From here on the new version is live, whatever fails.
  if (hooks.signal_reload) hooks.signal_reload();
  auto& files = live.files();
  files.sync(live.directory());
  files.sync(shadow.directory());
}

bool Publication::is_ours(const std::string& name, int directory) {
  auto st = live_.files().stat_at(directory, name);
  return st && st->st_ino == old_.inode && st->st_dev == old_.device;
}

void Publication::exchange() {
  auto& files = live_.files();
  if (files.exchange_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name())) {
    // Somebody's `mv` may have come between the look and the exchange: then what came out is theirs, and it goes back.
    if (!is_ours(Shadow::name, shadow_.directory())) {
      files.exchange_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name());
      throw Error(ErrorCode::conflict, fmt::format("{} was replaced while the new version was published", live_.path()), "run it again");
    }
    return;
  }
  // Weaker: a `mv` by somebody between these two lines is lost. Documented in src/README.md.
  atomic_ = false;
  constexpr const char* previous = "shadow.previous";
  files.unlink_at(shadow_.directory(), previous);
  files.link_at(live_.directory(), live_.name(), shadow_.directory(), previous);
  files.rename_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name());
  files.rename_at(shadow_.directory(), previous, shadow_.directory(), Shadow::name);
}

bool Publication::wait_until_old_is_closed(util::Deadline deadline) {
  // FTL closes within 10 to 50 ms of a signal, within a second by its poll.
  auto pause = std::chrono::milliseconds(1);
  while (!nobody_else_has_it_open(raw_.fd())) {
    if (deadline.passed()) return false;
    clock_.sleep(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
  return true;
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
  auto& files = live_.files();
  if (!files.exchange_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name())) {
    constexpr const char* refused = "shadow.refused";
    files.unlink_at(shadow_.directory(), refused);
    files.link_at(live_.directory(), live_.name(), shadow_.directory(), refused);
    files.rename_at(shadow_.directory(), Shadow::name, live_.directory(), live_.name());
    files.rename_at(shadow_.directory(), refused, shadow_.directory(), Shadow::name);
  }
  files.sync(live_.directory());
  files.sync(shadow_.directory());
  lock_.reset();
}

}  // namespace gsync::replica
