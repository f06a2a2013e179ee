#include "gsync/model/merge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "random_values.hpp"

namespace gsync::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::identical;
using ::testing::IsEmpty;
using ::testing::SizeIs;

RowKey group(const std::string& name) {
  return {Table::group, kind::named_group, name};
}
RowKey adlist(const std::string& name, std::uint8_t kind = kind::block_list) {
  return {Table::adlist, kind, name};
}
RowKey deny(const std::string& name) {
  return {Table::domain, kind::deny_exact, name};
}
RowKey client(const std::string& name) {
  return {Table::client, 0, name};
}

Row row(std::set<RowKey> groups = {default_group_key()}, const std::string& comment = {}) {
  Row row;
  row.groups = std::move(groups);
  row.comment = comment;
  return row;
}

/// Nothing but the default group, and what is added.
Lists lists(const Lists& more = {}) {
  Lists lists = more;
  lists[default_group_key()].title = "Default";
  return lists;
}

using Edit = std::function<void(Lists&)>;
Lists edited(Lists lists, const Edit& edit) {
  edit(lists);
  return lists;
}

struct Outcome {
  Lists lists;
  std::vector<Conflict> conflicts;
};

bool all_identical(const Lists& a, const Lists& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.first == y.first && identical(x.second, y.second);
         });
}

/// Merges as either node would, which must make no difference, and again, which must change nothing.
Outcome merge(const Lists& base, const Lists& ours, const Lists& theirs, bool ours_wins = true, Fit fit = Fit::everything) {
  Outcome outcome;
  outcome.lists = merge_lists(base, ours, theirs, {"here", "there", ours_wins}, outcome.conflicts, fit);
  EXPECT_NO_THROW(check_lists(outcome.lists));
  Outcome other;
  other.lists = merge_lists(base, theirs, ours, {"there", "here", !ours_wins}, other.conflicts, fit);
  EXPECT_TRUE(all_identical(outcome.lists, other.lists));
  EXPECT_EQ(outcome.conflicts, other.conflicts);
  std::vector<Conflict> more;
  EXPECT_TRUE(all_identical(merge_lists(outcome.lists, outcome.lists, outcome.lists, {"here", "there", true}, more, fit), outcome.lists));
  EXPECT_THAT(more, IsEmpty());
  return outcome;
}

/// The lists that are expected instead of a failure that shows nothing.
void expect_lists(const Lists& is, const Lists& expected) {
  for (const auto& change : diff(expected, is))
    ADD_FAILURE() << describe(change.key) << ": " << describe_difference(change, "what was expected", "the outcome");
}

// Every cell of the table, for a row of each table.

struct Field {
  std::string name;
  std::function<void(Row&)> change;
};
std::vector<Field> fields_of(const RowKey& key) {
  std::vector<Field> fields{{"comment", [](Row& r) { r.comment = "new"; }}};
  if (key.table != Table::client) fields.push_back({"enabled", [](Row& r) { r.enabled = !r.enabled; }});
  if (key.table != Table::group) {
    fields.push_back({"a group more", [](Row& r) { r.groups.insert(group("Kids")); }});
    fields.push_back({"a group less", [](Row& r) { r.groups.erase(default_group_key()); }});
  }
  return fields;
}

class Cell : public ::testing::TestWithParam<RowKey> {
 protected:
  Cell() {
    base = lists({{group("Kids"), {}}, {group("Old"), {}}});
    base[key] = key.table == Table::group ? row({}, "old") : row({default_group_key(), group("Old")}, "old");
  }
  Lists with(const Field& field) const {
    return edited(base, [&](Lists& l) { field.change(l.at(key)); });
  }
  Lists without() const {
    return edited(base, [&](Lists& l) { l.erase(key); });
  }
  const RowKey key = GetParam();
  Lists base;
};

TEST_P(Cell, UnchangedOnBothStays) {
  auto outcome = merge(base, base, base);
  expect_lists(outcome.lists, base);
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_P(Cell, ChangedOnOneSideIsTaken) {
  for (const auto& field : fields_of(key)) {
    SCOPED_TRACE(field.name);
    for (bool wins : {true, false}) {
      auto outcome = merge(base, base, with(field), wins);
      expect_lists(outcome.lists, with(field));
      EXPECT_THAT(outcome.conflicts, IsEmpty());
    }
  }
}

TEST_P(Cell, DeletedOnOneSideIsDeleted) {
  for (bool wins : {true, false}) {
    auto outcome = merge(base, base, without(), wins);
    expect_lists(outcome.lists, without());
    EXPECT_THAT(outcome.conflicts, IsEmpty());
  }
}

TEST_P(Cell, OtherFieldsChangedOnTheTwoSidesAreBothKept) {
  for (const auto& here : fields_of(key)) {
    for (const auto& there : fields_of(key)) {
      if (here.name == there.name) continue;
      SCOPED_TRACE(here.name + ", " + there.name);
      auto outcome = merge(base, with(here), with(there));
      expect_lists(outcome.lists, edited(with(here), [&](Lists& l) { there.change(l.at(key)); }));
      EXPECT_THAT(outcome.conflicts, IsEmpty());
    }
  }
}

TEST_P(Cell, TheSameChangeOnBothSidesIsNoConflict) {
  for (const auto& field : fields_of(key)) {
    SCOPED_TRACE(field.name);
    auto outcome = merge(base, with(field), with(field));
    expect_lists(outcome.lists, with(field));
    EXPECT_THAT(outcome.conflicts, IsEmpty());
  }
}

TEST_P(Cell, AnotherChangeOfTheSameFieldIsAConflict) {
  const auto here = with({"", [](Row& r) { r.comment = "of here"; }});
  const auto there = with({"", [](Row& r) { r.comment = "of there"; }});
  auto outcome = merge(base, here, there, true);
  expect_lists(outcome.lists, here);
  EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{describe(key), "comment", "of here", "here", "of there", "there"}));
  outcome = merge(base, here, there, false);
  expect_lists(outcome.lists, there);
  EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{describe(key), "comment", "of there", "there", "of here", "here"}));
}

TEST_P(Cell, ACommentTakenAwayIsAnEditLikeOthers) {
  const auto cleared = with({"", [](Row& r) { r.comment.clear(); }});
  expect_lists(merge(base, cleared, base).lists, cleared);
  const auto outcome = merge(base, cleared, with({"", [](Row& r) { r.comment = "of there"; }}), true);
  expect_lists(outcome.lists, cleared);
  EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{describe(key), "comment", "", "here", "of there", "there"}));
}

TEST_P(Cell, AnEditBeatsADeletionWhoeverWins) {
  for (const auto& field : fields_of(key)) {
    SCOPED_TRACE(field.name);
    for (bool wins : {true, false}) {
      auto outcome = merge(base, without(), with(field), wins);
      expect_lists(outcome.lists, with(field));
      ASSERT_THAT(outcome.conflicts, SizeIs(1));
      EXPECT_EQ(outcome.conflicts[0].subject, describe(key));
      EXPECT_EQ(outcome.conflicts[0].field, "");
      EXPECT_EQ(outcome.conflicts[0].kept_from, "there");
      EXPECT_EQ(outcome.conflicts[0].lost, "deleted");
      EXPECT_EQ(outcome.conflicts[0].lost_from, "here");
    }
  }
}

TEST_P(Cell, DeletedOnBothIsGone) {
  auto outcome = merge(base, without(), without());
  expect_lists(outcome.lists, without());
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_P(Cell, AddedOnOneSideIsKept) {
  for (bool wins : {true, false}) {
    auto outcome = merge(without(), base, without(), wins);
    expect_lists(outcome.lists, base);
    EXPECT_THAT(outcome.conflicts, IsEmpty());
  }
}

TEST_P(Cell, AddedTheSameIsNoConflict) {
  auto outcome = merge(without(), base, base);
  expect_lists(outcome.lists, base);
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_P(Cell, AddedDifferentlyIsAConflictOfTheFieldsThatDiffer) {
  const auto there = edited(base, [&](Lists& l) {
    l.at(key).comment = "of there";
    if (key.table != Table::client) l.at(key).enabled = false;
  });
  std::vector<Conflict> expected{{describe(key), "comment", "old", "here", "of there", "there"}};
  if (key.table != Table::client) expected.push_back({describe(key), "enabled", "enabled", "here", "disabled", "there"});
  auto outcome = merge(without(), base, there, true);
  expect_lists(outcome.lists, base);
  EXPECT_EQ(outcome.conflicts, expected);
  outcome = merge(without(), base, there, false);
  expect_lists(outcome.lists, there);
  EXPECT_EQ(outcome.conflicts.size(), expected.size());
}

TEST_P(Cell, AddedByOneWithoutACommentTakesTheOnesOfTheOther) {
  const auto silent = edited(base, [&](Lists& l) { l.at(key).comment.clear(); });
  for (bool wins : {true, false}) {
    auto outcome = merge(without(), base, silent, wins);
    expect_lists(outcome.lists, base);
    EXPECT_THAT(outcome.conflicts, IsEmpty());
  }
}

TEST_P(Cell, WithoutABaseNothingIsDeleted) {
  for (bool wins : {true, false}) {
    auto outcome = merge({}, base, without(), wins);
    expect_lists(outcome.lists, base);
    EXPECT_THAT(outcome.conflicts, IsEmpty());
  }
}

INSTANTIATE_TEST_SUITE_P(Merge, Cell,
                         ::testing::Values(group("Zoë's 🐢"), adlist("https://a.example/hosts"),
                                           adlist("https://a.example/hosts", kind::allow_list), deny("ads.example.com"),
                                           RowKey{Table::domain, kind::allow_exact, "ads.example.com"},
                                           RowKey{Table::domain, kind::allow_regex, "^ads[0-9]+\\."},
                                           RowKey{Table::domain, kind::deny_regex, "(\\.|^)żółw\\.pl$"}, client("10.0.0.0/8"),
                                           client("AA:BB:CC:DD:EE:FF")),
                         [](const auto& tested) {
                           std::string name = describe(tested.param) + std::to_string(tested.index);
                           std::erase_if(name, [](unsigned char c) { return c > 127 || !std::isalnum(c); });
                           return name;
                         });

TEST(MergeOfLists, KeepsRowsApartWhoseNamesDifferInCaseOrKind) {
  const auto base = lists({{deny("ads.example.com"), row()}});
  auto here = base;
  here[deny("ADS.example.com")] = row({default_group_key()}, "upper");
  here[{Table::domain, kind::allow_exact, "ads.example.com"}] = row({default_group_key()}, "allowed");
  auto there = base;
  there.erase(deny("ads.example.com"));
  there[{Table::domain, kind::deny_regex, "ads.example.com"}] = row();
  there[deny("xn--w-uga1v8h.pl")] = row();
  there[deny("żółw.pl")] = row();
  const auto outcome = merge(base, here, there);
  expect_lists(outcome.lists, edited(there, [&](Lists& l) {
                 l[deny("ADS.example.com")] = here.at(deny("ADS.example.com"));
                 l[{Table::domain, kind::allow_exact, "ads.example.com"}] = row({default_group_key()}, "allowed");
               }));
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST(MergeOfLists, TakesTheDatesOfTheEdit) {
  auto base = lists({{deny("a"), row()}, {deny("b"), row()}});
  base.at(deny("a")).modified = 1;
  auto here = base;
  here.at(deny("a")).comment = "edited";
  here.at(deny("a")).modified = 2;
  auto there = base;
  there.at(deny("a")).modified = 9;  // FTL writes dates without an edit
  EXPECT_EQ(merge(base, here, there, true).lists.at(deny("a")).modified, 2);
  EXPECT_EQ(merge(base, here, there, false).lists.at(deny("a")).modified, 2);
}

TEST(MergeOfLists, SaysInFullWhatWasKeptAgainstADeletion) {
  const auto base = lists({{group("Kids"), {}}, {deny("a"), row()}, {client("10.0.0.1"), row()}});
  const auto here = edited(base, [](Lists& l) {
    l.at(deny("a")) = row({default_group_key(), group("Kids")}, "a\nline");
    l.at(deny("a")).enabled = false;
    l.at(client("10.0.0.1")).groups.clear();
  });
  const auto there = edited(base, [](Lists& l) {
    l.erase(deny("a"));
    l.erase(client("10.0.0.1"));
  });
  EXPECT_THAT(merge(base, here, there).conflicts,
              ElementsAre(Conflict{"client  10.0.0.1", "", "groups none", "here", "deleted", "there"},
                          Conflict{"deny  a", "", "disabled, comment 'a\\x0aline', groups Default, Kids", "here", "deleted", "there"}));
}

// Groups.

class MergeOfGroups : public ::testing::Test {
 protected:
  Lists base = lists({{group("Kids"), row({}, "they")},
                      {deny("a"), row({group("Kids")})},
                      {deny("b"), row({default_group_key(), group("Kids")})},
                      {adlist("https://a"), row({group("Kids")})},
                      {client("10.0.0.1"), row({group("Kids")})}});
  static void remove(Lists& lists, const RowKey& key) {
    lists.erase(key);
    for (auto& [other, row] : lists) row.groups.erase(key);
  }
  static void rename(Lists& lists, const RowKey& from, const RowKey& to) {
    lists[to] = lists.at(from);
    for (auto& [other, row] : lists)
      if (row.groups.erase(from) != 0) row.groups.insert(to);
    lists.erase(from);
  }
  Lists without_kids = edited(base, [](Lists& l) { remove(l, group("Kids")); });
};

TEST_F(MergeOfGroups, AGroupDeletedGoesOutOfAllRows) {
  auto there = base;
  there.at(deny("a")).comment = "edited";
  const auto outcome = merge(base, without_kids, there);
  expect_lists(outcome.lists, edited(without_kids, [](Lists& l) { l.at(deny("a")).comment = "edited"; }));
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_F(MergeOfGroups, ADeletedGroupStaysWithAllThatWasInItWhenTheOtherSidePutSomethingIn) {
  for (const auto& key : {deny("c"), adlist("https://c"), client("10.0.0.3")}) {
    for (bool is_new : {true, false}) {
      auto before = base;
      if (!is_new) before[key] = row();
      auto here = before;
      remove(here, group("Kids"));
      auto there = before;
      there[key] = row({group("Kids")});
      for (bool wins : {true, false}) {
        const auto outcome = merge(before, here, there, wins);
        expect_lists(outcome.lists, there);
        EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{"group  Kids", "", "enabled, comment 'they', with " + describe(key) + " in it",
                                                            "there", "deleted", "here"}));
      }
    }
  }
}

TEST_F(MergeOfGroups, ADeletedGroupStaysWithAllThatWasInItWhenTheOtherSideEditedIt) {
  const auto there = edited(base, [](Lists& l) { l.at(group("Kids")).enabled = false; });
  const auto outcome = merge(base, without_kids, there);
  expect_lists(outcome.lists, there);
  EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{"group  Kids", "", "disabled, comment 'they'", "there", "deleted", "here"}));
}

TEST_F(MergeOfGroups, WhatWasEditedBesidesADeletedGroupThatStaysIsKept) {
  auto here = without_kids;
  here.at(deny("a")).comment = "edited here";
  here.erase(deny("b"));
  here[deny("new")] = row();
  auto there = base;
  there[deny("c")] = row({group("Kids")});
  there.at(deny("a")).enabled = false;
  there.erase(client("10.0.0.1"));
  const auto outcome = merge(base, here, there);
  expect_lists(outcome.lists, edited(there, [](Lists& l) {
                 l.at(deny("a")).comment = "edited here";
                 l.erase(deny("b"));
                 l[deny("new")] = row();
               }));
  EXPECT_THAT(outcome.conflicts, SizeIs(1));
}

TEST_F(MergeOfGroups, TakenOutOfADeletedGroupThatStaysARowIsOut) {
  auto there = base;
  there[deny("c")] = row({group("Kids")});
  there.at(deny("b")).groups.erase(group("Kids"));
  expect_lists(merge(base, without_kids, there).lists, there);
}

TEST_F(MergeOfGroups, DeletedOnBothItIsGoneEvenIfARowWasEditedAgainstItsDeletion) {
  const auto here = edited(without_kids, [](Lists& l) { l.erase(deny("b")); });
  const auto there = edited(without_kids, [](Lists& l) { l.at(deny("b")).comment = "edited"; });
  const auto outcome = merge(base, here, there);
  expect_lists(outcome.lists, there);
  EXPECT_THAT(outcome.conflicts,
              ElementsAre(Conflict{"deny  b", "", "enabled, comment 'edited', groups Default", "there", "deleted", "here"}));
}

TEST_F(MergeOfGroups, ARowThatLostOnlyADeletedGroupWasNotEdited) {
  const auto there = edited(base, [](Lists& l) { l.erase(deny("a")); });
  const auto outcome = merge(base, without_kids, there);
  expect_lists(outcome.lists, edited(without_kids, [](Lists& l) { l.erase(deny("a")); }));
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_F(MergeOfGroups, RenamedOnOneSideItIsRenamed) {
  const auto here = edited(base, [](Lists& l) { rename(l, group("Kids"), group("kids")); });
  const auto outcome = merge(base, here, edited(base, [](Lists& l) { l.at(deny("a")).comment = "edited"; }));
  expect_lists(outcome.lists, edited(here, [](Lists& l) { l.at(deny("a")).comment = "edited"; }));
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_F(MergeOfGroups, RenamedHereAndUsedThereBothNamesStay) {
  const auto here = edited(base, [](Lists& l) { rename(l, group("Kids"), group("Children")); });
  const auto there = edited(base, [](Lists& l) { l[deny("c")] = row({group("Kids")}); });
  const auto outcome = merge(base, here, there);
  expect_lists(outcome.lists, edited(there, [](Lists& l) {
                 l[group("Children")] = l.at(group("Kids"));
                 for (const auto& key : {deny("a"), deny("b"), adlist("https://a"), client("10.0.0.1")})
                   l.at(key).groups.insert(group("Children"));
               }));
  EXPECT_THAT(outcome.conflicts, SizeIs(1));
}

TEST_F(MergeOfGroups, RenamedDifferentlyAllIsInBoth) {
  const auto here = edited(base, [](Lists& l) { rename(l, group("Kids"), group("A")); });
  const auto there = edited(base, [](Lists& l) { rename(l, group("Kids"), group("B")); });
  const auto outcome = merge(base, here, there);
  EXPECT_FALSE(outcome.lists.contains(group("Kids")));
  EXPECT_THAT(outcome.lists.at(deny("a")).groups, ElementsAre(group("A"), group("B")));
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_F(MergeOfGroups, MovedToOtherGroupsOnTheTwoSidesARowIsInBoth) {
  base[group("A")];
  base[group("B")];
  const auto here = edited(base, [](Lists& l) { l.at(deny("a")).groups = {group("A")}; });
  const auto there = edited(base, [](Lists& l) { l.at(deny("a")).groups = {group("B")}; });
  const auto outcome = merge(base, here, there);
  EXPECT_THAT(outcome.lists.at(deny("a")).groups, ElementsAre(group("A"), group("B")));
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_F(MergeOfGroups, ARowThatEachSideLeftInAnotherGroupIsNotLeftInNone) {
  const auto here = edited(base, [](Lists& l) { l.at(deny("b")).groups = {group("Kids")}; });
  const auto there = edited(base, [](Lists& l) { l.at(deny("b")).groups = {default_group_key()}; });
  auto outcome = merge(base, here, there, true);
  expect_lists(outcome.lists, here);
  EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{"deny  b", "groups", "Kids", "here", "Default", "there"}));
  // One of the two went with its group: the other is left, whoever wins.
  for (bool wins : {true, false}) {
    outcome = merge(base, without_kids, here, wins);
    expect_lists(outcome.lists, without_kids);
    EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{"deny  b", "groups", "Default", "here", "Kids", "there"}));
  }
}

TEST_F(MergeOfGroups, InNoGroupOnOneSideARowIsInNone) {
  const auto here = edited(base, [](Lists& l) { l.at(deny("a")).groups.clear(); });
  const auto outcome = merge(base, here, base);
  expect_lists(outcome.lists, here);
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

TEST_F(MergeOfGroups, TheDefaultGroupMayBeCalledAnything) {
  const auto here = edited(base, [](Lists& l) { l.at(default_group_key()).title = "Zuhause"; });
  const auto there = edited(base, [](Lists& l) { l.at(default_group_key()).title = "Maison"; });
  expect_lists(merge(base, here, base).lists, here);
  EXPECT_THAT(merge(base, here, there, false).conflicts,
              ElementsAre(Conflict{"group  Default (id 0)", "name", "Maison", "there", "Zuhause", "here"}));
  EXPECT_EQ(merge(base, here, there, false).lists.at(default_group_key()).title, "Maison");
}

TEST_F(MergeOfGroups, TheDefaultGroupsNewNameGivesWayToAGroupOfThatName) {
  const auto here = edited(base, [](Lists& l) { l.at(default_group_key()).title = "All"; });
  const auto there = edited(base, [](Lists& l) { l[group("All")] = row({}, "others"); });
  for (bool wins : {true, false}) {
    auto outcome = merge(base, here, there, wins);
    expect_lists(outcome.lists, there);
    EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{"group  Default (id 0)", "name", "Default", "there", "All", "here"}));
  }
  // Where the old name is taken too, by a group that was renamed to it, there is a third.
  auto swapped = edited(base, [](Lists& l) { rename(l, group("Kids"), group("Default")); });
  swapped.at(default_group_key()).title = "Kids";
  const auto used = edited(base, [](Lists& l) { l[deny("c")] = row({group("Kids")}); });
  auto outcome = merge(base, swapped, used);
  EXPECT_EQ(outcome.lists.at(default_group_key()).title, "Default 2");
  EXPECT_THAT(outcome.conflicts, ::testing::Contains(Conflict{"group  Default (id 0)", "name", "Default 2", "there", "Kids", "here"}));
}

TEST_F(MergeOfGroups, WithoutABaseWhatPiholeGivesToItsGroupIsNobodysEdit) {
  auto factory = lists();
  factory.at(default_group_key()).comment = "The default group";
  auto here = factory;
  here.at(default_group_key()) = row({}, "my family");
  here.at(default_group_key()).title = "Family";
  here.at(default_group_key()).enabled = false;
  for (bool wins : {true, false}) {
    const auto outcome = merge({}, here, factory, wins);
    expect_lists(outcome.lists, here);
    EXPECT_THAT(outcome.conflicts, IsEmpty());
    expect_lists(merge({}, here, lists(), wins).lists, here);
  }
}

TEST(MergeOfLists, KeepsOneListOfAnAddressWhereTheSchemaHasOnlyOne) {
  const auto block = adlist("https://a");
  const auto allow = adlist("https://a", kind::allow_list);
  const auto here = lists({{allow, row({default_group_key()}, "allowed")}});
  const auto there = lists({{block, row()}});
  EXPECT_EQ(merge({}, here, there).lists.size(), 3u);
  auto outcome = merge({}, here, there, true, Fit::one_list_per_address);
  expect_lists(outcome.lists, here);
  EXPECT_THAT(outcome.conflicts,
              ElementsAre(Conflict{"adlist  https://a", "", "allow adlist  https://a, enabled, comment 'allowed', groups Default", "here",
                                   "enabled, groups Default", "there"}));
  outcome = merge({}, here, there, false, Fit::one_list_per_address);
  expect_lists(outcome.lists, there);
  EXPECT_THAT(outcome.conflicts, SizeIs(1));
  // Made the other kind on one side it is that on both.
  outcome = merge(there, here, there, false, Fit::one_list_per_address);
  expect_lists(outcome.lists, here);
  EXPECT_THAT(outcome.conflicts, IsEmpty());
}

}  // namespace
}  // namespace gsync::model
