#include <gtest/gtest.h>

#include "gsync/model/merge.hpp"

namespace gsync::model {
namespace {

constexpr std::int64_t monday = 1'700'000'000;
constexpr std::int64_t tuesday = monday + 86'400;

SetDigest set_of(std::uint64_t count, std::uint64_t seed = 1) {
  return {count, count * seed + 7, seed};
}

class MergeOfCompiles : public ::testing::Test {
 protected:
  const RowKey key{Table::adlist, kind::block_list, "https://a"};
  const SetDigest old = set_of(100);
  Lists lists{{key, {}}};
  std::map<RowKey, SetDigest> base{{key, old}};

  AdlistState compile(SetDigest rows, std::int64_t date, std::int64_t status = 1) const {
    return {key, rows, {date, static_cast<std::int64_t>(rows.count), 0, status, 0}};
  }
  AdlistState never() const { return {key, {}, {}}; }

  /// The set that is on both afterwards: whoever merges, and also if it is merged again.
  SetDigest merged(const AdlistState& here, const AdlistState& there) const {
    const auto outcome = merge_blocklists(base, {here}, {there}, lists);
    const auto other = merge_blocklists(base, {there}, {here}, lists);
    if (outcome.size() != 1 || other.size() != 1) {
      ADD_FAILURE() << "no state for the adlist";
      return {};
    }
    EXPECT_EQ(outcome[0].rows, other[0].rows);
    EXPECT_EQ(outcome[0].statistics, other[0].statistics);
    const auto again = merge_blocklists(compiled_sets(outcome), outcome, outcome, lists);
    EXPECT_EQ(again.at(0).rows, outcome[0].rows);
    return outcome[0].rows;
  }
};

TEST_F(MergeOfCompiles, TheOneThatIsNotTheBasesIsNewer) {
  EXPECT_EQ(merged(compile(old, tuesday), compile(set_of(90), monday)), set_of(90)) << "although its date is earlier";
  EXPECT_EQ(merged(compile(old, monday), compile(old, tuesday)), old);
}

TEST_F(MergeOfCompiles, OfTwoNewOnesTheLaterStays) {
  EXPECT_EQ(merged(compile(set_of(110), monday), compile(set_of(90), tuesday)), set_of(90));
  base.clear();
  EXPECT_EQ(merged(compile(set_of(110), monday), compile(set_of(90), tuesday)), set_of(90));
}

TEST_F(MergeOfCompiles, OfTwoMadeInTheSameSecondTheGreaterDigestStays) {
  EXPECT_EQ(merged(compile(set_of(110, 1), monday), compile(set_of(110, 2), monday)), std::max(set_of(110, 1), set_of(110, 2)));
}

TEST_F(MergeOfCompiles, OneThatWasNeverMadeNeverWins) {
  EXPECT_EQ(merged(never(), compile(old, monday)), old) << "deleted and added again";
  EXPECT_EQ(merged(never(), compile(set_of(90), 0, 0)), set_of(90)) << "rows without statistics";
  base.clear();
  EXPECT_EQ(merged(never(), compile(old, monday)), old);
  EXPECT_EQ(merged(never(), never()), SetDigest{});
}

TEST_F(MergeOfCompiles, ADownloadThatFailedEmptiesNoOtherNode) {
  EXPECT_EQ(merged(compile({}, tuesday, 4), compile(old, monday)), old);
  base.clear();
  EXPECT_EQ(merged(compile({}, tuesday, 4), compile(old, monday)), old);
}

TEST_F(MergeOfCompiles, WhatWasMadeOfAnOldDownloadIsNotNewer) {
  EXPECT_EQ(merged(compile(set_of(50), tuesday, 3), compile(old, monday)), old);
  EXPECT_EQ(merged(compile(set_of(50), tuesday, 3), compile(set_of(120), monday)), set_of(120));
  EXPECT_EQ(merged(compile(set_of(50), monday, 3), never()), set_of(50));
}

TEST_F(MergeOfCompiles, AListThatIsEmptyInTruthIsTaken) {
  EXPECT_EQ(merged(compile({}, tuesday, 1), compile(old, monday)), SetDigest{});
}

TEST_F(MergeOfCompiles, WhatAGravityRunLeftOutBecauseItWasDisabledEmptiesNoListThatIsEnabled) {
  const AdlistState left_out{key, {}, {monday, 100, 0, 1, 0}};
  EXPECT_EQ(merged(left_out, compile(old, monday)), old);
  lists.at(key).enabled = false;
  EXPECT_EQ(merged(left_out, compile(old, monday)), SetDigest{});
}

TEST_F(MergeOfCompiles, ThoseOfAdlistsThatWentGoAndThoseOfOneSideAreTaken) {
  const RowKey gone{Table::adlist, kind::block_list, "https://gone"};
  const RowKey theirs{Table::adlist, kind::allow_list, "https://a"};
  lists[theirs];
  const auto outcome = merge_blocklists(base, {compile(old, monday), {gone, set_of(3), {}}}, {{theirs, set_of(5), {}}}, lists);
  EXPECT_EQ(compiled_sets(outcome), (std::map<RowKey, SetDigest>{{key, old}, {theirs, set_of(5)}}));
}

TEST_F(MergeOfCompiles, TwoNodesWithAWeeklyRunDoNotFight) {
  auto here = compile(old, monday);
  auto there = here;
  for (std::uint64_t week = 1; week < 20; ++week) {
    here = compile(set_of(100 + week, 1), monday + static_cast<std::int64_t>(week * 604'800));
    int transfers = 0;
    for (int sync = 0; sync < 3; ++sync) {
      if (sync == 1) there = compile(set_of(100 + week, 2), here.statistics.date_updated + 3600);
      const auto rows = merged(here, there);
      transfers += (here.rows != rows) + (there.rows != rows);
      const auto newer = here.rows == rows ? here : there;
      here = there = newer;
      base[key] = rows;
    }
    EXPECT_EQ(transfers, 2) << "one for each run";
  }
}

}  // namespace
}  // namespace gsync::model
