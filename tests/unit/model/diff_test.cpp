#include "gsync/model/diff.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "gsync/util/error.hpp"
#include "random_values.hpp"

namespace gsync::model {
namespace {

using testing::Random;
using testing::same_edits;

const RowKey kids{Table::group, kind::named_group, "Kids"};
const RowKey ads{Table::domain, kind::deny_exact, "ads.example.com"};

Row row(bool enabled, std::string comment, std::set<RowKey> groups = {}) {
  Row row;
  row.enabled = enabled;
  row.comment = std::move(comment);
  row.groups = std::move(groups);
  return row;
}

ErrorCode code_of_patching(const Lists& lists, const RowChange& change) {
  try {
    patched(lists, {change});
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "the change was applied";
  return {};
}

TEST(ListsDiff, OfEqualListsIsEmpty) {
  Random random;
  for (int i = 0; i < 50; ++i) {
    auto lists = random.lists();
    auto other = lists;
    for (auto& [key, r] : other) r.added = r.modified = random.number();
    ASSERT_TRUE(diff(lists, other).empty());
  }
}

TEST(ListsDiff, MakesTheOneFromTheOther) {
  Random random;
  for (int i = 0; i < 300; ++i) {
    auto a = random.lists();
    auto b = random.lists();
    auto changes = diff(a, b);
    ASSERT_TRUE(same_edits(patched(a, changes), b)) << "round " << i;
    ASSERT_TRUE(std::is_sorted(changes.begin(), changes.end(), [](const auto& x, const auto& y) { return x.key < y.key; }));
  }
}

TEST(ListsDiff, OfTheOtherDirectionIsItsInverse) {
  Random random;
  for (int i = 0; i < 100; ++i) {
    auto a = random.lists();
    auto b = random.lists();
    ASSERT_TRUE(same_edits(patched(patched(a, diff(a, b)), diff(b, a)), a));
  }
}

TEST(ListsDiff, CarriesTheDatesOfRowsThatChange) {
  Lists from;
  Lists to;
  to[ads].added = 1700000000;
  to[ads].modified = 1700000001;
  auto result = patched(from, diff(from, to));
  EXPECT_EQ(result[ads].added, 1700000000);
  EXPECT_EQ(result[ads].modified, 1700000001);
}

TEST(Patching, RefusesWhenTheRowIsNotAsPlanned) {
  Lists lists;
  lists[ads] = row(true, "mine");
  auto planned = row(true, "old");
  EXPECT_EQ(code_of_patching(lists, {ads, planned, row(true, "new")}), ErrorCode::conflict);
  EXPECT_EQ(code_of_patching(lists, {ads, planned, std::nullopt}), ErrorCode::conflict);
  EXPECT_EQ(code_of_patching(lists, {ads, std::nullopt, row(true, "new")}), ErrorCode::conflict);
  EXPECT_EQ(code_of_patching({}, {ads, planned, row(true, "new")}), ErrorCode::conflict);
  EXPECT_EQ(code_of_patching({}, {ads, planned, std::nullopt}), ErrorCode::conflict);
}

TEST(Patching, RefusesAChangeThatSaysNothing) {
  EXPECT_EQ(code_of_patching({}, {ads, std::nullopt, std::nullopt}), ErrorCode::protocol);
}

TEST(Patching, DoesNotMindOtherDates) {
  Lists lists;
  lists[ads] = row(true, "x");
  lists[ads].modified = 5;
  auto before = row(true, "x");
  before.modified = 9;
  EXPECT_TRUE(patched(lists, {{ads, before, std::nullopt}}).empty());
}

TEST(DifferenceInWords, NamesTheSideOfARowThatOnlyOneHas) {
  EXPECT_EQ(describe_difference({ads, row(true, ""), std::nullopt}, "ph1", "ph2"), "only on ph1");
  EXPECT_EQ(describe_difference({ads, std::nullopt, row(true, "")}, "ph1", "ph2"), "only on ph2");
}

TEST(DifferenceInWords, ListsTheFieldsThatDiffer) {
  RowKey guests{Table::group, kind::named_group, "Guests"};
  EXPECT_EQ(describe_difference({ads, row(true, "a"), row(true, "b")}, "ph1", "ph2"), "comment differs");
  EXPECT_EQ(describe_difference({ads, row(true, ""), row(false, "")}, "ph1", "ph2"), "enabled on ph1, disabled on ph2");
  EXPECT_EQ(describe_difference({ads, row(false, ""), row(true, "")}, "ph1", "ph2"), "enabled on ph2, disabled on ph1");
  EXPECT_EQ(
      describe_difference({ads, row(true, "", {kids, default_group_key()}), row(true, "", {guests, default_group_key()})}, "ph1", "ph2"),
      "groups differ: only on ph1: Kids; only on ph2: Guests");
  EXPECT_EQ(describe_difference({ads, row(true, "", {default_group_key(), kids}), row(true, "")}, "ph1", "ph2"),
            "groups differ: only on ph1: Default, Kids");
  EXPECT_EQ(describe_difference({ads, row(true, "a"), row(false, "b", {kids})}, "ph1", "ph2"),
            "enabled on ph1, disabled on ph2, comment differs, groups differ: only on ph2: Kids");
}

TEST(DifferenceInWords, GivesBothNamesOfTheDefaultGroup) {
  auto before = row(true, "");
  auto after = row(true, "");
  before.title = "Default";
  after.title = "Every\x1b[1mbody";
  auto text = describe_difference({default_group_key(), before, after}, "ph1", "ph2");
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.substr(0, 30), "name 'Default' on ph1, 'Every\\");
}

std::map<std::string, int> counted(const RecordLines& lines) {
  std::map<std::string, int> counts;
  for (const auto& line : lines) ++counts[line];
  return counts;
}

/// Takes what was removed from `from` and puts what was added to it; what is left must be `to` as a set with multiplicities.
void expect_leads_to(const RecordLines& from, const RecordLines& to, const std::vector<RecordChange>& changes) {
  auto counts = counted(from);
  for (const auto& change : changes) counts[change.line] += change.added ? 1 : -1;
  for (auto i = counts.begin(); i != counts.end();) i = i->second == 0 ? counts.erase(i) : std::next(i);
  ASSERT_EQ(counts, counted(to));
}

std::string in_short(const RecordLines& from, const RecordLines& to) {
  std::string text;
  for (const auto& change : diff(RecordKind::dns, from, to)) text += (change.added ? "+" : "-") + change.line + " ";
  return text;
}

TEST(RecordsDiff, ShowsWhatOnlyOneSideHas) {
  EXPECT_EQ(in_short({}, {}), "");
  EXPECT_EQ(in_short({"a", "b"}, {"a", "b"}), "");
  EXPECT_EQ(in_short({}, {"a", "b"}), "+a +b ");
  EXPECT_EQ(in_short({"a", "b"}, {}), "-a -b ");
  EXPECT_EQ(in_short({"a", "b", "c"}, {"a", "x", "c"}), "-b +x ");
  EXPECT_EQ(in_short({"a", "a"}, {"a"}), "-a ");
  EXPECT_EQ(in_short({"a"}, {"a", "a"}), "+a ");
}

TEST(RecordsDiff, ShowsALineThatMovedOnBothSides) {
  EXPECT_EQ(in_short({"a", "b", "c", "d"}, {"b", "c", "d", "a"}), "-a +a ");
  EXPECT_EQ(in_short({"a", "b"}, {"b", "a"}), "-a +a ");
}

TEST(RecordsDiff, CarriesItsKind) {
  EXPECT_EQ(diff(RecordKind::cname, {}, {"a,b"}).at(0).kind, RecordKind::cname);
}

TEST(RecordsDiff, IsEmptyExactlyForEqualLinesAndLeadsFromOneToTheOther) {
  Random random;
  for (int i = 0; i < 300; ++i) {
    auto from = random.lines(12, 5);
    auto to = random.flip() ? random.lines(12, 5) : from;
    auto changes = diff(RecordKind::dns, from, to);
    ASSERT_EQ(changes.empty(), from == to);
    expect_leads_to(from, to, changes);
  }
}

TEST(RecordsDiff, StaysSmallAndQuickForTenThousandLines) {
  RecordLines from;
  for (int i = 0; i < 10'000; ++i) from.push_back("10.0.0.1 host" + std::to_string(i));
  auto to = from;
  to[1] = "10.0.0.1 first";
  to[9998] = "10.0.0.1 last";
  to.insert(to.begin() + 5000, "10.0.0.1 inserted");
  auto changes = diff(RecordKind::dns, from, to);
  EXPECT_EQ(changes.size(), 5u);
  expect_leads_to(from, to, changes);

  auto moved = from;
  std::swap(moved[4000], moved[4003]);
  changes = diff(RecordKind::dns, from, moved);
  EXPECT_GT(changes.size(), 0u);
  EXPECT_LE(changes.size(), 8u);
  expect_leads_to(from, moved, changes);
}

TEST(RecordsDiff, StaysSmallForTenThousandLinesThatDifferAtBothEnds) {
  // Differences at both ends keep the middle too long for the table, so that the quick way is taken.
  RecordLines from;
  for (int i = 0; i < 10'000; ++i) from.push_back("10.0.0.1 host" + std::to_string(i));
  auto to = from;
  to.front() = "10.0.0.1 first";
  to.back() = "10.0.0.1 last";
  std::swap(to[4000], to[4003]);
  auto changes = diff(RecordKind::dns, from, to);
  EXPECT_EQ(changes.size(), 4u + 2 * 4u) << "the two ends, and the four lines from the one that moved to the other";
  expect_leads_to(from, to, changes);

  to = from;
  to.front() = "10.0.0.1 first";
  to.back() = "10.0.0.1 last";
  to.insert(to.begin() + 6000, from[5000]);
  changes = diff(RecordKind::dns, from, to);
  EXPECT_EQ(changes.size(), 4u + 1u) << "the two ends, and a line that is there once more";
  expect_leads_to(from, to, changes);
  EXPECT_EQ(diff(RecordKind::dns, to, from).size(), 5u);
}

TEST(RecordsDiff, OfLongDisorderedSidesLeadsFromOneToTheOther) {
  Random random;
  for (int i = 0; i < 3; ++i) {
    auto from = random.lines(6000, 3000);
    auto to = random.lines(6000, 3000);
    expect_leads_to(from, to, diff(RecordKind::dns, from, to));
    from.resize(3000, "10.0.0.1 filler");
    to = from;
    std::shuffle(to.begin(), to.end(), random.engine());
    auto changes = diff(RecordKind::dns, from, to);
    expect_leads_to(from, to, changes);
    ASSERT_EQ(changes.empty(), from == to);
  }
}

}  // namespace
}  // namespace gsync::model
