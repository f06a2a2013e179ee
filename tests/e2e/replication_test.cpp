#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class Replication : public TwoNodesTest {};

std::vector<std::string> all_files(const TwoNodes& nodes) {
  return files_below({nodes.ph1.directory(), nodes.ph1.state(), nodes.ph2.directory(), nodes.ph2.state()});
}

/// The lines that only one of the two has.
std::vector<std::string> changed(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  std::vector<std::string> lines;
  std::set_symmetric_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(lines));
  return lines;
}

std::vector<std::string> what_serves_dns(const PiholeDirectory& pihole) {
  std::vector<std::string> lines;
  for (const auto& line : files_below({pihole.directory()})) {
    if (line.starts_with(pihole.gravity() + ":") || line.starts_with(pihole.toml() + ":")) lines.push_back(line);
  }
  return lines;
}

TEST_F(Replication, APullMakesThisPiholeAsThePeerIsAndKeepsItsSchemaAndIds) {
  TwoNodes nodes;
  const auto gravity = nodes.ph2.gravity();
  const auto schema = dump_schema(gravity);
  std::map<std::string, std::map<std::string, std::int64_t>> ids;
  for (const std::string table : {"group", "adlist", "domainlist", "client"}) ids[table] = row_ids(gravity, table);
  const auto source_before = read_text(nodes.ph1.gravity());

  EXPECT_TRUE(succeeded(nodes.run({"pull", "ph1"})));

  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts);
  EXPECT_EQ(integrity(gravity), "ok");
  EXPECT_EQ(dump_schema(gravity), schema);
  std::size_t kept = 0;
  for (const auto& [table, before] : ids) {
    for (const auto& [key, id] : row_ids(gravity, table)) {
      const auto had = before.find(key);
      if (had == before.end()) continue;
      EXPECT_EQ(had->second, id) << table << " " << key;
      ++kept;
    }
  }
  EXPECT_GT(kept, 50U);
  EXPECT_EQ(read_text(nodes.ph1.gravity()), source_before) << "a source is only read";
}

TEST_F(Replication, ASecondPullFindsNothingToDoAndWritesNothingOnEitherSide) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto before = all_files(nodes);
  const auto second = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(second));
  EXPECT_TRUE(contains(second.output, "nothing to do")) << second.output;
  EXPECT_EQ(changed(before, all_files(nodes)), std::vector<std::string>());
  EXPECT_TRUE(succeeded(nodes.run({"compare", "--exit-code"})));
  EXPECT_EQ(changed(before, all_files(nodes)), std::vector<std::string>());
}

TEST_F(Replication, APushMakesThePeerAsThisPiholeIs) {
  TwoNodes nodes;
  deny(nodes.ph2, "pushed.example");
  const auto mine = content_of(nodes.ph2.gravity());
  const auto result = nodes.run({"push", "ph1"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(denies(nodes.ph1, "pushed.example"));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(content_of(nodes.ph2.gravity()) == mine);
  EXPECT_EQ(nodes.ph1.settings().dns_hosts, nodes.ph2.settings().dns_hosts);
  EXPECT_EQ(integrity(nodes.ph1.gravity()), "ok");
  EXPECT_TRUE(contains(nodes.run({"push"}).output, "nothing to do"));
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph1, {"history"}).output, "push")) << "both sides have it in their history";
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "push"));
}

TEST_F(Replication, ADryRunNamesEveryRowAndChangesNothing) {
  TwoNodes nodes;
  deny(nodes.ph1, "announced.example");
  for (const std::string command : {"pull", "push"}) {
    const auto before = what_serves_dns(nodes.ph1);
    const auto before_here = what_serves_dns(nodes.ph2);
    const auto result = nodes.run({command, "--dry-run"});
    EXPECT_TRUE(succeeded(result));
    EXPECT_TRUE(contains(result.output, command == "pull" ? "+ deny  announced.example" : "- deny  announced.example")) << result.output;
    EXPECT_TRUE(contains(result.output, command == "pull" ? "- 192.168.1.9 only-on-ph2.lan" : "+ 192.168.1.9 only-on-ph2.lan"));
    EXPECT_TRUE(contains(result.output, "nothing was changed")) << result.output;
    EXPECT_EQ(what_serves_dns(nodes.ph1), before);
    EXPECT_EQ(what_serves_dns(nodes.ph2), before_here);
  }
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "no run")) << "a dry run is not history";
}

TEST_F(Replication, OnlyTheNamedComponentsAreTouched) {
  TwoNodesOptions options;
  auto later = small_household();
  drift(later, 2, 36);
  later.adlists[0].first_entry += 40;
  options.ph2.gravity = GravityBuilder().household(later).numbering(7);
  TwoNodes nodes(options);
  const auto lists = lists_of(nodes.ph2.gravity());
  const auto blocklist = blocklist_of(nodes.ph2.gravity());
  const auto hosts = nodes.ph2.settings().dns_hosts;
  ASSERT_NE(blocklist, blocklist_of(nodes.ph1.gravity()));

  ASSERT_TRUE(succeeded(nodes.run({"pull", "--only", "dns"})));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts);
  EXPECT_TRUE(lists_of(nodes.ph2.gravity()) == lists);
  EXPECT_TRUE(blocklist_of(nodes.ph2.gravity()) == blocklist);

  ASSERT_TRUE(succeeded(nodes.run({"pull", "--only", "blocklist"})));
  EXPECT_TRUE(lists_of(nodes.ph2.gravity()) == lists);
  EXPECT_TRUE(blocklist_of(nodes.ph2.gravity()) == blocklist_of(nodes.ph1.gravity()));

  ASSERT_TRUE(succeeded(nodes.run({"pull", "--only", "lists"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(Replication, PiholesThatCompiledAtDifferentTimesHaveEqualListsAndCompareNamesTheAdlist) {
  TwoNodesOptions options;
  auto household = small_household();
  options.ph2 = small_pihole("ph2", 7, household);
  options.ph2.gravity.updated(1'750'000'000);
  household.adlists[0].first_entry += 25;  // 25 domains went from the list and 25 came since
  options.ph1.gravity = GravityBuilder().household(household).updated(1'750'600'000);
  TwoNodes nodes(options);

  const auto compared = nodes.run({"compare", "--exit-code"});
  EXPECT_EQ(compared.exit_code, 3);
  EXPECT_TRUE(contains(compared.output, "1 compiled adlist")) << compared.output;
  EXPECT_TRUE(contains(compared.output, household.adlists[0].address)) << compared.output;
  EXPECT_FALSE(contains(compared.output, "list entr")) << compared.output;
  EXPECT_EQ(nodes.run({"compare", "--exit-code", "--only", "lists"}).exit_code, 0);
  EXPECT_TRUE(contains(nodes.run({"pull", "--only", "lists"}).output, "nothing to do"));

  const auto pulled = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(pulled));
  EXPECT_TRUE(contains(pulled.output, "blocklist: 1 adlist")) << pulled.output;
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
}

TEST_F(Replication, AWholeCopyTakesThePeersIdsAndRemovesTheListCachesThatTheyMeantSomethingElseIn) {
  TwoNodesOptions options;
  options.ph2.lists_cache = true;
  TwoNodes nodes(options);
  const auto had = row_ids(nodes.ph2.gravity(), "adlist");
  ASSERT_TRUE(succeeded(nodes.run({"pull", "--full", "--force"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  const auto has = row_ids(nodes.ph2.gravity(), "adlist");
  EXPECT_EQ(has, row_ids(nodes.ph1.gravity(), "adlist"));
  std::set<std::int64_t> cached;
  for (const auto& entry : std::filesystem::directory_iterator(nodes.ph2.directory() + "/listsCache"))
    cached.insert(std::stoll(entry.path().filename().string().substr(5)));
  for (const auto& [key, id] : has) {
    if (!had.contains(key) || had.at(key) != id) {
      EXPECT_FALSE(cached.contains(id)) << "list." << id << " holds another list than " << key;
    }
  }
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
}

TEST_F(Replication, RowsTravelBetweenTheShapesOfTheDatabase) {
  for (const Shape shape : {Shape::v6_19, Shape::v6_migrated, Shape::v21}) {
    SCOPED_TRACE(traits(shape).name);
    TwoNodesOptions options;
    auto household = small_household();
    drift(household, 5, 20);
    options.ph2.gravity = GravityBuilder(shape).household(household).numbering(3);
    TwoNodes nodes(options);
    const auto schema = dump_schema(nodes.ph2.gravity());
    ASSERT_TRUE(succeeded(nodes.run({"pull"})));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_EQ(dump_schema(nodes.ph2.gravity()), schema);
    EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
    ASSERT_TRUE(succeeded(nodes.run({"undo"})));
    ASSERT_TRUE(succeeded(nodes.run({"push"})));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_EQ(integrity(nodes.ph1.gravity()), "ok");
  }
}

TEST_F(Replication, TwoNodesWithOneIdAreRefused) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"info"})));
  std::filesystem::copy_file(nodes.ph2.state() + "/state.db", nodes.ph1.state() + "/state.db");
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_TRUE(contains(result.errors, "same node id")) << result.errors;
}

}  // namespace
}  // namespace gsync::test
