// `[sync] settings`: further keys of pihole.toml that travel where both Pi-holes list them, with the program itself.

#include "e2e/fleet.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

constexpr std::chrono::seconds patience{60};

class Settings : public TwoNodesTest {};

/// As if somebody had saved them in the web page.
template <class Change>
void edit(const PiholeDirectory& pihole, Change change) {
  auto settings = pihole.settings();
  change(settings);
  pihole.save(settings);
}

constexpr const char* three = R"(settings = ["dns.upstreams", "dns.blockTTL", "misc.dnsmasq_lines"])";

TEST_F(Settings, ThatBothListArePulledAndUndone) {
  TwoNodes nodes(same_lists());
  nodes.ph1.set_sync_lines(three);
  nodes.ph2.set_sync_lines(three);
  edit(nodes.ph1, [](TomlSettings& s) {
    s.upstreams = {"127.0.0.1#5335"};
    s.block_ttl = 60;
    s.dnsmasq_lines = {"server=/lan/192.168.1.1"};
    s.dnssec = true;
  });
  FtlProcess ftl(nodes.ph2);
  const auto before = nodes.ph2.settings();
  const auto planned = nodes.run({"pull", "--dry-run"});
  EXPECT_TRUE(contains(planned.output, "settings: 3 changed")) << planned.output;
  EXPECT_TRUE(contains(planned.output, "+ dns.upstreams = [\"127.0.0.1#5335\"]")) << planned.output;
  EXPECT_EQ(nodes.ph2.settings(), before);

  EXPECT_TRUE(contains(nodes.run({"compare"}).output, "dns.blockTTL = 60  on ph1"));
  EXPECT_TRUE(contains(nodes.run({"compare"}).output, "3 settings"));
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--only", "lists,dns"})));
  EXPECT_EQ(nodes.ph2.settings().block_ttl, 2u);
  const auto pulled = nodes.run({"pull", "--only", "settings"});
  EXPECT_TRUE(succeeded(pulled));
  EXPECT_TRUE(contains(pulled.output, "settings: 3 changed")) << pulled.output;
  EXPECT_TRUE(contains(pulled.output, "DNS paused")) << pulled.output;
  auto wanted = before;
  wanted.upstreams = {"127.0.0.1#5335"};
  wanted.block_ttl = 60;
  wanted.dnsmasq_lines = {"server=/lan/192.168.1.1"};
  EXPECT_EQ(nodes.ph2.settings(), wanted) << "and nobody touched dns.dnssec";
  EXPECT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.restarts >= 1; }, patience));
  EXPECT_TRUE(contains(nodes.run({"pull", "--only", "settings"}).output, "nothing to do"));
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "settings: 3 changed"));

  // Taken out of the list since then: an undo does not touch it.
  nodes.ph2.set_sync_lines(R"(settings = ["dns.blockTTL", "misc.dnsmasq_lines"])");
  EXPECT_TRUE(succeeded(nodes.run({"undo"})));
  wanted.block_ttl = 2;
  wanted.dnsmasq_lines = {};
  EXPECT_EQ(nodes.ph2.settings(), wanted);
}

TEST_F(Settings, ThatOnlyOneListsStayAndAreNamedOnce) {
  TwoNodes nodes(same_lists());
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  edit(nodes.ph1, [](TomlSettings& s) { s.block_ttl = 60, s.upstreams = {"1.1.1.1"}; });
  const auto before = nodes.ph2.settings();
  nodes.ph1.set_sync_lines(R"(settings = ["dns.blockTTL"])");
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do")) << "none of ours are listed";
  nodes.ph2.set_sync_lines(R"(settings = ["dns.upstreams"])");
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
  EXPECT_TRUE(contains(nodes.run({"push"}).output, "nothing to do"));
  EXPECT_EQ(nodes.ph2.settings(), before);
  EXPECT_EQ(nodes.ph1.settings().block_ttl, 60u);
  const auto compared = nodes.run({"compare"});
  EXPECT_TRUE(contains(compared.output, "dns.upstreams  stays on ph2")) << compared.output;
  EXPECT_TRUE(contains(compared.output, "dns.blockTTL  stays on ph1")) << compared.output;
  EXPECT_TRUE(succeeded(nodes.run({"compare", "--exit-code"}))) << "that is no difference";
  EXPECT_TRUE(contains(nodes.run({"info"}).output, "dns.upstreams: synced with peers that list them as well"));

  const auto full = nodes.run({"pull", "--full"});
  EXPECT_TRUE(succeeded(full)) << "settings are not in the database, so a whole copy is no danger to them";
  EXPECT_EQ(nodes.ph2.settings(), before);
}

TEST_F(Settings, ThatFtlHasFromItsEnvironmentAreSkippedAndNamed) {
  auto options = same_lists();
  options.ph2.forced = {"dns.upstreams"};
  TwoNodes nodes(options);
  nodes.ph1.set_sync_lines(three);
  nodes.ph2.set_sync_lines(three);
  edit(nodes.ph1, [](TomlSettings& s) { s.block_ttl = 60, s.upstreams = {"1.1.1.1"}; });
  const std::map<std::string, std::string> environment{{"FTLCONF_dns_upstreams", "9.9.9.9;149.112.112.112"}};
  EXPECT_TRUE(succeeded(nodes.run({"pull"}, environment)));
  EXPECT_EQ(nodes.ph2.settings().block_ttl, 60u);
  EXPECT_EQ(nodes.ph2.settings().upstreams.front(), "9.9.9.9");
  EXPECT_TRUE(contains(nodes.run({"pull"}, environment).output, "nothing to do"));
  EXPECT_TRUE(contains(nodes.run({"info"}).output, "dns.upstreams, which pihole-FTL has from FTLCONF_dns_upstreams in its environment"));
  EXPECT_TRUE(contains(nodes.run({"compare"}).output, "dns.upstreams  stays on ph1"));
}

TEST_F(Settings, AreMergedBothWaysAndTheLoserIsInTheHistory) {
  TwoNodes nodes(same_lists());
  nodes.ph1.set_sync_lines(three);
  nodes.ph2.set_sync_lines(std::string(three) + "\nprefer = \"ph2\"");
  FtlProcess ftl1(nodes.ph1), ftl2(nodes.ph2);
  ASSERT_TRUE(succeeded(nodes.run({"sync", "--union"})));
  edit(nodes.ph1, [](TomlSettings& s) { s.block_ttl = 60; });
  edit(nodes.ph2, [](TomlSettings& s) { s.dnsmasq_lines = {"domain-needed"}; });
  EXPECT_TRUE(succeeded(nodes.run({"sync"})));
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2}) {
    EXPECT_EQ(pihole->settings().block_ttl, 60u);
    EXPECT_EQ(pihole->settings().dnsmasq_lines, std::vector<std::string>{"domain-needed"});
  }
  EXPECT_TRUE(contains(nodes.run({"sync"}).output, "nothing to do"));

  edit(nodes.ph1, [](TomlSettings& s) { s.block_ttl = 61; });
  edit(nodes.ph2, [](TomlSettings& s) { s.block_ttl = 62; });
  EXPECT_TRUE(succeeded(nodes.run({"sync"})));
  EXPECT_EQ(nodes.ph1.settings().block_ttl, 62u);
  EXPECT_EQ(nodes.ph2.settings().block_ttl, 62u);
  const auto conflicts = nodes.run({"history", "--conflicts"});
  EXPECT_TRUE(contains(conflicts.output, "setting dns.blockTTL")) << conflicts.output;
  EXPECT_TRUE(contains(conflicts.output, "lost, of ph1: 61")) << conflicts.output;

  // What one of the two lists no more is nobody's deletion.
  nodes.ph1.set_sync_lines(R"(settings = ["misc.dnsmasq_lines"])");
  edit(nodes.ph2, [](TomlSettings& s) { s.block_ttl = 63; });
  EXPECT_TRUE(contains(nodes.run({"sync"}).output, "nothing to do"));
  EXPECT_EQ(nodes.ph1.settings().block_ttl, 62u);
}

TEST_F(Settings, ThatAreHostileOrSecretDoNotTravel) {
  TwoNodes nodes(same_lists());
  nodes.ph1.set_sync_lines(three);
  nodes.ph2.set_sync_lines(three);
  edit(nodes.ph1, [](TomlSettings& s) { s.block_ttl = 60, s.dnsmasq_lines = {"domain-needed\ndhcp-script=/tmp/x"}; });
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_EQ(nodes.ph2.settings().block_ttl, 60u);
  EXPECT_TRUE(nodes.ph2.settings().dnsmasq_lines.empty());
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph1, {"info"}).output, "misc.dnsmasq_lines: 'domain-needed\\x0adhcp-script=/tmp/x'"));

  nodes.ph2.set_sync_lines(R"(settings = ["webserver.api.pwhash"])");
  const auto wrong = nodes.run({"pull"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_TRUE(contains(wrong.errors, "\"webserver.api.pwhash\" cannot be synced: it is secret")) << wrong.errors;
}

TEST_F(Settings, FollowAnEditByTheDaemon) {
  Fleet fleet(2);
  for (std::size_t i = 0; i < 2; ++i) fleet[i].pihole.set_sync_lines(three);
  fleet.follow_the_first();
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step()) << fleet.logs();
  const auto before = fleet[1].daemon->peer();
  edit(fleet[0].pihole, [](TomlSettings& s) { s.upstreams = {"1.1.1.1"}; });
  ASSERT_TRUE(fleet[1].daemon->wait_for([&](const auto& p) { return p.syncs > before.syncs; })) << fleet.logs();
  ASSERT_TRUE(fleet.in_step()) << fleet.logs();
  EXPECT_EQ(fleet[1].pihole.settings().upstreams, std::vector<std::string>{"1.1.1.1"});
}

}  // namespace
}  // namespace gsync::test
