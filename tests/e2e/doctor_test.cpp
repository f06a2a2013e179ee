#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gsync/util/subprocess.hpp"
#include "support/ftl_process.hpp"
#include "support/paths.hpp"
#include "support/private_mounts.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync {
namespace {

using test::contains;

class Doctor : public test::TwoNodesTest {
 protected:
  static int wrong_lines(const test::CommandResult& result) {
    int count = 0;
    for (std::size_t at = 0; (at = result.output.find("wrong  ", at)) != std::string::npos; ++at) ++count;
    return count;
  }
};

TEST_F(Doctor, FindsNothingWrongWithTwoThatWork) {
  test::TwoNodes nodes;
  test::FtlProcess ftl(nodes.ph2);
  ASSERT_EQ(nodes.run({"pull"}).exit_code, 0);
  const auto result = nodes.run({"doctor"});
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  EXPECT_EQ(wrong_lines(result), 0) << result.output;
  for (const std::string line : {"ok     FTL: ", "ok     peer ph1: lets our key in",
                                 "ok     disk: ", "ok     database: ", "ok     files: ", "hint   peer ph1: our key opens a shell there"})
    EXPECT_TRUE(contains(result.output, line)) << line << " in\n" << result.output;
  const auto quiet = nodes.run({"doctor", "--quiet"});
  EXPECT_FALSE(contains(quiet.output, "ok     ")) << quiet.output;
  EXPECT_TRUE(contains(quiet.output, "hint   ")) << quiet.output;
  EXPECT_TRUE(contains(nodes.run({"doctor", "--json"}).output, "\"verdict\": \"hint\""));
}

TEST_F(Doctor, SeesTwoClocksThatDoNotAgree) {
  test::TwoNodes nodes;
  EXPECT_TRUE(contains(nodes.run({"doctor"}).output, "ok     peer ph1: its clock and ours agree"));
  const auto result = nodes.run_on(nodes.ph2, {"doctor"}, {{"LD_PRELOAD", test::paths::clock_off}, {"GSYNC_CLOCK_OFF", "7200"}});
  if (contains(result.errors, "LD_PRELOAD")) GTEST_SKIP() << result.errors;
  EXPECT_TRUE(contains(result.output, "hint   peer ph1: its clock is 7")) << result.output;
  EXPECT_TRUE(contains(result.output, " s behind ours")) << result.output;
}

TEST_F(Doctor, SeesThatBothCompileByThemselves) {
  test::PrivateMounts mounts;
  if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
  try {
    mounts.overlay("/etc");
  } catch (const std::exception& error) {
    GTEST_SKIP() << error.what();
  }
  std::filesystem::create_directories("/etc/cron.d");
  test::write_text("/etc/cron.d/pihole", "# 1 1 * * 7 root pihole updateGravity\n");
  test::TwoNodes nodes;
  EXPECT_FALSE(contains(nodes.run({"doctor"}).output, "every week"));
  test::write_text("/etc/cron.d/pihole",
                   "59 1    * * 7   root    PATH=\"$PATH:/usr/sbin:/usr/local/bin/\" pihole updateGravity >/dev/null\n");
  EXPECT_TRUE(contains(nodes.run({"doctor"}).output, "hint   peer ph1: both Pi-holes run `pihole -g` every week"));
}

TEST_F(Doctor, SeesThatAKeyIsGoodForTheAgentOnly) {
  test::TwoNodes first;
  test::TwoNodesOptions options;
  // Another pair's agent serves as well as its own.
  options.sshd.key_options = fmt::format("restrict,command=\"{}\"", first.agent_command());
  test::TwoNodes nodes(options);
  ASSERT_EQ(nodes.run({"compare"}).exit_code, 0);
  const auto result = nodes.run({"doctor"});
  EXPECT_TRUE(contains(result.output, "ok     peer ph1: runs the agent for our key, whatever is asked for")) << result.output;
  EXPECT_FALSE(contains(result.output, "opens a shell")) << result.output;
}

TEST_F(Doctor, SaysOfEachForcedSettingWhatItKeepsFromBeingSynced) {
  test::TwoNodesOptions options;
  options.ph2.forced = {"dns.hosts", "dns.upstreams", "dns.dnssec"};
  test::TwoNodes nodes(options);
  nodes.ph2.set_sync_lines("settings = [\"dns.upstreams\"]");
  test::FtlProcess ftl(nodes.ph2);
  const auto result = nodes.run({"doctor"}, {{"FTLCONF_dns_hosts", "x"}, {"FTLCONF_dns_upstreams", "x"}});
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  for (const std::string line :
       {"hint   Pi-hole: dns.hosts is forced by FTLCONF_dns_hosts, so dns records are given to others, and not taken from them",
        "hint   Pi-hole: dns.upstreams is forced by FTLCONF_dns_upstreams, so it is not synced",
        "ok     Pi-hole: FTLCONF_dns_dnssec forces a setting, and none that is synced",
        "hint   Pi-hole: no records and settings can be set from here without FTLCONF_dns_dnssec: "})
    EXPECT_TRUE(contains(result.output, line)) << line << " in\n" << result.output;
}

TEST_F(Doctor, NamesWhatIsToBeKeptLocalAndIsNotThere) {
  auto options = test::TwoNodesOptions();
  options.ph2.dns_hosts = {"192.168.1.2 nas.lan"};
  test::TwoNodes nodes(options);
  nodes.ph2.set_sync_lines("keep_local = [\"group:no such one\", \"dns:*.lan\", \"dns:nas\", \"dhcp\"]");
  const auto result = nodes.run({"doctor"});
  for (const std::string pattern : {"group:no such one", "dns:nas"})
    EXPECT_TRUE(contains(result.output, fmt::format("hint   configuration: [sync] keep_local names \"{}\", and this", pattern)))
        << result.output;
  EXPECT_TRUE(contains(result.output, "correct it or leave it out, unless")) << result.output;
  EXPECT_FALSE(contains(result.output, "names \"dns:*.lan\"") || contains(result.output, "names \"dhcp\"")) << result.output;
}

TEST_F(Doctor, ChangesNothing) {
  test::TwoNodes nodes;
  ASSERT_EQ(nodes.run({"pull"}).exit_code, 0);
  const auto before = test::files_below({nodes.ph2.root()});
  nodes.run({"doctor"});
  auto after = test::files_below({nodes.ph2.root()});
  // Its own directory is where it tries what the filesystem can do.
  const auto own = [&](const std::string& line) { return line.starts_with(nodes.ph2.directory() + "/.gravity-sync: "); };
  auto expected = before;
  std::erase_if(expected, own);
  std::erase_if(after, own);
  EXPECT_EQ(after, expected);
}

TEST_F(Doctor, ChangesNothingOnAFreshHost) {
  test::PiholeDirectory pihole;
  std::filesystem::remove_all(pihole.state());
  const auto before = test::files_below({pihole.root()});
  const auto result =
      util::run({.argv = {test::paths::binary, "--config", pihole.config(), "doctor"}}, util::Deadline::in(std::chrono::seconds(60)));
  EXPECT_TRUE(contains(result.output, "sudo gravity-sync key")) << result.output;
  // A host on which nothing was done yet can be paired with: `pair` asks its doctor first.
  for (const std::string subject : {"files", "disk"}) {
    EXPECT_TRUE(contains(result.output, "ok     " + subject + ": ")) << result.output;
    EXPECT_FALSE(contains(result.output, "wrong  " + subject + ": ")) << result.output;
  }
  EXPECT_EQ(test::files_below({pihole.root()}), before);
}

TEST_F(Doctor, NamesWhatIsWrongAndGoesOn) {
  test::TwoNodes nodes;
  ASSERT_EQ(nodes.run({"pull"}).exit_code, 0);
  nodes.sshd.stop();
  test::write_text(nodes.ph2.gravity() + "-wal", "x");
  const auto result = nodes.run({"doctor"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, "wrong  database: ")) << result.output;
  EXPECT_TRUE(contains(result.output, "wrong  FTL: ")) << result.output << "nothing runs there";
  EXPECT_TRUE(contains(result.output, "wrong  peer ph1: ")) << result.output;
  EXPECT_TRUE(contains(result.output, "ok     disk: ")) << result.output;
}

TEST_F(Doctor, TellsAnUnknownHostKeyFromAChangedOne) {
  test::TwoNodes nodes;
  const auto line = nodes.sshd.known_hosts_line();
  std::filesystem::remove(nodes.known_hosts());
  const auto unknown = nodes.run({"doctor"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_TRUE(contains(unknown.output, "is not trusted yet: ssh-ed25519 SHA256:")) << unknown.output;
  EXPECT_TRUE(contains(unknown.output, "sudo gravity-sync trust ph1")) << unknown.output;
  test::Sshd other;
  test::write_text(nodes.known_hosts(), line.substr(0, line.find(' ')) + " " + other.host_public_key() + "\n", 0600);
  EXPECT_TRUE(contains(nodes.run({"doctor"}).output, "HAS CHANGED"));
}

TEST_F(Doctor, SaysThatAKeyIsNotLetIn) {
  test::TwoNodes nodes;
  test::PeerOptions peer;
  peer.identity = nodes.ph2.state() + "/other";
  test::make_key(*peer.identity);
  nodes.set_peer(peer);
  const auto result = nodes.run({"doctor", "ph1"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, "does not accept our key")) << result.output;
  EXPECT_EQ(nodes.run({"doctor", "ph7"}).exit_code, 2) << "no such peer";
}

TEST_F(Doctor, SeesThatAReadOnlyPeerIsAskedForMore) {
  test::TwoNodes nodes;
  test::PeerOptions peer;
  peer.remote_command = nodes.agent_command() + " --read-only";
  nodes.set_peer(peer);
  EXPECT_EQ(wrong_lines(nodes.run({"doctor"})), 1) << "FTL does not run";
  peer.lines = "mode = \"sync\"";
  nodes.set_peer(peer);
  EXPECT_TRUE(contains(nodes.run({"doctor"}).output, "lets us read and change nothing"));
}

TEST_F(Doctor, LooksAtTheRestWhereTheConfigurationIsWrong) {
  test::PiholeDirectory pihole;
  test::write_text(pihole.config(), "[sync]\nprefr = 1\n[nonsense]\n");
  const auto result =
      util::run({.argv = {test::paths::binary, "--config", pihole.config(), "doctor"}}, util::Deadline::in(std::chrono::seconds(60)));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, pihole.config() + ":2: ")) << result.output;
  EXPECT_TRUE(contains(result.output, pihole.config() + ":3: ")) << result.output;
  EXPECT_TRUE(contains(result.output, " Pi-hole: ")) << result.output;
}

TEST_F(Doctor, NamesFilesThatTheOwnerCannotUse) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files to somebody else";
  test::TwoNodes nodes;
  ASSERT_EQ(nodes.run({"pull"}).exit_code, 0);
  constexpr uid_t owner = 54321;
  nodes.ph2.give_to(owner, owner);
  const auto strange = nodes.ph2.directory() + "/.gravity-sync/shadow.db";
  ASSERT_EQ(::chown(strange.c_str(), 0, 0), 0);
  const auto result = nodes.run({"doctor"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, "wrong  files: " + strange)) << result.output;
}

}  // namespace
}  // namespace gsync
