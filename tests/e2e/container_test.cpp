#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/daemon_process.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/private_mounts.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// Pi-holes in containers, seen from their host: through the docker command, and with nothing but the volume.

namespace gsync::test {
namespace {

constexpr int refused = 4;
constexpr std::chrono::seconds patience{60};

TwoNodesOptions containers(bool ph1, bool ph2) {
  TwoNodesOptions options;
  options.ph1.container = ph1;
  options.ph2.container = ph2;
  // What the container has in its environment, FTL has too.
  options.ph2.variables = {"TZ=Europe/Berlin", "FTLCONF_dns_upstreams=9.9.9.9;149.112.112.112"};
  if (ph2) options.ph2.forced = {"dns.upstreams"};
  options.ph2.musl = true;
  return options;
}

std::string executed(const PiholeDirectory& pihole) {
  const auto path = pihole.root() + "/executed";
  return std::filesystem::exists(path) ? read_text(path) : "";
}

class Containers : public TwoNodesTest {};

TEST_F(Containers, ArePulledIntoFromTheirHost) {
  TwoNodes nodes(containers(false, true));
  FtlProcess ftl(nodes.ph2);
  deny(nodes.ph1, "new.example");
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_FALSE(contains(result.errors, "warning")) << result.errors;
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts);
  EXPECT_TRUE(contains(executed(nodes.ph2), "--config dns.hosts [")) << "records are set in the container";
  EXPECT_EQ(nodes.ph2.settings().gravity, "/etc/pihole/gravity.db") << "a path in the container";
  // Its process is visible from the host, so it need not wait for its poll.
  EXPECT_GE(ftl.stats().signals, 1U);
  EXPECT_EQ(ftl.stats().signals_on_dns_thread, 0U);
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
  EXPECT_TRUE(succeeded(nodes.run({"undo"})));
}

TEST_F(Containers, ArePulledFromAndPushedInto) {
  TwoNodes nodes(containers(true, false));
  FtlProcess ftl(nodes.ph1);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts);
  deny(nodes.ph2, "new.example");
  auto settings = nodes.ph2.settings();
  settings.dns_hosts.push_back("192.168.1.77 new.lan");
  nodes.ph2.save(settings);
  EXPECT_TRUE(succeeded(nodes.run({"push"})));
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_EQ(nodes.ph1.settings().dns_hosts, settings.dns_hosts);
}

TEST_F(Containers, AreDescribedByInfo) {
  TwoNodes nodes(containers(false, true));
  FtlProcess ftl(nodes.ph2);
  const auto text = nodes.run({"info"}).output;
  EXPECT_TRUE(contains(text, "container ph2 (docker), runs")) << text;
  EXPECT_TRUE(contains(text, fmt::format("pid {} in container ph2 (docker), signal 35", ftl.pid()))) << text;
  EXPECT_TRUE(contains(text, nodes.ph2.directory())) << text;
  EXPECT_TRUE(contains(nodes.run({"info", "--json"}).output, "\"runtime\": \"docker\""));
}

TEST_F(Containers, ThatDoNotRunHaveTheirListsSyncedAndTheirRecordsLeftAlone) {
  TwoNodes nodes(containers(false, true));
  nodes.ph2.set_container_stopped(true);
  const auto toml = read_text(nodes.ph2.toml());
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(contains(result.errors, "container ph2 (docker) does not run")) << result.errors;
  EXPECT_EQ(read_text(nodes.ph2.toml()), toml);
  EXPECT_TRUE(contains(nodes.run({"info"}).output, "FTL reads the new lists when it starts"));

  nodes.ph2.set_container_stopped(false);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts) << "and set when it runs again";
}

TEST_F(Containers, KeepARecordListThatTheirEnvironmentSets) {
  auto options = containers(false, true);
  options.ph2.variables = {"FTLCONF_dns_hosts=192.168.1.2 nas.lan"};
  options.ph2.forced = {"dns.hosts"};
  TwoNodes nodes(options);
  const auto hosts = nodes.ph2.settings().dns_hosts;
  ASSERT_NE(hosts, nodes.ph1.settings().dns_hosts);
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(contains(result.errors, "pihole-FTL has dns.hosts from FTLCONF_dns_hosts in its environment")) << result.errors;
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, hosts);
  EXPECT_EQ(nodes.ph2.settings().cname_records, nodes.ph1.settings().cname_records);
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2)) << "what it can take";
  EXPECT_TRUE(contains(nodes.run({"info"}).output, "FTLCONF_dns_hosts"));
}

TEST_F(Containers, AreNotGivenAnotherEnvironmentThanTheirFtlHas) {
  auto options = containers(false, true);
  options.ph2.variables = {};  // FTL has it from elsewhere, a secret perhaps
  TwoNodes nodes(options);
  const auto toml = read_text(nodes.ph2.toml());
  const auto gravity = read_text(nodes.ph2.gravity());
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, refused) << result.errors;
  EXPECT_TRUE(contains(result.errors, "FTLCONF_dns_upstreams")) << result.errors;
  EXPECT_EQ(read_text(nodes.ph2.toml()), toml) << "pihole-FTL --config would have reset dns.upstreams";
  EXPECT_TRUE(read_text(nodes.ph2.gravity()) == gravity) << "refused before anything was changed";
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--only", "lists,blocklist"})));
}

TEST_F(Containers, AreRestartedByTheirRuntimeWhenThatIsConfigured) {
  TwoNodes nodes(containers(false, true));
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 1\non_ftl_failure = \"restart\"");
  FtlOptions deaf;
  deaf.reload = false;
  deaf.respawn = true;
  FtlProcess ftl(nodes.ph2, deaf);
  deny(nodes.ph1, "new.example");
  const auto result = nodes.run({"pull", "--only", "lists"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(contains(result.errors, "it was restarted")) << result.errors;
  EXPECT_EQ(ftl.respawned(), 1);
  EXPECT_TRUE(contains(executed(nodes.ph2), "restart")) << "by docker, which starts what ended again";
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
}

TEST_F(Containers, ThatDockerDoesNotKnowAreNamed) {
  TwoNodes nodes(containers(false, true));
  nodes.ph2.set_pihole_lines("runtime = \"docker\"\ncontainer = \"other\"");
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.errors, "docker knows no container 'other'")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "docker ps -a")) << result.errors;
  nodes.ph2.set_pihole_lines("runtime = \"podman\"");
  EXPECT_TRUE(contains(nodes.run_on(nodes.ph2, {"pull"}, {{"PATH", nodes.ph2.bin_directory()}}).errors, "no command podman"));
}

// --- only root can ask docker, and only root gets to where its volumes are

class VolumesOfRoot : public TwoNodesTest {
 protected:
  void SetUp() override {
    TwoNodesTest::SetUp();
    if (auto reason = PrivateMounts().reason(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

constexpr uid_t owner = 54'331;

TwoNodesOptions only_root_asks_docker() {
  auto options = containers(false, true);
  options.ph2.docker_needs_root = true;
  return options;
}

/// Where the volume is now.
std::string hide_volume(TwoNodes& nodes) {
  const auto key = nodes.ph2.state() + "/key";
  std::filesystem::copy_file(nodes.sshd.client_key(), key);
  PeerOptions peer;
  peer.identity = key;
  nodes.set_peer(peer);
  nodes.ph2.give_to(owner, owner);
  // As /var/lib/docker/volumes/NAME/_data: the volume stands below a directory that is closed to all but root.
  const auto closed = nodes.ph2.root() + "/docker";
  std::filesystem::create_directories(closed + "/volumes");
  std::filesystem::rename(nodes.ph2.directory(), closed + "/volumes/_data");
  EXPECT_EQ(::chmod(closed.c_str(), 0700), 0);
  const auto inspect = nodes.ph2.root() + "/inspect.json";
  auto text = read_text(inspect);
  text.replace(text.find(nodes.ph2.directory()), nodes.ph2.directory().size(), closed + "/volumes/_data");
  write_text(inspect, text);
  // What runs in the container finds its /etc/pihole elsewhere.
  auto program = read_text(nodes.ph2.ftl_binary());
  program.replace(program.find(nodes.ph2.directory()), nodes.ph2.directory().size(), closed + "/volumes/_data");
  write_text(nodes.ph2.ftl_binary(), program, 0755);
  return closed + "/volumes/_data";
}

void expect_all_the_owners(const std::string& volume) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(volume)) {
    struct stat st {};
    // Made by root in the container.
    if (contains(entry.path(), "config_backups")) continue;
    ASSERT_EQ(::lstat(entry.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, owner) << entry.path();
  }
}

TEST_F(VolumesOfRoot, AreReachedByTheirOwnerAndDockerIsAskedByAHelper) {
  TwoNodes nodes(only_root_asks_docker());
  const auto volume = hide_volume(nodes);
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(contains(executed(nodes.ph2), "--config dns.hosts")) << "by root, who may";
  EXPECT_EQ(parse_settings(read_text(volume + "/pihole.toml")).dns_hosts, nodes.ph1.settings().dns_hosts);
  EXPECT_TRUE(content_of(volume + "/gravity.db") == content_of(nodes.ph1.gravity()));
  expect_all_the_owners(volume);
}

TEST_F(VolumesOfRoot, AreFollowedByADaemonWhoseChildrenAskItsHelper) {
  TwoNodes nodes(only_root_asks_docker());
  const auto volume = hide_volume(nodes);
  DaemonProcess there(nodes.ph1);
  // As its unit does.
  DaemonProcess here(nodes.ph2, {"/bin/sh", "-c", "umask 077; exec \"$@\"", "sh", "/usr/bin/env", "PATH=" + nodes.ph2.path_variable()});
  ASSERT_TRUE(here.wait_in_step());
  auto settings = nodes.ph1.settings();
  settings.dns_hosts.push_back("192.168.1.77 added.lan");
  nodes.ph1.save(settings);
  deny(nodes.ph1, "added.example");
  EXPECT_TRUE(DaemonProcess::poll([&] {
    return parse_settings(read_text(volume + "/pihole.toml")).dns_hosts == settings.dns_hosts &&
           content_of(volume + "/gravity.db") == content_of(nodes.ph1.gravity());
  })) << here.log();
  expect_all_the_owners(volume);
  EXPECT_TRUE(here.stop());
}

// --- nothing but the volume

class Volumes : public TwoNodesTest {
 protected:
  /// ph2 is a directory that a container writes; no docker command is configured.
  static void use_volume(TwoNodes& nodes, const std::string& more = {}) {
    nodes.ph2.set_pihole_lines(fmt::format("directory = {}\n{}", toml_string(nodes.ph2.directory()), more));
  }
};

TEST_F(Volumes, AreSyncedWithoutRecordsAndFtlReloadsByItsPoll) {
  TwoNodes nodes(containers(false, true));
  FtlProcess ftl(nodes.ph2);
  use_volume(nodes);
  deny(nodes.ph1, "new.example");
  const auto toml = read_text(nodes.ph2.toml());
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(contains(result.errors, "dns, cname, dhcp records are not synced")) << result.errors;
  EXPECT_EQ(result.errors.find("belongs to a container"), result.errors.rfind("belongs to a container")) << "once: " << result.errors;
  EXPECT_TRUE(contains(result.errors, "DOCKER_VERSION")) << "how we know: " << result.errors;
  EXPECT_EQ(read_text(nodes.ph2.toml()), toml);
  EXPECT_EQ(executed(nodes.ph2), "");
  EXPECT_EQ(ftl.stats().signals, 0U) << "nobody knows whose FTL would get it";
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_FALSE(contains(result.errors, "still has the old database open")) << result.errors;
}

TEST_F(Volumes, WithoutAnInfoUpdatedAreRaisedTwiceBecauseFtlOnlyNotesTheFirst) {
  TwoNodes nodes(containers(false, true));
  execute(nodes.ph2.gravity(), "DELETE FROM info WHERE property = 'updated'");
  FtlProcess ftl(nodes.ph2);
  use_volume(nodes);
  deny(nodes.ph1, "new.example");
  ASSERT_EQ(lookup(ftl.port(), "new.example"), "allowed");
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_FALSE(contains(result.errors, "database open")) << result.errors;
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_EQ(ftl.stats().reloads, 1U);
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  EXPECT_EQ(own_files(nodes.ph2), (std::vector<std::string>{"lock", "shadow.db"}));
  EXPECT_EQ(number(nodes.ph2.state() + "/state.db", "SELECT count(*) FROM history"), 1);
  EXPECT_EQ(integrity(nodes.ph2.directory() + "/.gravity-sync/shadow.db"), "ok");

  // From now on once is enough, and the shadow is known for what it is.
  deny(nodes.ph1, "newer.example");
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_EQ(lookup(ftl.port(), "newer.example", patience), "blocked");
  EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
  EXPECT_TRUE(succeeded(nodes.run({"undo"})));
  EXPECT_EQ(ftl.stats().reloads, 3U);
}

TEST_F(Volumes, ThatFtlCannotReadAreRaisedTwiceAsWell) {
  auto options = containers(false, true);
  options.ph2.backups = true;
  TwoNodes nodes(options);
  ASSERT_EQ(::truncate(nodes.ph2.gravity().c_str(), 0), 0);
  FtlProcess ftl(nodes.ph2);
  use_volume(nodes);
  deny(nodes.ph1, "new.example");
  ASSERT_EQ(lookup(ftl.port(), "new.example"), "allowed");
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--full"})));
  EXPECT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.reloads > 0; }, patience));
  EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(Volumes, WithAnFtlThatNeverReloadsAreReportedWithWhatToRun) {
  for (const std::string reaction : {"report", "undo", "restart"}) {
    SCOPED_TRACE(reaction);
    TwoNodes nodes(containers(false, true));
    FtlOptions deaf;
    deaf.reload = false;
    FtlProcess ftl(nodes.ph2, deaf);
    use_volume(nodes);
    nodes.ph2.set_sync_lines(fmt::format("ftl_deadline_seconds = 1\non_ftl_failure = \"{}\"", reaction));
    deny(nodes.ph1, "new.example");
    const auto result = nodes.run({"pull"});
    EXPECT_TRUE(succeeded(result));
    EXPECT_TRUE(contains(result.errors, "a pihole-FTL that is not visible from here")) << result.errors;
    EXPECT_TRUE(contains(result.errors, "pihole reloadlists")) << result.errors;
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  }
}

TEST_F(Volumes, SayInInfoThatRecordsAreNotAvailable) {
  TwoNodes nodes(containers(false, true));
  use_volume(nodes, "runtime = \"volume\"\n");
  const auto text = nodes.run({"info"}).output;
  EXPECT_TRUE(contains(text, "volume ([pihole] runtime): only the directory of a container is seen here")) << text;
  EXPECT_TRUE(contains(text, "it reloads by its own poll")) << text;
  EXPECT_TRUE(contains(text, "runtime = \"docker\"")) << "what would help: " << text;
}

TEST_F(Volumes, AreNothingWrongToDoctorWhichSaysWhatIsNotSynced) {
  TwoNodes nodes(containers(false, true));
  use_volume(nodes);
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto result = nodes.run({"doctor"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(contains(result.output, "hint   Pi-hole: local DNS, CNAME and DHCP records cannot be synced: ")) << result.output;
  EXPECT_TRUE(contains(result.output, "lists and blocklist are synced all the same")) << result.output;
  EXPECT_TRUE(contains(result.output, "hint   FTL: in a container that is not known here")) << result.output;
  EXPECT_FALSE(contains(result.output, "would reset")) << "nobody would run it: " << result.output;
  EXPECT_TRUE(contains(result.output, "FTLCONF_dns_upstreams forces a setting, and none that is synced")) << result.output;
}

TEST_F(Volumes, ThatLookLikeANativePiholeAreAskedForTheRightRuntime) {
  TwoNodes nodes;
  use_volume(nodes);
  const auto result = nodes.run({"doctor"});
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_TRUE(contains(result.output, "there is no pihole-FTL here either: if it is in a container")) << result.output;
}

TEST_F(Volumes, GiveTheirListsToOthers) {
  TwoNodes nodes(containers(false, true));
  use_volume(nodes);
  deny(nodes.ph2, "new.example");
  const auto hosts = nodes.ph1.settings().dns_hosts;
  EXPECT_TRUE(succeeded(nodes.run({"push"})));
  EXPECT_TRUE(denies(nodes.ph1, "new.example"));
  EXPECT_EQ(nodes.ph1.settings().dns_hosts, hosts);
}

}  // namespace
}  // namespace gsync::test
