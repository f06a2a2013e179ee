#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "gsync/sqlite/file_format.hpp"
#include "unit/sqlite/child.hpp"
#include "unit/sqlite/scratch.hpp"

namespace gsync::sqlite {
namespace {

using test::Child;
using test::Sql;

constexpr auto no_wait = std::chrono::milliseconds(0);  // as FTL opens its connections

class Locks : public testing::Test {
 protected:
  Locks() { test::make_table(path_, 50); }

  util::Fd open() const {
    util::Fd fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(fd);
    return fd;
  }

  /// A process with a connection that runs what it is told: r reads a row, b begins to write, w writes, c commits, x begins exclusively, o
  /// opens a read that stays, e ends it. It answers y, b (busy) or n (another error).
  static void serve(Child::Side& side, const std::string& path) {
    Sql sql(path, Sql::Mode::read_write, no_wait);
    side.say('.');
    for (;;) {
      int code = 0;
      switch (side.wait()) {
        case 'r':
          code = sql.try_execute("SELECT count(*) FROM t");
          break;
        case 'b':
          code = sql.try_execute("BEGIN IMMEDIATE");
          break;
        case 'w':
          code = sql.try_execute("UPDATE t SET x='changed' WHERE id=1");
          break;
        case 'c':
          code = sql.try_execute("COMMIT");
          break;
        case 'x':
          code = sql.try_execute("BEGIN EXCLUSIVE");
          break;
        case 'o':
          code = sql.try_execute("BEGIN; SELECT count(*) FROM t");
          break;
        case 'e':
          code = sql.try_execute("ROLLBACK");
          break;
        default:
          return;
      }
      side.say(code == SQLITE_OK ? 'y' : (code & 0xff) == SQLITE_BUSY ? 'b' : 'n');
    }
  }
  std::unique_ptr<Child> other() const {
    auto child = std::make_unique<Child>([path = path_](Child::Side& side) { serve(side, path); });
    EXPECT_EQ(child->hear(), '.');
    return child;
  }

  test::TempDirectory directory_;
  std::string path_ = test::real_path(directory_) + "/live.db";
};

TEST_F(Locks, LetReadersReadOn) {
  auto fd = open();
  auto reader = other();
  ASSERT_EQ(reader->ask('o'), 'y');
  auto lock = WriterLock::try_acquire(fd.get());
  ASSERT_TRUE(lock);
  EXPECT_EQ(reader->ask('w'), 'b') << "a reader must not become a writer";
  EXPECT_EQ(reader->ask('e'), 'y');
  EXPECT_EQ(reader->ask('r'), 'y');
  EXPECT_EQ(reader->ask('o'), 'y');
}

TEST_F(Locks, KeepWritersFromBeginning) {
  auto fd = open();
  auto writer = other();
  auto lock = WriterLock::try_acquire(fd.get());
  ASSERT_TRUE(lock);
  EXPECT_EQ(writer->ask('b'), 'b');
  EXPECT_EQ(writer->ask('w'), 'b');
  EXPECT_EQ(writer->ask('x'), 'b');
  lock.reset();
  EXPECT_EQ(writer->ask('b'), 'y');
  EXPECT_EQ(writer->ask('w'), 'y');
  EXPECT_EQ(writer->ask('c'), 'y');
}

TEST_F(Locks, AreNotGivenWhileSomebodyWrites) {
  auto fd = open();
  auto writer = other();
  ASSERT_EQ(writer->ask('b'), 'y');
  EXPECT_FALSE(WriterLock::try_acquire(fd.get())) << "RESERVED";
  ASSERT_EQ(writer->ask('w'), 'y');
  EXPECT_FALSE(WriterLock::try_acquire(fd.get()));
  EXPECT_EQ(writer->ask('c'), 'y') << "a vain attempt must leave no lock behind";
  EXPECT_TRUE(WriterLock::try_acquire(fd.get()));
}

TEST_F(Locks, AreNotGivenWhileAWriterWaitsForReaders) {
  auto fd = open();
  auto reader = other();
  auto writer = other();
  ASSERT_EQ(reader->ask('o'), 'y');
  ASSERT_EQ(writer->ask('b'), 'y');
  ASSERT_EQ(writer->ask('w'), 'y');
  ASSERT_EQ(writer->ask('c'), 'b') << "the writer now holds PENDING";
  EXPECT_FALSE(WriterLock::try_acquire(fd.get()));
  ASSERT_EQ(reader->ask('e'), 'y');
  EXPECT_EQ(writer->ask('c'), 'y');
}

TEST_F(Locks, AreNotGivenUnderAnExclusiveLock) {
  auto fd = open();
  auto writer = other();
  ASSERT_EQ(writer->ask('x'), 'y');
  EXPECT_FALSE(WriterLock::try_acquire(fd.get()));
  ASSERT_EQ(writer->ask('e'), 'y');
  EXPECT_TRUE(WriterLock::try_acquire(fd.get()));
}

TEST_F(Locks, OutliveOtherDescriptorsOfTheFile) {
  auto fd = open();
  auto writer = other();
  auto lock = WriterLock::try_acquire(fd.get());
  ASSERT_TRUE(lock);
  open().reset();  // this would drop every POSIX lock of the process
  EXPECT_EQ(writer->ask('b'), 'b');
}

TEST_F(Locks, ExcludeEachOtherWithinOneProcess) {
  auto one = open();
  auto two = open();
  auto lock = WriterLock::try_acquire(one.get());
  ASSERT_TRUE(lock);
  EXPECT_FALSE(WriterLock::try_acquire(two.get()));
  auto moved = std::move(*lock);
  lock.reset();
  EXPECT_FALSE(WriterLock::try_acquire(two.get())) << "the lock belongs to where it was moved";
}

TEST_F(Locks, GoWithTheProcess) {
  auto fd = open();
  {
    Child child([this](Child::Side& side) {
      auto own = open();
      auto lock = WriterLock::try_acquire(own.get());
      side.say(lock ? 'y' : 'n');
      side.wait();
    });
    ASSERT_EQ(child.hear(), 'y');
    EXPECT_FALSE(WriterLock::try_acquire(fd.get()));
  }
  EXPECT_TRUE(WriterLock::try_acquire(fd.get()));
}

class Journal : public Locks {
 protected:
  bool hot() const {
    util::Fd dir(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return journal_is_hot(dir.get(), "live.db-journal");
  }
};

TEST_F(Journal, IsNotHotWhenThereIsNone) {
  EXPECT_FALSE(hot());
}

TEST_F(Journal, IsNotHotWhenEmptyAsTruncateLeavesIt) {
  Sql sql(path_);
  sql.execute("PRAGMA journal_mode=TRUNCATE; UPDATE t SET x='a'");
  struct stat st {};
  ASSERT_EQ(::stat((path_ + "-journal").c_str(), &st), 0);
  ASSERT_EQ(st.st_size, 0);
  EXPECT_FALSE(hot());
}

TEST_F(Journal, IsNotHotWithAZeroedHeaderAsPersistLeavesIt) {
  Sql sql(path_);
  sql.execute("PRAGMA journal_mode=PERSIST; UPDATE t SET x='a'");
  struct stat st {};
  ASSERT_EQ(::stat((path_ + "-journal").c_str(), &st), 0);
  ASSERT_GT(st.st_size, 0);
  EXPECT_FALSE(hot());
}

TEST_F(Journal, IsHotAfterAWriterWasKilled) {
  {
    Child writer([this](Child::Side& side) {
      Sql sql(path_);
      sql.execute("PRAGMA cache_size=1; BEGIN; UPDATE t SET x='half'");
      side.say('.');
      side.wait();
    });
    ASSERT_EQ(writer.hear(), '.');
  }
  EXPECT_TRUE(hot());
  EXPECT_EQ(test::number(path_, "SELECT 1"), 1);
  EXPECT_EQ(Sql(path_).number("SELECT count(*) FROM t WHERE x='half'"), 0) << "SQLite agrees and plays it back";
  EXPECT_FALSE(hot());
}

TEST_F(Journal, IsNeverALinkThatIsFollowed) {
  test::write_text(directory_ / "elsewhere", "x");
  ASSERT_EQ(::symlink((directory_ / "elsewhere").c_str(), (path_ + "-journal").c_str()), 0);
  EXPECT_EQ(test::code_of([&] { hot(); }), ErrorCode::io);
}

TEST_F(Locks, HeaderTellsCounterPagesAndMode) {
  auto before = read_header(open().get());
  ASSERT_TRUE(before);
  EXPECT_EQ(before->page_size, 4096u);
  EXPECT_FALSE(before->wal);
  EXPECT_EQ(before->pages, static_cast<std::uint32_t>(test::number(path_, "PRAGMA page_count")));
  test::execute(path_, "UPDATE t SET x='a' WHERE id=1");
  EXPECT_EQ(read_header(open().get())->change_counter, before->change_counter + 1);
  test::execute(path_, "PRAGMA journal_mode=WAL");
  EXPECT_TRUE(read_header(open().get())->wal);
}

TEST_F(Locks, HeaderIsNotFoundInOtherFiles) {
  test::write_text(path_, "");
  EXPECT_FALSE(read_header(open().get()));
  test::write_text(path_, "SQLite format 3");
  EXPECT_FALSE(read_header(open().get()));
  test::write_text(path_, std::string(200, 'x'));
  EXPECT_FALSE(read_header(open().get()));
}

}  // namespace
}  // namespace gsync::sqlite
