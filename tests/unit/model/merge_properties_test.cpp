#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <set>
#include <string>

#include "merge_model.hpp"
#include "random_edits.hpp"
#include "support/campaign.hpp"
#include "support/gravity_schema.hpp"
#include "support/sql.hpp"

namespace gsync::model {
namespace {

using testing::identical;
using ::testing::IsEmpty;
using testing::Random;
using testing::RandomEdits;
using testing::same_edits;

/// GSYNC_ROUNDS=N for a campaign.
int rounds(int usual) {
  const char* given = std::getenv("GSYNC_ROUNDS");
  return given ? std::atoi(given) : usual;
}

Lists only_default_group() {
  Lists lists;
  lists[default_group_key()].title = "Default";
  return lists;
}

/// A base, and what two people made of it.
struct Three {
  Lists base;
  Lists ours;
  Lists theirs;
  bool ours_wins = true;
};

Three random_lists(Random& random, RandomEdits& edits) {
  Three three{only_default_group(), {}, {}, random.flip()};
  for (auto n = random.below(12); n > 0; --n) edits.edit(three.base);
  three.ours = three.theirs = three.base;
  for (auto n = random.below(8); n > 0; --n) edits.edit(three.ours);
  for (auto n = random.below(8); n > 0; --n) edits.edit(three.theirs);
  if (random.below(8) == 0) three.base.clear();
  return three;
}

Sides sides(bool ours_win) {
  return {"here", "there", ours_win};
}
Sides swapped(bool ours_win) {
  return {"there", "here", !ours_win};
}

bool all_identical(const Lists& a, const Lists& b) {
  return same_edits(a, b) &&
         std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) { return identical(x.second, y.second); });
}

std::string shown(const Lists& lists) {
  std::string text;
  for (const auto& [key, row] : lists) {
    text += "  " + describe(key) + (row.enabled ? "" : " off") + " '" + row.comment + "' " + row.title;
    for (const auto& group : row.groups) text += " [" + group.name + "]";
    text += '\n';
  }
  return text;
}

std::string shown(const std::vector<Conflict>& conflicts) {
  std::string text;
  for (const auto& c : conflicts)
    text += "  " + c.subject + "." + c.field + ": kept " + c.kept + " (" + c.kept_from + "), lost " + c.lost + " (" + c.lost_from + ")\n";
  return text;
}

testing::ModelConflicts without_values(const std::vector<Conflict>& conflicts) {
  testing::ModelConflicts result;
  for (const auto& c : conflicts) result.emplace(c.subject, c.field, c.kept_from == "here");
  return result;
}

bool noted(const std::vector<Conflict>& conflicts, const RowKey& key, const std::string& field, const std::string& lost_from) {
  return std::any_of(conflicts.begin(), conflicts.end(), [&](const Conflict& c) {
    return c.subject == describe(key) && c.field == field && c.lost_from == lost_from && c.kept_from != lost_from;
  });
}

/// The first edit that somebody made and that is neither in the outcome nor in the conflicts; empty if there is none.
std::string lost_edit(const Lists& base, const Lists& side, const std::string& name, const Lists& outcome,
                      const std::vector<Conflict>& conflicts) {
  for (const auto& change : diff(base, side)) {
    const auto& key = change.key;
    const auto at = outcome.find(key);
    if (!change.after) {
      if (at != outcome.end() && !noted(conflicts, key, "", name)) return "deletion of " + describe(key);
      continue;
    }
    const Row before = change.before.value_or(Row{});
    if (at == outcome.end()) {
      auto edited = *change.after;  // going out of a group because it is deleted is no edit
      for (const auto& group : before.groups)
        if (!side.contains(group)) edited.groups.insert(group);
      if (change.before && edited.same_edit(before)) continue;
      return describe(key);
    }
    const auto& now = at->second;
    if (change.after->comment != before.comment && change.after->comment != now.comment && !noted(conflicts, key, "comment", name) &&
        change.after->comment != "The default group")
      return "comment of " + describe(key);
    if (change.after->enabled != before.enabled && change.after->enabled != now.enabled && !noted(conflicts, key, "enabled", name))
      return "switch of " + describe(key);
    if (change.after->title != before.title && change.after->title != now.title && !noted(conflicts, key, "name", name) &&
        (change.before || change.after->title != "Default"))
      return "name of " + describe(key);
    for (const auto& group : change.after->groups)
      if (!before.groups.contains(group) && !now.groups.contains(group) && !noted(conflicts, key, "groups", name))
        return describe(key) + " in " + describe(group);
    for (const auto& group : before.groups)
      if (!change.after->groups.contains(group) && now.groups.contains(group) && !noted(conflicts, key, "groups", name) &&
          !(noted(conflicts, group, "", name) && !side.contains(group)))
        return describe(key) + " out of " + describe(group);
  }
  return {};
}

TEST(MergeOfRandomLists, KeepsItsPromises) {
  Random random;
  RandomEdits edits(random);
  for (int i = 0; i < rounds(10'000); ++i) {
    const auto [base, ours, theirs, ours_win] = random_lists(random, edits);
    std::vector<Conflict> conflicts;
    const auto outcome = merge_lists(base, ours, theirs, sides(ours_win), conflicts);
    SCOPED_TRACE("round " + std::to_string(i) + (ours_win ? ", here wins" : ", there wins") + "\nbase\n" + shown(base) + "here\n" +
                 shown(ours) + "there\n" + shown(theirs) + "outcome\n" + shown(outcome) + shown(conflicts));
    ASSERT_NO_THROW(check_lists(outcome));

    testing::ListModel model(base, ours, theirs, ours_win);
    const auto expected = model.merged();
    ASSERT_TRUE(same_edits(outcome, expected)) << "the model\n" << shown(expected);
    ASSERT_EQ(without_values(conflicts), model.conflicts);

    std::vector<Conflict> other;
    ASSERT_TRUE(all_identical(outcome, merge_lists(base, theirs, ours, swapped(ours_win), other)));
    ASSERT_EQ(conflicts, other);

    ASSERT_EQ(lost_edit(base, ours, "here", outcome, conflicts), "");
    ASSERT_EQ(lost_edit(base, theirs, "there", outcome, conflicts), "");
    for (const auto* side : {&ours, &theirs})
      for (const auto& [key, row] : *side) ASSERT_TRUE(!base.empty() || outcome.contains(key)) << describe(key);

    std::vector<Conflict> none;
    ASSERT_TRUE(same_edits(merge_lists(outcome, outcome, outcome, sides(true), none), outcome));
    ASSERT_TRUE(same_edits(merge_lists(base, ours, ours, sides(true), none), ours));
    if (!base.empty()) {
      ASSERT_TRUE(same_edits(merge_lists(base, base, theirs, sides(true), none), theirs));
      ASSERT_TRUE(same_edits(merge_lists(base, theirs, base, sides(true), none), theirs));
    }
    ASSERT_THAT(none, IsEmpty());
  }
}

TEST(MergeOfRandomLists, HasNoTwoAdlistsOfAnAddressWhereTheSchemaHasNone) {
  Random random;
  RandomEdits edits(random);
  for (int i = 0; i < rounds(3'000); ++i) {
    auto three = random_lists(random, edits);
    for (auto* lists : {&three.base, &three.ours, &three.theirs}) *lists = fitted(*lists, Fit::one_list_per_address);
    std::vector<Conflict> conflicts;
    const auto outcome = merge_lists(three.base, three.ours, three.theirs, sides(three.ours_wins), conflicts, Fit::one_list_per_address);
    ASSERT_THAT(unfit(outcome, Fit::one_list_per_address), IsEmpty());
    ASSERT_NO_THROW(check_lists(outcome));
    std::vector<Conflict> other;
    ASSERT_TRUE(all_identical(
        outcome, merge_lists(three.base, three.theirs, three.ours, swapped(three.ours_wins), other, Fit::one_list_per_address)));
    ASSERT_EQ(conflicts, other);
    for (const auto& [side, name] : {std::pair(&three.ours, "here"), std::pair(&three.theirs, "there")})
      for (const auto& [key, row] : *side)
        ASSERT_TRUE(three.base.contains(key) || outcome.contains(key) || noted(conflicts, key, "", name)) << describe(key);
  }
}

/// As the tables of Pi-hole take it, by their own constraints. Throws what SQLite says.
void insert_all(test::Sql& sql, const Lists& lists, bool typed) {
  sql.execute(
      "PRAGMA foreign_keys = ON; BEGIN; DELETE FROM domainlist; DELETE FROM adlist; DELETE FROM client; DELETE FROM \"group\" WHERE id > "
      "0");
  std::map<RowKey, std::int64_t> ids;
  for (const auto& [key, row] : lists) {
    const bool is_default = key == default_group_key();
    if (key.table == Table::group) {
      test::Prepared(sql, is_default ? "UPDATE \"group\" SET name = ?, enabled = ? WHERE id = 0"
                                     : "INSERT INTO \"group\"(name, enabled) VALUES (?, ?)")
          .bind(1, is_default ? row.title : key.name)
          .bind(2, std::int64_t{row.enabled})
          .run();
      ids[key] = is_default ? 0 : sql.last_id();
      continue;
    }
    const bool is_client = key.table == Table::client;
    const std::string table = is_client ? "client" : key.table == Table::adlist ? "adlist" : "domainlist";
    const std::string columns = is_client ? "ip" : key.table == Table::domain ? "domain, type" : typed ? "address, type" : "address";
    const bool has_type = columns.ends_with("type");
    test::Prepared insert(sql, ("INSERT INTO " + table + "(" + columns + ") VALUES (?" + (has_type ? ", ?)" : ")")).c_str());
    insert.bind(1, key.name);
    if (has_type) insert.bind(2, std::int64_t{key.kind});
    insert.run();
    const auto id = std::to_string(sql.last_id());
    sql.execute("DELETE FROM " + table + "_by_group WHERE " + table + "_id = " + id);
    for (const auto& group : row.groups)
      sql.execute("INSERT INTO " + table + "_by_group VALUES (" + id + ", " + std::to_string(ids.at(group)) + ")");
  }
  sql.execute("COMMIT");
}

TEST(MergeOfRandomLists, FitsIntoTheTablesOfPihole) {
  Random random;
  RandomEdits edits(random);
  for (auto shape : {test::Shape::v6_template, test::Shape::v6_migrated, test::Shape::v21}) {
    test::Sql sql(":memory:", test::Sql::Mode::create);
    sql.execute(test::schema_sql(shape));
    const auto fit = test::traits(shape).unique_with_type ? Fit::everything : Fit::one_list_per_address;
    for (int i = 0; i < 100; ++i) {
      auto three = random_lists(random, edits);
      for (auto* lists : {&three.base, &three.ours, &three.theirs}) *lists = fitted(*lists, fit);
      std::vector<Conflict> conflicts;
      const auto outcome = merge_lists(three.base, three.ours, three.theirs, sides(three.ours_wins), conflicts, fit);
      SCOPED_TRACE(shown(outcome));
      ASSERT_NO_THROW(insert_all(sql, outcome, test::traits(shape).has_type));
    }
  }
}

std::set<std::string> set_of(const RecordLines& lines) {
  return {lines.begin(), lines.end()};
}

bool noted(const std::vector<Conflict>& conflicts, const std::string& line, const std::string& lost_from) {
  return std::any_of(conflicts.begin(), conflicts.end(), [&](const Conflict& c) {
    const auto lost = "; " + c.lost + "; ";
    return c.lost_from == lost_from && lost.find("; " + line + "; ") != std::string::npos;
  });
}

TEST(MergeOfRandomRecords, KeepsItsPromises) {
  Random random;
  RandomEdits edits(random);
  for (int i = 0; i < rounds(10'000) * 3; ++i) {
    const auto kind = record_kinds[static_cast<std::size_t>(i) % 3];
    RecordLines base;
    for (auto n = random.below(10); n > 0; --n) edits.edit(kind, base);
    auto ours = base;
    auto theirs = base;
    for (auto n = random.below(6); n > 0; --n) edits.edit(kind, ours);
    for (auto n = random.below(6); n > 0; --n) edits.edit(kind, theirs);
    if (random.below(8) == 0) base.clear();
    const bool ours_win = random.flip();

    std::vector<Conflict> conflicts;
    const auto outcome = merge_records(kind, base, ours, theirs, sides(ours_win), conflicts);
    SCOPED_TRACE("round " + std::to_string(i) + (ours_win ? ", here wins" : ", there wins") + "\nbase " + ::testing::PrintToString(base) +
                 "\nhere " + ::testing::PrintToString(ours) + "\nthere " + ::testing::PrintToString(theirs) + "\noutcome " +
                 ::testing::PrintToString(outcome) + "\n" + shown(conflicts));
    ASSERT_EQ(parse_records(kind, outcome), outcome);
    ASSERT_EQ(set_of(outcome), testing::RecordModel(kind, base, ours, theirs, ours_win).merged());

    std::vector<Conflict> other;
    ASSERT_EQ(outcome, merge_records(kind, base, theirs, ours, swapped(ours_win), other));
    ASSERT_EQ(conflicts, other);

    const auto now = set_of(outcome);
    const auto before = set_of(base);
    for (const auto& [side, name] : {std::pair(&ours, "here"), std::pair(&theirs, "there")}) {
      const auto has = set_of(*side);
      for (const auto& line : has) {
        const bool kept = before.contains(line) || now.contains(line);
        ASSERT_TRUE(kept || noted(conflicts, util::printable(line), name)) << "lost: " << line;
      }
      for (const auto& line : before) {
        const bool back = !has.contains(line) && now.contains(line);
        ASSERT_TRUE(!back ||
                    std::any_of(conflicts.begin(), conflicts.end(), [&, from = name](const Conflict& c) { return c.lost_from == from; }))
            << "back: " << line;
      }
    }
    for (const auto& line : outcome) ASSERT_TRUE(set_of(ours).contains(line) || set_of(theirs).contains(line)) << "nobody's: " << line;

    std::vector<Conflict> none;
    ASSERT_EQ(merge_records(kind, outcome, outcome, outcome, sides(true), none), outcome);
    ASSERT_EQ(merge_records(kind, base, ours, ours, sides(true), none), ours);
    ASSERT_EQ(merge_records(kind, base, base, theirs, sides(true), none), theirs);
    ASSERT_THAT(none, IsEmpty());
  }
}

/// Nodes that know nothing but the bases of their pairs, in a chain.
template <class Content, class Merge>
void expect_chain_to_settle(std::vector<Content> nodes, const Content& base, const Merge& merge) {
  std::vector<Content> bases(nodes.size() - 1, base);
  const auto sync = [&](std::size_t i) { nodes[i] = nodes[i + 1] = bases[i] = merge(bases[i], nodes[i], nodes[i + 1]); };
  for (std::size_t sweep = 0; sweep < 2; ++sweep)
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) sync(i);
  for (std::size_t i = nodes.size() - 1; i-- > 0;) sync(i);
  for (const auto& node : nodes) ASSERT_TRUE(node == nodes[0]);
}

TEST(MergeOfRandomLists, SettlesInAChainOfNodes) {
  Random random;
  RandomEdits edits(random);
  struct Comparable {
    Lists lists;
    bool operator==(const Comparable& other) const { return same_edits(lists, other.lists); }
  };
  for (int i = 0; i < rounds(2'000); ++i) {
    const auto base = random_lists(random, edits).ours;
    std::vector<Comparable> nodes(3 + random.below(3), Comparable{base});
    for (auto& node : nodes)
      for (auto n = random.below(5); n > 0; --n) edits.edit(node.lists);
    ASSERT_NO_FATAL_FAILURE(expect_chain_to_settle(nodes, Comparable{base}, [](const auto& b, const auto& x, const auto& y) {
      std::vector<Conflict> conflicts;
      return Comparable{merge_lists(b.lists, x.lists, y.lists, sides(true), conflicts)};
    }));
  }
}

TEST(MergeOfRandomRecords, SettlesInAChainOfNodes) {
  Random random;
  RandomEdits edits(random);
  for (int i = 0; i < rounds(2'000) * 3; ++i) {
    const auto kind = record_kinds[static_cast<std::size_t>(i) % 3];
    RecordLines base;
    for (auto n = random.below(8); n > 0; --n) edits.edit(kind, base);
    std::vector<RecordLines> nodes(3 + random.below(3), base);
    for (auto& node : nodes)
      for (auto n = random.below(5); n > 0; --n) edits.edit(kind, node);
    ASSERT_NO_FATAL_FAILURE(expect_chain_to_settle(nodes, base, [&](const auto& b, const auto& x, const auto& y) {
      std::vector<Conflict> conflicts;
      return merge_records(kind, b, x, y, sides(true), conflicts);
    }));
  }
}

/// Seconds of this thread's own, so that nobody else's work counts.
double cost_of(const std::function<void()>& work) {
  const auto now = [] {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
  };
  const auto start = now();
  work();
  return now() - start;
}

/// Four times as much costs about four times as much, and sixteen times if each were compared with each.
void expect_in_proportion(const char* what, const std::function<double(int)>& cost_of_so_many, int many) {
  const double few = cost_of_so_many(many / 4);
  const double all = cost_of_so_many(many);
  test::figure("{}: {:.3f} s, a fourth of it {:.3f} s", what, all, few);
  EXPECT_LT(all, 10 * few) << what;
}

double cost_of_rows(int many) {
  Lists lists = only_default_group();
  for (int i = 0; i < many; ++i)
    lists[{Table::domain, kind::deny_exact, "name" + std::to_string(i) + ".example.com"}].groups = {default_group_key()};
  auto ours = lists;
  auto theirs = lists;
  for (auto& [key, row] : ours) row.comment = "of here";
  for (auto& [key, row] : theirs) row.enabled = false;
  std::vector<Conflict> conflicts;
  return cost_of([&] { EXPECT_EQ(merge_lists(lists, ours, theirs, sides(true), conflicts).size(), lists.size()); });
}

/// `base` of the lines that both had, others on one side, and on the other the same lines, in their order or moved.
double cost_of_records(int many, bool with_base, bool moved) {
  RecordLines lines;
  for (int i = 0; i < many; ++i) lines.push_back("10.0.0.1 name" + std::to_string(i) + ".example.com");
  auto changed = lines;
  for (auto& line : changed) line += " # changed";
  auto other = lines;
  if (moved) std::reverse(other.begin(), other.end());
  std::vector<Conflict> conflicts;
  return cost_of([&] {
    const auto merged = merge_records(RecordKind::dns, with_base ? lines : RecordLines{}, changed, other, sides(true), conflicts);
    EXPECT_EQ(merged.size(), lines.size());
  });
}

TEST(MergeOfMuch, CostsInProportionToTheRows) {
  expect_in_proportion("50,000 rows, all changed on both sides", cost_of_rows, 50'000);
  expect_in_proportion(
      "10,000 records, all other on the two sides", [](int n) { return cost_of_records(n, false, false); }, 10'000);
  expect_in_proportion(
      "10,000 records, all other and moved", [](int n) { return cost_of_records(n, false, true); }, 10'000);
  expect_in_proportion(
      "10,000 records, all changed here and moved there", [](int n) { return cost_of_records(n, true, true); }, 10'000);
}

}  // namespace
}  // namespace gsync::model
