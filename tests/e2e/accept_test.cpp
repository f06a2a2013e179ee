#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/paths.hpp"
#include "support/private_mounts.hpp"
#include "support/two_nodes.hpp"

namespace gsync {
namespace {

using test::contains;

constexpr uid_t account = 54321;

/// ph1 with an account gravity-sync of its own, to which a real sshd lets in whom `accept` let in. The account owns the Pi-hole, so that
/// its agent can serve without a daemon.
class Accept : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root lets others in";
    if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
    if (auto reason = test::Sshd::unavailable()) GTEST_SKIP() << *reason;
    for (std::filesystem::path path = test::paths::binary; path.has_relative_path(); path = path.parent_path()) {
      if ((std::filesystem::status(path).permissions() & std::filesystem::perms::others_exec) == std::filesystem::perms::none)
        GTEST_SKIP() << "another user cannot reach the program in this build directory";
    }
    ASSERT_EQ(::chmod(home.path().c_str(), 0755), 0);
    test::write_text(home / "passwd",
                     test::read_text("/etc/passwd") + fmt::format("gravity-sync:*:{0}:{0}::{1}:/bin/sh\n", account, home / "home"));
    mounts.bind(home / "passwd", "/etc/passwd");
    test::TwoNodesOptions options;
    options.sshd.configuration = more_of_sshd() + "Match User gravity-sync\n  AuthorizedKeysFile %h/.ssh/authorized_keys\n";
    nodes.emplace(options);
    nodes->ph1.give_to(account, account);
    ASSERT_EQ(::chmod(nodes->ph1.root().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(nodes->ph1.config().c_str(), 0644), 0);
    test::PeerOptions peer;
    peer.user = "gravity-sync";
    peer.identity = nodes->ph2.state() + "/id_ed25519";
    peer.remote_command = "gravity-sync agent";
    nodes->set_peer(peer);
    const auto key = nodes->run({"key"});
    ASSERT_EQ(key.exit_code, 0) << key.errors;
    test::write_text(home / "ph2.pub", key.output);
  }

  virtual std::string more_of_sshd() const { return {}; }
  test::CommandResult accept(const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"accept"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return nodes->run_on(nodes->ph1, all);
  }
  /// As somebody who has ph2's key.
  test::CommandResult ssh(const std::vector<std::string>& options, const std::string& command) {
    return ssh_as("gravity-sync", nodes->ph2.state() + "/id_ed25519", options, command);
  }
  test::CommandResult ssh_as(const std::string& user, const std::string& key, const std::vector<std::string>& options,
                             const std::string& command) {
    util::Command all{.argv = {"ssh", "-F", "/dev/null", "-i", key, "-o", "IdentitiesOnly=yes", "-o",
                               "UserKnownHostsFile=" + nodes->known_hosts(), "-o", "BatchMode=yes", "-p",
                               std::to_string(nodes->sshd.port())}};
    all.argv.insert(all.argv.end(), options.begin(), options.end());
    all.argv.insert(all.argv.end(), {user + "@" + nodes->sshd.address(), command});
    return util::run(all, util::Deadline::in(std::chrono::seconds(60)));
  }

  test::PrivateMounts mounts;
  test::TempDirectory home;
  std::optional<test::TwoNodes> nodes;
};

TEST_F(Accept, LetsAPeerInUntilItIsRemoved) {
  EXPECT_EQ(nodes->run({"compare"}).exit_code, 5);
  const auto accepted = accept({"ph2", home / "ph2.pub"});
  ASSERT_EQ(accepted.exit_code, 0) << accepted.errors;
  EXPECT_TRUE(contains(accepted.output, "ph2 may read and set")) << accepted.output;
  const auto pulled = nodes->run({"pull"});
  EXPECT_EQ(pulled.exit_code, 0) << pulled.errors << nodes->sshd.log();
  EXPECT_EQ(test::lists_of(nodes->ph1.gravity()), test::lists_of(nodes->ph2.gravity()));
  EXPECT_EQ(accept({"ph2", "--remove"}).exit_code, 0);
  EXPECT_EQ(nodes->run({"compare"}).exit_code, 5);
  EXPECT_EQ(accept({"ph2", "--remove"}).exit_code, 1);
}

TEST_F(Accept, SaysWhenAnotherKeyOfThatNameIsLetInNoMore) {
  ASSERT_EQ(accept({"ph2", home / "ph2.pub", "--read-only"}).exit_code, 0);
  EXPECT_FALSE(contains(accept({"ph2", home / "ph2.pub"}).errors, "another key")) << "it is the same";
  ASSERT_EQ(accept({"ph2", home / "ph2.pub", "--read-only"}).exit_code, 0);
  const auto other = test::read_text(nodes->sshd.client_key() + ".pub");
  const auto json = accept({"ph2", "--key", other.substr(0, other.find(' ', other.find(' ') + 1)), "--json"});
  const auto first = test::read_text(home / "ph2.pub");
  EXPECT_TRUE(contains(json.output, "\"replaced\": \"" + first.substr(0, first.find(' ', first.find(' ') + 1)) + "\"")) << json.output;
  EXPECT_TRUE(contains(json.output, "\"replaced_read_only\": true")) << json.output;
  const auto said = accept({"ph2", home / "ph2.pub"});
  EXPECT_TRUE(contains(said.errors, "another key was let in as ph2 before")) << said.errors;
}

TEST_F(Accept, LetsAReadOnlyPeerChangeNothing) {
  ASSERT_EQ(accept({"ph2", home / "ph2.pub", "--read-only"}).exit_code, 0);
  const auto before = test::content_of(nodes->ph1.gravity());
  EXPECT_EQ(nodes->run({"compare"}).exit_code, 0);
  EXPECT_EQ(nodes->run({"push"}).exit_code, 4);
  EXPECT_EQ(test::content_of(nodes->ph1.gravity()), before);
  EXPECT_EQ(nodes->run({"pull"}).exit_code, 0);
}

TEST_F(Accept, GivesAStolenKeyNothingButTheAgent) {
  ASSERT_EQ(accept({"ph2", home / "ph2.pub"}).exit_code, 0);
  for (const std::string command :
       {"id", "/bin/sh -c id", "gravity-sync agent --peer ph9; id", "gravity-sync --config /etc/shadow info", ""}) {
    const auto result = ssh({}, command);
    EXPECT_FALSE(contains(result.output, "uid=")) << command << ": " << result.output;
    EXPECT_TRUE(result.output.starts_with("gravity-sync ")) << command << ": " << result.output;
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
  }
  EXPECT_FALSE(contains(ssh({"-tt"}, "id").output, "uid="));
  EXPECT_NE(ssh({"-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"}, "x").exit_code, 0);
  EXPECT_FALSE(contains(ssh({"-W", fmt::format("127.0.0.1:{}", nodes->sshd.port())}, "").output, "SSH-2.0"));
  const auto sftp = ssh({"-s"}, "sftp");
  EXPECT_TRUE(sftp.output.starts_with("gravity-sync ") || sftp.exit_code != 0) << sftp.output;
}

/// An sshd that lets its clients set whatever they like.
class AcceptWithEnvironment : public Accept {
 protected:
  std::string more_of_sshd() const override { return "AcceptEnv *\n"; }
};

TEST_F(AcceptWithEnvironment, GivesAStolenKeyNoSayInWhatTheAgentReadsAndRuns) {
  ASSERT_EQ(accept({"ph2", home / "ph2.pub"}).exit_code, 0);
  const std::string stolen = home / "stolen";
  std::filesystem::create_directories(stolen + "/.config/gravity-sync");
  ASSERT_EQ(::chown(stolen.c_str(), account, account), 0);
  for (const char* program : {"sh", "id", "docker", "podman", "pihole", "pihole-FTL", "gravity-sync"})
    test::write_text(stolen + "/" + program, fmt::format("#!/bin/sh\n/bin/touch {}/ran-{}\n", stolen, program), 0755);
  const auto config =
      fmt::format("[node]\nstate_directory = \"{0}/state\"\n[pihole]\ndirectory = \"{1}\"\nftl_binary = \"{0}/pihole-FTL\"\n", stolen,
                  nodes->ph1.directory());
  for (const std::string path : {"/evil.toml", "/.config/gravity-sync/gravity-sync.toml", "/gravity-sync.toml"})
    test::write_text(stolen + path, config);
  const auto environment = fmt::format(
      "SetEnv=GRAVITY_SYNC_CONFIG={0}/evil.toml PATH={0} HOME={0} XDG_CONFIG_HOME={0}/.config SHELL={0}/sh ENV={0}/sh "
      "SSH_ORIGINAL_COMMAND=id LISTEN_FDS=1 NOTIFY_SOCKET={0}/notify",
      stolen);
  const auto arrives = ssh_as(nodes->sshd.user(), nodes->sshd.client_key(), {"-o", environment}, "/usr/bin/env");
  ASSERT_TRUE(contains(arrives.output, "GRAVITY_SYNC_CONFIG=" + stolen)) << arrives.output << arrives.errors;
  const auto served = ssh({"-o", environment}, "id");
  EXPECT_TRUE(served.output.starts_with("gravity-sync ")) << served.output << served.errors;
  // A line without --config: the configuration is the one in /etc, or there is none.
  const auto keys = home / "home/.ssh/authorized_keys";
  auto line = test::read_text(keys);
  const auto option = " --config " + nodes->ph1.config();
  ASSERT_NE(line.find(option), std::string::npos) << line;
  test::write_text(keys, line.erase(line.find(option), option.size()));
  const auto unnamed = ssh({"-o", environment}, "id");
  EXPECT_FALSE(contains(unnamed.output, "uid=")) << unnamed.output;
  EXPECT_FALSE(contains(unnamed.errors, stolen)) << unnamed.errors;
  EXPECT_FALSE(std::filesystem::exists(stolen + "/state")) << "it read what its client named";
  for (const auto& entry : std::filesystem::directory_iterator(stolen))
    EXPECT_FALSE(entry.path().filename().string().starts_with("ran-")) << entry.path();
}

TEST_F(Accept, RemembersForTheAgentWhichConfigurationTheEnvironmentNamed) {
  util::Command command{.argv = {test::paths::binary, "accept", "ph2", home / "ph2.pub"}};
  command.environment = {{"PATH", "/usr/bin:/bin"}, {"GRAVITY_SYNC_CONFIG", nodes->ph1.config()}};
  const auto accepted = util::run(command, util::Deadline::in(std::chrono::seconds(60)));
  ASSERT_EQ(accepted.exit_code, 0) << accepted.errors;
  EXPECT_EQ(nodes->run({"compare"}).exit_code, 0) << "the agent has not that environment";
}

TEST_F(Accept, TakesAKeyFromStandardInputAndNothingThatIsMore) {
  util::Command command{.argv = {test::paths::binary, "accept", "ph2", "--json"}, .standard_input = test::read_text(home / "ph2.pub")};
  auto result = util::run(command, util::Deadline::in(std::chrono::seconds(60)));
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.output, "\"accepted\": true")) << result.output;
  const auto before = test::read_text(home / "home/.ssh/authorized_keys");
  command.standard_input = "command=\"/bin/sh\" " + command.standard_input;
  EXPECT_EQ(util::run(command, util::Deadline::in(std::chrono::seconds(60))).exit_code, 2);
  command.argv[2] = "ph2;id";
  EXPECT_EQ(util::run(command, util::Deadline::in(std::chrono::seconds(60))).exit_code, 2);
  EXPECT_EQ(accept({"ph2", home / "none.pub"}).exit_code, 2);
  test::write_text(home / "empty.pub", "");
  EXPECT_EQ(accept({"ph2", home / "empty.pub"}).exit_code, 2);
  // The wrong one of the two files: refused, and not repeated.
  const auto secret = nodes->ph2.state() + "/id_ed25519";
  const auto refused = accept({"ph2", secret});
  EXPECT_EQ(refused.exit_code, 2) << refused.errors;
  EXPECT_FALSE(contains(refused.errors, test::read_text(secret).substr(100, 40))) << refused.errors;
  EXPECT_TRUE(contains(refused.errors, "private")) << refused.errors;
  EXPECT_EQ(test::read_text(home / "home/.ssh/authorized_keys"), before);
}

TEST(AcceptWithoutAnAccount, SaysHowToMakeOne) {
  // The build machine may have one.
  if (contains(test::read_text("/etc/passwd"), "\ngravity-sync:")) GTEST_SKIP() << "this host has the account";
  util::Command command{.argv = {test::paths::binary, "accept", "ph2", "/dev/null"}};
  const auto result = util::run(command, util::Deadline::in(std::chrono::seconds(60)));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.errors, "useradd")) << result.errors;
}

TEST(KeyCommand, PrintsTheSamePublicKeyAgainAndNoSecret) {
  test::PiholeDirectory pihole;
  const auto run = [&](const std::string& option) {
    return util::run({.argv = {test::paths::binary, "--config", pihole.config(), "key", option}},
                     util::Deadline::in(std::chrono::seconds(60)));
  };
  const auto first = run("--verbose");
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  EXPECT_TRUE(first.output.starts_with("ssh-ed25519 AAAA")) << first.output;
  EXPECT_TRUE(contains(first.output, " gravity-sync of ")) << first.output;
  EXPECT_EQ(run("--quiet").exit_code, 0);
  const auto json = run("--json");
  EXPECT_TRUE(contains(json.output, "\"made\": false")) << json.output;
  const auto secret = test::read_text(pihole.state() + "/id_ed25519").substr(100, 40);
  for (const auto& text : {first.output, first.errors, json.output, json.errors}) EXPECT_FALSE(contains(text, secret));
}

}  // namespace
}  // namespace gsync
