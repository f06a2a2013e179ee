#include "../src/daemon/schedule.hpp"

#include <gtest/gtest.h>

namespace gsync::daemon {
namespace {

constexpr Time start{std::chrono::hours(1)};

Time at(int ms) {
  return start + milliseconds(ms);
}

TEST(Debounce, HasNothingToDoBeforeAnythingHappened) {
  Debounce debounce(milliseconds(500), milliseconds(5'000));
  EXPECT_FALSE(debounce.due());
  EXPECT_FALSE(debounce.take(at(100'000)));
}

TEST(Debounce, ActsOnceWhenItHasBeenQuiet) {
  Debounce debounce(milliseconds(500), milliseconds(5'000));
  debounce.note(at(0));
  debounce.note(at(300));
  EXPECT_EQ(debounce.due(), at(800));
  EXPECT_FALSE(debounce.take(at(799)));
  EXPECT_TRUE(debounce.take(at(800)));
  EXPECT_FALSE(debounce.take(at(2'000)));
  EXPECT_FALSE(debounce.due());
}

TEST(Debounce, ActsAtTheLimitWhileEventsGoOn) {
  Debounce debounce(milliseconds(500), milliseconds(5'000));
  int acted = 0;
  for (int ms = 0; ms < 10'000; ms += 100) {
    debounce.note(at(ms));
    if (debounce.take(at(ms))) ++acted;
  }
  EXPECT_EQ(acted, 1) << "at 5.0 s; the next span began with the event behind it";
  EXPECT_EQ(debounce.due(), at(10'100));
}

TEST(Backoff, GrowsFromASecondToFiveMinutesAndStaysInTheUpperHalf) {
  Backoff backoff;
  milliseconds span(1'000);
  for (int i = 0; i < 20; ++i) {
    const auto wait = backoff.next(i % 2 ? 0.0 : 1.0);
    EXPECT_EQ(wait, i % 2 ? span / 2 : span) << i;
    span = std::min(span * 2, milliseconds(300'000));
  }
  backoff.reset();
  EXPECT_EQ(backoff.next(1.0), milliseconds(1'000));
}

}  // namespace
}  // namespace gsync::daemon
