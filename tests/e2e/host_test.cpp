#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "gsync/util/fd.hpp"
#include "gsync/util/subprocess.hpp"
#include "support/paths.hpp"
#include "support/private_mounts.hpp"
#include "support/two_nodes.hpp"

namespace gsync {
namespace {

using test::contains;

/// A host of which /etc and /run are the test's own, with a systemctl and a userdel that write down what is asked of them.
class Host : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root sets a host up";
    if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
    for (const char* name : {"systemctl", "userdel"}) {
      test::write_text(directory / name, fmt::format("#!/bin/sh\necho {} \"$@\" >> {}\n", name, directory / "asked"), 0755);
    }
    test::write_text(directory / "asked", "");
    try {
      mounts.overlay("/etc");
    } catch (const std::exception& error) {
      GTEST_SKIP() << error.what();
    }
    mounts.tmpfs("/run", 1u << 20);
    pihole.emplace();
    pihole->give_to(54321, 54321);
    ASSERT_EQ(::chmod(pihole->root().c_str(), 0755), 0);
    std::filesystem::create_directories("/etc/gravity-sync");
    std::filesystem::create_directories("/etc/cron.d");
    std::filesystem::create_directories("/etc/systemd/system");
    test::write_text(
        "/etc/gravity-sync/gravity-sync.toml",
        fmt::format("[node]\nstate_directory = \"{}\"\n[pihole]\ndirectory = \"{}\"\n[[peer]]\nname = \"ph1\"\nhost = \"192.0.2.1\"\n",
                    pihole->state(), pihole->directory()));
  }

  test::CommandResult run(const std::vector<std::string>& arguments) {
    util::Command command{.argv = {test::paths::binary}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = std::map<std::string, std::string>{{"PATH", directory.path() + ":/usr/bin:/bin"}};
    return util::run(command, util::Deadline::in(std::chrono::seconds(60)));
  }
  std::string asked() { return test::read_text(directory / "asked"); }

  test::PrivateMounts mounts;
  test::TempDirectory directory;
  std::optional<test::PiholeDirectory> pihole;
};

constexpr const char* drop_in = "/etc/systemd/system/gravity-sync.service.d/auto.conf";

TEST_F(Host, IsSyncedByTheServiceWhereSystemdIs) {
  std::filesystem::create_directories("/run/systemd/system");
  const auto on = run({"auto", "on"});
  ASSERT_EQ(on.exit_code, 0) << on.errors;
  EXPECT_TRUE(contains(test::read_text(drop_in), "User=54321")) << test::read_text(drop_in);
  EXPECT_TRUE(contains(asked(), "systemctl daemon-reload\n")) << asked();
  EXPECT_TRUE(contains(asked(), "systemctl enable gravity-sync-agent.socket gravity-sync-status.socket gravity-sync.service\n")) << asked();
  EXPECT_TRUE(contains(asked(), "systemctl restart gravity-sync.service\n")) << asked();
  EXPECT_EQ(run({"auto", "on"}).exit_code, 0) << "twice is once";
  test::write_text(directory / "asked", "");
  ASSERT_EQ(run({"auto", "off"}).exit_code, 0);
  EXPECT_TRUE(contains(asked(), "systemctl disable --now gravity-sync.service\n")) << asked();
}

TEST_F(Host, IsNotHandedToWhatTheRetiredScriptOfOurNameHasLeft) {
  std::filesystem::create_directories("/run/systemd/system");
  std::filesystem::create_directories("/etc/systemd/system");
  test::write_text("/etc/systemd/system/gravity-sync.timer", "[Timer]\nOnUnitInactiveSec=5m\n");
  test::write_text("/etc/systemd/system/gravity-sync.service", "[Service]\nExecStart=/usr/local/bin/gravity-sync\n");
  for (const char* unit : {"gravity-sync.timer", "gravity-sync.service"}) {
    const auto refused = run({"auto", "on"});
    EXPECT_EQ(refused.exit_code, 4) << refused.errors;
    EXPECT_TRUE(contains(refused.errors, std::string("/etc/systemd/system/") + unit)) << refused.errors;
    EXPECT_TRUE(contains(refused.errors, std::string("sudo rm /etc/systemd/system/") + unit)) << refused.errors;
    std::filesystem::remove(std::string("/etc/systemd/system/") + unit);
  }
  EXPECT_FALSE(contains(asked(), "systemctl enable")) << asked();
  EXPECT_EQ(run({"auto", "on"}).exit_code, 0);
}

TEST_F(Host, SaysWhatSystemdSaidAndWhereToLook) {
  std::filesystem::create_directories("/run/systemd/system");
  const auto fail = [&](const std::string& what) {
    test::write_text(directory / "systemctl",
                     fmt::format("#!/bin/sh\n[ \"$1\" != {0} ] || {{ echo Job for {0} failed. >&2; exit 1; }}\n", what), 0755);
  };
  for (const std::string what : {"daemon-reload", "enable", "restart"}) {
    SCOPED_TRACE(what);
    fail(what);
    const auto failed = run({"auto", "on"});
    EXPECT_EQ(failed.exit_code, 1);
    EXPECT_TRUE(contains(failed.errors, fmt::format("error: systemctl {}", what))) << failed.errors;
    EXPECT_TRUE(contains(failed.errors, fmt::format("failed: Job for {} failed.\n  journalctl -u gravity-sync", what))) << failed.errors;
    const auto json = run({"auto", "on", "--json"});
    EXPECT_TRUE(contains(json.output, "Job for " + what) && contains(json.output, "journalctl")) << json.output;
  }
  fail("disable");
  const auto off = run({"auto", "off"});
  EXPECT_EQ(off.exit_code, 1);
  EXPECT_TRUE(contains(off.errors, "Job for disable failed.\n  journalctl -u gravity-sync")) << off.errors;
  test::write_text(directory / "systemctl", "#!/bin/sh\necho No files found >&2\nexit 1\n", 0755);
  EXPECT_TRUE(contains(run({"auto", "on"}).errors, "does not know gravity-sync-agent.socket: No files found\n  the package installs it"));
  std::filesystem::remove(directory / "systemctl");
  if (!std::filesystem::exists("/usr/bin/systemctl") && !std::filesystem::exists("/bin/systemctl")) {
    EXPECT_TRUE(contains(run({"auto", "on"}).errors, "systemctl")) << "that it is not there";
  }
}

TEST_F(Host, IsSyncedByCronWhereThereIsNoSystemd) {
  ASSERT_EQ(run({"auto", "on"}).exit_code, 0);
  EXPECT_TRUE(contains(test::read_text("/etc/cron.d/gravity-sync"), fmt::format("root {} pull ph1 --cron --quiet\n", test::paths::binary)));
  EXPECT_EQ(asked(), "");
  ASSERT_EQ(run({"auto", "off"}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists("/etc/cron.d/gravity-sync"));
  test::write_text("/etc/cron.d/gravity-sync", "# mine\n");
  EXPECT_EQ(run({"auto", "on"}).exit_code, 4);
  EXPECT_EQ(run({"auto", "off"}).exit_code, 0);
  EXPECT_EQ(test::read_text("/etc/cron.d/gravity-sync"), "# mine\n");
}

TEST_F(Host, WithoutSystemdSaysThatTheSshAccountHasToBeTheOwner) {
  // A peer that refuses at once, and no FTL to be asked.
  const std::string config = "/etc/gravity-sync/gravity-sync.toml";
  auto text = test::read_text(config);
  text.replace(text.find("192.0.2.1\""), 10, "127.0.0.1\"\nport = 1");
  test::write_text(config, text.replace(text.find("[pihole]"), 8, "[pihole]\ndns_port = 0"));
  const auto accounts = test::read_text("/etc/passwd");
  const auto account_is = [&](uid_t uid) {
    test::write_text("/etc/passwd", accounts + fmt::format("gravity-sync:*:{0}:{0}::{1}:/bin/sh\n", uid, directory / "home"));
  };
  account_is(54322);
  const auto other = run({"auto", "on"});
  EXPECT_EQ(other.exit_code, 0) << "it can pull and push all the same: " << other.errors;
  EXPECT_TRUE(contains(other.errors, "gravity-sync (uid 54322) is not the owner of the Pi-hole (uid 54321)")) << other.errors;
  EXPECT_TRUE(contains(other.errors, "sudo usermod --non-unique --uid 54321 --gid 54321 gravity-sync")) << other.errors;
  EXPECT_TRUE(contains(run({"doctor"}).output, "hint   SSH account: no daemon runs here")) << "nobody was let in";
  account_is(54321);
  EXPECT_FALSE(contains(run({"auto", "on"}).errors, "not the owner"));
  EXPECT_FALSE(contains(run({"doctor"}).output, "no daemon runs here"));
  std::filesystem::create_directories("/run/systemd/system");
  account_is(54322);
  EXPECT_FALSE(contains(run({"doctor"}).output, "no daemon runs here")) << "its socket would start one";
}

TEST_F(Host, IsAsBeforeAfterAPurge) {
  // The directory itself has another time afterwards.
  const auto contents = [&] {
    auto lines = test::files_below({pihole->directory()});
    std::erase_if(lines, [&](const std::string& line) { return line.starts_with(pihole->directory() + ":"); });
    return lines;
  };
  const auto before = contents();
  std::filesystem::create_directories("/run/systemd/system");
  test::write_text("/etc/passwd",
                   test::read_text("/etc/passwd") + fmt::format("gravity-sync:*:54322:54322::{}:/bin/sh\n", directory / "home"));
  ASSERT_EQ(run({"auto", "on"}).exit_code, 0);
  const auto key = run({"key"});
  ASSERT_EQ(key.exit_code, 0) << key.errors;
  test::write_text(directory / "ph2.pub", key.output);
  ASSERT_EQ(run({"accept", "ph2", directory / "ph2.pub"}).exit_code, 0);
  // What a run leaves beside gravity.db.
  std::filesystem::create_directory(pihole->directory() + "/.gravity-sync");
  for (const char* name : {"lock", "shadow.db", "delta.db"}) test::write_text(pihole->directory() + "/.gravity-sync/" + name, "x");
  test::write_text(pihole->state() + "/known_hosts", "x");

  const auto unasked = run({"purge"});
  EXPECT_EQ(unasked.exit_code, 4) << unasked.errors;
  EXPECT_TRUE(std::filesystem::exists(drop_in));
  const auto purged = run({"purge", "--yes"});
  EXPECT_EQ(purged.exit_code, 1) << "the account is not as the package makes it, so it is left";
  EXPECT_TRUE(contains(purged.errors, "left: the account gravity-sync")) << purged.errors;
  EXPECT_FALSE(contains(asked(), "userdel")) << asked();
  EXPECT_FALSE(std::filesystem::exists(drop_in));
  EXPECT_FALSE(std::filesystem::exists("/etc/gravity-sync"));
  EXPECT_FALSE(std::filesystem::exists(pihole->state()));
  EXPECT_FALSE(contains(test::read_text(directory / "home/.ssh/authorized_keys"), "ph2"));
  EXPECT_EQ(contents(), before);
}

TEST_F(Host, KeepsWhatAPurgeDoesNotKnow) {
  test::write_text(pihole->state() + "/notes.txt", "mine");
  std::filesystem::create_directory(pihole->directory() + "/.gravity-sync");
  std::filesystem::create_symlink(pihole->gravity(), pihole->directory() + "/.gravity-sync/shadow.db");
  const auto purged = run({"purge", "--yes"});
  EXPECT_EQ(purged.exit_code, 1);
  EXPECT_TRUE(contains(purged.errors, "notes.txt is not gravity-sync's")) << purged.errors;
  EXPECT_TRUE(std::filesystem::exists(pihole->state() + "/notes.txt"));
  EXPECT_TRUE(std::filesystem::exists(pihole->gravity()));
}

TEST_F(Host, IsNotPurgedOfADatabaseThatIsOpen) {
  std::filesystem::create_directory(pihole->directory() + "/.gravity-sync");
  const auto shadow = pihole->directory() + "/.gravity-sync/shadow.db";
  test::write_text(shadow, "x");
  const util::Fd open(::open(shadow.c_str(), O_RDONLY | O_CLOEXEC));
  const auto purged = run({"purge", "--yes"});
  EXPECT_EQ(purged.exit_code, 1);
  EXPECT_TRUE(contains(purged.errors, "shadow.db is open")) << purged.errors;
  EXPECT_TRUE(std::filesystem::exists(shadow));
}

}  // namespace
}  // namespace gsync
