// What can go wrong on a host, each made and each named, with what to do.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "../src/daemon/sockets.hpp"
#include "gsync/util/fd.hpp"
#include "support/daemon_process.hpp"
#include "support/paths.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

namespace fs = std::filesystem;

class NamedFaults : public TwoNodesTest {
 protected:
  /// Said as wrong, with the remedy in the next line.
  static void expect_wrong(const CommandResult& result, const std::string& text, const std::string& remedy) {
    EXPECT_EQ(result.exit_code, 1);
    const auto at = result.output.find("wrong  " + text);
    ASSERT_NE(at, std::string::npos) << text << " in\n" << result.output << result.errors;
    const auto next = result.output.find('\n', at) + 1;
    EXPECT_TRUE(contains(result.output.substr(next, result.output.find('\n', next) - next), remedy)) << remedy << " in\n" << result.output;
  }
};

TEST_F(NamedFaults, OfTheDaemonsSocketsAreNamed) {
  TwoNodes nodes;
  DaemonProcess daemon(nodes.ph2);
  ASSERT_TRUE(daemon.wait_in_step());
  const auto agent = nodes.ph2.run_directory() + "/agent.sock", status = nodes.ph2.run_directory() + "/status.sock";
  ASSERT_EQ(::chmod(status.c_str(), 0666), 0);
  expect_wrong(nodes.run({"doctor"}), "sockets: everybody may connect to " + status, "restart");
  fs::remove(agent);
  expect_wrong(nodes.run({"doctor"}), "sockets: there is no " + agent, "restart");
  write_text(agent, "");
  expect_wrong(nodes.run({"doctor"}), fmt::format("sockets: {} is not a socket", agent), "sudo rm -r " + agent);
}

/// systemd listens on both sockets, and the service does not start.
TEST_F(NamedFaults, OfADaemonThatDoesNotAnswerAreNamedAndNobodyWaitsForItForEver) {
  TwoNodes nodes;
  const auto directory = nodes.ph2.run_directory();
  std::filesystem::create_directories(directory);
  const daemon::Listener agents(directory, "agent.sock", std::nullopt);
  const daemon::Listener status(directory, "status.sock", std::nullopt);
  expect_wrong(nodes.run({"doctor"}), "service: the daemon does not answer on " + directory + "/status.sock", "journalctl -u gravity-sync");
  deny(nodes.ph1, "cron.example");
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--cron"}))) << "in its place";
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(succeeded(nodes.run({"undo"})));

  const auto agent = nodes.run({"agent", "--peer", "ph1"});
  EXPECT_NE(agent.exit_code, 0);
  EXPECT_TRUE(contains(agent.errors, "does not answer")) << agent.errors;
}

TEST_F(NamedFaults, ThatADaemonHasAreDoctorsToo) {
  TwoNodes nodes;
  DaemonProcess daemon(nodes.ph2);
  ASSERT_TRUE(daemon.wait_in_step());
  PeerOptions off;
  off.port = 1;
  nodes.set_peer(off);
  daemon.signal(SIGHUP);
  ASSERT_TRUE(daemon.wait_for([](const auto& peer) { return peer.failure.has_value(); }));
  expect_wrong(nodes.run({"doctor"}), "service: ph1: cannot connect to ph1", "is sshd running there");
}

TEST_F(NamedFaults, OfAPeerThatIsThisPiholeOrIsDamagedAreNamed) {
  TwoNodes nodes;
  PeerOptions itself;
  itself.remote_command = fmt::format("{} --config {} agent --peer ph2", paths::binary, nodes.ph2.config());
  nodes.set_peer(itself);
  expect_wrong(nodes.run({"doctor", "ph1"}), "peer ph1: it is this Pi-hole itself", "is the address right?");
  nodes.set_peer({});
  write_text(nodes.ph1.gravity(), std::string(20'000, 'x'), 0664);
  expect_wrong(nodes.run({"doctor", "ph1"}), "peer ph1: its database is damaged: ", "sudo gravity-sync push ph1 --full");
}

TEST_F(NamedFaults, OfThisPiholesFilesAreNamed) {
  TwoNodes nodes;
  const auto gravity = nodes.ph2.gravity();
  auto settings = nodes.ph2.settings();
  settings.read_only = true;
  nodes.ph2.save(settings);
  const auto own = nodes.ph2.directory() + "/.gravity-sync";
  write_text(own, "");
  execute(gravity, "PRAGMA journal_mode=WAL");
  const auto result = nodes.run({"doctor"});
  expect_wrong(result, "Pi-hole: misc.readOnly is on: pihole-FTL lets nobody change records", "turn it off in pihole.toml");
  expect_wrong(result, fmt::format("files: {} is not a directory", own), "move it away");
  expect_wrong(result, "database: ", "PRAGMA journal_mode=DELETE");
  write_text(gravity, std::string(20'000, 'x'), 0664);
  expect_wrong(nodes.run({"doctor"}), fmt::format("database: {} is not a database", gravity), "pull PEER --full");
}

TEST_F(NamedFaults, OfCommandsAreNamed) {
  TwoNodes nodes;
  const auto expect = [&](const std::vector<std::string>& command, int exit_code, const std::string& text) {
    const auto result = nodes.run(command);
    EXPECT_EQ(result.exit_code, exit_code) << result.output << result.errors;
    EXPECT_TRUE(contains(result.errors, text)) << result.errors;
  };
  expect({"history", "--since", "yesteryear"}, 2, "--since yesteryear is no time");
  expect({"forget", "ph9"}, 1, "ph2 was never synced both ways with a 'ph9'");
  PeerOptions read_only;
  read_only.remote_command = nodes.agent_command() + " --read-only";
  nodes.set_peer(read_only);
  expect({"sync", "--union"}, 4, "ph1 only lets itself be read: its agent runs with --read-only");
  nodes.set_peer({});
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  write_text(nodes.ph2.gravity(), std::string(20'000, 'x'), 0664);
  expect({"undo"}, 1, "the database of ph2 is damaged");
}

TEST_F(NamedFaults, OfTheDaemonsConfigurationAreNamed) {
  TwoNodes nodes;
  DaemonProcess daemon(nodes.ph2);
  ASSERT_TRUE(daemon.wait_in_step());
  const auto config = read_text(nodes.ph2.config());
  const auto with = [&](const std::string& directory) {
    auto text = config;
    const auto line = text.find("run_directory");
    text.replace(line, text.find('\n', line) - line, "run_directory = " + toml_string(directory));
    write_text(nodes.ph2.config(), text);
  };
  with(nodes.ph2.root() + "/elsewhere");
  daemon.signal(SIGHUP);
  EXPECT_TRUE(DaemonProcess::poll([&] { return contains(daemon.log(), "is another one now, which takes a restart of the daemon"); }))
      << daemon.log();
  ASSERT_TRUE(daemon.stop());
  with(nodes.ph2.root() + "/" + std::string(120, 'd'));
  const auto result = nodes.run({"daemon"});
  EXPECT_EQ(result.exit_code, 2) << result.output;
  EXPECT_TRUE(contains(result.errors, "[daemon] run_directory: is longer than 90 characters, too long for the names of sockets"))
      << result.errors;
}

TEST_F(NamedFaults, OfWhoeverConnectsToTheDaemonCostItNothing) {
  TwoNodes nodes;
  DaemonProcess daemon(nodes.ph2);
  ASSERT_TRUE(daemon.wait_in_step());
  const auto said = [&](const std::string& name, const std::string& words) {
    const auto socket = daemon::connect_to(nodes.ph2.run_directory() + name);
    [[maybe_unused]] const auto sent = ::send(socket.get(), words.data(), words.size(), MSG_NOSIGNAL);
    ::shutdown(socket.get(), SHUT_WR);
    std::string got;
    char buffer[512];
    for (ssize_t n; (n = ::read(socket.get(), buffer, sizeof buffer)) > 0;) got.append(buffer, static_cast<std::size_t>(n));
    return got;
  };
  EXPECT_TRUE(contains(said("/status.sock", "{\"command\": \"dance\"}\n"), "the daemon knows no request 'dance'"));
  EXPECT_FALSE(contains(said("/agent.sock", "GET / HTTP/1.1\r\n\r\n"), "gravity-sync 0")) << "no hello";
  deny(nodes.ph1, "after.example");
  daemon.signal(SIGUSR1);
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "after.example"); })) << daemon.log();
}

}  // namespace
}  // namespace gsync::test
