#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <vector>

#include "gsync/sqlite/database.hpp"
#include "unit/sqlite/child.hpp"
#include "unit/sqlite/scratch.hpp"

namespace gsync::sqlite {
namespace {

using namespace std::chrono_literals;
using test::Child;
using test::code_of;
using test::Sql;

/// A disk on which each page of the source takes a while, and nothing else does.
class DiskClock final : public util::Clock {
 public:
  explicit DiskClock(std::chrono::nanoseconds page = 0ns) : page_(page) {}
  void watch(sqlite3* source) { source_ = source; }

  std::int64_t unix_time() override { return 0; }
  std::chrono::steady_clock::time_point now() override { return std::chrono::steady_clock::time_point(slept_ + page_ * pages_read()); }
  void sleep(std::chrono::nanoseconds time) override {
    slept_ += time;
    sleeps.push_back(time);
    if (asleep) asleep();
  }
  std::chrono::nanoseconds slept() const { return slept_; }

  std::vector<std::chrono::nanoseconds> sleeps;
  std::function<void()> asleep;

 private:
  int pages_read() {
    int pages = 0, highest = 0;
    if (source_ != nullptr) sqlite3_db_status(source_, SQLITE_DBSTATUS_CACHE_MISS, &pages, &highest, 0);
    return pages;
  }
  std::chrono::nanoseconds page_;
  std::chrono::nanoseconds slept_{1s};
  sqlite3* source_ = nullptr;
};

class BackupTest : public testing::Test {
 protected:
  BackupTest() {
    test::make_table(source_, 20'000);
    written(-1h);
  }

  /// Says that the source was written to so long from now.
  void written(std::chrono::nanoseconds from_now) const {
    using Clock = std::filesystem::file_time_type::clock;
    std::filesystem::last_write_time(source_, Clock::now() + std::chrono::duration_cast<Clock::duration>(from_now));
  }
  Database destination() const {
    Database database(copy_, OpenMode::create, Vfs::page_copying);
    database.write_without_journal();
    return database;
  }
  /// Bytes written.
  std::uint64_t copy() {
    Database source(source_, OpenMode::read_only, Vfs::page_copying);
    auto before = bytes_written();
    {
      auto to = destination();
      backup(source, to, {}, clock_, util::Deadline::in(60s));
    }
    return bytes_written() - before;
  }
  void expect_equal() const {
    EXPECT_EQ(test::integrity(copy_), "ok");
    EXPECT_EQ(test::dump_schema(copy_), test::dump_schema(source_));
    EXPECT_EQ(test::rows(copy_, "SELECT * FROM t"), test::rows(source_, "SELECT * FROM t"));
    struct stat a {
    }, b{};
    ASSERT_EQ(::stat(source_.c_str(), &a), 0);
    ASSERT_EQ(::stat(copy_.c_str(), &b), 0);
    EXPECT_EQ(a.st_size, b.st_size);
  }
  static std::unique_ptr<Child> writer(const std::string& path) {
    return std::make_unique<Child>([path](Child::Side& side) {
      Sql sql(path, Sql::Mode::read_write, 0ms);
      for (int i = 0;; ++i) {
        side.wait();
        side.say(sql.try_execute("UPDATE t SET x='edit " + std::to_string(i) + "' WHERE id IN (1, 10000, 20000)") == SQLITE_OK ? 'y' : 'n');
      }
    });
  }

  test::TempDirectory directory_;
  std::string source_ = test::real_path(directory_) + "/source.db";
  std::string copy_ = test::real_path(directory_) + "/copy.db";
  DiskClock clock_;
};

TEST_F(BackupTest, MakesAnEqualDatabase) {
  copy();
  expect_equal();
}

/// The source is locked as long as a step takes.
TEST_F(BackupTest, WritesWhileItsSourceIsNotLocked) {
  DiskClock clock(1us);
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  clock.watch(source.handle());
  auto to = destination();
  const auto before = bytes_written();
  auto unlocked = before;
  clock.asleep = [&] { unlocked = bytes_written(); };
  int left = 0;
  int steps = 0;
  backup(source, to, {}, clock, util::Deadline::in(60s), [&](int done, int all) {
    EXPECT_EQ(bytes_written(), unlocked) << "step " << steps;
    ++steps;
    left = all - done;
  });
  EXPECT_GT(steps, 5);
  EXPECT_GT(unlocked, before);
  EXPECT_LE(left, 16) << "the last step writes what it has read at once";
  EXPECT_LE(bytes_written() - unlocked, 20u * 4096);
}

TEST_F(BackupTest, OfAnUnchangedDatabaseWritesAtMostOnePage) {
  copy();
  EXPECT_LE(copy(), 4096u);
  expect_equal();
}

TEST_F(BackupTest, OfOneChangedRowWritesAFewPages) {
  copy();
  test::execute(source_, "UPDATE t SET x='y' || x WHERE id=10000");
  EXPECT_LE(copy(), 3 * 4096u);
  expect_equal();
}

TEST_F(BackupTest, ShrinksWithItsSource) {
  copy();
  test::execute(source_, "DELETE FROM t WHERE id > 100; VACUUM");
  copy();
  expect_equal();
}

TEST_F(BackupTest, GrowsWithItsSource) {
  copy();
  test::execute(source_, "INSERT INTO t (x) SELECT x FROM t");
  copy();
  expect_equal();
}

TEST_F(BackupTest, LeavesNoJournal) {
  copy();
  copy();
  EXPECT_NE(::access((copy_ + "-journal").c_str(), F_OK), 0);
}

TEST_F(BackupTest, ReplacesAnotherPageSize) {
  Sql(copy_, Sql::Mode::create).execute("PRAGMA page_size=1024; CREATE TABLE other (x); INSERT INTO other SELECT zeroblob(100000)");
  copy();
  expect_equal();
}

TEST_F(BackupTest, KeepsItsStepsShortOnASlowDisk) {
  DiskClock clock(100us);
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  auto to = destination();
  clock.watch(source.handle());
  backup(source, to, {}, clock, util::Deadline::in(60s));
  ASSERT_GT(clock.sleeps.size(), 20u);
  for (std::size_t i = 1; i < clock.sleeps.size(); ++i) {
    ASSERT_LE(clock.sleeps[i] / 9, 1ms) << "step " << i;  // it pauses nine times as long as it worked
    ASSERT_GE(clock.sleeps[i] / 9, 400us) << "step " << i << " wastes its time";
  }
  EXPECT_LE(clock.sleeps[0] / 9, 2ms);
}

TEST_F(BackupTest, TakesMorePagesAtOnceOnAFastDisk) {
  DiskClock clock(1us);
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  auto to = destination();
  clock.watch(source.handle());
  backup(source, to, {}, clock, util::Deadline::in(60s));
  EXPECT_LE(clock.sleeps.size(), 12u);
  for (auto sleep : clock.sleeps) EXPECT_LE(sleep / 9, 1ms);
}

/// FTL writes an edit as several commits: between two of them a reader would be in the way of the next.
TEST_F(BackupTest, PacerWaitsUntilAWriterHasBeenQuietForAMoment) {
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  Pacer pacer({}, clock_);
  clock_.asleep = [&] { written(clock_.sleeps.size() < 5 ? 0ms : -100ms); };
  // On a busy machine the quiet moment may pass between two lines of this test.
  for (int attempt = 0; attempt < 100 && clock_.sleeps.size() < 5; ++attempt) {
    clock_.sleeps.clear();
    written(0ms);
    pacer.begin_after_writers(source);
  }
  EXPECT_EQ(clock_.sleeps.size(), 5u);
  pacer.begin_after_writers(source);
  EXPECT_EQ(clock_.sleeps.size(), 5u) << "nobody has written since";
}

TEST_F(BackupTest, PacerWaitsForAWriterThatNeverRestsFiftyMilliseconds) {
  Child writer([this](Child::Side& side) {
    Sql sql(source_);
    side.wait();
    sql.execute("BEGIN IMMEDIATE");
    side.say('.');
    side.wait();
  });
  writer.ask();
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  Pacer pacer({}, clock_);
  const auto before = clock_.slept();
  pacer.begin_after_writers(source);
  EXPECT_GE(clock_.slept() - before, 50ms);
  EXPECT_LT(clock_.slept() - before, 51ms);
}

TEST_F(BackupTest, PacerIsNotHeldUpByAClockThatWasSetBack) {
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  written(1h);
  Pacer(Pace{}, clock_).begin_after_writers(source);
  EXPECT_TRUE(clock_.sleeps.empty());
}

TEST_F(BackupTest, FollowsAnEditInTheMiddleAndDoesNotHinderIt) {
  auto editor = writer(source_);
  DiskClock clock(100us);
  {
    Database source(source_, OpenMode::read_only, Vfs::page_copying);
    auto to = destination();
    clock.watch(source.handle());
    int calls = 0, last = 0;
    bool began_anew = false;
    backup(source, to, {}, clock, util::Deadline::in(60s), [&](int done, int all) {
      EXPECT_LE(done, all);
      began_anew |= done < last;
      last = done;
      if (++calls == 5) {
        EXPECT_EQ(editor->ask(), 'y') << "between two steps no lock may be held";
      }
    });
    EXPECT_TRUE(began_anew);
  }
  expect_equal();
  EXPECT_EQ(test::value(copy_, "SELECT x FROM t WHERE id=20000"), "edit 0");
}

TEST_F(BackupTest, GivesUpWhenItsSourceNeverRests) {
  auto editor = writer(source_);
  DiskClock clock(100us);
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  auto to = destination();
  clock.watch(source.handle());
  int edits = 0;
  EXPECT_EQ(code_of([&] {
              backup(source, to, {}, clock, util::Deadline::in(60s), [&](int, int) {
                ++edits;
                editor->ask();
              });
            }),
            ErrorCode::busy);
  EXPECT_LE(edits, 12) << "it did not notice that it began anew";
}

TEST_F(BackupTest, WaitsForAWriterUntilItsDeadline) {
  Child editor([this](Child::Side& side) {
    Sql sql(source_);
    sql.execute("BEGIN EXCLUSIVE");
    side.say('.');
    side.wait();
  });
  ASSERT_EQ(editor.hear(), '.');
  Database source(source_, OpenMode::read_only, Vfs::page_copying);
  source.set_busy_timeout(7s);
  auto to = destination();
  const auto slept = clock_.slept();
  EXPECT_EQ(code_of([&] { backup(source, to, {}, clock_, util::Deadline::in(50ms)); }), ErrorCode::busy);
  for (auto sleep : clock_.sleeps) EXPECT_LE(sleep, 10ms) << "no pause as after work";
  EXPECT_GT(clock_.slept(), slept);
  EXPECT_EQ(source.query_int("PRAGMA busy_timeout"), 7'000) << "as it was";
  editor.kill();
  backup(source, to, {}, clock_, util::Deadline::in(60s));
}

TEST_F(BackupTest, OfAFileThatIsNoDatabaseIsCorrupt) {
  test::write_text(source_, std::string(8192, 'x'));
  EXPECT_EQ(code_of([&] { copy(); }), ErrorCode::corrupt);
}

TEST_F(BackupTest, OntoAFileThatIsNoDatabaseIsCorruptToo) {
  test::write_text(copy_, std::string(100'000, 'x'));
  EXPECT_EQ(code_of([&] { copy(); }), ErrorCode::corrupt);
}

}  // namespace
}  // namespace gsync::sqlite
