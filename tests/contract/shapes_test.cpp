// Every shape of gravity.db as a source for every shape as a target.

#include <gtest/gtest.h>

#include "gsync/model/fit.hpp"
#include "gsync/sync/engine.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

constexpr HouseholdSize small{3, 5, 24, 6, 300};
constexpr const char* twin = "https://twin.example/list.txt";

/// What a household has on a Pi-hole of that shape, allow lists and a pair of lists of one address included where it can have them.
PiholeOptions pihole_of(Shape shape, std::string name, std::uint64_t numbering, std::size_t edits) {
  const auto& can = traits(shape);
  auto household = realistic(3, small, can.has_type);
  drift(household, numbering, edits);
  household.adlists.push_back({.address = twin, .entries = 7});
  if (can.has_type) household.adlists.push_back({.address = "https://allow-of-" + name, .type = 1, .entries = 5});
  if (can.unique_with_type) household.adlists.push_back({.address = twin, .type = 1, .comment = name, .entries = 3});
  PiholeOptions options;
  options.name = std::move(name);
  options.gravity = GravityBuilder(shape).household(household).numbering(numbering);
  return options;
}

sync::Options pull() {
  sync::Options options;
  options.started_by = "test";
  options.force = true;
  return options;
}

using Ids = std::map<std::string, std::map<std::string, std::int64_t>>;

Ids ids_of(const PiholeDirectory& pihole) {
  Ids ids;
  for (const auto* table : {"group", "adlist", "domainlist", "client"}) ids[table] = row_ids(pihole.gravity(), table);
  return ids;
}

/// The target's lists after a pull: the source's, as far as both can hold them, and of its own what the source cannot hold.
model::Lists expected_lists(const model::Lists& source, const model::Lists& target, model::Fit fit) {
  auto lists = model::fitted(source, fit);
  for (const auto& key : model::unfit(target, fit)) {
    auto row = target.at(key);
    std::erase_if(row.groups, [&](const auto& group) { return !lists.contains(group); });
    lists.emplace(key, row);
  }
  return lists;
}

class ShapeAsSource : public ::testing::TestWithParam<Shape> {
 protected:
  void bring(Shape from, Shape to);
};

void ShapeAsSource::bring(Shape from, Shape to) {
  LocalFixture source(pihole_of(from, "ph1", 1, 0));
  LocalFixture target(pihole_of(to, "ph2", 5, 12));
  const auto fit = model::common_fit(source.node->describe(), target.node->describe());
  const auto source_lists = source.node->lists();
  const auto before = target.node->lists();
  const auto wanted = expected_lists(source_lists, before, fit);
  const auto left_out = model::unfit(source_lists, fit);
  const auto kept = model::unfit(before, fit);
  const auto ids = ids_of(target.directory);
  const auto schema = dump_schema(target.directory.gravity());
  const auto compiled = target.node->blocklist();

  auto result = sync::replicate(*source.node, *target.node, pull());
  ASSERT_TRUE(result.report);
  EXPECT_EQ(result.plan.warnings.size(), left_out.size() + kept.size());
  EXPECT_EQ(model::digest_of(target.node->lists()), model::digest_of(wanted));
  EXPECT_EQ(model::digest_of(model::fitted(target.node->blocklist(), fit)), model::digest_of(model::fitted(source.node->blocklist(), fit)));
  for (const auto& state : compiled) {
    if (!kept.contains(state.key)) continue;
    const auto now = target.node->blocklist();
    const auto at = std::find_if(now.begin(), now.end(), [&](const auto& s) { return s.key == state.key; });
    ASSERT_NE(at, now.end());
    EXPECT_EQ(at->rows, state.rows) << "what the source cannot hold goes on allowing what it allowed";
  }
  EXPECT_EQ(dump_schema(target.directory.gravity()), schema);
  EXPECT_EQ(integrity(target.directory.gravity()), "ok");
  EXPECT_EQ(value(target.directory.gravity(), "SELECT value FROM info WHERE property='gravity_count'"),
            value(target.directory.gravity(), "SELECT count(DISTINCT domain) FROM gravity"));
  for (const auto& [table, now] : ids_of(target.directory)) {
    for (const auto& [key, id] : now) {
      if (const auto had = ids.at(table).find(key); had != ids.at(table).end()) {
        EXPECT_EQ(id, had->second) << table << " " << key;
      }
    }
  }

  // What cannot be held is no difference: nothing is read, and the person still hears of it.
  const int pauses = target.clock.pauses + source.clock.pauses;
  const auto identity = target.node->describe().live_identity;
  result = sync::replicate(*source.node, *target.node, pull());
  EXPECT_FALSE(result.report);
  EXPECT_TRUE(result.plan.nothing_to_do());
  EXPECT_EQ(result.plan.warnings.size(), left_out.empty() ? 0u : 1u);
  EXPECT_EQ(target.node->describe().live_identity, identity);
  EXPECT_EQ(target.clock.pauses + source.clock.pauses, pauses);

  const auto comparison = sync::compare(*source.node, *target.node, {});
  EXPECT_TRUE(comparison.equal());
  EXPECT_EQ(comparison.unfit.size(), left_out.size() + kept.size());
}

TEST_P(ShapeAsSource, BringsEveryOtherShapeToItsListsAsFarAsBothHoldThem) {
  for (const Shape to : all_shapes) {
    SCOPED_TRACE(std::string("to ") + traits(to).name);
    bring(GetParam(), to);
  }
}

INSTANTIATE_TEST_SUITE_P(, ShapeAsSource, ::testing::ValuesIn(all_shapes), [](const auto& p) { return std::string(traits(p.param).name); });

TEST(TwoShapes, OneListOfTwoOfOneAddressIsLeftOutAndTheOtherKept) {
  LocalFixture newer(pihole_of(Shape::v6_template, "newer", 1, 0));
  LocalFixture migrated(pihole_of(Shape::v6_migrated, "migrated", 3, 0));
  auto result = sync::replicate(*newer.node, *migrated.node, pull());
  ASSERT_EQ(result.plan.warnings.size(), 1u);
  EXPECT_EQ(result.plan.warnings[0],
            std::string("'allow adlist  ") + twin +
                "' is left out: the Pi-hole of migrated cannot have one address as both a block list and an allow list");
  result = sync::replicate(*migrated.node, *newer.node, pull());
  EXPECT_FALSE(result.report) << "both have what both can have";

  // The block list goes: then the allow list of that address is one that both can have.
  execute(newer.directory.gravity(), std::string("DELETE FROM adlist WHERE type = 0 AND address = '") + twin + "'");
  result = sync::replicate(*newer.node, *migrated.node, pull());
  ASSERT_TRUE(result.report);
  EXPECT_EQ(value(migrated.directory.gravity(), std::string("SELECT type FROM adlist WHERE address = '") + twin + "'"), "1");
}

TEST(TwoShapes, ARowThatIsKeptLeavesTheGroupsThatGo) {
  LocalFixture five(pihole_of(Shape::v5, "five", 1, 0));
  LocalFixture six(pihole_of(Shape::v6_template, "six", 3, 0));
  execute(six.directory.gravity(),
          "INSERT INTO \"group\" (name) VALUES ('Only here'); INSERT INTO adlist_by_group (adlist_id, group_id) SELECT a.id, g.id FROM "
          "adlist a, \"group\" g "
          "WHERE a.address = 'https://allow-of-six' AND g.name = 'Only here'");
  ASSERT_TRUE(sync::replicate(*five.node, *six.node, pull()).report);
  EXPECT_EQ(value(six.directory.gravity(),
                  "SELECT g.name FROM adlist a JOIN adlist_by_group b ON b.adlist_id = a.id JOIN \"group\" g ON g.id = b.group_id WHERE "
                  "a.address = 'https://allow-of-six'"),
            "Default");
}

}  // namespace
}  // namespace gsync::test
