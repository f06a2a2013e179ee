// Daemons on Pi-holes: nobody runs a command, and everything that one Pi-hole is told is served by the other.

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "gsync/daemon/supervisor.hpp"
#include "support/daemon_process.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class Daemon : public TwoNodesTest {};

/// Served by the stand-in for FTL within the patience of a test; the time that it took.
::testing::AssertionResult served(const FtlProcess& ftl, const std::string& domain) {
  if (DaemonProcess::poll([&] { return lookup(ftl.port(), domain) == "blocked"; })) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << domain << " is not blocked";
}

TEST_F(Daemon, AnEditOnThePeerIsServedHereByPullingAsSoonAsThePeerTells) {
  TwoNodes nodes;
  FtlProcess ftl(nodes.ph2);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  // The interval is five minutes: only the peer's word can be this quick.
  for (const std::string domain : {"first.example", "second.example"}) {
    deny(nodes.ph1, domain);
    EXPECT_TRUE(served(ftl, domain)) << here.log() << there.log();
  }
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  const auto agents = there.status().agents;
  ASSERT_EQ(agents.size(), 1u) << "sshd's agent is relayed to the daemon";
  EXPECT_EQ(agents[0].peer, "ph2");
}

TEST_F(Daemon, AnEditHereIsPushedToAPeerWithoutADaemon) {
  TwoNodes nodes;
  nodes.set_peer({{}, {}, {}, {}, "mode = \"push\""});
  FtlProcess ftl(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  deny(nodes.ph2, "pushed.example");
  EXPECT_TRUE(served(ftl, "pushed.example")) << here.log();
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph1, {"history", "--json"}).output, "agent for ph2"));
}

TEST_F(Daemon, RecordsFollowToo) {
  TwoNodes nodes;
  FtlProcess ftl(nodes.ph2);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  auto settings = nodes.ph1.settings();
  settings.dns_hosts.push_back("192.168.1.77 added.lan");
  nodes.ph1.save(settings);
  EXPECT_TRUE(DaemonProcess::poll([&] { return lookup(ftl.port(), "added.lan") == "192.168.1.77"; })) << here.log();
}

TEST_F(Daemon, NothingIsWrittenAndNothingSaidWhileNothingChanges) {
  TwoNodes nodes;
  nodes.ph2.set_daemon_lines("interval_seconds = 1");
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  // The publish's own events are over when nothing was noticed at an interval.
  const auto checks = here.peer().checks;
  ASSERT_TRUE(here.wait_for([&](const auto& p) { return p.checks >= checks + 3; }));
  const auto all = [&] {
    return files_below({nodes.ph1.directory(), nodes.ph1.state(), nodes.ph2.directory(), nodes.ph2.state(), nodes.ph1.run_directory(),
                        nodes.ph2.run_directory()});
  };
  const auto before = all();
  const auto log = here.log() + there.log();
  const auto counted = here.peer().checks;
  ASSERT_TRUE(here.wait_for([&](const auto& p) { return p.checks >= counted + 4; })) << "it does look";
  EXPECT_EQ(all(), before);
  EXPECT_EQ(here.log() + there.log(), log);
}

TEST_F(Daemon, ItsOwnPublishesDoNotMakeItLookAgain) {
  TwoNodes nodes;
  FtlProcess ftl(nodes.ph2);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  // Until what the first publish did to the files was noticed.
  ASSERT_TRUE(DaemonProcess::poll([&] { return here.status().changes >= 1; }));
  here.ask({"now", {}, {}});
  const auto before = here.peer();
  const auto changes = here.status().changes;
  deny(nodes.ph1, "edit.example");
  ASSERT_TRUE(served(ftl, "edit.example"));
  ASSERT_TRUE(DaemonProcess::poll([&] { return here.status().changes > changes; }));
  // A worker takes one order after the other.
  here.ask({"now", {}, {}});
  const auto after = here.peer();
  EXPECT_EQ(after.syncs, before.syncs + 1);
  EXPECT_EQ(after.checks, before.checks + 2) << "the edit's, and the one that we asked for\n" << here.log();
  deny(nodes.ph2, "own.example");
  ASSERT_TRUE(here.wait_for([&](const auto& p) { return p.syncs == after.syncs + 1; })) << "but an edit of a person is undone at once";
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(there.status().peers.size(), 0u);
}

TEST_F(Daemon, APeerThatWasOffIsFollowedAgainAndItsOutageIsToldOnce) {
  TwoNodes nodes;
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto before = here.peer();
  nodes.sshd.kill_connections();
  ASSERT_TRUE(here.wait_for([&](const auto& p) { return p.failures > before.failures; }));
  deny(nodes.ph1, "meanwhile.example");
  ASSERT_TRUE(here.wait_in_step()) << "tried again by itself";
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "meanwhile.example"); })) << here.log();
}

TEST_F(Daemon, APeerThatRefusesIsReportedWithTheTimeOfTheNextTryAndAReloadOfTheConfigurationMendsIt) {
  TwoNodes nodes;
  const auto right = nodes.sshd.port();
  PeerOptions wrong;
  wrong.port = 1;
  nodes.set_peer(wrong);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_for([](const auto& p) { return p.failures_in_row >= 2; }));
  const auto peer = here.peer();
  ASSERT_TRUE(peer.failure);
  EXPECT_EQ(peer.failure->code, "unreachable");
  EXPECT_GT(peer.next_try, 0);
  EXPECT_EQ(peer.connected_since, 0);
  const auto shown = nodes.run({"status", "--exit-code"});
  EXPECT_EQ(shown.exit_code, 1);
  EXPECT_TRUE(contains(shown.output, "tried again in")) << shown.output;

  PeerOptions mended;
  mended.port = right;
  nodes.set_peer(mended);
  here.signal(SIGHUP);
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_EQ(nodes.run({"status", "--exit-code"}).exit_code, 0);
  const auto log = here.log();
  std::size_t told = 0;
  for (auto at = log.find("port 1)"); at != std::string::npos; at = log.find("port 1)", at + 1)) ++told;
  EXPECT_EQ(told, 1u) << "many tries, one line\n" << log;
}

TEST_F(Daemon, AConfigurationThatIsWrongIsReportedAndTheOldOneStays) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto good = read_text(nodes.ph2.config());
  replace_text(nodes.ph2.config(), good + "\n[daemon2]\n", 0640);
  here.signal(SIGHUP);
  ASSERT_TRUE(DaemonProcess::poll([&] { return !here.status().config_error.empty(); }));
  EXPECT_TRUE(contains(here.status().config_error, "unknown section 'daemon2'")) << here.status().config_error;
  deny(nodes.ph1, "still.example");
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "still.example"); })) << here.log();

  replace_text(nodes.ph2.config(), good, 0640);
  here.signal(SIGHUP);
  ASSERT_TRUE(DaemonProcess::poll([&] { return here.status().config_error.empty(); }));
}

TEST_F(Daemon, AReloadLeavesWorkersAloneWhoseConfigurationIsAsItWas) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto good = read_text(nodes.ph2.config());
  const auto worker = here.processes().back();
  const auto reload = [&](const std::string& text) {
    const auto count = [&] {
      const auto log = here.log();
      std::size_t n = 0;
      for (const std::string word : {"was read again", "not taken over"})
        for (auto at = log.find(word); at != std::string::npos; at = log.find(word, at + 1)) ++n;
      return n;
    };
    const auto before = count();
    replace_text(nodes.ph2.config(), text, 0640);
    here.signal(SIGHUP);
    return DaemonProcess::poll([&] { return count() > before; });
  };
  const std::string other = "\n[[peer]]\nname = \"other\"\nhost = \"127.0.0.1\"\nport = 1\n";
  ASSERT_TRUE(reload(good + other));
  EXPECT_EQ(here.status().peers.size(), 2u);
  EXPECT_EQ(here.peer().in_step, true);
  ASSERT_EQ(::kill(worker, 0), 0) << "the same process";
  ASSERT_TRUE(reload(good));
  EXPECT_EQ(here.status().peers.size(), 1u);
  ASSERT_TRUE(DaemonProcess::poll([&] { return here.processes() == std::vector<pid_t>{here.pid(), worker}; }));
  deny(nodes.ph1, "still.example");
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "still.example"); })) << here.log();
  // Another one of it, or of something that every worker uses, begins anew.
  ASSERT_TRUE(reload(good + "mode = \"push\"\n"));
  ASSERT_TRUE(here.wait_for([](const auto& peer) { return peer.mode == config::Mode::push && peer.in_step == true; }));
  ASSERT_TRUE(DaemonProcess::poll([&] { return ::kill(worker, 0) != 0; }));
  // What the daemon is built on is not another one behind its back.
  const auto name = good.find("name = \"ph2\"");
  ASSERT_NE(name, std::string::npos);
  ASSERT_TRUE(reload(std::string(good).replace(name, 12, "name = \"ph7\"")));
  EXPECT_TRUE(contains(here.status().config_error, "restart")) << here.status().config_error;
}

TEST_F(Daemon, APauseSurvivesARestartAndEndsWithResume) {
  TwoNodes nodes;
  auto here = std::make_unique<DaemonProcess>(nodes.ph2);
  ASSERT_TRUE(here->wait_in_step());
  ASSERT_TRUE(succeeded(nodes.run({"pause", "ph1"})));
  EXPECT_EQ(here->peer().phase, daemon::Phase::paused);
  deny(nodes.ph1, "unseen.example");
  ASSERT_TRUE(here->stop()) << here->log();
  EXPECT_TRUE(contains(nodes.run({"status"}).errors, "does not run"));
  here->start();
  EXPECT_EQ(here->peer().phase, daemon::Phase::paused);
  EXPECT_TRUE(contains(nodes.run({"status"}).output, "paused: by hand"));
  EXPECT_FALSE(denies(nodes.ph2, "unseen.example"));
  ASSERT_TRUE(succeeded(nodes.run({"resume", "ph1"})));
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "unseen.example"); })) << here->log();
  ASSERT_TRUE(here->stop());
  ASSERT_TRUE(succeeded(nodes.run({"pause", "ph1"}))) << "also without a daemon";
  here->start();
  EXPECT_EQ(here->peer().phase, daemon::Phase::paused);
}

TEST_F(Daemon, StatusNowSyncsFirst) {
  TwoNodes nodes;
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  // Without a daemon there nobody tells us.
  deny(nodes.ph1, "asked.example");
  const auto result = nodes.run({"status", "--now"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(denies(nodes.ph2, "asked.example")) << result.output;
  EXPECT_TRUE(contains(result.output, "ph1 (pull): in step")) << result.output;
}

TEST_F(Daemon, SigusrSyncsAtOnce) {
  TwoNodes nodes;
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  deny(nodes.ph1, "signalled.example");
  here.signal(SIGUSR1);
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "signalled.example"); })) << here.log();
}

TEST_F(Daemon, KilledAtAnyMomentItGoesOnWhereItWas) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  for (int round = 0; round < 6; ++round) {
    deny(nodes.ph1, fmt::format("round{}.example", round));
    if (round % 2 == 0) {
      ASSERT_TRUE(here.wait_for([](const auto& p) { return p.connected_since != 0; }));
    }
    here.signal(SIGKILL);
    ASSERT_TRUE(here.ended());
    here.start();
  }
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "round5.example"); })) << here.log();
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
}

TEST_F(Daemon, ASecondDaemonIsRefusedAndSigtermEndsTheFirstWithItsChildren) {
  TwoNodes nodes;
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto second = nodes.run({"daemon"});
  EXPECT_EQ(second.exit_code, 75) << second.errors;
  EXPECT_TRUE(contains(second.errors, "another daemon")) << second.errors;
  ASSERT_TRUE(here.stop());
  EXPECT_TRUE(contains(here.log(), "stopped"));
  EXPECT_FALSE(std::filesystem::exists(nodes.ph2.run_directory() + "/status.sock"));
}

TEST_F(Daemon, NoLookupIsAnsweredWronglyWhileEditsFlow) {
  TwoNodes nodes;
  FtlProcess ftl(nodes.ph2);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  DnsProbe probe(ftl.port(), blocked_names(nodes.ph2.gravity(), 500), {8, 300});
  ASSERT_TRUE(probe.wait_for_answers(50));
  for (int i = 0; i < 6; ++i) {
    deny(nodes.ph1, fmt::format("flow{}.example", i));
    ASSERT_TRUE(served(ftl, fmt::format("flow{}.example", i)));
  }
  const auto counts = probe.stop();
  EXPECT_GT(counts.blocked, 100u);
  EXPECT_EQ(counts.allowed, 0u);
  EXPECT_EQ(counts.other, 0u);
}

TEST_F(Daemon, AChangeThatLooksLikeAnAccidentIsRefusedOnceAndShownWithTheCommandThatLetsItThrough) {
  TwoNodes nodes;
  nodes.ph2.set_daemon_lines("interval_seconds = 1");
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  execute(nodes.ph1.gravity(), "DELETE FROM domainlist");
  ASSERT_TRUE(here.wait_for([](const auto& p) { return !p.command.empty(); }));
  const auto peer = here.peer();
  EXPECT_EQ(peer.command, "gravity-sync pull ph1 --force");
  const auto shown = nodes.run({"status"});
  EXPECT_TRUE(contains(shown.output, "sudo gravity-sync pull ph1 --force")) << shown.output;
  const auto entries = [&] { return nodes.run({"history", "--limit", "100"}).output; };
  const auto history = entries();
  ASSERT_TRUE(DaemonProcess::poll([&] { return nodes.run({"status", "--now"}).exit_code == 0; }));
  // Each interval looks, and none refuses again but the one that a person asked for.
  EXPECT_EQ(std::count(history.begin(), history.end(), '\n') + 1, [&] {
    const auto now = entries();
    return std::count(now.begin(), now.end(), '\n');
  }());
  ASSERT_TRUE(succeeded(nodes.run({"pull", "ph1", "--force"})));
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(Daemon, FourNodesFollowOne) {
  TwoNodes nodes;
  std::vector<std::unique_ptr<PiholeDirectory>> others;
  for (int i = 3; i <= 5; ++i) {
    auto edited = small_household();
    drift(edited, static_cast<std::uint64_t>(i), 30);
    others.push_back(std::make_unique<PiholeDirectory>(small_pihole(fmt::format("ph{}", i), static_cast<std::uint64_t>(i), edited)));
    const auto text = read_text(nodes.ph2.config());
    others.back()->set_peers({text.substr(text.find("[[peer]]"))});
    write_text(others.back()->state() + "/known_hosts", nodes.sshd.known_hosts_line(), 0600);
  }
  DaemonProcess there(nodes.ph1);
  std::vector<std::unique_ptr<DaemonProcess>> daemons;
  daemons.push_back(std::make_unique<DaemonProcess>(nodes.ph2));
  for (const auto& other : others) daemons.push_back(std::make_unique<DaemonProcess>(*other));
  for (const auto& daemon : daemons) ASSERT_TRUE(daemon->wait_in_step());
  EXPECT_EQ(there.status().agents.size(), 4u);
  deny(nodes.ph1, "everywhere.example");
  EXPECT_TRUE(DaemonProcess::poll([&] {
    return denies(nodes.ph2, "everywhere.example") &&
           std::all_of(others.begin(), others.end(), [](const auto& other) { return denies(*other, "everywhere.example"); });
  }));
  for (const auto& daemon : daemons) ASSERT_TRUE(daemon->wait_in_step());
  for (const auto& other : others) EXPECT_TRUE(same_content(nodes.ph1, *other));
}

}  // namespace
}  // namespace gsync::test
