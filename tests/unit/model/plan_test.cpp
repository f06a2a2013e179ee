#include "gsync/model/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "random_values.hpp"

namespace gsync::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Random;
using testing::same_edits;

RowKey block(const std::string& name) {
  return {Table::adlist, kind::block_list, name};
}
RowKey allow(const std::string& name) {
  return {Table::adlist, kind::allow_list, name};
}
RowKey deny(const std::string& name) {
  return {Table::domain, kind::deny_exact, name};
}

SetDigest rows(std::uint64_t count, std::uint64_t seed = 1) {
  return {count, count * seed + 7, seed};
}

Lists only_default_group() {
  Lists lists;
  lists[default_group_key()].title = "Default";
  return lists;
}

NodeState node(const std::string& name) {
  NodeState state;
  state.info.name = name;
  state.info.capabilities.allow_lists = true;
  state.info.capabilities.abp_entries = true;
  state.info.digests.lists.bytes[0] = static_cast<std::uint8_t>(name.back());
  state.lists = only_default_group();
  for (auto& lines : state.records) lines.emplace();
  return state;
}

Plan plan(const NodeState& source, const NodeState& target, const Components& components = {}, const ShrinkLimits& limits = {}) {
  return plan_replication(source, target, components, limits);
}

TEST(PlanOfReplication, OfEqualNodesHasNothingToDo) {
  Random random;
  for (int i = 0; i < 30; ++i) {
    auto source = node("ph1");
    source.lists = random.lists();
    source.blocklist = {{block("https://a"), rows(5), {}}};
    source.records[0] = RecordLines{"10.0.0.1 a"};
    auto target = source;
    target.info.name = "ph2";
    auto p = plan(source, target);
    ASSERT_TRUE(p.nothing_to_do());
    ASSERT_THAT(p.warnings, IsEmpty());
    ASSERT_FALSE(p.refusal);
  }
}

TEST(PlanOfReplication, IsMadeForExactlyThatTarget) {
  auto source = node("ph1");
  auto target = node("ph2");
  auto p = plan(source, target);
  EXPECT_EQ(p.change.source, "ph1");
  EXPECT_EQ(p.change.expected, target.info.digests);
  EXPECT_FALSE(p.change.force);
}

TEST(PlanOfReplication, MakesTheTargetsListsThoseOfTheSource) {
  Random random;
  for (int i = 0; i < 100; ++i) {
    auto source = node("ph1");
    auto target = node("ph2");
    source.lists = random.lists();
    target.lists = random.lists();
    auto p = plan(source, target);
    ASSERT_TRUE(same_edits(patched(target.lists, p.change.rows), source.lists));
  }
}

TEST(PlanOfReplication, TouchesOnlyTheComponentsThatWereAskedFor) {
  auto source = node("ph1");
  auto target = node("ph2");
  source.lists[block("https://a")];
  target.lists[block("https://a")].comment = "other";
  source.blocklist = {{block("https://a"), rows(10), {1, 10, 0, 1, 0}}};
  source.records = {RecordLines{"10.0.0.1 a"}, RecordLines{"a,b"}, RecordLines{"laptop,10.0.0.1"}};

  EXPECT_TRUE(plan(source, target, {false, false, {false, false, false}}).nothing_to_do());

  auto p = plan(source, target, {true, false, {false, false, false}});
  EXPECT_EQ(p.change.rows.size(), 1u);
  EXPECT_THAT(p.change.wishes, IsEmpty());
  EXPECT_FALSE(p.change.records[0] || p.change.records[1] || p.change.records[2]);

  p = plan(source, target, {false, true, {false, false, false}});
  EXPECT_THAT(p.change.rows, IsEmpty());
  EXPECT_EQ(p.change.wishes.size(), 1u);

  p = plan(source, target, {false, false, {false, true, false}});
  EXPECT_THAT(p.change.rows, IsEmpty());
  EXPECT_FALSE(p.change.records[0]);
  ASSERT_TRUE(p.change.records[1]);
  EXPECT_THAT(*p.change.records[1], ElementsAre("a,b"));
  EXPECT_FALSE(p.change.records[2]);
  ASSERT_EQ(p.records.size(), 1u);
  EXPECT_EQ(p.records[0].kind, RecordKind::cname);
  EXPECT_TRUE(p.records[0].added);
}

TEST(PlanOfReplication, WishesForTheCompiledSetsThatDiffer) {
  auto source = node("ph1");
  auto target = node("ph2");
  for (auto* state : {&source, &target})
    for (const auto* name : {"equal", "older", "uncompiled here", "never compiled there", "emptied there"}) state->lists[block(name)];
  source.lists[block("new")];
  target.lists[block("gone")];
  const AdlistStatistics compiled{1700000000, 10, 0, 1, 0};
  source.blocklist = {{block("emptied there"), {}, compiled},  {block("equal"), rows(10), compiled},
                      {block("never compiled there"), {}, {}}, {block("new"), rows(20), compiled},
                      {block("older"), rows(30), compiled},    {block("uncompiled here"), rows(40), compiled}};
  target.blocklist = {
      {block("emptied there"), rows(6), compiled},        {block("equal"), rows(10), {}}, {block("gone"), rows(1), compiled},
      {block("never compiled there"), rows(7), compiled}, {block("older"), rows(29), {}}, {block("uncompiled here"), {}, {}}};
  auto p = plan(source, target);
  ASSERT_EQ(p.change.wishes.size(), 4u);
  EXPECT_EQ(p.change.wishes[0].key, block("emptied there"));
  EXPECT_EQ(p.change.wishes[0].have, rows(6));
  EXPECT_EQ(p.change.wishes[1].key, block("new"));
  EXPECT_EQ(p.change.wishes[1].have, std::nullopt);
  EXPECT_EQ(p.change.wishes[2].key, block("older"));
  EXPECT_EQ(p.change.wishes[2].have, rows(29));
  EXPECT_EQ(p.change.wishes[3].key, block("uncompiled here"));
  EXPECT_EQ(p.change.wishes[3].have, std::nullopt);
}

TEST(PlanOfReplication, WithoutListsWishesOnlyForAdlistsThatTheTargetHas) {
  auto source = node("ph1");
  auto target = node("ph2");
  for (const auto* name : {"both", "source only"}) {
    source.lists[block(name)];
    source.blocklist.push_back({block(name), rows(3), {1, 3, 0, 1, 0}});
  }
  target.lists[block("both")];
  auto p = plan(source, target, {false, true, {false, false, false}});
  ASSERT_EQ(p.change.wishes.size(), 1u);
  EXPECT_EQ(p.change.wishes[0].key, block("both"));
}

TEST(PlanOfReplication, LeavesOutWhatTheTargetCannotHoldAndSaysSo) {
  auto source = node("ph1");
  auto target = node("ph2");
  target.info.capabilities.allow_lists = false;
  source.lists[allow("https://allow")];
  source.blocklist = {{allow("https://allow"), rows(10), {1, 10, 0, 1, 0}}};
  auto p = plan(source, target);
  EXPECT_TRUE(p.nothing_to_do());
  EXPECT_THAT(p.warnings, ElementsAre("'allow adlist  https://allow' is left out: the Pi-hole of ph2 does not know allow lists"));
}

TEST(PlanOfReplication, SaysWhenAnOlderFtlDoesNotBlockByWhatTravels) {
  auto source = node("ph1");
  auto target = node("ph2");
  target.info.capabilities.abp_entries = false;
  for (auto* one : {&source, &target}) one->lists[block("https://list")];
  source.blocklist = {{block("https://list"), rows(10), {1, 10, 0, 1, 4}}};
  auto p = plan(source, target);
  EXPECT_EQ(p.change.wishes.size(), 1u);
  EXPECT_THAT(p.warnings, ElementsAre("4 entries of the adlists, like ||example.com^, block nothing on ph2: its FTL is older than 5.22"));
  target.blocklist = source.blocklist;
  EXPECT_THAT(plan(source, target).warnings, IsEmpty());
}

TEST(PlanOfReplication, NamesNoMoreThanTwentyRowsThatAreLeftOut) {
  auto source = node("ph1");
  auto target = node("ph2");
  target.info.capabilities.allow_lists = false;
  for (int i = 0; i < 30; ++i) source.lists[allow("https://allow" + std::to_string(i))];
  auto p = plan(source, target);
  ASSERT_EQ(p.warnings.size(), 21u);
  EXPECT_EQ(p.warnings.back(), "10 more like it: the Pi-hole of ph2 does not know allow lists");
}

TEST(PlanOfReplication, KeepsWhatTheSourceCouldNotHaveAnyway) {
  auto source = node("ph1");
  auto target = node("ph2");
  source.info.capabilities.allow_lists = false;
  target.lists[allow("https://allow")].comment = "only a Pi-hole 6 has it";
  target.lists[block("https://gone")];
  target.blocklist = {{allow("https://allow"), rows(10), {1, 10, 0, 1, 0}}, {block("https://gone"), {}, {}}};
  auto p = plan(source, target);
  ASSERT_EQ(p.change.rows.size(), 1u);
  EXPECT_EQ(p.change.rows[0].key, block("https://gone"));
  EXPECT_THAT(p.change.wishes, IsEmpty());
  EXPECT_THAT(p.warnings, ElementsAre("'allow adlist  https://allow' stays as it is: the Pi-hole of ph1 does not know allow lists"));
}

TEST(PlanOfReplication, KeepsTheAllowListOfAnAddressOnlyBesideItsBlockList) {
  auto source = node("ph1");
  auto target = node("ph2");
  source.info.capabilities.address_unique = true;
  for (const auto* address : {"https://stays", "https://goes"}) {
    target.lists[block(address)];
    target.lists[allow(address)];
  }
  source.lists[block("https://stays")];
  auto p = plan(source, target);
  ASSERT_EQ(p.change.rows.size(), 2u);
  EXPECT_EQ(p.change.rows[0].key, block("https://goes"));
  EXPECT_EQ(p.change.rows[1].key, allow("https://goes"));
}

TEST(PlanOfReplication, LeavesRecordsAloneThatTheTargetOnlyGives) {
  auto source = node("ph1");
  auto target = node("ph2");
  source.records[0] = RecordLines{"10.0.0.1 a"};
  for (auto* one : {&source, &target}) one->info.capabilities.records_read_only = {"start it as root", "start it as root", ""};
  auto p = plan(source, target);
  EXPECT_TRUE(p.nothing_to_do());
  EXPECT_THAT(p.warnings, ElementsAre("dns records differ and are not synced: ph2: start it as root"));
}

TEST(PlanOfReplication, WarnsAboutRecordsThatOneSideCannotGiveOrTake) {
  auto source = node("ph1");
  auto target = node("ph2");
  source.records[0] = RecordLines{"10.0.0.1 a"};
  target.info.capabilities.records_unavailable[0] = "pihole-FTL --config is not permitted";
  source.info.capabilities.records_unavailable[2] = "set by the environment";
  target.records[1].reset();
  source.records[1].reset();
  auto p = plan(source, target);
  EXPECT_TRUE(p.nothing_to_do());
  EXPECT_THAT(p.warnings, ElementsAre("dns records are not synced: ph2: pihole-FTL --config is not permitted",
                                      "dhcp records are not synced: ph1: set by the environment"));
}

TEST(PlanOfReplication, RefusesWhatLooksLikeAnAccidentInEachComponent) {
  auto source = node("ph1");
  auto target = node("ph2");
  for (int i = 0; i < 14; ++i) target.lists[block("https://list" + std::to_string(i))];
  for (int i = 0; i < 2; ++i) source.lists[block("https://list" + std::to_string(i))];
  target.blocklist = {{block("https://list0"), rows(1000), {}}, {block("https://list1"), rows(10), {}}};
  source.blocklist = {{block("https://list0"), rows(400), {1, 400, 0, 1, 0}}};
  target.records[0] = RecordLines(10, "10.0.0.1 a");
  auto p = plan(source, target);
  ASSERT_TRUE(p.refusal);
  EXPECT_EQ(*p.refusal, "12 of 14 adlists would go; 600 of 1010 blocklist rows would go; all 10 dns records would go");
}

TEST(PlanOfReplication, CountsTheCompiledRowsOfAdlistsThatAreDeleted) {
  auto source = node("ph1");
  auto target = node("ph2");
  source.lists[block("small")];
  target.lists[block("small")];
  target.lists[block("big")];
  target.blocklist = {{block("big"), rows(100'000), {}}, {block("small"), rows(10), {}}};
  auto p = plan(source, target, {true, false, {false, false, false}});
  ASSERT_TRUE(p.refusal);
  EXPECT_EQ(*p.refusal, "100000 of 100010 blocklist rows would go");
}

TEST(PlanOfReplication, ThatHasNothingToDoIsNotRefused) {
  // Rows of an adlist that is gone, as an edit with foreign keys off leaves them until the next `pihole -g`.
  auto source = node("ph1");
  auto target = node("ph2");
  target.blocklist = {{block("deleted"), rows(1000), {}}};
  auto p = plan(source, target);
  EXPECT_TRUE(p.nothing_to_do());
  EXPECT_FALSE(p.refusal);
}

TEST(PlanOfReplication, OfAWholeCopyHasSomethingToDo) {
  Plan p;
  EXPECT_TRUE(p.nothing_to_do());
  p.change.whole_copy = true;
  EXPECT_FALSE(p.nothing_to_do());
}

TEST(PlanOfReplication, EmptyingAKindOfRecordsIsSomethingToDo) {
  auto source = node("ph1");
  auto target = node("ph2");
  target.records[1] = RecordLines{"a,b"};
  auto p = plan(source, target);
  EXPECT_FALSE(p.nothing_to_do());
  ASSERT_TRUE(p.change.records[1]);
  EXPECT_THAT(*p.change.records[1], IsEmpty());
  EXPECT_FALSE(p.refusal) << "one record is a handful";
}

struct Shrink {
  std::uint64_t before;
  std::uint64_t after;
  bool refused;
};

TEST(ShrinkOfCounts, IsRefusedAboveTheHandfulAndTheShare) {
  for (const auto& test : std::vector<Shrink>{{0, 0, false},
                                              {0, 10, false},
                                              {5, 0, false},
                                              {6, 0, true},
                                              {10, 5, false},
                                              {10, 4, true},
                                              {12, 6, false},
                                              {100, 50, false},
                                              {100, 49, true},
                                              {100, 100, false},
                                              {100, 200, false},
                                              {~std::uint64_t{0}, 0, true},
                                              {~std::uint64_t{0}, ~std::uint64_t{0} - 6, false}}) {
    EXPECT_EQ(shrink_refusal("rows", test.before, test.after, {}).has_value(), test.refused) << test.before << " to " << test.after;
  }
  EXPECT_EQ(shrink_refusal("rows", 14, 2, {}), "12 of 14 rows would go");
  EXPECT_FALSE(shrink_refusal("rows", 100, 10, {90, 5}));
  EXPECT_TRUE(shrink_refusal("rows", 100, 9, {90, 5}));
  EXPECT_FALSE(shrink_refusal("rows", 100, 90, {1, 10}));
  EXPECT_TRUE(shrink_refusal("rows", 100, 89, {1, 10}));
}

TEST(ShrinkOfLists, IsRefusedWhenTheLastAdlistGoes) {
  auto before = only_default_group();
  before[block("https://a")];
  EXPECT_EQ(shrink_refusal(before, only_default_group(), {}), "the only adlist would go");
}

TEST(ShrinkOfLists, LetsAHandfulOfOtherRowsGo) {
  auto before = only_default_group();
  for (int i = 0; i < 5; ++i) before[deny("d" + std::to_string(i))];
  EXPECT_FALSE(shrink_refusal(before, only_default_group(), {}));
  before[deny("one more")];
  EXPECT_EQ(shrink_refusal(before, only_default_group(), {}), "all 6 domains would go");
}

TEST(ShrinkOfLists, SeesASwapOfAllRowsForOthers) {
  auto before = only_default_group();
  auto after = only_default_group();
  for (int i = 0; i < 20; ++i) {
    before[deny("old" + std::to_string(i))];
    after[deny("new" + std::to_string(i))];
  }
  EXPECT_EQ(shrink_refusal(before, after, {}), "all 20 domains would go");
}

TEST(ShrinkOfLists, DoesNotCountTheDefaultGroup) {
  auto before = only_default_group();
  auto after = only_default_group();
  for (int i = 0; i < 6; ++i) before[{Table::group, kind::named_group, "g" + std::to_string(i)}];
  EXPECT_EQ(shrink_refusal(before, after, {}), "all 6 groups would go");
}

TEST(ShrinkOfLists, NamesEveryTable) {
  auto before = only_default_group();
  for (int i = 0; i < 10; ++i) {
    before[block("a" + std::to_string(i))];
    before[{Table::client, 0, "c" + std::to_string(i)}];
  }
  auto after = before;
  for (int i = 0; i < 6; ++i) {
    after.erase(block("a" + std::to_string(i)));
    after.erase({Table::client, 0, "c" + std::to_string(i)});
  }
  EXPECT_EQ(shrink_refusal(before, after, {}), "6 of 10 adlists would go; 6 of 10 clients would go");
}

TEST(ShrinkOfLists, IsNoMatterForAnEmptyTarget) {
  Random random;
  for (int i = 0; i < 20; ++i) ASSERT_FALSE(shrink_refusal(only_default_group(), random.lists(), {}));
}

/// A household whose lists and blocklist go to a Pi-hole that has none.
struct FirstCopy {
  NodeState source = node("ph1");
  NodeState target = node("ph2");
  FirstCopy() {
    source.lists[block("https://a")];
    source.lists[block("https://b")];
    source.lists[deny("ads.example.com")];
    source.blocklist = {{block("https://a"), rows(60'000), {7, 60'000, 0, 1, 0}}, {block("https://b"), rows(10'000), {}}};
    source.blocklist[1].statistics.date_updated = 1;
  }
  std::vector<BlocklistAnswer> answers() const { return answers_of_copy(plan(source, target).change, source, target); }
};

TEST(AnswersOfCopy, AreThereForAFirstCopyOfALargeBlocklist) {
  const FirstCopy first;
  const auto answers = first.answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_FALSE(answers[0].delta);
  EXPECT_EQ(answers[0].rows, rows(60'000));
  EXPECT_EQ(answers[0].statistics.number, 60'000);
  EXPECT_EQ(answers[1].rows, rows(10'000));
}

TEST(AnswersOfCopy, AreForLargeBlocklistsOnly) {
  FirstCopy first;
  first.source.blocklist[0].rows = rows(30'000);
  EXPECT_THAT(first.answers(), IsEmpty());
}

TEST(AnswersOfCopy, AreNotThereWhereMostOfItIsThereAlready) {
  FirstCopy first;
  first.target.lists = first.source.lists;
  first.target.blocklist = {first.source.blocklist[0]};
  EXPECT_THAT(first.answers(), IsEmpty());
  // Nor where a few rows bring it up to date.
  first.target.blocklist[0].rows = rows(59'000);
  EXPECT_THAT(first.answers(), IsEmpty());
}

TEST(AnswersOfCopy, LeaveTheRowIdsToWhoHasUsedThem) {
  FirstCopy first;
  first.target.lists[block("https://b")];
  first.target.blocklist = {{block("https://b"), rows(10'000), {}}};
  EXPECT_FALSE(first.answers().empty()) << "a Pi-hole as it was installed";
  first.target.lists[deny("mine.example.com")];
  EXPECT_THAT(first.answers(), IsEmpty());
  first.target.blocklist[0].rows = rows(10);
  EXPECT_FALSE(first.answers().empty()) << "it has blocked nothing to speak of so far";
}

TEST(AnswersOfCopy, AreForTwoThatHoldTheSame) {
  for (bool at_source : {false, true}) {
    FirstCopy first;
    (at_source ? first.source : first.target).info.kept_local = {"clients"};
    EXPECT_THAT(first.answers(), IsEmpty());
  }
  FirstCopy first;
  first.source.lists[allow("https://allow")];
  EXPECT_FALSE(first.answers().empty());
  first.target.info.capabilities.allow_lists = false;
  EXPECT_THAT(first.answers(), IsEmpty());
}

}  // namespace
}  // namespace gsync::model
