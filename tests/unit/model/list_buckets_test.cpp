#include "gsync/model/list_buckets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gsync/model/diff.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "random_values.hpp"

namespace gsync::model {
namespace {

using ::testing::HasSubstr;
using testing::Random;

Lists household(int domains) {
  Lists lists;
  lists[default_group_key()].title = "Default";
  for (int i = 0; i < domains; ++i) lists[{Table::domain, kind::deny_exact, "host" + std::to_string(i) + ".example.com"}];
  return lists;
}

/// What the side that has `ours` makes of what the side that has `theirs` answers.
std::optional<Lists> told(const Lists& ours, const Lists& theirs) {
  const auto buckets = buckets_for(ours.size());
  return completed(ours, buckets, beside(theirs, bucket_digests(ours, buckets)));
}

std::string complaint(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code() == ErrorCode::protocol ? error.what() : "another code";
  }
  return "";
}

TEST(ListBuckets, AnyListsComeOutFromAnyOthers) {
  Random random;
  for (int i = 0; i < 300; ++i) {
    const auto ours = random.lists();
    const auto theirs = random.lists();
    const auto result = told(ours, theirs);
    ASSERT_TRUE(result);
    ASSERT_TRUE(diff(*result, theirs).empty());
    ASSERT_EQ(digest_of(*result), digest_of(theirs));
  }
}

TEST(ListBuckets, EqualListsHaveNothingToTravel) {
  const auto lists = household(1000);
  const auto answer = beside(lists, bucket_digests(lists, buckets_for(lists.size())));
  EXPECT_TRUE(answer.rows.empty());
  EXPECT_TRUE(answer.buckets.empty());
}

TEST(ListBuckets, ARowMoreARowLessAndAnEditedRowCostAFewRows) {
  const auto ours = household(1000);
  auto theirs = ours;
  theirs[{Table::domain, kind::deny_exact, "new.example.com"}];
  theirs.erase({Table::domain, kind::deny_exact, "host7.example.com"});
  theirs[{Table::domain, kind::deny_exact, "host8.example.com"}].comment = "edited";
  const auto answer = beside(theirs, bucket_digests(ours, buckets_for(ours.size())));
  EXPECT_LE(answer.buckets.size(), 3u);
  EXPECT_LT(answer.rows.size(), 60u);
  EXPECT_EQ(told(ours, theirs)->size(), 1001u);
  EXPECT_TRUE(diff(*told(ours, theirs), theirs).empty());
}

TEST(ListBuckets, DatesAloneAreNoDifferenceAndAnEditedRowComesWithItsOwn) {
  const RowKey key{Table::domain, kind::deny_exact, "host3.example.com"};
  auto ours = household(5);
  auto theirs = ours;
  for (auto& [k, row] : theirs) row.modified = 1'700'000'000;
  EXPECT_TRUE(beside(theirs, bucket_digests(ours, buckets_for(ours.size()))).rows.empty());
  theirs[key].comment = "edited";
  EXPECT_EQ(told(ours, theirs)->at(key).modified, 1'700'000'000);
}

TEST(ListBuckets, NobodysListsAreAnsweredWithAll) {
  const auto lists = household(20);
  const auto answer = beside(lists, {});
  EXPECT_EQ(answer.rows.size(), 21u);
  EXPECT_EQ(util::encode(*completed({}, 0, answer)), util::encode(lists));
}

TEST(ListBuckets, TheirNumberIsAPowerOfTwoThatGrowsMoreSlowlyThanTheRows) {
  EXPECT_EQ(buckets_for(0), 1u);
  EXPECT_EQ(buckets_for(100), 64u);
  EXPECT_EQ(buckets_for(1000), 128u);
  EXPECT_EQ(buckets_for(100'000'000), max_buckets);
}

TEST(ListBuckets, ADigestThatIsTheSameByChanceIsNoticed) {
  const auto ours = household(50);
  auto theirs = ours;
  theirs[{Table::domain, kind::deny_exact, "new.example.com"}];
  const auto buckets = buckets_for(ours.size());
  // As if each bucket of theirs had the same digest.
  EXPECT_FALSE(completed(ours, buckets, beside(theirs, bucket_digests(theirs, buckets))));
}

TEST(ListBuckets, QuestionsAndAnswersThatNobodyWouldGiveAreRefused) {
  const auto lists = household(50);
  EXPECT_THAT(complaint([&] { beside(lists, {1, 2, 3}); }), HasSubstr("number of buckets"));
  EXPECT_THAT(complaint([&] { beside(lists, std::vector<std::uint32_t>(2 * max_buckets)); }), HasSubstr("number of buckets"));
  EXPECT_THAT(complaint([&] { completed(lists, 4, {digest_of(lists), {2, 2}, {}}); }), HasSubstr("that there are not"));
  EXPECT_THAT(complaint([&] { completed(lists, 4, {digest_of(lists), {3, 2}, {}}); }), HasSubstr("that there are not"));
  EXPECT_THAT(complaint([&] { completed(lists, 4, {digest_of(lists), {4}, {}}); }), HasSubstr("that there are not"));
  EXPECT_THAT(complaint([&] { completed(lists, 4, {digest_of(lists), {}, lists}); }), HasSubstr("another bucket"));
}

}  // namespace
}  // namespace gsync::model
