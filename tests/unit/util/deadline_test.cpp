#include "gsync/util/deadline.hpp"

#include <gtest/gtest.h>

#include "gsync/util/clock.hpp"

namespace gsync::util {
namespace {

using namespace std::chrono_literals;

TEST(Deadline, OfZeroHasPassedAndLeavesNothing) {
  auto d = Deadline::in(0ms);
  EXPECT_TRUE(d.passed());
  EXPECT_EQ(d.poll_timeout(), 0);
}

TEST(Deadline, InThePastLeavesNothingRatherThanLessThanNothing) {
  EXPECT_EQ(Deadline::in(-5000ms).remaining(), 0ms);
}

TEST(Deadline, FarAwayFitsIntoAPollTimeout) {
  auto d = Deadline::in(1000h);
  EXPECT_FALSE(d.passed());
  EXPECT_EQ(d.poll_timeout(), 3'600'000);
}

TEST(Deadline, AtMostTakesTheEarlierOfTheTwo) {
  EXPECT_TRUE(Deadline::in(1h).at_most(0ms).passed());
  EXPECT_TRUE(Deadline::in(0ms).at_most(1h).passed());
  EXPECT_LE(Deadline::in(30min).at_most(1min).remaining(), 1min);
}

TEST(Deadline, HasPassedAsSoonAsItIsGivenUp) {
  bool given_up = false;
  const std::function<bool()> ask = [&] { return given_up; };
  const auto d = Deadline::in(1h).unless(ask);
  EXPECT_FALSE(d.passed());
  EXPECT_LE(d.remaining(), 100ms) << "so that it is asked";
  given_up = true;
  EXPECT_TRUE(d.passed());
  EXPECT_TRUE(d.at_most(30min).passed());
  EXPECT_TRUE(Deadline::in(0ms).unless(ask).passed());
}

TEST(SystemClock, SleepTakesAtLeastTheTimeAsked) {
  SystemClock clock;
  auto before = clock.now();
  clock.sleep(3ms);
  EXPECT_GE(clock.now() - before, 3ms);
  EXPECT_GT(clock.unix_time(), 1'700'000'000);
}

}  // namespace
}  // namespace gsync::util
