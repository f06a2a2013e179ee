#include "gsync/model/shared_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "gsync/util/error.hpp"
#include "random_values.hpp"

namespace gsync::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Random;
using testing::same_edits;

const RowKey kids{Table::group, kind::named_group, "Kids"};
const RowKey guests{Table::group, kind::named_group, "Guests"};
const RowKey tablet{Table::client, 0, "10.0.0.7"};
const RowKey ads{Table::domain, kind::deny_exact, "ads.example"};

Lists household() {
  Lists lists;
  lists[default_group_key()].title = "Default";
  lists[kids];
  lists[guests];
  lists[tablet].groups = {kids, guests};
  lists[ads].groups = {default_group_key(), kids};
  return lists;
}

TEST(SharedView, HasNeitherKeptRowsNorThoseGroupsOfOtherRows) {
  const KeepLocal keep({"group:Kids", "clients"});
  const auto seen = without(household(), keep);
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_THAT(seen.at(ads).groups, ElementsAre(default_group_key()));
  check_lists(seen);
  const auto kept = kept_of(household(), {}, keep);
  EXPECT_THAT(kept.rows, ElementsAre(kids, tablet));
}

TEST(SharedView, OfTheBlocklistLeavesKeptAdlistsOut) {
  const RowKey ours{Table::adlist, kind::block_list, "https://ours"}, theirs{Table::adlist, kind::block_list, "https://theirs"};
  const auto seen = without(Blocklist{{ours, {}, {}}, {theirs, {}, {}}}, KeepLocal({"adlist:*ours"}));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].key, theirs);
}

TEST(SharedView, ARowThatAPeerChangesStaysInItsKeptGroups) {
  const KeepLocal keep({"group:Kids"});
  const auto whole = household();
  const auto seen = without(whole, keep);
  auto wanted = seen;
  wanted[ads].comment = "from the peer";
  wanted[ads].groups = {guests};
  const auto after = patched(whole, changes_of_whole(diff(seen, wanted), whole, keep));
  EXPECT_EQ(after.at(ads).comment, "from the peer");
  EXPECT_THAT(after.at(ads).groups, ElementsAre(guests, kids));
}

TEST(SharedView, AKeptRowLeavesAGroupThatGoesAndIsOtherwiseAsItWas) {
  const KeepLocal keep({"clients"});
  const auto whole = household();
  const auto seen = without(whole, keep);
  auto wanted = seen;
  wanted.erase(guests);
  const auto after = patched(whole, changes_of_whole(diff(seen, wanted), whole, keep));
  check_lists(after);
  EXPECT_THAT(after.at(tablet).groups, ElementsAre(kids));
}

TEST(SharedView, AChangeOfAKeptRowIsRefused) {
  const auto whole = household();
  for (const RowChange& change :
       {RowChange{tablet, whole.at(tablet), std::nullopt}, RowChange{{Table::client, 0, "10.0.0.8"}, std::nullopt, Row{}}}) {
    try {
      changes_of_whole({change}, whole, KeepLocal({"clients"}));
      ADD_FAILURE() << "it was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::refused);
    }
  }
}

/// Such as check_lists() takes.
Lists valid_lists(Random& random) {
  auto lists = random.lists();
  for (auto& [key, row] : lists) std::erase(row.comment, '\0');
  return lists;
}

TEST(SharedView, WhateverAPeerMakesOfWhatItSeesTheRestStaysAsItIs) {
  Random random;
  const std::vector<std::string> patterns{"clients",       "domains",    "adlists",        "groups",        "group:group 1",
                                          "group:group ?", "domain:*1*", "adlist:*name2*", "client:name1*", "domain:name?"};
  for (int i = 0; i < 500; ++i) {
    std::vector<std::string> chosen;
    for (auto n = random.below(4); n > 0; --n) chosen.push_back(random.pick(patterns));
    const KeepLocal keep(chosen);
    const auto whole = valid_lists(random);
    const auto wanted = without(valid_lists(random), keep);
    const auto changes = changes_of_whole(diff(without(whole, keep), wanted), whole, keep);
    ASSERT_TRUE(std::ranges::is_sorted(changes, {}, &RowChange::key));
    const auto after = patched(whole, changes);
    check_lists(after);
    ASSERT_TRUE(same_edits(without(after, keep), wanted));
    for (const auto& [key, row] : whole) {
      if (keep.keeps(key)) {
        auto expected = row;
        std::erase_if(expected.groups, [&](const RowKey& group) { return !after.contains(group); });
        ASSERT_TRUE(after.at(key).same_edit(expected)) << describe(key);
      } else if (after.contains(key)) {
        for (const auto& group : row.groups) ASSERT_TRUE(!keep.keeps(group) || after.at(key).groups.contains(group));
      }
    }
    for (const auto& [key, row] : after) ASSERT_TRUE(!keep.keeps(key) || whole.contains(key));
  }
}

RecordLines with(const RecordLines& shared, const RecordLines& whole) {
  return whole_with(RecordKind::dns, shared, whole, KeepLocal({"dns:*.own"}));
}

TEST(SharedView, KeptLinesStayBehindTheLineThatTheyStoodBehind) {
  const RecordLines whole{"1.1.1.0 first.own", "1.1.1.1 a.lan", "1.1.1.2 b.own", "1.1.1.3 c.lan"};
  EXPECT_EQ(with({"1.1.1.1 a.lan", "1.1.1.3 c.lan"}, whole), whole);
  EXPECT_THAT(with({"2.2.2.2 new.lan", "1.1.1.1 a.lan", "1.1.1.3 c.lan", "2.2.2.3 newer.lan"}, whole),
              ElementsAre("1.1.1.0 first.own", "2.2.2.2 new.lan", "1.1.1.1 a.lan", "1.1.1.2 b.own", "1.1.1.3 c.lan", "2.2.2.3 newer.lan"));
  EXPECT_THAT(with({"1.1.1.3 c.lan"}, whole), ElementsAre("1.1.1.0 first.own", "1.1.1.2 b.own", "1.1.1.3 c.lan"));
  EXPECT_THAT(with({}, whole), ElementsAre("1.1.1.0 first.own", "1.1.1.2 b.own"));
  EXPECT_THAT(with({"1.1.1.1 a.lan"}, {}), ElementsAre("1.1.1.1 a.lan"));
}

TEST(SharedView, AKeptLineThatAPeerSendsIsRefused) {
  EXPECT_THROW(with({"9.9.9.9 theirs.own"}, {}), Error);
}

TEST(SharedView, OfRecordsIsWhatAPeerMadeOfItInWhateverOrder) {
  Random random;
  const KeepLocal keep({"dns:*1*", "dns:host2"});
  for (int i = 0; i < 500; ++i) {
    const auto lines = [&] {
      RecordLines made;
      for (auto n = random.below(9); n > 0; --n) made.push_back("10.0.0.0 host" + std::to_string(random.below(20)));
      return made;
    };
    const auto whole = lines();
    const auto shared = without(RecordKind::dns, lines(), keep);
    const auto after = whole_with(RecordKind::dns, shared, whole, keep);
    ASSERT_EQ(without(RecordKind::dns, after, keep), shared);
    const Records before{whole, std::nullopt, std::nullopt}, made{after, std::nullopt, std::nullopt};
    ASSERT_EQ(kept_of({}, made, keep).records[0], kept_of({}, before, keep).records[0]);
  }
}

}  // namespace
}  // namespace gsync::model
