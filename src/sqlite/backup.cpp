#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>

#include "cache.hpp"
#include "error.hpp"
#include "gsync/sqlite/database.hpp"
#include "gsync/util/error.hpp"
#include "page_copying_vfs.hpp"

namespace gsync::sqlite {
namespace {

constexpr int max_restarts = 8;
constexpr int first_step = 16;  // pages; the last step is no longer, because what it read is written while the source is locked
constexpr int longest_step = most_cached_pages - first_step;

/// With a busy timeout the source would be waited for inside a step, and the pause after a step is a multiple of how long that took.
class NoBusyTimeout {
 public:
  explicit NoBusyTimeout(Database& database) : database_(database), before_(database.query_int("PRAGMA busy_timeout").value_or(0)) {
    database_.set_busy_timeout(std::chrono::milliseconds(0));
  }
  ~NoBusyTimeout() { database_.set_busy_timeout(std::chrono::milliseconds(before_)); }
  NoBusyTimeout(const NoBusyTimeout&) = delete;
  NoBusyTimeout& operator=(const NoBusyTimeout&) = delete;

 private:
  Database& database_;
  std::int64_t before_;
};

/// A writer is at work, or was a moment ago: FTL writes one edit as several commits, less than a millisecond apart.
bool writer_is_about(Database& database) {
  constexpr std::chrono::milliseconds between_commits{10};  // longer than a step of the clock that files get their times from
  if (database.writer_is_active()) return true;
  struct stat st {};
  if (::stat(database.path().c_str(), &st) != 0) return false;
  const auto written = std::chrono::seconds(st.st_mtim.tv_sec) + std::chrono::nanoseconds(st.st_mtim.tv_nsec);
  const auto age = std::chrono::system_clock::now().time_since_epoch() - written;
  return age.count() >= 0 && age < between_commits;
}

/// A step leaves its pages in the destination's cache, so that the source is locked while they are read and not while they are written.
void write_out(const Database& destination) {
  const int code = sqlite3_db_cacheflush(destination.handle());
  // It does not tell the connection, so only the system knows a quota.
  if (const int error = errno; (code & 0xff) == SQLITE_IOERR && (error == EDQUOT || error == ENOSPC))
    throw_errno(error, fmt::format("{}: cannot write the copy", destination.path()), "free some space on that filesystem");
  if (code != SQLITE_OK) fail(code, destination.handle(), destination.path(), "write the copy");
}

struct BackupFinisher {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

}  // namespace

void Pacer::begin_after_writers(Database& database) {
  constexpr auto patience = std::chrono::milliseconds(50);
  constexpr auto look = std::chrono::microseconds(300);
  for (auto waited = std::chrono::nanoseconds(0); waited < patience && writer_is_about(database); waited += look) clock_.sleep(look);
  begin();
}

void Pacer::pause_since(std::chrono::nanoseconds locked) {
  const auto rest = start_ + locked * static_cast<int>(pace_.share) - clock_.now();
  if (rest > std::chrono::nanoseconds(0)) clock_.sleep(rest);
}

void backup(Database& source, Database& destination, const Pace& pace, util::Clock& clock, util::Deadline deadline,
            const std::function<void(int, int)>& progress) {
  std::unique_ptr<sqlite3_backup, BackupFinisher> copy(sqlite3_backup_init(destination.handle(), "main", source.handle(), "main"));
  if (!copy) fail(sqlite3_extended_errcode(destination.handle()), destination.handle(), destination.path(), "begin the backup");

  NoBusyTimeout no_waiting(source);
  Pacer pacer(pace, clock);
  int pages = first_step;  // grows or shrinks towards what fits into one step
  const auto page_size = static_cast<int>(destination.query_int("PRAGMA page_size").value_or(0));
  int restarts = 0;
  int done = 0;
  for (;;) {
    read_ahead(destination, std::int64_t{done} * page_size, pages * page_size);
    pacer.begin_after_writers(source);
    int code = sqlite3_backup_step(copy.get(), pages);
    auto elapsed = pacer.elapsed();
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED) {
      sqlite3_backup_finish(copy.release());  // which tells the destination what it was
      fail(code, destination.handle(), source.path(), fmt::format("copy the database to {}", destination.path()));
    }
    if (deadline.passed()) {
      throw Error(ErrorCode::busy, fmt::format("{}: others write to it so often that it could not be copied in time", source.path()),
                  "try again later");
    }
    if (code != SQLITE_OK) {
      // A writer is at work: nothing was read and no lock held.
      clock.sleep(std::chrono::milliseconds(5));
      continue;
    }
    int remaining = sqlite3_backup_remaining(copy.get());
    int all = sqlite3_backup_pagecount(copy.get());
    // A step goes on by exactly `pages`, unless SQLite began anew because the source had changed.
    if (all - remaining < done + pages && ++restarts > max_restarts) {
      throw Error(ErrorCode::busy, fmt::format("{}: it changed {} times while it was being copied", source.path(), restarts),
                  "try again when nobody edits it");
    }
    done = all - remaining;
    if (progress) progress(done, all);
    write_out(destination);
    pages = elapsed > pace.step ? std::max(1, pages / 2) : elapsed < pace.step / 2 ? std::min(longest_step, pages * 2) : pages;
    pages = std::min(pages, std::max(first_step, remaining - first_step));
    pacer.pause_since(elapsed);
  }
  int code = sqlite3_backup_finish(copy.release());
  if (code != SQLITE_OK) fail(code, destination.handle(), destination.path(), "finish the backup");
}

}  // namespace gsync::sqlite
