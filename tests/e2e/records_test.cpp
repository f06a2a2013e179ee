#include <fmt/format.h>

#include <filesystem>

#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"
#include "support/dns_probe.hpp"
#include "support/fake_node.hpp"
#include "support/ftl_process.hpp"
#include "support/node_fixture.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

constexpr std::chrono::seconds patience{60};

class Records : public TwoNodesTest {};

TEST_F(Records, AllThreeKindsTravelAndFtlServesThem) {
  auto options = same_lists();
  options.ph1.dns_hosts = {"192.168.1.2 nas.lan nas", "192.168.1.40 camera.lan # over the door", "fd00::2 nas.lan"};
  options.ph1.cname_records = {"files.lan,nas.lan", "film.lan,camera.lan,600"};
  options.ph1.dhcp_hosts = {"AA:BB:CC:DD:EE:01,192.168.1.21,tv", "AA:BB:CC:DD:EE:02,192.168.1.22,lamp"};
  TwoNodes nodes(options);
  FtlProcess ftl(nodes.ph2);
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(contains(result.output, "records: ")) << result.output;
  EXPECT_TRUE(contains(result.output, "DNS paused")) << "cname and dhcp restart FTL: " << result.output;
  const auto settings = nodes.ph2.settings();
  EXPECT_EQ(settings.dns_hosts, options.ph1.dns_hosts);
  EXPECT_EQ(settings.cname_records, options.ph1.cname_records);
  EXPECT_EQ(settings.dhcp_hosts, options.ph1.dhcp_hosts);
  EXPECT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.restarts >= 1; }, patience));
  EXPECT_EQ(lookup(ftl.port(), "film.lan", patience), "192.168.1.40");
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "DNS paused"));
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
}

TEST_F(Records, ThatFtlCannotBeGivenAtOnceAreRefusedBeforeAnythingIsChanged) {
  TwoNodesOptions options;
  for (int i = 0; i < 6'000; ++i) options.ph1.dns_hosts.push_back(fmt::format("10.0.{}.{} host-{}.lan", i / 250, i % 250, i));
  TwoNodes nodes(options);
  const auto gravity = read_text(nodes.ph2.gravity());
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, 4) << result.errors;
  EXPECT_TRUE(contains(result.errors, "lines of dns.hosts are")) << result.errors;
  EXPECT_TRUE(read_text(nodes.ph2.gravity()) == gravity);
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--only", "lists,blocklist,cname,dhcp"})));
}

TEST_F(Records, AreSetOnlyWhenTheyDiffer) {
  TwoNodes nodes(same_lists());
  FtlProcess ftl(nodes.ph2);
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto before = std::filesystem::last_write_time(nodes.ph2.toml());
  const auto restarts = ftl.stats().restarts;

  deny(nodes.ph1, "new.example");
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_FALSE(contains(result.output, "DNS paused")) << result.output;
  EXPECT_EQ(std::filesystem::last_write_time(nodes.ph2.toml()), before);

  // A name alone pauses nothing.
  auto settings = nodes.ph1.settings();
  settings.dns_hosts.push_back("192.168.1.77 new.lan");
  nodes.ph1.save(settings);
  EXPECT_FALSE(contains(nodes.run({"pull"}).output, "DNS paused"));
  EXPECT_EQ(lookup(ftl.port(), "nas.lan", patience), "192.168.1.2");
  EXPECT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.settings >= 1; }, patience));
  EXPECT_EQ(lookup(ftl.port(), "new.lan", patience), "192.168.1.77");
  EXPECT_EQ(ftl.stats().restarts, restarts);
}

TEST_F(Records, AnUndoBringsThemBack) {
  auto options = same_lists();
  options.ph2.dns_hosts = {"192.168.1.8 mine.lan"};
  options.ph2.cname_records = {};
  TwoNodes nodes(options);
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_EQ(nodes.ph2.settings().cname_records, nodes.ph1.settings().cname_records);
  EXPECT_TRUE(succeeded(nodes.run({"undo"})));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, options.ph2.dns_hosts);
  EXPECT_EQ(nodes.ph2.settings().cname_records, options.ph2.cname_records);
}

TEST_F(Records, WhatIsNotARecordOnTheSourceIsNamedAndLeftAlone) {
  TwoNodes nodes(same_lists());
  auto settings = nodes.ph1.settings();
  // What `pihole-FTL --config` lets through (PIHOLE.md §7).
  settings.cname_records = {"files.lan,nas.lan\ndhcp-script=/tmp/x"};
  nodes.ph1.save(settings);
  deny(nodes.ph1, "new.example");
  const auto cnames = nodes.ph2.settings().cname_records;
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(contains(result.errors, "cname records are not synced")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "files.lan,nas.lan\\x0adhcp-script")) << result.errors;
  EXPECT_EQ(nodes.ph2.settings().cname_records, cnames);
  EXPECT_TRUE(denies(nodes.ph2, "new.example"));
}

TEST_F(Records, FtlsOwnRefusalIsToldWithTheKeyThatSetsItFree) {
  auto options = same_lists();
  options.ph2.dns_hosts.push_back("192.168.1.9 only-on-ph2.lan");
  options.ph2.read_only = true;
  TwoNodes nodes(options);
  const auto toml = read_text(nodes.ph2.toml());
  const auto result = nodes.run({"pull"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_TRUE(contains(result.errors, "misc.readOnly")) << result.errors;
  EXPECT_EQ(read_text(nodes.ph2.toml()), toml);
}

/// A peer that does not check what it sends, on the other end of the protocol.
TEST(HostileSource, ARecordWithANewlineIsRefusedByNameAndNothingIsChanged) {
  for (const auto kind : model::record_kinds) {
    SCOPED_TRACE(model::to_string(kind));
    static constexpr std::array lines{"192.168.1.2 nas.lan\naddress=/x/1.2.3.4", "a.lan,b.lan\ndhcp-script=/tmp/x",
                                      "AA:BB:CC:DD:EE:01,192.168.1.21\ndhcp-script=/tmp/x",
                                      "misc.dnsmasq_lines = [\"domain-needed\ndhcp-script=/tmp/x\"]"};
    static_assert(lines.size() == model::record_kinds.size());
    FakeNode hostile("ph1", std::string(32, 'f'));
    hostile.records_now = {};
    for (auto other : model::record_kinds) hostile.records_now[model::index_of(other)] = model::RecordLines{};
    hostile.records_now[model::index_of(kind)] = model::RecordLines{lines[model::index_of(kind)]};
    RemoteFixture far(hostile, {});
    LocalFixture target(small_pihole("ph2", 7, small_household()));
    const auto gravity = read_text(target.directory.gravity());
    const auto toml = read_text(target.directory.toml());
    sync::Options options;
    options.force = true;
    try {
      sync::replicate(far.node(), *target.node, options);
      ADD_FAILURE() << "it was taken";
    } catch (const Error& error) {
      EXPECT_TRUE(contains(error.what(), "\\x0a")) << error.what();
      EXPECT_TRUE(contains(error.what(), std::string(lines[model::index_of(kind)]).substr(0, 8))) << error.what();
    }
    EXPECT_TRUE(read_text(target.directory.gravity()) == gravity);
    EXPECT_EQ(read_text(target.directory.toml()), toml);
  }
}

}  // namespace
}  // namespace gsync::test
