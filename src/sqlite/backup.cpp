#include <sqlite3.h>

#include <algorithm>
#include <fmt/core.h>

#include "error.hpp"
#include "gsync/sqlite/database.hpp"
#include "gsync/util/error.hpp"

namespace gsync::sqlite {
namespace {

constexpr int max_restarts = 8;

struct BackupFinisher {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

}  // namespace

void Pacer::pause() {
  auto busy = clock_.now() - start_;
  clock_.sleep(busy * static_cast<int>(pace_.share - 1));
}

void backup(Database& source, Database& destination, const Pace& pace, util::Clock& clock, util::Deadline deadline,
            const std::function<void(int, int)>& progress) {
  std::unique_ptr<sqlite3_backup, BackupFinisher> copy(sqlite3_backup_init(destination.handle(), "main", source.handle(), "main"));
  if (!copy) fail(sqlite3_extended_errcode(destination.handle()), destination.handle(), destination.path(), "begin the backup");

  Pacer pacer(pace, clock);
  int pages = 16;  // grows or shrinks towards what fits into one step
  int restarts = 0;
  int remaining_before = 0;
  for (;;) {
    pacer.begin();
    int code = sqlite3_backup_step(copy.get(), pages);
    auto elapsed = pacer.elapsed();
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED) {
      fail(code, destination.handle(), source.path(), fmt::format("copy the database to {}", destination.path()));
    }
    if (deadline.passed()) {
      throw Error(ErrorCode::busy, fmt::format("{}: others write to it so often that it could not be copied in time", source.path()), "try again later");
    }
    if (code == SQLITE_OK) {
      int remaining = sqlite3_backup_remaining(copy.get());
      if (remaining_before != 0 && remaining >= remaining_before && ++restarts > max_restarts) {
        throw Error(ErrorCode::busy, fmt::format("{}: it changed {} times while it was being copied", source.path(), restarts), "try again when nobody edits it");
      }
      remaining_before = remaining;
      if (progress) progress(sqlite3_backup_pagecount(copy.get()) - remaining, sqlite3_backup_pagecount(copy.get()));
      pages = elapsed > pace.step ? std::max(1, pages / 2) : elapsed < pace.step / 2 ? std::min(4096, pages * 2) : pages;
    }
    pacer.pause();
  }
  int code = sqlite3_backup_finish(copy.release());
  if (code != SQLITE_OK) fail(code, destination.handle(), destination.path(), "finish the backup");
}

}  // namespace gsync::sqlite
