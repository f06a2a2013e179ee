#include <fmt/format.h>

#include "support/paths.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// The program and a real sshd: what goes wrong between two Pi-holes, and what is said about it.

namespace gsync::test {
namespace {

constexpr int failed = 1;
constexpr int unreachable = 5;

class Peer : public TwoNodesTest {
 protected:
  /// A pull with this remote command, which must change nothing.
  static CommandResult pull_with(TwoNodes& nodes, const std::string& remote_command, const std::string& lines = {}) {
    PeerOptions peer;
    peer.remote_command = remote_command;
    peer.lines = lines;
    nodes.set_peer(peer);
    const auto before = read_text(nodes.ph2.gravity());
    auto result = nodes.run({"pull"});
    EXPECT_TRUE(read_text(nodes.ph2.gravity()) == before);
    return result;
  }
  static std::string fingerprint(const Sshd& sshd) {
    TempDirectory directory;
    write_text(directory / "key.pub", sshd.host_public_key());
    const auto printed =
        util::run({.argv = {"ssh-keygen", "-lf", directory / "key.pub"}}, util::Deadline::in(std::chrono::seconds(60))).output;
    const auto start = printed.find("SHA256:");
    return printed.substr(start, printed.find(' ', start) - start);
  }
};

TEST_F(Peer, AnUnknownHostKeyIsRefusedUntilItIsTrusted) {
  TwoNodes nodes;
  ::unlink(nodes.known_hosts().c_str());
  const auto print = fingerprint(nodes.sshd);
  const auto refused = nodes.run({"pull"});
  EXPECT_EQ(refused.exit_code, unreachable);
  EXPECT_TRUE(contains(refused.errors, print)) << refused.errors;
  EXPECT_TRUE(contains(refused.errors, "gravity-sync trust ph1 --fingerprint " + print)) << refused.errors;

  const auto shown = nodes.run({"trust", "ph1"});
  EXPECT_EQ(shown.exit_code, 2);
  EXPECT_TRUE(contains(shown.output, print)) << shown.output;
  auto wrong = print;
  wrong[10] = wrong[10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(nodes.run({"trust", "ph1", "--fingerprint", wrong}).exit_code, unreachable);
  EXPECT_EQ(nodes.run({"trust", "ph1", "--fingerprint", "SHA256:short"}).exit_code, 2);
  EXPECT_EQ(nodes.run({"pull"}).exit_code, unreachable) << "neither of them made it known";

  EXPECT_TRUE(succeeded(nodes.run({"trust", "ph1", "--fingerprint", print})));
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(succeeded(nodes.run({"trust", "ph1"}))) << "it is known now";
}

TEST_F(Peer, AChangedHostKeyIsAWarningThatCannotBeMissed) {
  TwoNodes nodes;
  const Sshd other;
  const auto line = fmt::format("[127.0.0.1]:{} {}\n", nodes.sshd.port(), other.host_public_key());
  write_text(nodes.known_hosts(), line, 0600);
  const auto refused = nodes.run({"pull"});
  EXPECT_EQ(refused.exit_code, unreachable);
  EXPECT_TRUE(contains(refused.errors, fingerprint(nodes.sshd))) << refused.errors;
  EXPECT_TRUE(contains(refused.errors, fingerprint(other))) << refused.errors;
  EXPECT_TRUE(contains(refused.errors, "CHANGED")) << refused.errors;
  EXPECT_EQ(read_text(nodes.known_hosts()), line);
  EXPECT_TRUE(succeeded(nodes.run({"trust", "ph1", "--fingerprint", fingerprint(nodes.sshd)})));
  EXPECT_TRUE(succeeded(nodes.run({"compare"})));
}

TEST_F(Peer, AKeyThatThePeerDoesNotAcceptIsNamed) {
  TwoNodes nodes;
  PeerOptions peer;
  peer.identity = nodes.ph2.state() + "/other_key";
  make_key(*peer.identity);
  nodes.set_peer(peer);
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, unreachable);
  EXPECT_TRUE(contains(result.errors, *peer.identity)) << result.errors;
  EXPECT_TRUE(contains(result.errors, "authorized_keys")) << result.errors;
}

TEST_F(Peer, AnAgentThatIsNotInstalledIsNamedWithWhatTheShellSaid) {
  TwoNodes nodes;
  const auto result = pull_with(nodes, "/nowhere/gravity-sync agent");
  EXPECT_EQ(result.exit_code, failed);
  EXPECT_TRUE(contains(result.errors, "/nowhere/gravity-sync")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "install gravity-sync on ph1")) << result.errors;
}

TEST_F(Peer, AnAgentOfAnotherProtocolVersionIsNamedWithBothVersionsAndWhichToUpgrade) {
  TwoNodes nodes;
  auto result = pull_with(nodes, "printf 'gravity-sync 99 7.0.0 00112233445566778899aabbccddeeff ph1\\n'; cat > /dev/null");
  EXPECT_EQ(result.exit_code, failed);
  EXPECT_TRUE(contains(result.errors, "ph1 speaks protocol 99 (gravity-sync 7.0.0), this host speaks 1 (0.")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "upgrade gravity-sync on this host")) << result.errors;
  result = pull_with(nodes, "echo gravity-sync 0 0.0.1 x y; cat > /dev/null");
  EXPECT_EQ(result.exit_code, failed);
  EXPECT_TRUE(contains(result.errors, "upgrade gravity-sync on ph1")) << result.errors;
}

TEST_F(Peer, ALoginThatSpeaksFirstIsShownAsWhatItIs) {
  TwoNodes nodes;
  auto result = pull_with(nodes, "echo; echo 'Welcome to Armbian!'; exec " + nodes.agent_command());
  EXPECT_EQ(result.exit_code, failed);
  EXPECT_TRUE(contains(result.errors, "\"Welcome to Armbian!\"")) << result.errors;
  EXPECT_TRUE(contains(result.errors, ".bashrc")) << result.errors;
  // Terminal sequences of a hostile one are shown and not obeyed.
  result = pull_with(nodes, "printf '\\033]0;owned\\007hello\\n'");
  EXPECT_EQ(result.exit_code, failed);
  EXPECT_TRUE(contains(result.errors, "\\x1b]0;owned")) << result.errors;
  EXPECT_FALSE(contains(result.errors, "\x1b")) << result.errors;
}

TEST_F(Peer, AnAccountThatLetsNobodyInIsRecognised) {
  TwoNodes nodes;
  const auto result = pull_with(nodes, "echo 'This account is currently not available.'; exit 1");
  EXPECT_EQ(result.exit_code, failed);
  EXPECT_TRUE(contains(result.errors, "This account is currently not available.")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "nologin")) << result.errors;
}

TEST_F(Peer, AnAgentThatFindsNoPiholeSaysSo) {
  TwoNodes nodes;
  write_text(nodes.ph1.root() + "/other.toml", "[pihole]\ndirectory = \"/nowhere/pihole\"\n");
  const auto result = pull_with(nodes, fmt::format("{} --config {}/other.toml agent", paths::binary, nodes.ph1.root()));
  EXPECT_EQ(result.exit_code, failed);
  EXPECT_TRUE(contains(result.errors, "/nowhere/pihole")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "ph1")) << result.errors;
}

TEST_F(Peer, AnAgentThatNeverSpeaksEndsAtTheDeadline) {
  TwoNodes nodes;
  // The usual timeout in set_peer() is for slow machines; a second entry would contradict it.
  nodes.ph2.set_peers(
      {fmt::format("[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\nidentity = \"{}\"\nremote_command = \"cat > "
                   "/dev/null\"\nconnect_timeout_seconds = 5\n",
                   nodes.sshd.port(), nodes.sshd.user(), nodes.sshd.client_key())});
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, unreachable) << result.errors;
  EXPECT_TRUE(contains(result.errors, "ph1")) << result.errors;
}

TEST_F(Peer, AnAgentThatFallsSilentEndsAtTheIdleTimeout) {
  TwoNodes nodes;
  const auto result =
      pull_with(nodes, "echo gravity-sync 1 0.1.0 00112233445566778899aabbccddeeff ph1; cat > /dev/null", "idle_timeout_seconds = 2");
  EXPECT_EQ(result.exit_code, failed) << result.errors;
  EXPECT_TRUE(contains(result.errors, "2 s")) << result.errors;
}

TEST_F(Peer, AnAgentThatSpeaksNonsenseAfterItsHelloIsAProtocolError) {
  TwoNodes nodes;
  const auto result =
      pull_with(nodes, "echo gravity-sync 1 0.1.0 00112233445566778899aabbccddeeff ph1; head -c 100000 /dev/urandom; cat > /dev/null");
  EXPECT_EQ(result.exit_code, failed) << result.errors;
  EXPECT_TRUE(contains(result.errors, "ph1")) << result.errors;
}

TEST_F(Peer, AForcedCommandIsDeafToWhatTheClientAsksFor) {
  TwoNodesOptions options;
  TwoNodes first(options);  // for its ph1, which authorized_keys must name before the second sshd starts
  options.sshd.key_options = fmt::format("restrict,command=\"{} --config {} agent --peer ph2\"", paths::binary, first.ph1.config());
  const Sshd restricted(options.sshd);
  PeerOptions peer;
  peer.port = restricted.port();
  peer.identity = restricted.client_key();
  peer.remote_command = fmt::format("touch {}/obeyed", first.ph1.root());
  first.set_peer(peer);
  write_text(first.known_hosts(), restricted.known_hosts_line(), 0600);
  EXPECT_TRUE(succeeded(first.run({"pull"})));
  EXPECT_TRUE(same_content(first.ph1, first.ph2));
  deny(first.ph2, "pushed.example");
  EXPECT_TRUE(succeeded(first.run({"push"})));
  EXPECT_TRUE(denies(first.ph1, "pushed.example"));
  EXPECT_NE(::access((first.ph1.root() + "/obeyed").c_str(), F_OK), 0);
  EXPECT_TRUE(contains(first.run_on(first.ph1, {"history", "--id", "1"}).output, "agent for ph2"));
}

TEST_F(Peer, ABannerBeforeTheLoginDisturbsNobody) {
  TempDirectory directory;
  write_text(directory / "banner", "Authorised users only.\n");
  TwoNodesOptions options;
  options.sshd.configuration = "Banner " + (directory / "banner") + "\n";
  TwoNodes nodes(options);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
}

TEST_F(Peer, Ipv6Works) {
  if (auto reason = Sshd::unavailable("::1")) GTEST_SKIP() << *reason;
  TwoNodesOptions options;
  options.sshd.address = "::1";
  TwoNodes nodes(options);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
}

TEST_F(Peer, APeerThatIsThisVeryHostIsRefused) {
  TwoNodes nodes;
  PeerOptions peer;
  peer.remote_command = fmt::format("{} --config {} agent", paths::binary, nodes.ph2.config());
  nodes.set_peer(peer);
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, 4) << result.errors;
}

}  // namespace
}  // namespace gsync::test
