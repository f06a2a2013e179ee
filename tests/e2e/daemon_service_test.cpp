// What surrounds a daemon: other peers that are broken, the service manager, cron, people who take things back.

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "../src/daemon/sockets.hpp"
#include "gsync/util/fd.hpp"
#include "support/daemon_process.hpp"
#include "support/paths.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class DaemonService : public TwoNodesTest {};

std::string peer_of(const TwoNodes& nodes, const std::string& name, std::uint16_t port, const std::string& command) {
  return fmt::format("[[peer]]\nname = \"{}\"\nhost = {}\nport = {}\nuser = {}\nidentity = {}\nremote_command = {}\n", name,
                     toml_string(nodes.sshd.address()), port, toml_string(nodes.sshd.user()), toml_string(nodes.sshd.client_key()),
                     toml_string(command));
}

TEST_F(DaemonService, BrokenPeersCostTheOthersNothing) {
  TwoNodes nodes;
  // One that never answers, one that refuses, one that says nonsense.
  auto good = peer_of(nodes, "ph1", nodes.sshd.port(), nodes.agent_command());
  const auto user = nodes.sshd.user();
  nodes.ph2.set_peers(
      {good,
       fmt::format(
           "[[peer]]\nname = \"silent\"\nhost = \"localhost\"\nport = {}\nuser = \"{}\"\nidentity = {}\nremote_command = \"sleep 600\"\n",
           nodes.sshd.port(), user, toml_string(nodes.sshd.client_key())),
       fmt::format("[[peer]]\nname = \"off\"\nhost = \"127.0.0.1\"\nport = 1\n")});
  auto known = nodes.sshd.known_hosts_line();
  const auto bracket = known.find(']');
  known += "[localhost]" + known.substr(bracket + 1);
  write_text(nodes.known_hosts(), known, 0600);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  ASSERT_TRUE(here.wait_for([](const auto& p) { return p.failures > 0; }, "off"));
  for (int i = 0; i < 3; ++i) {
    deny(nodes.ph1, fmt::format("quick{}.example", i));
    EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, fmt::format("quick{}.example", i)); })) << here.log();
  }
  EXPECT_NE(here.peer("silent").in_step, true);
  EXPECT_EQ(nodes.run({"status", "--exit-code", "--quiet"}).exit_code, 1);
}

TEST_F(DaemonService, OneWithAsManyPeersAsItTakesSaysSoToTheNext) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  std::vector<util::Fd> others;
  // Each is a process over there, which waits ten seconds for the first words of a peer.
  const auto take_all_places = [&] {
    others.clear();
    for (int i = 0; i < 64; ++i) others.push_back(daemon::connect_to(nodes.ph1.run_directory() + "/agent.sock"));
  };
  std::string said;
  EXPECT_TRUE(DaemonProcess::poll([&] {
    take_all_places();
    said = nodes.run_on(nodes.ph1, {"agent", "--peer", "ph2"}).output;
    return contains(said, "the daemon on ph1 serves 64 peers and takes no more\n");
  })) << said;
  EXPECT_TRUE(contains(there.log(), "serves 64 peers and takes no more")) << there.log();
  others.clear();
  EXPECT_TRUE(DaemonProcess::poll([&] { return nodes.run({"pull"}).exit_code == 0; })) << "there is room again";
}

/// One that logged in by the rights of before may have been on its way when they changed.
TEST_F(DaemonService, WhoComesRightAfterAReloadIsPartedWithOnceMore) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto times = [&] {
    const auto log = there.log();
    std::size_t n = 0;
    for (auto at = log.find("serves ph2"); at != std::string::npos; at = log.find("serves ph2", at + 1)) ++n;
    return n;
  };
  ASSERT_EQ(times(), 1u) << there.log();
  there.signal(SIGHUP);
  EXPECT_TRUE(DaemonProcess::poll([&] { return times() == 3; })) << there.log();
  ASSERT_TRUE(here.wait_in_step());
}

TEST_F(DaemonService, TwoDaemonsThatWantTheSameChangeMakeItOnce) {
  TwoNodes nodes;
  nodes.set_peer({{}, {}, {}, {}, "mode = \"push\""});
  nodes.ph1.set_peers(
      {peer_of(nodes, "ph2", nodes.sshd.port(), fmt::format("{} --config {} agent --peer ph1", paths::binary, nodes.ph2.config()))});
  write_text(nodes.ph1.state() + "/known_hosts", nodes.sshd.known_hosts_line(), 0600);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  ASSERT_TRUE(there.wait_in_step("ph2"));
  const auto count = [&](const std::string& word) {
    const auto history = nodes.run_on(nodes.ph1, {"history", "--json", "--rows"}).output;
    std::size_t n = 0;
    for (auto at = history.find(word); at != std::string::npos; at = history.find(word, at + 1)) ++n;
    return n;
  };
  for (int i = 0; i < 4; ++i) {
    const auto domain = fmt::format("both{}.example", i);
    deny(nodes.ph2, domain);
    ASSERT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph1, domain); })) << here.log() << there.log();
    ASSERT_TRUE(here.wait_in_step());
    ASSERT_TRUE(there.wait_in_step("ph2"));
    EXPECT_EQ(count(domain), 1u) << "one run has it in its rows";
  }
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(DaemonService, AnUndoPausesThePeersThatWouldBringTheChangeBack) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  deny(nodes.ph1, "mistake.example");
  ASSERT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "mistake.example"); }));
  ASSERT_TRUE(here.wait_in_step());
  ASSERT_TRUE(succeeded(nodes.run({"undo", "--dry-run"})));
  EXPECT_NE(here.peer().phase, daemon::Phase::paused);
  const auto undone = nodes.run({"undo"});
  EXPECT_TRUE(succeeded(undone));
  EXPECT_TRUE(contains(undone.output, "gravity-sync resume ph1")) << undone.output;
  EXPECT_FALSE(denies(nodes.ph2, "mistake.example"));
  EXPECT_EQ(here.peer().phase, daemon::Phase::paused);
  EXPECT_TRUE(contains(nodes.run({"status"}).output, "undone"));
  ASSERT_TRUE(succeeded(nodes.run({"resume"})));
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "mistake.example"); })) << here.log();
}

TEST_F(DaemonService, AnUndoKeepsAPeerThatPushesFromBringingTheChangeBack) {
  TwoNodes nodes;
  nodes.set_peer({{}, {}, {}, {}, "mode = \"push\""});
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  deny(nodes.ph2, "mistake.example");
  ASSERT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph1, "mistake.example"); }));
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph1, {"history"}).output, "agent for ph2"));
  const auto undone = nodes.run_on(nodes.ph1, {"undo"});
  EXPECT_TRUE(succeeded(undone));
  EXPECT_TRUE(contains(undone.output, "gravity-sync resume ph2")) << undone.output;
  // It sees the difference, tries, and is told.
  ASSERT_TRUE(here.wait_for([](const auto& peer) { return peer.failure && contains(peer.failure->what, "ph2 is paused on ph1"); }));
  EXPECT_FALSE(denies(nodes.ph1, "mistake.example"));
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph1, {"status"}).output, "ph2 may change nothing here: the last change was undone"));
  // Also when it comes back, and when a person pushes.
  ASSERT_TRUE(here.stop());
  EXPECT_NE(nodes.run({"push"}).exit_code, 0);
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph1, {"status"}).output, "ph2 may change nothing here"));
  here.start();
  ASSERT_TRUE(here.wait_for([](const auto& peer) { return peer.failure.has_value(); }));
  EXPECT_FALSE(denies(nodes.ph1, "mistake.example"));
  ASSERT_TRUE(succeeded(nodes.run_on(nodes.ph1, {"resume", "ph2"})));
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph1, "mistake.example"); })) << here.log() << there.log();
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_NE(nodes.run_on(nodes.ph1, {"pause", "ph9"}).exit_code, 0) << "nobody of that name";
}

TEST_F(DaemonService, ARunOfCronStandsAsideWhileTheDaemonRuns) {
  TwoNodes nodes;
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  // No daemon there: ours is not told.
  deny(nodes.ph1, "later.example");
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--cron"})));
  EXPECT_FALSE(denies(nodes.ph2, "later.example"));
  ASSERT_TRUE(here.stop());
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--cron"})));
  EXPECT_TRUE(denies(nodes.ph2, "later.example"));
}

TEST_F(DaemonService, TheServiceManagerHears) {
  TwoNodes nodes;
  TempDirectory directory;
  const auto path = directory / "notify";
  util::Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "200000", 1);
  DaemonProcess here(nodes.ph2);
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
  std::string heard;
  const auto hears = [&](const std::string& word) {
    return DaemonProcess::poll([&] {
      std::array<char, 1024> buffer;
      for (ssize_t n; (n = ::recv(manager.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;)
        heard += std::string(buffer.data(), static_cast<std::size_t>(n)) + "\n";
      return contains(heard, word);
    });
  };
  EXPECT_TRUE(hears("READY=1")) << heard;
  EXPECT_TRUE(hears("STATUS=1 of 1 peers in step")) << heard;
  EXPECT_TRUE(hears("WATCHDOG=1")) << heard;
  here.signal(SIGHUP);
  EXPECT_TRUE(hears("RELOADING=1")) << heard;
  here.signal(SIGTERM);
  EXPECT_TRUE(hears("STOPPING=1")) << heard;
  EXPECT_TRUE(here.ended());
}

TEST_F(DaemonService, HooksMetricsAndMonitorTellOfAChange) {
  TwoNodes nodes;
  TempDirectory directory;
  const auto script = directory / "hook";
  write_text(script, fmt::format("#!/bin/sh\ncat >> {}\n", directory / "events"), 0755);
  nodes.ph2.set_daemon_lines(fmt::format("on_success = [\"{}\"]\nmetrics_file = \"{}\"\n", script, directory / "gravity-sync.prom"));
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const ChildProcess monitor({paths::binary, "--config", nodes.ph2.config(), "monitor"}, directory / "monitor");
  ASSERT_TRUE(DaemonProcess::poll([&] {
    // It follows as soon as it has connected; edits until one is seen.
    static int n = 0;
    deny(nodes.ph1, fmt::format("told{}.example", n++));
    return DaemonProcess::poll([&] { return denies(nodes.ph2, fmt::format("told{}.example", n - 1)); }) && here.wait_in_step() &&
           contains(read_text(directory / "monitor"), "pulled: 1 list entry");
  })) << here.log();
  EXPECT_TRUE(DaemonProcess::poll(
      [&] { return std::filesystem::exists(directory / "events") && contains(read_text(directory / "events"), "\"kind\":\"success\""); }));
  EXPECT_TRUE(DaemonProcess::poll(
      [&] { return contains(read_text(directory / "gravity-sync.prom"), "gravity_sync_in_step{peer=\"ph1\",mode=\"pull\"} 1"); }));
  EXPECT_TRUE(contains(nodes.run({"status", "--prometheus"}).output, "gravity_sync_syncs_total"));
  nodes.ph2.set_daemon_lines(fmt::format("metrics_file = \"{}\"\n", directory / "other.prom"));
  here.signal(SIGHUP);
  EXPECT_TRUE(DaemonProcess::poll([&] { return std::filesystem::exists(directory / "other.prom"); })) << here.log();
}

}  // namespace
}  // namespace gsync::test
