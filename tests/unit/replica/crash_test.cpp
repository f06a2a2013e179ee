// Kills and fails a publication at every operation on files that it is made of, before and after its effect, and looks at what is left.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <vector>

#include "unit/replica/databases.hpp"

namespace gsync::replica {
namespace {

using namespace std::chrono_literals;
using test::Child;
using test::exists;
using test::Nth;

enum class Kind : unsigned char { first, again, without_exchange };
struct Case {
  Kind kind;
  Nth::When when;
};
constexpr int killed = 77;
constexpr int most_operations = 200;

class Crash : public testing::TestWithParam<Case> {
 protected:
  /// One whole run: shadow, exchange, end of the old file.
  static void run(LiveFile& live, const std::string& word) {
    Shadow shadow(live);
    util::SystemClock clock;
    auto lock = shadow.lock(util::Deadline::in(30s));
    auto expected = test::build(live, shadow, word);
    Publication publication(live, shadow, expected, {}, clock, util::Deadline::in(30s));
    if (publication.wait_until_old_is_closed(util::Deadline::in(30s)) && publication.keep_old()) return;
    publication.abandon_old();
  }
  static void set_up(const test::LiveDirectory& home) {
    if (GetParam().kind == Kind::first) return;
    test::WatchedFileOps files;
    LiveFile live(home.live, files);
    run(live, "old");
  }
  /// What every crash must leave: one whole version, which a next run can replace.
  static void expect_whole(const test::LiveDirectory& home, const std::string& where) {
    ASSERT_TRUE(exists(home.live)) << where;
    EXPECT_FALSE(exists(home.journal)) << where;
    EXPECT_EQ(test::integrity(home.live), "ok") << where;
    EXPECT_THAT(test::word_in(home.live), testing::AnyOf("old", "new")) << where;
    if (exists(home.shadow)) {
      EXPECT_EQ(test::integrity(home.shadow), "ok") << where;
    }
    test::WatchedFileOps files;
    LiveFile live(home.live, files);
    ASSERT_NO_THROW(run(live, "next")) << where;
    EXPECT_EQ(test::word_in(home.live), "next") << where;
    EXPECT_EQ(test::integrity(home.live), "ok") << where;
    struct stat st {};
    ASSERT_EQ(::stat(home.live.c_str(), &st), 0);
    EXPECT_EQ(st.st_nlink, 1u) << where;
    EXPECT_EQ(test::integrity(home.shadow), "ok") << where;
    EXPECT_FALSE(exists(home.ours + "/shadow.building")) << where;
    EXPECT_FALSE(exists(home.ours + "/shadow.previous")) << where;
  }
};

TEST_P(Crash, LeavesTheOldOrTheNewVersionWhole) {
  int n = 0;
  for (; n < most_operations; ++n) {
    test::LiveDirectory home(20);
    set_up(home);
    Child child([&](Child::Side&) {
      test::WatchedFileOps files;
      files.can_exchange = GetParam().kind != Kind::without_exchange;
      Nth nth(files, n, GetParam().when, [] { ::_exit(killed); });
      LiveFile live(home.live, files);
      run(live, "new");
    });
    const int status = child.wait();
    if (status == 0) {
      EXPECT_EQ(test::word_in(home.live), "new");
      break;
    }
    ASSERT_EQ(status, killed) << "operation " << n;
    expect_whole(home, "killed at operation " + std::to_string(n));
    if (HasFailure()) return;
  }
  EXPECT_GT(n, 20) << "the sweep did not see the operations";
  EXPECT_LT(n, most_operations);
}

TEST_P(Crash, OrAnErrorLeavesTheVersionThatTheErrorTellsOf) {
  int n = 0;
  for (; n < most_operations; ++n) {
    test::LiveDirectory home(20);
    set_up(home);
    test::WatchedFileOps files;
    files.can_exchange = GetParam().kind != Kind::without_exchange;
    LiveFile live(home.live, files);
    Shadow shadow(live);
    util::SystemClock clock;
    bool published = false;
    bool failed = false;
    std::string where;
    {
      Nth nth(files, n, GetParam().when, [] { throw Error(ErrorCode::io, "injected"); });
      try {
        auto expected = test::build(live, shadow, "new");
        Publication publication(live, shadow, expected, {}, clock, util::Deadline::in(30s));
        published = true;
      } catch (const Error&) {
        failed = true;
      }
      where = "operation " + std::to_string(n) + ", " + nth.call();
      files.before = files.after = [](const auto&) {};
      if (!nth.happened()) break;
    }
    ASSERT_NE(published, failed);
    EXPECT_EQ(test::word_in(home.live), published ? "new" : "old") << where;
    expect_whole(home, where);
    if (HasFailure()) return;
  }
  EXPECT_GT(n, 20);
  EXPECT_LT(n, most_operations);
}

/// As `pihole -g` does at its end. Whenever it comes, theirs is the latest version: it must be live in the end, and whole. Only where names
/// cannot be exchanged there is one moment, between the look and the rename, at which it is lost.
TEST_P(Crash, OrAMoveOverLiveIsNeverUndone) {
  int n = 0;
  int conflicts = 0;
  int published = 0;
  int lost = 0;
  for (; n < most_operations; ++n) {
    test::LiveDirectory home(20);
    set_up(home);
    const auto theirs = home.root + "/gravity.db_temp";
    test::write_text(theirs, test::read_text(home.live));
    test::execute(theirs, "UPDATE t SET word='theirs'");
    test::WatchedFileOps files;
    files.can_exchange = GetParam().kind != Kind::without_exchange;
    LiveFile live(home.live, files);
    Shadow shadow(live);
    util::SystemClock clock;
    std::string where;
    {
      auto lock = shadow.lock(util::Deadline::in(30s));
      auto expected = test::build(live, shadow, "new");
      Nth nth(files, n, GetParam().when, [&] { ASSERT_EQ(::rename(theirs.c_str(), home.live.c_str()), 0); });
      try {
        Publication publication(live, shadow, expected, {}, clock, util::Deadline::in(30s));
        if (!publication.wait_until_old_is_closed(util::Deadline::in(30s)) || !publication.keep_old()) publication.abandon_old();
        ++published;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::conflict) << error.what();
        ++conflicts;
      }
      where = "operation " + std::to_string(n) + ", " + nth.call();
      files.before = files.after = [](const auto&) {};
      if (!nth.happened()) break;
    }
    if (test::word_in(home.live) != "theirs") {
      EXPECT_EQ(test::word_in(home.live), "new") << where;
      ++lost;
    }
    EXPECT_EQ(test::integrity(home.live), "ok") << where;
    EXPECT_FALSE(exists(home.journal)) << where;
    ASSERT_NO_THROW(run(live, "next")) << where;
    EXPECT_EQ(test::word_in(home.live), "next") << where;
    EXPECT_EQ(test::integrity(home.live), "ok") << where;
    if (HasFailure()) return;
  }
  EXPECT_EQ(lost, GetParam().kind == Kind::without_exchange ? 1 : 0);
  EXPECT_GT(conflicts, 2) << "before the exchange";
  EXPECT_GT(published, 3) << "and after it";
}

std::string case_name(const testing::TestParamInfo<Case>& tested) {
  static const std::string kinds[] = {"TheFirstTime", "AnyOtherTime", "WithoutExchange"};
  return kinds[static_cast<int>(tested.param.kind)] + (tested.param.when == Nth::When::before ? "BeforeEach" : "AfterEach");
}

INSTANTIATE_TEST_SUITE_P(At, Crash,
                         testing::Values(Case{Kind::first, Nth::When::before}, Case{Kind::first, Nth::When::after},
                                         Case{Kind::again, Nth::When::before}, Case{Kind::again, Nth::When::after},
                                         Case{Kind::without_exchange, Nth::When::before}, Case{Kind::without_exchange, Nth::When::after}),
                         case_name);

TEST(CrashWhileCopying, LeavesLiveAloneAndAShadowThatNobodyTrusts) {
  for (int step = 0; step < 4; ++step) {
    const test::LiveDirectory home(2'000);
    Child child([&](Child::Side&) {
      test::WatchedFileOps files;
      LiveFile live(home.live, files);
      Shadow shadow(live);
      util::SystemClock clock;
      shadow.begin();
      auto building = shadow.open_building();
      int steps = 0;
      sqlite::backup(*live.open_reader(sqlite::Vfs::page_copying), building, {std::chrono::microseconds(1), 1}, clock, util::Deadline::in(60s), [&](int, int) {
        if (steps++ == step) ::_exit(killed);
      });
    });
    ASSERT_EQ(child.wait(), killed);
    EXPECT_EQ(test::word_in(home.live), "old");
    EXPECT_FALSE(exists(home.shadow));
    test::WatchedFileOps files;
    LiveFile live(home.live, files);
    Shadow shadow(live);
    test::build(live, shadow, "new");
    EXPECT_EQ(test::word_in(home.shadow), "new");
    EXPECT_EQ(test::integrity(home.shadow), "ok");
  }
}

}  // namespace
}  // namespace gsync::replica
