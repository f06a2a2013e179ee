#include "gsync/replica/live_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "unit/replica/databases.hpp"

namespace gsync::replica {
namespace {

using test::code_of;

class LiveFileTest : public testing::Test {
 protected:
  test::LiveDirectory home_;
  test::WatchedFileOps files_;
  LiveFile live_{home_.live, files_};
};

TEST_F(LiveFileTest, IdentityChangesWithEveryCommit) {
  std::set<std::string> seen{to_string(live_.identity().value())};
  for (int i = 0; i < 20; ++i) {
    test::execute(home_.live, "UPDATE t SET word='" + std::to_string(i % 10) + "' WHERE id=1");
    EXPECT_TRUE(seen.insert(to_string(live_.identity().value())).second) << i;
  }
}

TEST_F(LiveFileTest, IdentityChangesWithinOneTickOfTheClock) {
  struct stat before {};
  ASSERT_EQ(::stat(home_.live.c_str(), &before), 0);
  const auto identity = live_.identity().value();
  test::execute(home_.live, "UPDATE t SET word='w' WHERE id=1");
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, home_.live.c_str(), times, 0), 0);
  const auto after = live_.identity().value();
  EXPECT_EQ(after.mtime_ns, identity.mtime_ns);
  EXPECT_EQ(after.size, identity.size);
  EXPECT_NE(after, identity);
}

/// As soon as the file can be told by its looks.
std::optional<Look> settled_look(LiveFile& live) {
  const auto deadline = util::Deadline::in(std::chrono::seconds(30));
  while (!deadline.passed()) {
    if (auto look = live.look()) return look;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return std::nullopt;
}

TEST_F(LiveFileTest, LooksOtherAfterEveryCommitAndTheSameWhenOnlyRead) {
  auto before = settled_look(live_);
  ASSERT_TRUE(before);
  for (int i = 0; i < 5; ++i) {
    live_.open_reader()->query_int("SELECT count(*) FROM t");
    EXPECT_EQ(live_.look(), before);
    test::execute(home_.live, "UPDATE t SET word='" + std::to_string(i) + "' WHERE id=1");
    EXPECT_NE(live_.look(), before);
    before = settled_look(live_);
    ASSERT_TRUE(before);
  }
  bool opened = false;
  files_.before = [&](const auto& call) { opened = opened || call.operation == "open_at"; };
  EXPECT_EQ(live_.look(), before);
  EXPECT_FALSE(opened);
}

TEST_F(LiveFileTest, IsToldByItsLooksAfterTheClockWasSetBack) {
  ASSERT_TRUE(settled_look(live_));
  const auto tomorrow = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) + 86'400;
  const std::array<timespec, 2> times{timespec{tomorrow, 0}, timespec{tomorrow, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, home_.live.c_str(), times.data(), 0), 0);
  const auto before = live_.look();
  ASSERT_TRUE(before);
  EXPECT_EQ(live_.look(), before);
  test::execute(home_.live, "UPDATE t SET word='later' WHERE id=1");
  EXPECT_NE(live_.look(), before);
}

TEST_F(LiveFileTest, IsNotToldByItsLooksBesideAWalOrWhenItIsNotThere) {
  ASSERT_TRUE(settled_look(live_));
  test::write_text(home_.live + "-wal", "");
  EXPECT_FALSE(live_.look());
  ASSERT_EQ(::unlink((home_.live + "-wal").c_str()), 0);
  EXPECT_TRUE(live_.look());
  ASSERT_EQ(::unlink(home_.live.c_str()), 0);
  EXPECT_FALSE(live_.look());
}

TEST_F(LiveFileTest, IdentityStaysWhenOnlyRead) {
  const auto identity = live_.identity();
  live_.open_reader()->query_int("SELECT count(*) FROM t");
  EXPECT_EQ(test::word_in(home_.live), "old");
  EXPECT_EQ(live_.identity(), identity);
}

TEST_F(LiveFileTest, IdentityIsThatOfTheFileAndNotOfItsContent) {
  const auto identity = live_.identity();
  test::write_text(home_.root + "/copy", test::read_text(home_.live));
  ASSERT_EQ(::rename((home_.root + "/copy").c_str(), home_.live.c_str()), 0);
  EXPECT_NE(live_.identity(), identity);
}

TEST_F(LiveFileTest, HasNoIdentityWhenThereIsNone) {
  ASSERT_EQ(::unlink(home_.live.c_str()), 0);
  EXPECT_EQ(live_.identity(), std::nullopt);
  EXPECT_EQ(live_.wal_mode(), std::nullopt);
  EXPECT_EQ(code_of([&] { live_.open_reader(); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { live_.open_raw(); }), ErrorCode::not_found);
  EXPECT_FALSE(test::exists(home_.live)) << "looking must not make one";
}

TEST_F(LiveFileTest, HasAnIdentityWhateverItHolds) {
  for (const char* content : {"", "x", "SQLite format 3"}) {
    test::write_text(home_.live, content);
    EXPECT_TRUE(live_.identity()) << content;
  }
}

TEST_F(LiveFileTest, IsNoPipeAndNoDirectoryAndWaitsForNone) {
  for (const bool pipe : {true, false}) {
    SCOPED_TRACE(pipe ? "pipe" : "directory");
    ::unlink(home_.live.c_str());
    ASSERT_EQ(pipe ? ::mkfifo(home_.live.c_str(), 0644) : ::mkdir(home_.live.c_str(), 0755), 0);
    EXPECT_EQ(code_of([&] { live_.identity(); }), ErrorCode::corrupt);
    EXPECT_EQ(code_of([&] { live_.wal_mode(); }), ErrorCode::corrupt);
    EXPECT_EQ(code_of([&] { live_.open_reader(); }), ErrorCode::corrupt);
    EXPECT_EQ(code_of([&] { live_.open_raw(); }), ErrorCode::corrupt);
  }
}

TEST_F(LiveFileTest, IsNotLookedForInAMissingDirectory) {
  EXPECT_EQ(code_of([&] { LiveFile(home_.root + "/nowhere/gravity.db", files_); }), ErrorCode::not_found);
}

TEST_F(LiveFileTest, IsNotFollowedThroughALink) {
  ASSERT_EQ(::symlink(home_.live.c_str(), (home_.root + "/link.db").c_str()), 0);
  LiveFile link(home_.root + "/link.db", files_);
  EXPECT_THROW(link.identity(), Error);
  EXPECT_THROW(link.open_raw(), Error);
  EXPECT_THROW(link.open_reader(), Error);
}

TEST_F(LiveFileTest, ReaderCannotWrite) {
  EXPECT_EQ(code_of([&] { live_.open_reader()->execute("DELETE FROM t"); }), ErrorCode::refused);
}

TEST_F(LiveFileTest, ReadersShareAndKeepARawDescriptorAway) {
  auto one = std::make_unique<LiveFile::Reader>(live_.open_reader());
  auto two = std::make_unique<LiveFile::Reader>(live_.open_reader());
  EXPECT_EQ((**one).query_int("SELECT count(*) FROM t"), (**two).query_int("SELECT count(*) FROM t"));
  std::atomic<bool> readers_are_gone = false;
  std::atomic<bool> came_too_early = false;
  std::atomic<bool> started = false;
  std::thread raw([&] {
    started = true;
    auto held = live_.open_raw();
    came_too_early = !readers_are_gone;
  });
  while (!started) std::this_thread::yield();
  one.reset();
  EXPECT_EQ((**two).query_int("SELECT count(*) FROM t"), 60);
  readers_are_gone = true;
  two.reset();
  raw.join();
  EXPECT_FALSE(came_too_early);
}

TEST_F(LiveFileTest, RawDescriptorKeepsReadersAwayUntilItIsNotLiveAnyMore) {
  auto raw = live_.open_raw();
  std::atomic<bool> may_read = false;
  std::atomic<bool> came_too_early = false;
  std::thread reader([&] {
    auto held = live_.open_reader();
    came_too_early = !may_read;
  });
  may_read = true;
  raw.no_longer_live();
  reader.join();
  EXPECT_FALSE(came_too_early);
  EXPECT_TRUE(live_.identity());
}

TEST_F(LiveFileTest, AReaderKeepsItsLockWhenAnotherThreadAsksForTheIdentity) {
  // The reason for the exclusion: open() and close() in that thread would drop the reader's lock.
  test::OtherProcess writer(home_.live);
  std::thread asks;
  {
    auto reader = live_.open_reader();
    sqlite::Transaction transaction(*reader, sqlite::Transaction::Kind::deferred);
    reader->query_int("SELECT count(*) FROM t");
    std::atomic<bool> started = false;
    asks = std::thread([&] {
      started = true;
      live_.identity();
    });
    while (!started) std::this_thread::yield();
    EXPECT_EQ(writer.begin(), SQLITE_OK);
    EXPECT_EQ(writer.write(), SQLITE_OK);
    EXPECT_EQ(writer.commit() & 0xff, SQLITE_BUSY) << "the reader's lock is gone";
    EXPECT_EQ(writer.roll_back(), SQLITE_OK);
  }
  asks.join();
}

TEST_F(LiveFileTest, TellsWalMode) {
  EXPECT_EQ(live_.wal_mode(), std::nullopt);
  test::write_text(home_.live + "-wal", "");
  EXPECT_EQ(live_.wal_mode(), std::nullopt) << "an empty one holds nothing";
  test::write_text(home_.live + "-wal", "x");
  EXPECT_THAT(live_.wal_mode().value_or(""), testing::HasSubstr("-wal"));
  ASSERT_EQ(::unlink((home_.live + "-wal").c_str()), 0);
  test::execute(home_.live, "PRAGMA journal_mode=WAL");
  EXPECT_THAT(live_.wal_mode().value_or(""), testing::HasSubstr("WAL"));
}

}  // namespace
}  // namespace gsync::replica
