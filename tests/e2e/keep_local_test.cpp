// What each of two Pi-holes keeps to itself, with the program itself.

#include "e2e/fleet.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class KeepLocal : public TwoNodesTest {};

/// Groups, clients, domains and records of which both have some of their own and some in common.
Household household(const std::string& own) {
  auto household = small_household();
  household.groups = {{"Kids"}, {"Guests"}};
  household.domains = {{.domain = "both.example", .groups = {default_group, own == "ph1" ? "Guests" : "Kids"}},
                       {.domain = "of-" + own + ".example"}};
  household.clients = {{.ip = own == "ph1" ? "10.1.0.1" : "10.2.0.1", .groups = {"Kids"}}};
  for (auto& adlist : household.adlists) adlist.groups = {default_group};
  return household;
}

TwoNodesOptions options() {
  TwoNodesOptions options;
  options.ph1 = small_pihole("ph1", 0, household("ph1"));
  options.ph2 = small_pihole("ph2", 7, household("ph2"));
  options.ph1.dns_hosts = {"192.168.1.2 nas.lan", "10.1.0.9 printer.site-a.lan", "192.168.1.3 new.lan"};
  options.ph2.dns_hosts = {"10.2.0.9 printer.site-b.lan", "192.168.1.2 nas.lan", "10.2.0.8 door.site-b.lan"};
  return options;
}

std::string groups_of(const PiholeDirectory& pihole, const std::string& domain) {
  return Sql(pihole.gravity(), Sql::Mode::read_only)
      .value(
          "SELECT coalesce(group_concat(name, '|'), '') FROM (SELECT g.name FROM domainlist d JOIN domainlist_by_group b ON "
          "b.domainlist_id = d.id "
          "JOIN \"group\" g ON g.id = b.group_id WHERE d.domain = '" +
          domain + "' ORDER BY g.name)");
}

std::string clients_of(const PiholeDirectory& pihole) {
  return Sql(pihole.gravity(), Sql::Mode::read_only)
      .value(
          "SELECT group_concat(ip || ' in ' || name, '|') FROM (SELECT c.ip, g.name FROM client c JOIN client_by_group b ON b.client_id = "
          "c.id JOIN \"group\" g "
          "ON g.id = b.group_id ORDER BY 1, 2)");
}

constexpr const char* patterns = R"(keep_local = ["clients", "group:kids", "dns:*.site-b.lan"])";

TEST_F(KeepLocal, APullLeavesWhatIsKeptAndASecondOneHasNothingToDo) {
  TwoNodes nodes(options());
  nodes.ph2.set_sync_lines(patterns);
  nodes.ph1.set_sync_lines(R"(keep_local = ["dns:*.site-a.lan"])");
  FtlProcess ftl(nodes.ph2);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));

  EXPECT_EQ(clients_of(nodes.ph2), "10.2.0.1 in Kids");
  EXPECT_EQ(groups_of(nodes.ph2, "both.example"), "Default|Guests|Kids") << "of the peer, and of its own";
  EXPECT_TRUE(denies(nodes.ph2, "of-ph1.example"));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, (std::vector<std::string>{"10.2.0.9 printer.site-b.lan", "192.168.1.2 nas.lan",
                                                                      "10.2.0.8 door.site-b.lan", "192.168.1.3 new.lan"}));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");

  const auto files = files_below({nodes.ph1.directory(), nodes.ph1.state(), nodes.ph2.directory(), nodes.ph2.state()});
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
  EXPECT_TRUE(contains(nodes.run({"push"}).output, "nothing to do"));
  EXPECT_TRUE(succeeded(nodes.run({"compare", "--exit-code"})));
  EXPECT_EQ(files_below({nodes.ph1.directory(), nodes.ph1.state(), nodes.ph2.directory(), nodes.ph2.state()}), files);

  EXPECT_TRUE(succeeded(nodes.run({"undo"})));
  EXPECT_EQ(groups_of(nodes.ph2, "both.example"), "Default|Kids");
  EXPECT_EQ(clients_of(nodes.ph2), "10.2.0.1 in Kids");
}

TEST_F(KeepLocal, APushHonoursWhatThePeerKeeps) {
  TwoNodes nodes(options());
  nodes.ph1.set_sync_lines(patterns);
  const auto hosts = nodes.ph1.settings().dns_hosts;
  FtlProcess ftl(nodes.ph1);
  EXPECT_TRUE(succeeded(nodes.run({"push"})));
  EXPECT_EQ(clients_of(nodes.ph1), "10.1.0.1 in Kids");
  EXPECT_EQ(groups_of(nodes.ph1, "both.example"), "Default") << "ph2 has it in no other group that both share";
  EXPECT_TRUE(denies(nodes.ph1, "of-ph2.example"));
  EXPECT_EQ(nodes.ph1.settings().dns_hosts, std::vector<std::string>{"192.168.1.2 nas.lan"})
      << "ph1 keeps *.site-b.lan, and ph2's stay at home: neither takes nor gives";
  EXPECT_TRUE(contains(nodes.run({"push"}).output, "nothing to do"));
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph1, {"history"}).output, "push"));
}

TEST_F(KeepLocal, CompareMarksItAndInfoNamesIt) {
  TwoNodes nodes(options());
  nodes.ph2.set_sync_lines(patterns);
  const auto compared = nodes.run({"compare"});
  EXPECT_TRUE(succeeded(compared));
  EXPECT_TRUE(contains(compared.output, "not counting what is kept local: clients, dns:*.site-b.lan, group:kids")) << compared.output;
  EXPECT_TRUE(contains(compared.output, "client  10.2.0.1  stays on ph2")) << compared.output;
  EXPECT_TRUE(contains(compared.output, "10.2.0.8 door.site-b.lan  stays on ph2")) << compared.output;
  EXPECT_TRUE(contains(compared.output, "2 entries of ph1, which it does not show")) << compared.output;
  EXPECT_FALSE(contains(compared.output, "10.1.0.1")) << compared.output;
  EXPECT_TRUE(contains(nodes.run({"compare", "--json"}).output, "\"entries\": 2"));
  EXPECT_TRUE(contains(nodes.run({"info"}).output, "kept local by [sync] keep_local: clients, dns:*.site-b.lan, group:kids"));
}

TEST_F(KeepLocal, AWholeCopyIsRefusedAndSoIsAPatternThatIsNotOne) {
  TwoNodes nodes(options());
  nodes.ph1.set_sync_lines(patterns);
  const auto before = read_text(nodes.ph2.gravity());
  const auto full = nodes.run({"pull", "--full"});
  EXPECT_EQ(full.exit_code, 4) << full.errors;
  EXPECT_TRUE(contains(full.errors, "clients, dns:*.site-b.lan, group:kids")) << full.errors;
  EXPECT_TRUE(read_text(nodes.ph2.gravity()) == before);

  nodes.ph2.set_sync_lines(R"(keep_local = ["clients", "goup:Kids"])");
  const auto wrong = nodes.run({"pull"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_TRUE(contains(wrong.errors, "gravity-sync.toml:")) << wrong.errors;
  EXPECT_TRUE(contains(wrong.errors, "did you mean \"group:Kids\"?")) << wrong.errors;
}

TEST_F(KeepLocal, ASyncOfBothWaysLeavesItAndTakesNothingForDeletedWhenItIsKeptNoMore) {
  TwoNodes nodes(options());
  nodes.ph2.set_sync_lines(patterns);
  FtlProcess ftl1(nodes.ph1), ftl2(nodes.ph2);
  EXPECT_TRUE(succeeded(nodes.run({"sync", "--union"})));
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2}) {
    EXPECT_TRUE(denies(*pihole, "of-ph1.example"));
    EXPECT_TRUE(denies(*pihole, "of-ph2.example"));
    EXPECT_EQ(integrity(pihole->gravity()), "ok");
  }
  EXPECT_EQ(clients_of(nodes.ph1), "10.1.0.1 in Kids");
  EXPECT_EQ(clients_of(nodes.ph2), "10.2.0.1 in Kids");
  EXPECT_TRUE(contains(nodes.run({"sync"}).output, "nothing to do"));
  execute(nodes.ph2.gravity(), "UPDATE client SET comment = 'edited'");
  EXPECT_TRUE(contains(nodes.run({"sync"}).output, "nothing to do"));

  nodes.ph2.set_sync_lines("");
  EXPECT_TRUE(succeeded(nodes.run({"sync"})));
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2}) EXPECT_EQ(clients_of(*pihole), "10.1.0.1 in Kids|10.2.0.1 in Kids");
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(KeepLocal, TheDaemonFollowsWhatIsSharedAndStaysSilentAboutTheRest) {
  Fleet fleet(2);
  fleet[0].pihole.set_sync_lines(R"(keep_local = ["clients", "domain:*.own"])");
  fleet.follow_the_first();
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step()) << fleet.logs();
  deny(fleet[0].pihole, "kept.own");
  ASSERT_TRUE(time_until_served(fleet, fleet[0], "shared.example")) << fleet.logs();
  ASSERT_TRUE(fleet.in_step()) << fleet.logs();
  EXPECT_TRUE(denies(fleet[1].pihole, "shared.example"));
  EXPECT_FALSE(denies(fleet[1].pihole, "kept.own"));

  const auto& follower = *fleet[1].daemon;
  const auto before = follower.peer();
  deny(fleet[0].pihole, "kept-too.own");
  ASSERT_TRUE(follower.wait_for([&](const auto& p) { return p.checks > before.checks; })) << "it is told that something changed";
  ASSERT_TRUE(fleet.in_step()) << fleet.logs();
  EXPECT_EQ(follower.peer().syncs, before.syncs);
}

}  // namespace
}  // namespace gsync::test
