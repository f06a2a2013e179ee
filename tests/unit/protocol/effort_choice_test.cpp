#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "../src/protocol/effort_choice.hpp"

namespace gsync::protocol {
namespace {

using Effort = Connection::Effort;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

constexpr std::uint64_t mebibyte = 1u << 20;

/// A sender, and what carries what it sends and takes it, by their paces in bytes each microsecond.
struct Way {
  double compresses(Effort effort) const { return effort == Effort::usual ? sender : effort == Effort::little ? 2 * sender : 20 * sender; }
  double share(Effort effort) const { return effort == Effort::usual ? 0.5 : effort == Effort::little ? 0.67 : 1.0; }

  /// One after the other, as on the simplest of links: what the link takes longer than the sender does, the sender waits.
  void send(std::uint64_t bytes) {
    const auto effort = choice.effort();
    const double content = static_cast<double>(bytes);
    const double made = content / compresses(effort);
    const double carried = content * share(effort) / link;
    so_far.bytes += bytes;
    so_far.on_wire += static_cast<std::uint64_t>(content * share(effort));
    so_far.time += microseconds(std::max(made, carried));
    so_far.waited += microseconds(std::max(0.0, carried - made));
    choice.sent(so_far);
  }
  static nanoseconds microseconds(double n) { return duration_cast<nanoseconds>(std::chrono::duration<double, std::micro>(n)); }

  double sender;
  double link;
  EffortChoice choice{};
  EffortChoice::Progress so_far{};
};

Effort after_a_copy_over(double sender, double link) {
  Way way{sender, link};
  for (int i = 0; i < 40; ++i) way.send(mebibyte);
  return way.choice.effort();
}

TEST(EffortChoice, IsUsualOverASlowLink) {
  for (const double link : {1.25, 12.5}) EXPECT_EQ(after_a_copy_over(150, link), Effort::usual) << link;
}

TEST(EffortChoice, IsLittleWhereTheLinkCarriesNoMoreThanThat) {
  EXPECT_EQ(after_a_copy_over(150, 118), Effort::little);
}

TEST(EffortChoice, IsLeastWhereTheLinkCarriesAll) {
  for (const double link : {1'000.0, 10'000.0}) EXPECT_EQ(after_a_copy_over(150, link), Effort::least) << link;
}

TEST(EffortChoice, GoesBackFromWhatMadeItSlower) {
  // Compressed a little it is the sender that is slow, and by so little that it does not wait.
  Way way{60, 85};
  std::vector<Effort> tried;
  for (int i = 0; i < 40; ++i) {
    way.send(mebibyte);
    if (tried.empty() || tried.back() != way.choice.effort()) tried.push_back(way.choice.effort());
  }
  EXPECT_EQ(tried, (std::vector{Effort::usual, Effort::little, Effort::least, Effort::little}));
}

TEST(EffortChoice, LearnsNothingFromFreePages) {
  EffortChoice choice;
  EffortChoice::Progress so_far;
  for (int i = 0; i < 20; ++i) {
    so_far.bytes += mebibyte;
    so_far.on_wire += 100;
    so_far.time += std::chrono::milliseconds(1);
    EXPECT_FALSE(choice.sent(so_far));
  }
  EXPECT_EQ(choice.effort(), Effort::usual);
}

}  // namespace
}  // namespace gsync::protocol
