#include "gsync/replica/shadow.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/replica/databases.hpp"

namespace gsync::replica {
namespace {

using test::build;
using test::code_of;
using test::exists;

class ShadowTest : public testing::Test {
 protected:
  struct stat like() const {
    struct stat st {};
    EXPECT_EQ(::stat(home_.live.c_str(), &st), 0);
    return st;
  }
  void put(const std::string& name, const std::string& text = "left over") const { test::write_text(home_.ours + "/" + name, text); }

  test::LiveDirectory home_;
  test::WatchedFileOps files_;
  LiveFile live_{home_.live, files_};
  Shadow shadow_{live_};
};

TEST_F(ShadowTest, IsThereOnceItIsFinished) {
  EXPECT_EQ(shadow_.identity(), std::nullopt);
  build(live_, shadow_, "new");
  ASSERT_TRUE(shadow_.identity());
  EXPECT_FALSE(exists(shadow_.building_path()));
  EXPECT_EQ(shadow_.open_reader().query_text("SELECT word FROM t LIMIT 1"), "new");
  EXPECT_EQ(test::integrity(home_.shadow), "ok");
  EXPECT_EQ(test::word_in(home_.live), "old");
}

TEST_F(ShadowTest, IsNotThereWhileItIsBuilt) {
  build(live_, shadow_, "new");
  shadow_.begin();
  EXPECT_EQ(shadow_.identity(), std::nullopt);
  EXPECT_TRUE(exists(shadow_.building_path()));
  shadow_.discard();
  EXPECT_EQ(shadow_.identity(), std::nullopt);
  EXPECT_FALSE(exists(shadow_.building_path()));
}

TEST_F(ShadowTest, IsBuiltOnWhatWasThereAndWritesOnlyWhatChanged) {
  build(live_, shadow_, "new");
  const auto inode = test::inode(home_.shadow);
  build(live_, shadow_, "new");
  EXPECT_EQ(test::inode(home_.shadow), inode);
  const auto before = sqlite::bytes_written();
  util::SystemClock clock;
  shadow_.begin();
  {
    auto building = shadow_.open_building();
    building.execute("UPDATE t SET word='old'");
    const auto put_back = sqlite::bytes_written();
    EXPECT_GT(put_back, before);
    sqlite::backup(*live_.open_reader(sqlite::Vfs::page_copying), building, {}, clock, util::Deadline::in(std::chrono::seconds(60)));
    EXPECT_LE(sqlite::bytes_written() - put_back, 2 * 4096u);
  }
  shadow_.finish(like());
}

TEST_F(ShadowTest, WritesNoJournalWhileItIsBuilt) {
  shadow_.begin();
  auto building = shadow_.open_building();
  building.execute("BEGIN; CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(100000))");
  EXPECT_FALSE(exists(shadow_.building_path() + "-journal"));
  building.execute("COMMIT");
}

TEST_F(ShadowTest, KeepsThePreviousOneReadableWhenAsked) {
  build(live_, shadow_, "before");
  shadow_.begin(Shadow::Previous::keep);
  {
    auto previous = shadow_.open_previous();
    auto building = shadow_.open_building();
    EXPECT_EQ(previous.query_text("SELECT word FROM t LIMIT 1"), "before");
    building.execute("CREATE TABLE t (word)");
  }
  shadow_.finish(like());
  EXPECT_FALSE(exists(home_.ours + "/shadow.previous"));
  EXPECT_EQ(shadow_.open_reader().query_int("SELECT count(*) FROM t"), 0);
}

TEST_F(ShadowTest, DiscardMakesThePreviousOneTheShadowAgain) {
  build(live_, shadow_, "before");
  const auto before = shadow_.identity();
  shadow_.begin(Shadow::Previous::keep);
  EXPECT_EQ(shadow_.identity(), std::nullopt);
  shadow_.discard();
  EXPECT_FALSE(exists(home_.ours + "/shadow.previous"));
  EXPECT_FALSE(exists(shadow_.building_path()));
  EXPECT_EQ(shadow_.identity(), before);
}

/// As a publication by links leaves it when it is killed.
TEST_F(ShadowTest, DiscardMakesNoShadowOfASecondNameOfLive) {
  ASSERT_GE(shadow_.directory(), 0);
  ASSERT_EQ(::link(live_.path().c_str(), (home_.ours + "/shadow.previous").c_str()), 0);
  shadow_.discard();
  EXPECT_FALSE(exists(home_.ours + "/shadow.previous"));
  EXPECT_EQ(shadow_.identity(), std::nullopt);
}

TEST_F(ShadowTest, RemovesWhatACrashLeft) {
  build(live_, shadow_, "new");
  for (const char* file : {"shadow.db", "shadow.building", "shadow.previous"}) {
    for (const char* suffix : {"-journal", "-wal", "-shm"}) put(file + std::string(suffix));
  }
  put("shadow.building");
  put("shadow.previous");
  shadow_.begin();
  for (const char* file : {"shadow.db", "shadow.building", "shadow.previous"}) {
    for (const char* suffix : {"-journal", "-wal", "-shm"}) EXPECT_FALSE(exists(home_.ours + "/" + file + suffix)) << file << suffix;
  }
  EXPECT_FALSE(exists(home_.ours + "/shadow.previous"));
  EXPECT_EQ(shadow_.open_building().query_text("SELECT word FROM t LIMIT 1"), "new") << "shadow.building was half-written, shadow.db whole";
}

TEST_F(ShadowTest, NeverTrustsAHalfWrittenFile) {
  shadow_.begin();
  put("shadow.building", "half");
  Shadow next(live_);
  EXPECT_EQ(next.identity(), std::nullopt);
  next.begin();
  EXPECT_EQ(test::read_text(next.building_path()), "");
}

TEST_F(ShadowTest, IsNotWrittenThroughAHardLink) {
  build(live_, shadow_, "mine");
  const auto elsewhere = home_.root + "/elsewhere.db";
  ASSERT_EQ(::rename(home_.shadow.c_str(), elsewhere.c_str()), 0);
  ASSERT_EQ(::link(elsewhere.c_str(), home_.shadow.c_str()), 0);
  build(live_, shadow_, "new");
  EXPECT_EQ(test::word_in(elsewhere), "mine");
  EXPECT_EQ(test::word_in(home_.shadow), "new");
  EXPECT_NE(test::inode(elsewhere), test::inode(home_.shadow));
}

TEST_F(ShadowTest, IsNotWrittenThroughASymbolicLink) {
  build(live_, shadow_, "mine");
  const auto elsewhere = home_.root + "/elsewhere.db";
  ASSERT_EQ(::rename(home_.shadow.c_str(), elsewhere.c_str()), 0);
  for (const char* name : {"shadow.db", "shadow.building", "shadow.previous"}) {
    ASSERT_EQ(::symlink(elsewhere.c_str(), (home_.ours + "/" + name).c_str()), 0);
  }
  build(live_, shadow_, "new");
  EXPECT_EQ(test::word_in(elsewhere), "mine");
  EXPECT_EQ(test::word_in(home_.shadow), "new");
}

TEST_F(ShadowTest, IsNotWrittenThroughADirectoryThatIsALink) {
  const auto elsewhere = home_.root + "/elsewhere";
  ASSERT_EQ(::mkdir(elsewhere.c_str(), 0755), 0);
  ASSERT_EQ(::symlink(elsewhere.c_str(), home_.ours.c_str()), 0);
  EXPECT_THROW(shadow_.begin(), Error);
  EXPECT_FALSE(exists(elsewhere + "/shadow.building"));
}

TEST_F(ShadowTest, IsNotWrittenWhileSomebodyReadsIt) {
  build(live_, shadow_, "old");
  test::OtherProcess reader(home_.shadow);  // the live file of an FTL that has not reloaded since the exchange
  const auto inode = test::inode(home_.shadow);
  shadow_.begin();
  EXPECT_NE(test::inode(shadow_.building_path()), inode);
  shadow_.open_building().execute("CREATE TABLE t (word); INSERT INTO t VALUES ('new')");
  EXPECT_EQ(reader.read(), "old");
  reader.close();
  shadow_.finish(like());
  const auto next = test::inode(home_.shadow);
  shadow_.begin();
  EXPECT_EQ(test::inode(shadow_.building_path()), next) << "nobody reads this one";
}

TEST_F(ShadowTest, GetsOwnerAndModeOfLive) {
  ASSERT_EQ(::chmod(home_.live.c_str(), 0660), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(home_.live.c_str(), 1234, 2345), 0);
  }
  build(live_, shadow_, "new");
  struct stat st {};
  ASSERT_EQ(::stat(home_.shadow.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0660u);
  EXPECT_EQ(st.st_uid, like().st_uid);
  EXPECT_EQ(st.st_gid, like().st_gid);
}

TEST_F(ShadowTest, IsGoneWhenItCannotBeFinished) {
  for (const char* operation : {"change_mode", "sync", "rename_at"}) {
    shadow_.begin();
    shadow_.open_building().execute("CREATE TABLE t (x)");
    auto st = like();
    st.st_mode = S_IFREG | 0640;
    bool failed = false;
    files_.before = [&](const test::WatchedFileOps::Call& call) {
      if (call.operation != operation || failed) return;
      failed = true;
      throw Error(ErrorCode::io, "no");
    };
    EXPECT_EQ(code_of([&] { shadow_.finish(st); }), ErrorCode::io) << operation;
    files_.before = [](const auto&) {};
    EXPECT_FALSE(exists(shadow_.building_path())) << operation;
    EXPECT_FALSE(exists(home_.shadow)) << operation;
  }
}

TEST_F(ShadowTest, IsGoneWhenItsNewNameDidNotReachTheDisk) {
  shadow_.begin();
  int syncs = 0;
  files_.before = [&](const test::WatchedFileOps::Call& call) {
    if (call.operation == "sync" && ++syncs == 2) throw Error(ErrorCode::io, "no");
  };
  EXPECT_EQ(code_of([&] { shadow_.finish(like()); }), ErrorCode::io);
  EXPECT_FALSE(exists(home_.shadow));
}

TEST_F(ShadowTest, TakesAWholeCopyAsBytes) {
  shadow_.begin();
  {
    auto file = shadow_.open_building_raw(O_RDWR);
    const auto bytes = test::read_text(home_.live);
    files_.write(file.get(), std::as_bytes(std::span(bytes)), 0);
  }
  shadow_.finish(like());
  EXPECT_EQ(test::read_text(home_.shadow), test::read_text(home_.live));
  shadow_.remove();
  EXPECT_EQ(shadow_.identity(), std::nullopt);
}

class ShadowDirectory : public ShadowTest {};

TEST_F(ShadowDirectory, IsMadeAsTheOneAroundIt) {
  ASSERT_EQ(::chmod(home_.root.c_str(), 0775), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(home_.root.c_str(), 1234, 2345), 0);
  }
  const auto umask = ::umask(077);
  LiveFile live(home_.live, files_);
  Shadow(live).begin();
  ::umask(umask);
  struct stat around {
  }, made{};
  ASSERT_EQ(::stat(home_.root.c_str(), &around), 0);
  ASSERT_EQ(::lstat(home_.ours.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0775u);
  EXPECT_EQ(made.st_uid, around.st_uid);
  EXPECT_EQ(made.st_gid, around.st_gid);
}

TEST_F(ShadowDirectory, OfSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a directory of another user";
  ASSERT_EQ(::mkdir(home_.ours.c_str(), 0777), 0);
  ASSERT_EQ(::chown(home_.ours.c_str(), 1234, 2345), 0);
  EXPECT_EQ(code_of([&] { shadow_.begin(); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { shadow_.lock(util::Deadline::in(std::chrono::seconds(1))); }), ErrorCode::refused);
}

TEST_F(ShadowDirectory, ThatWeMadeAndDidNotGiveAwayBeforeWeDiedIsGivenAwayNow) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a directory for another user";
  ASSERT_EQ(::chown(home_.root.c_str(), 1234, 2345), 0);
  ASSERT_EQ(::mkdir(home_.ours.c_str(), 0700), 0);
  shadow_.begin();
  struct stat made {};
  ASSERT_EQ(::lstat(home_.ours.c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, 1234u);
  EXPECT_EQ(made.st_gid, 2345u);
}

TEST_F(ShadowDirectory, IsMadeOnceWhenTwoComeTogether) {
  files_.before = [&](const test::WatchedFileOps::Call& call) {
    if (call.operation == "make_directory") ::mkdir(home_.ours.c_str(), 0755);
  };
  EXPECT_NO_THROW(shadow_.begin());
}

TEST_F(ShadowDirectory, HasOneLockForAllProcesses) {
  using namespace std::chrono_literals;
  test::Child other([this](test::Child::Side& side) {
    test::WatchedFileOps files;
    LiveFile live(home_.live, files);
    Shadow shadow(live);
    auto lock = shadow.lock(util::Deadline::in(10s));
    side.say('.');
    side.wait();
  });
  ASSERT_EQ(other.hear(), '.');
  EXPECT_EQ(code_of([&] { shadow_.lock(util::Deadline::in(1ms)); }), ErrorCode::busy);
  other.kill();
  auto lock = shadow_.lock(util::Deadline::in(10s));
  EXPECT_EQ(code_of([&] { Shadow(live_).lock(util::Deadline::in(1ms)); }), ErrorCode::busy);
}

}  // namespace
}  // namespace gsync::replica
