#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "gsync/sync/engine.hpp"
#include "support/daemon_process.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"
#include "support/watched_file_ops.hpp"

// Pi-hole 5, and with Pi-hole 6.

namespace gsync::test {
namespace {

constexpr std::chrono::minutes patience{3};

/// What both generations can hold.
Household household() {
  auto result = small_household();
  std::erase_if(result.adlists, [](const AdlistRow& row) { return row.type != 0; });
  return result;
}

PiholeOptions pihole(std::string name, bool v5, std::uint64_t numbering, std::size_t edits = 0) {
  auto content = household();
  drift(content, 3, edits);
  std::erase_if(content.adlists, [](const AdlistRow& row) { return row.type != 0; });
  auto options = small_pihole(std::move(name), numbering, content);
  options.v5 = v5;
  options.gravity = GravityBuilder(v5 ? Shape::v5 : Shape::v6_template).household(content).numbering(numbering);
  return options;
}

/// ph2 differs from ph1 in lists, ids and records; ph2 is the one that commands are run on.
TwoNodesOptions pair(bool ph1_is_v5, bool ph2_is_v5) {
  TwoNodesOptions options;
  options.ph1 = pihole("ph1", ph1_is_v5, 0);
  options.ph2 = pihole("ph2", ph2_is_v5, 7, 12);
  options.ph1.dns_hosts = {"192.168.1.2 nas.lan", "192.168.1.40 camera.lan"};
  options.ph1.cname_records = {"files.lan,nas.lan", "film.lan,camera.lan,600"};
  options.ph1.dhcp_hosts = {"AA:BB:CC:DD:EE:01,192.168.1.21,tv"};
  options.ph2.dns_hosts = {"192.168.1.9 old.lan"};
  options.ph2.cname_records = {"old-alias.lan,old.lan"};
  options.ph2.dhcp_hosts = {};
  return options;
}

FtlOptions service() {
  FtlOptions options;
  options.respawn = true;
  return options;
}

/// Setting them needs a restart of FTL, and that needs root.
bool can_restart() {
  return ::geteuid() == 0;
}

struct Pairing {
  bool ph1_is_v5;
  bool ph2_is_v5;
};

/// FTL 6 restarts by itself when it notices new records; FTL 5 is waited for.
bool serves(const FtlProcess& ftl, const std::string& name, const std::string& address) {
  return ftl.wait_until([&](const FtlStats&) { return lookup(ftl.port(), name, patience) == address; }, patience);
}

class V5 : public TwoNodesTest, public ::testing::WithParamInterface<Pairing> {};

INSTANTIATE_TEST_SUITE_P(, V5, ::testing::Values(Pairing{true, true}, Pairing{false, true}, Pairing{true, false}), [](const auto& p) {
  return fmt::format("{}From{}", p.param.ph2_is_v5 ? "Five" : "Six", p.param.ph1_is_v5 ? "Five" : "Six");
});

TEST_P(V5, PullsListsAndRecordsAndFtlServesThem) {
  TwoNodes nodes(pair(GetParam().ph1_is_v5, GetParam().ph2_is_v5));
  FtlProcess ftl(nodes.ph2, service());
  const auto schema = dump_schema(nodes.ph2.gravity());
  deny(nodes.ph1, "new.example");

  const auto pulled = nodes.run({"pull"});
  ASSERT_TRUE(succeeded(pulled));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(dump_schema(nodes.ph2.gravity()), schema);
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_TRUE(serves(ftl, "camera.lan", "192.168.1.40"));
  const bool all_records = !GetParam().ph2_is_v5 || can_restart();
  if (all_records) {
    EXPECT_FALSE(contains(pulled.errors, "warning")) << pulled.errors;
    EXPECT_TRUE(serves(ftl, "film.lan", "192.168.1.40"));
    EXPECT_TRUE(serves(ftl, "old-alias.lan", "allowed"));
    EXPECT_TRUE(contains(pulled.output, "DNS paused")) << pulled.output;
    EXPECT_TRUE(contains(nodes.run({"history"}).output, "DNS paused"));
  } else {
    EXPECT_TRUE(contains(pulled.errors, "records differ and are not synced")) << pulled.errors;
    EXPECT_TRUE(contains(pulled.errors, "as root")) << pulled.errors;
  }
  EXPECT_EQ(ftl.stats().signals_on_dns_thread, 0U);
  EXPECT_EQ(ftl.stats().busy, 0U);

  const auto again = nodes.run({"pull"});
  EXPECT_TRUE(contains(again.output, "nothing to do")) << again.output;
  EXPECT_EQ(contains(nodes.run({"compare"}).output, "are the same"), all_records);
}

TEST_P(V5, PushesAndUndoes) {
  TwoNodes nodes(pair(GetParam().ph1_is_v5, GetParam().ph2_is_v5));
  FtlProcess ftl(nodes.ph1, service());
  const auto before = content_of(nodes.ph1.gravity());
  deny(nodes.ph2, "new.example");
  ASSERT_TRUE(succeeded(nodes.run({"push"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_TRUE(serves(ftl, "old.lan", "192.168.1.9"));
  ASSERT_TRUE(succeeded(nodes.run_on(nodes.ph1, {"undo"})));
  EXPECT_EQ(content_of(nodes.ph1.gravity()), before);
  EXPECT_TRUE(serves(ftl, "camera.lan", "192.168.1.40"));
}

TEST_P(V5, SaysWhatWasFoundAndHow) {
  TwoNodes nodes(pair(GetParam().ph1_is_v5, GetParam().ph2_is_v5));
  FtlProcess ftl(nodes.ph2, service());
  const auto info = nodes.run({"info"}).output;
  if (!GetParam().ph2_is_v5) {
    EXPECT_TRUE(contains(info, "v6 (it has pihole.toml)")) << info;
    return;
  }
  EXPECT_TRUE(contains(info, "v5 (it has setupVars.conf and no pihole.toml)")) << info;
  EXPECT_TRUE(contains(info, "GRAVITYDB in " + nodes.ph2.directory() + "/pihole-FTL.conf")) << info;
  EXPECT_TRUE(contains(info, fmt::format("pid {}, signal 34 to thread", ftl.pid()))) << info;
  EXPECT_TRUE(contains(info, "(housekeeper)")) << info;
  EXPECT_TRUE(contains(info, nodes.ph2.custom_list() + ", and two files in " + nodes.ph2.dnsmasq())) << info;
  EXPECT_TRUE(contains(info, nodes.ph2.pihole_command() + " restartdns")) << info;
}

class V5AllowLists : public TwoNodesTest {
 protected:
  /// ph1 or ph2 is a Pi-hole 6 with an allow list, the other one a Pi-hole 5.
  static TwoNodesOptions six_and_five(bool ph1_is_v5) {
    auto options = pair(ph1_is_v5, !ph1_is_v5);
    auto& six = ph1_is_v5 ? options.ph2 : options.ph1;
    six.gravity.adlist({.address = "https://allow.example/list.txt", .type = 1, .entries = 5});
    return options;
  }
};

TEST_F(V5AllowLists, AreLeftOutWithAWarningAndAreNoDifference) {
  TwoNodes nodes(six_and_five(false));
  const auto first = nodes.run({"pull", "--only", "lists,blocklist"});
  EXPECT_TRUE(succeeded(first));
  EXPECT_TRUE(
      contains(first.errors, "'allow adlist  https://allow.example/list.txt' is left out: the Pi-hole of ph2 does not know allow lists"))
      << first.errors;
  const auto second = nodes.run({"pull", "--only", "lists,blocklist"});
  EXPECT_TRUE(contains(second.output, "nothing to do: ph2 already has everything of ph1 that it can take")) << second.output;
  EXPECT_TRUE(contains(second.errors, "1 list entry of ph1 is left out")) << second.errors;
  const auto compared = nodes.run({"compare", "--exit-code", "--only", "lists,blocklist"});
  EXPECT_EQ(compared.exit_code, 0);
  EXPECT_TRUE(contains(compared.output, "the same, as far as both can hold it")) << compared.output;
  EXPECT_TRUE(contains(compared.output, "Cannot be on both (1)")) << compared.output;
  EXPECT_TRUE(contains(compared.output, "allow adlist  https://allow.example/list.txt  stays only on ph1")) << compared.output;
  const auto json = nodes.run({"compare", "--json", "--only", "lists,blocklist"}).output;
  EXPECT_TRUE(contains(json, "\"cannot_be_on_both\"")) << json;
  EXPECT_TRUE(contains(json, "\"equal\": true")) << json;
}

TEST_F(V5AllowLists, StayWhenTheirPiholePullsFromOneThatCannotHaveThem) {
  TwoNodes nodes(six_and_five(true));
  const auto first = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(first));
  EXPECT_TRUE(contains(first.errors, "'allow adlist  https://allow.example/list.txt' stays as it is")) << first.errors;
  EXPECT_EQ(number(nodes.ph2.gravity(), "SELECT count(*) FROM antigravity"), 5);
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
  EXPECT_TRUE(succeeded(nodes.run({"push"})));
  EXPECT_EQ(number(nodes.ph2.gravity(), "SELECT count(*) FROM adlist WHERE type = 1"), 1);
}

class V5Records : public TwoNodesTest {
 protected:
  void SetUp() override {
    TwoNodesTest::SetUp();
    if (!can_restart()) GTEST_SKIP() << "FTL 5 must be restarted for cname and dhcp records, and only root can do it";
  }

  static constexpr uid_t owner_of_ph1 = 54'321;
  static constexpr uid_t owner_of_ph2 = 54'331;

  /// As Pi-hole 5's installer leaves them: the records are root's. With a key that ph2's owner can read.
  static void install(TwoNodes& nodes, PeerOptions peer = {}) {
    const auto key = nodes.ph2.state() + "/key";
    std::filesystem::copy_file(nodes.sshd.client_key(), key);
    peer.identity = key;
    nodes.set_peer(peer);
    nodes.ph1.give_to(owner_of_ph1, owner_of_ph1 + 1);
    nodes.ph2.give_to(owner_of_ph2, owner_of_ph2 + 1);
    for (const auto* node : {&nodes.ph1, &nodes.ph2}) {
      for (const auto& path : {node->custom_list(), node->dnsmasq(), node->cname_file(), node->dhcp_file()}) {
        ASSERT_TRUE(!std::filesystem::exists(path) || ::chown(path.c_str(), 0, 0) == 0);
      }
    }
  }
};

uid_t owner_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
  return st.st_uid;
}

TEST_F(V5Records, RestartOnceAndOnlyWhenTheyDiffer) {
  TwoNodes nodes(pair(true, true));
  FtlProcess ftl(nodes.ph2, service());
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_EQ(read_text(nodes.ph2.command_log()), "restartdns\n") << "for two kinds that need it";
  EXPECT_EQ(ftl.respawned(), 1);
  EXPECT_EQ(read_text(nodes.ph2.cname_file()), "cname=files.lan,nas.lan\ncname=film.lan,camera.lan,600\n");
  EXPECT_EQ(read_text(nodes.ph2.dhcp_file()), "dhcp-host=AA:BB:CC:DD:EE:01,192.168.1.21,tv\n");

  // A name alone pauses nothing.
  write_text(nodes.ph1.custom_list(), read_text(nodes.ph1.custom_list()) + "192.168.1.50 lamp.lan\n", 0644);
  const auto pulled = nodes.run({"pull"});
  ASSERT_TRUE(succeeded(pulled));
  EXPECT_FALSE(contains(pulled.output, "DNS paused")) << pulled.output;
  EXPECT_EQ(ftl.respawned(), 1);
  EXPECT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.settings >= 1; }, patience));
  EXPECT_TRUE(serves(ftl, "lamp.lan", "192.168.1.50"));
}

TEST_F(V5Records, KeepWhatIsThisHostsOwn) {
  auto options = pair(false, true);
  options.ph1.dns_hosts.push_back("192.168.1.60 both.lan names.lan # the boiler");
  options.ph2.dns_hosts = {"# my own notes", "192.168.1.9 old.lan"};
  TwoNodes nodes(options);
  FtlProcess ftl(nodes.ph2, service());
  EXPECT_TRUE(contains(nodes.run({"info"}).output, "1 comment line of " + nodes.ph2.custom_list() + "; it stays as it is"));
  const auto pulled = nodes.run({"pull"});
  ASSERT_TRUE(succeeded(pulled));
  EXPECT_TRUE(contains(pulled.errors, "1 DNS record with several names or a comment")) << pulled.errors;
  EXPECT_EQ(read_text(nodes.ph2.custom_list()),
            "# my own notes\n192.168.1.2 nas.lan\n192.168.1.40 camera.lan\n192.168.1.60 both.lan names.lan # the boiler\n");
  EXPECT_TRUE(serves(ftl, "names.lan", "192.168.1.60"));
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
  EXPECT_TRUE(contains(nodes.run({"compare"}).output, "are the same"));
}

TEST_F(V5Records, ThatFtlWouldNotStartWithAreTakenBackAndDnsGoesOn) {
  auto options = pair(true, true);
  TwoNodes nodes(options);
  // Another file of this host has an alias that is on its way.
  write_text(nodes.ph2.dnsmasq() + "/99-mine.conf", "cname=files.lan,elsewhere.lan\n", 0644);
  FtlProcess ftl(nodes.ph2, service());
  const auto pulled = nodes.run({"pull"});
  EXPECT_EQ(pulled.exit_code, 1);
  EXPECT_TRUE(contains(pulled.errors, "duplicate CNAME files.lan")) << pulled.errors;
  EXPECT_EQ(read_text(nodes.ph2.cname_file()), "cname=old-alias.lan,old.lan\n");
  EXPECT_EQ(ftl.respawned(), 0);
  EXPECT_TRUE(serves(ftl, "nas.lan", "192.168.1.2")) << "it has been told of what was set before";
}

TEST_F(V5Records, OfRootStayRootsAndNoOtherFileOfRootsIsLeft) {
  TwoNodes nodes(pair(true, true));
  const auto is_roots = [](const PiholeDirectory& pihole, const std::string& path) {
    return path == pihole.custom_list() || path.starts_with(pihole.dnsmasq()) || path == pihole.command_log();
  };
  // FTL runs as another user than the owner of the database: no signal reaches it, and the script must be asked.
  FtlProcess ftl(nodes.ph2, service());
  install(nodes);
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"info"}, {"pull"}, {"undo"}, {"pull"}, {"push"}, {"compare"}}) {
    EXPECT_TRUE(succeeded(nodes.run(command))) << command[0];
    for (const auto* node : {&nodes.ph1, &nodes.ph2}) {
      const uid_t owner = node == &nodes.ph1 ? owner_of_ph1 : owner_of_ph2;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(node->root())) {
        struct stat st {};
        if (::lstat(entry.path().c_str(), &st) != 0 || entry.path().string().starts_with(node->root() + "/run")) continue;
        const bool root = is_roots(*node, entry.path());
        EXPECT_EQ(st.st_uid, root ? 0 : owner) << command[0] << " " << entry.path();
        EXPECT_EQ(st.st_gid, root ? 0 : owner + 1) << command[0] << " " << entry.path();
      }
    }
  }
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(contains(read_text(nodes.ph2.command_log()), "restartdns reload-lists\n"));
  EXPECT_TRUE(serves(ftl, "film.lan", "192.168.1.40"));
}

TEST_F(V5Records, OfRootAreSetByTheHelperOfADaemonThatRootStarted) {
  TwoNodes nodes(pair(true, true));
  FtlProcess ftl(nodes.ph2, service());
  install(nodes);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_EQ(read_text(nodes.ph2.cname_file()), "cname=files.lan,nas.lan\ncname=film.lan,camera.lan,600\n");
  EXPECT_TRUE(serves(ftl, "film.lan", "192.168.1.40"));
  write_text(nodes.ph1.custom_list(), "192.168.1.50 lamp.lan\n", 0644);
  EXPECT_TRUE(DaemonProcess::poll([&] { return read_text(nodes.ph2.custom_list()) == "192.168.1.50 lamp.lan\n"; })) << here.log();
  for (const auto& path : {nodes.ph2.custom_list(), nodes.ph2.cname_file(), nodes.ph2.dhcp_file()}) EXPECT_EQ(owner_of(path), 0U) << path;
  EXPECT_EQ(owner_of(nodes.ph2.gravity()), owner_of_ph2);
  int roots = 0;
  for (const auto pid : here.processes()) roots += owner_of(fmt::format("/proc/{}", pid)) == 0;
  EXPECT_EQ(roots, 1) << "the helper, and neither who talks to peers nor who listens";
  EXPECT_TRUE(here.stop());
}

TEST_F(V5Records, OfRootAreSetByTheDaemonThatAPeerPushesTo) {
  TwoNodes nodes(pair(true, true));
  PeerOptions peer;
  peer.lines = "mode = \"push\"";
  install(nodes, peer);
  FtlProcess ftl(nodes.ph1, service());
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  ASSERT_EQ(there.status().agents.size(), 1U) << "it is the daemon's server that does it";
  EXPECT_EQ(read_text(nodes.ph1.cname_file()), "cname=old-alias.lan,old.lan\n");
  EXPECT_EQ(owner_of(nodes.ph1.cname_file()), 0U);
  EXPECT_TRUE(serves(ftl, "old-alias.lan", "192.168.1.9"));
}

TEST_F(V5Records, OfRootAreGivenButNotTakenWithoutRootsRights) {
  TwoNodes nodes(pair(true, false));
  nodes.ph1.give_to(54'321, 54'322);
  for (const auto& path : {nodes.ph1.custom_list(), nodes.ph1.dnsmasq(), nodes.ph1.cname_file(), nodes.ph1.dhcp_file()})
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  // An agent that runs as the owner, as under an account of its own.
  PeerOptions peer;
  peer.remote_command = "/usr/bin/setpriv --reuid=54321 --regid=54322 --clear-groups " + nodes.agent_command();
  nodes.set_peer(peer);
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_EQ(nodes.ph2.settings().cname_records, nodes.ph1.options().cname_records);

  auto settings = nodes.ph2.settings();
  settings.dns_hosts = {"192.168.1.77 new.lan"};
  nodes.ph2.save(settings);
  deny(nodes.ph2, "new.example");
  const auto pushed = nodes.run({"push"});
  EXPECT_TRUE(succeeded(pushed));
  EXPECT_TRUE(denies(nodes.ph1, "new.example")) << "the lists go";
  EXPECT_TRUE(contains(pushed.errors, "dns records differ and are not synced")) << pushed.errors;
  EXPECT_TRUE(contains(pushed.errors, nodes.ph1.custom_list() + " belongs to another user")) << pushed.errors;
  EXPECT_EQ(read_text(nodes.ph1.custom_list()), "192.168.1.2 nas.lan\n192.168.1.40 camera.lan\n");
  EXPECT_TRUE(contains(nodes.run({"push"}).output, "nothing to do"));

  // A file that is given to the owner can be set without root.
  ASSERT_EQ(::chown(nodes.ph1.custom_list().c_str(), 54'321, 54'322), 0);
  const auto third = nodes.run({"push"});
  EXPECT_TRUE(succeeded(third));
  EXPECT_EQ(read_text(nodes.ph1.custom_list()), "192.168.1.77 new.lan\n");
}

TEST_F(V5Records, OfAContainerAreWrittenOnItsHostAndReadByACommandInIt) {
  auto options = pair(false, true);
  options.ph2.container = true;
  TwoNodes nodes(options);
  FtlProcess ftl(nodes.ph2, service());
  deny(nodes.ph1, "new.example");
  const auto pulled = nodes.run({"pull"});
  ASSERT_TRUE(succeeded(pulled));
  EXPECT_FALSE(contains(pulled.errors, "warning")) << pulled.errors;
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_EQ(read_text(nodes.ph2.cname_file()), "cname=files.lan,nas.lan\ncname=film.lan,camera.lan,600\n");
  EXPECT_EQ(read_text(nodes.ph2.root() + "/executed"), "dnsmasq-test\ndnsmasq-test\ndnsmasq-test\npihole restartdns\n");
  EXPECT_TRUE(serves(ftl, "film.lan", "192.168.1.40"));
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
}

TEST(V5Dns, NoBlockedNameIsAllowedAndNoQueryIsLostDuringPublishes) {
  LocalFixture source(pihole("ph1", true, 0));
  LocalFixture target(pihole("ph2", true, 7));
  FtlProcess ftl(target.directory);
  target.reopen();
  ProbeOptions speed;
  speed.per_second = 2'000;
  DnsProbe probe(ftl.port(), blocked_names(target.directory.gravity(), 1'000), speed);
  ASSERT_TRUE(probe.wait_for_answers(200, patience));
  sync::Options pull;
  pull.started_by = "test";
  for (int round = 0; round < 40; ++round) {
    deny(source.directory, fmt::format("fresh-{}.example", round));
    const auto result = sync::replicate(*source.node, *target.node, pull);
    ASSERT_TRUE(result.report);
    for (const auto& warning : result.report->warnings) ADD_FAILURE() << warning;
  }
  ASSERT_TRUE(probe.wait_for_answers(1'100, patience));
  const auto counts = probe.stop();
  EXPECT_EQ(counts.allowed + counts.lost + counts.other, 0U);
  EXPECT_EQ(lookup(ftl.port(), "fresh-39.example", patience), "blocked");
  const auto stats = ftl.stats();
  EXPECT_EQ(stats.signals, 40U);
  EXPECT_EQ(stats.signals_on_dns_thread, 0U);
  EXPECT_EQ(stats.polls, 0U) << "it has no other way to notice";
  EXPECT_EQ(stats.busy, 0U);
}

TEST(V5Dns, ARunThatDiedBeforeItToldFtlIsFinishedByTheNextLook) {
  LocalFixture source(pihole("ph1", true, 0));
  auto watched = std::make_unique<WatchedFileOps>();
  watched->after = [](const WatchedFileOps::Call& call) {
    if (call.operation == "exchange_at") ::_exit(0);
  };
  LocalFixture target(pihole("ph2", true, 7), std::move(watched));
  FtlProcess ftl(target.directory);
  target.reopen();
  deny(source.directory, "new.example");
  sync::Options pull;
  pull.started_by = "test";
  const auto child = ::fork();
  if (child == 0) {
    sync::replicate(*source.node, *target.node, pull);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0) << "it died where it was meant to";
  EXPECT_TRUE(denies(target.directory, "new.example"));
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "allowed") << "nobody has told FTL";

  target.files = std::make_unique<util::PosixFileOps>();
  target.reopen();
  EXPECT_TRUE(sync::replicate(*source.node, *target.node, pull).plan.nothing_to_do());
  EXPECT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.reloads == 1; }, patience));
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
}

}  // namespace
}  // namespace gsync::test
