#include "gsync/pihole/compile_book.hpp"

#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

constexpr std::int64_t hour = 3'600;
constexpr std::int64_t day = 24 * hour;

model::Uncompiled of(const std::vector<std::string>& addresses) {
  model::Uncompiled result;
  for (const auto& address : addresses) result.add({{model::Table::adlist, model::kind::block_list, address}, false});
  return result;
}

class CompileBookTest : public ::testing::Test {
 protected:
  test::TempDirectory directory_;
  test::ManualClock clock_;
  replica::StateStore state_{directory_.path(), clock_};
  CompileBook book_{state_, clock_};
};

TEST_F(CompileBookTest, TellsOfEachAdlistOnceUntilItIsGoneFromHere) {
  EXPECT_EQ(book_.tell(of({"a", "b"}), of({"a", "b"})), of({"a", "b"}));
  EXPECT_TRUE(book_.tell(of({"a", "b"}), of({"a", "b"})).empty());
  // With another peer only one of them is nobody's; the other one is still uncompiled here.
  EXPECT_EQ(book_.tell(of({"a", "c"}), of({"a", "b", "c"})), of({"c"}));
  EXPECT_TRUE(book_.tell(of({"a", "b"}), of({"a", "b", "c"})).empty());
  EXPECT_TRUE(book_.tell(of({}), of({"b"})).empty());
  EXPECT_EQ(book_.tell(of({"a", "b"}), of({"a", "b"})), of({"a"}));
  EXPECT_TRUE(CompileBook(state_, clock_).tell(of({"a"}), of({"a", "b"})).empty()) << "in the next process";
}

TEST_F(CompileBookTest, HasEachTriedOnceADay) {
  EXPECT_EQ(book_.untried(of({"a", "b"})), of({"a", "b"}));
  book_.begin(of({"a"}));
  EXPECT_EQ(book_.untried(of({"a", "b"})), of({"b"}));
  clock_.time += hour;
  EXPECT_EQ(book_.untried(of({"a"})), of({"a"})) << "nobody said how it ended";
  book_.end(of({"a"}));
  clock_.time += day - 1;
  EXPECT_TRUE(book_.untried(of({"a"})).empty());
  clock_.time += 1;
  EXPECT_EQ(book_.untried(of({"a"})), of({"a"}));
}

TEST_F(CompileBookTest, LeavesToOthersWhatCameFromThemForAWeek) {
  book_.leave_to_others(of({"a"}));
  clock_.time += 7 * day - 1;
  EXPECT_EQ(book_.untried(of({"a", "b"})), of({"b"}));
  clock_.time += 1;
  EXPECT_EQ(book_.untried(of({"a"})), of({"a"}));
}

TEST_F(CompileBookTest, DoesNotWaitForYearsWhenTheClockWasSetBack) {
  book_.leave_to_others(of({"a"}));
  clock_.time -= 365 * day;
  EXPECT_EQ(book_.untried(of({"a"})), of({"a"}));
}

}  // namespace
}  // namespace gsync::pihole
