#include "gsync/pihole/installation.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "gsync/util/deadline.hpp"
#include "gsync/util/error.hpp"
#include "support/private_mounts.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

/// A Pi-hole's files in a directory of their own.
class InstallationTest : public testing::Test {
 protected:
  InstallationTest() {
    // A directory under a symbolic link (/tmp is one somewhere) would change every path below.
    root_ = std::filesystem::canonical(directory_.path()).string();
    config_.directory = root_ + "/pihole";
    config_.dnsmasq_directory = root_ + "/dnsmasq.d";
    ::mkdir(config_.directory.c_str(), 0755);
    ::chmod(root_.c_str(), 0755);
  }

  void write(const std::string& name, const std::string& text, unsigned mode = 0644) {
    test::write_text(config_.directory + "/" + name, text, mode);
  }
  void write_toml(const std::string& gravity = {}) {
    write("pihole.toml",
          "[files]\n  gravity = \"" + (gravity.empty() ? config_.directory + "/gravity.db" : gravity) + "\"\n  pid = \"/run/x.pid\"\n");
  }
  Error error() {
    try {
      detect(config_);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::cancelled, "found one");
  }
  /// What detect() says to a user whom nothing here belongs to: "CODE WHAT | HINT".
  std::string error_as_a_stranger() {
    if (::geteuid() != 0) return described(error());
    int ends[2];
    if (::pipe(ends) != 0) return "pipe";
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(1);
      const auto text = described(error());
      if (::write(ends[1], text.data(), text.size()) < 0) ::_exit(1);
      ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    char buffer[512];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return text;
  }
  static std::string described(const Error& error) {
    return std::string(to_string(error.code())) + " " + error.what() + " | " + error.hint();
  }

  test::TempDirectory directory_;
  std::string root_;
  config::PiholeConfig config_;
};

TEST_F(InstallationTest, FindsAPiholeSix) {
  write_toml();
  write("gravity.db", "x", 0660);
  write("versions", "CORE_VERSION=v6.2.2\nFTL_VERSION='v6.4.1'\nWEB_VERSION=\"v6.3\"\nGITHUB_CORE_VERSION=v9\nbroken\n=\n");
  const auto found = detect(config_);
  EXPECT_EQ(found.generation, Generation::v6);
  EXPECT_EQ(found.directory, config_.directory);
  EXPECT_EQ(found.gravity_database, config_.directory + "/gravity.db");
  EXPECT_EQ(found.gravity_named, found.gravity_database);
  EXPECT_EQ(found.how_gravity, "files.gravity in " + config_.directory + "/pihole.toml");
  EXPECT_EQ(found.pid_file, "/run/x.pid");
  EXPECT_EQ(found.dns_port, 53);
  EXPECT_EQ(found.core_version, "v6.2.2");
  EXPECT_EQ(found.ftl_version, "v6.4.1");
  EXPECT_EQ(found.web_version, "v6.3");
  EXPECT_EQ(found.owner, ::geteuid());
}

TEST_F(InstallationTest, KnowsNoVersionsWithoutTheirFile) {
  write_toml();
  EXPECT_EQ(detect(config_).core_version, "");
  write("versions", "CORE_VERSION=null\nFTL_VERSION=\"\nWEB_VERSION=v6\x1b[2J\n");
  const auto found = detect(config_);
  EXPECT_EQ(found.core_version, "");
  EXPECT_EQ(found.ftl_version, "\"");
  EXPECT_EQ(found.web_version, "v6\\x1b[2J");
}

TEST_F(InstallationTest, TakesOwnPathsFromPiholeToml) {
  ::mkdir((root_ + "/data").c_str(), 0755);
  test::write_text(root_ + "/data/lists.db", "x");
  write("pihole.toml", "[dns]\nport = 5300\n[files]\ngravity = \"" + root_ + "/data/lists.db\"\n");
  const auto found = detect(config_);
  EXPECT_EQ(found.gravity_database, root_ + "/data/lists.db");
  EXPECT_EQ(found.pid_file, "/run/pihole-FTL.pid");
  EXPECT_EQ(found.dns_port, 5300);
}

TEST_F(InstallationTest, PrefersWhatIsConfigured) {
  write_toml();
  test::write_text(root_ + "/other.db", "x");
  test::write_text(root_ + "/ftl", "#!/bin/sh\n", 0755);
  config_.gravity_database = root_ + "/other.db";
  config_.pid_file = root_ + "/pid";
  config_.ftl_binary = root_ + "/ftl";
  config_.dns_port = 0;
  const auto found = detect(config_);
  EXPECT_EQ(found.gravity_database, root_ + "/other.db");
  EXPECT_EQ(found.how_gravity, "[pihole] gravity_database");
  EXPECT_EQ(found.pid_file, root_ + "/pid");
  EXPECT_EQ(found.ftl_binary, root_ + "/ftl");
  EXPECT_EQ(found.dns_port, 0);
}

TEST_F(InstallationTest, FollowsASymbolicLinkToTheDatabase) {
  ::mkdir((root_ + "/data").c_str(), 0755);
  test::write_text(root_ + "/data/real.db", "x");
  ASSERT_EQ(::symlink("../data/real.db", (config_.directory + "/gravity.db").c_str()), 0);
  write_toml();
  const auto found = detect(config_);
  EXPECT_EQ(found.gravity_database, root_ + "/data/real.db");
  EXPECT_EQ(found.gravity_named, config_.directory + "/gravity.db");
  EXPECT_THAT(found.how_gravity, HasSubstr("symbolic link"));
}

TEST_F(InstallationTest, RefusesALinkThatLeadsNowhere) {
  ASSERT_EQ(::symlink("/nonexistent/disk/gravity.db", (config_.directory + "/gravity.db").c_str()), 0);
  write_toml();
  EXPECT_EQ(error().code(), ErrorCode::not_found);
  EXPECT_THAT(error().hint(), HasSubstr("mounted"));
}

TEST_F(InstallationTest, DoesWithoutADatabase) {
  ASSERT_EQ(::symlink(config_.directory.c_str(), (root_ + "/link").c_str()), 0);
  write_toml(root_ + "/link/gravity.db");
  const auto found = detect(config_);
  EXPECT_EQ(found.gravity_database, config_.directory + "/gravity.db");
  struct stat info {};
  ASSERT_EQ(::stat(config_.directory.c_str(), &info), 0);
  EXPECT_EQ(found.owner, info.st_uid);
  EXPECT_EQ(found.group, info.st_gid);
}

TEST_F(InstallationTest, KeepsAForeignOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  write_toml();
  write("gravity.db", "x");
  ASSERT_EQ(::chown((config_.directory + "/gravity.db").c_str(), 12'345, 23'456), 0);
  const auto found = detect(config_);
  EXPECT_EQ(found.owner, 12'345u);
  EXPECT_EQ(found.group, 23'456u);
}

TEST_F(InstallationTest, NeedsTheDirectoryOfTheDatabase) {
  write_toml(root_ + "/unmounted/gravity.db");
  EXPECT_EQ(error().code(), ErrorCode::not_found);
  EXPECT_THAT(error().what(), HasSubstr(root_ + "/unmounted"));
}

TEST_F(InstallationTest, RefusesRelativePathsInPiholeToml) {
  write_toml("gravity.db");
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("files.gravity"));
  write("pihole.toml", "[files]\npid = \"x.pid\"\n");
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("files.pid"));
}

TEST_F(InstallationTest, RefusesADirectoryAsDatabase) {
  write_toml();
  ::mkdir((config_.directory + "/gravity.db").c_str(), 0755);
  EXPECT_EQ(error().code(), ErrorCode::corrupt);
}

TEST_F(InstallationTest, SaysWhatItLookedForWhenThereIsNoPihole) {
  EXPECT_EQ(error().code(), ErrorCode::not_found);
  EXPECT_THAT(error().what(), AllOf(HasSubstr(config_.directory + "/pihole.toml"), HasSubstr("setupVars.conf")));
  config_.directory = root_ + "/missing";
  EXPECT_EQ(error().code(), ErrorCode::not_found);
  EXPECT_THAT(error().what(), HasSubstr(root_ + "/missing"));
}

TEST_F(InstallationTest, RecognisesAPiholeSixThatNeverStarted) {
  write("versions", "FTL_VERSION=v6.2.3\n");
  const auto found = detect(config_);
  EXPECT_EQ(found.generation, Generation::v6);
  EXPECT_EQ(found.gravity_database, config_.directory + "/gravity.db");
  EXPECT_EQ(found.how_gravity, "the default");
  try {
    found.read_toml();
    ADD_FAILURE() << "there is none";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
}

TEST_F(InstallationTest, FindsAPiholeFive) {
  write("setupVars.conf", "PIHOLE_INTERFACE=eth0\n");
  write("gravity.db", "x", 0664);
  auto found = detect(config_);
  EXPECT_EQ(found.generation, Generation::v5);
  EXPECT_EQ(found.how_generation, "it has setupVars.conf and no pihole.toml");
  EXPECT_EQ(found.gravity_database, config_.directory + "/gravity.db");
  EXPECT_EQ(found.how_gravity, "the default");
  EXPECT_EQ(found.pid_file, "/run/pihole-FTL.pid");
  EXPECT_EQ(found.dns_port, 53);
  EXPECT_EQ(found.record_file(model::RecordKind::dns), config_.directory + "/custom.list");
  EXPECT_EQ(found.record_file(model::RecordKind::cname), config_.dnsmasq_directory + "/05-pihole-custom-cname.conf");
  EXPECT_EQ(found.record_file(model::RecordKind::dhcp), config_.dnsmasq_directory + "/04-pihole-static-dhcp.conf");
  write_toml();
  EXPECT_EQ(detect(config_).generation, Generation::v6) << "with a pihole.toml it is v6";
}

TEST_F(InstallationTest, KnowsAPiholeFiveByItsVersionsFileAlone) {
  write("versions", "FTL_VERSION=v5.25.2\n");
  EXPECT_EQ(detect(config_).generation, Generation::v5);
}

TEST_F(InstallationTest, TakesThePathsOfAPiholeFiveFromItsFtlConf) {
  write("setupVars.conf", "");
  write("pihole-FTL.conf", "#; GRAVITYDB=/nowhere\nPIDFILE=/run/other.pid\n\nGRAVITYDB=" + root_ + "/other.db \nGRAVITYDB=/second\n");
  test::write_text(root_ + "/other.db", "x", 0664);
  auto found = detect(config_);
  EXPECT_EQ(found.gravity_database, root_ + "/other.db");
  EXPECT_EQ(found.how_gravity, "GRAVITYDB in " + config_.directory + "/pihole-FTL.conf");
  EXPECT_EQ(found.pid_file, "/run/other.pid");
  write("pihole-FTL.conf", "GRAVITYDB=other.db\n");
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("GRAVITYDB in " + config_.directory + "/pihole-FTL.conf is other.db"));
}

TEST_F(InstallationTest, TakesTheDnsPortOfAPiholeFiveFromTheLastFileOfDnsmasqThatSetsIt) {
  write("setupVars.conf", "");
  std::filesystem::create_directory(config_.dnsmasq_directory);
  const auto put = [&](const std::string& name, const std::string& text) {
    test::write_text(config_.dnsmasq_directory + "/" + name, text, 0644);
  };
  put("01-pihole.conf", "no-resolv\n  port = 5353 # not the usual one\n#port=1\nlocal-port=7\n");
  put("09-other.conf", "dns-forward-max=150\n");
  put(".10-hidden.conf", "port=2\n");
  put("10-backup.conf~", "port=3\n");
  auto found = detect(config_);
  EXPECT_EQ(found.dns_port, 5353);
  EXPECT_EQ(found.how_dns_port, "port in " + config_.dnsmasq_directory + "/01-pihole.conf");
  put("99-last.conf", "port=5354\nport=99999\n");
  EXPECT_EQ(detect(config_).dns_port, 5354);
  config_.dns_port = 5355;
  EXPECT_EQ(detect(config_).dns_port, 5355);
}

TEST_F(InstallationTest, NeedsTheFtlThatIsConfigured) {
  write_toml();
  config_.ftl_binary = root_ + "/no-ftl";
  EXPECT_EQ(error().code(), ErrorCode::not_found);
  test::write_text(root_ + "/no-ftl", "not executable", 0644);
  EXPECT_EQ(error().code(), ErrorCode::not_found);
}

/// PATH for as long as it lives.
class PathVariable {
 public:
  explicit PathVariable(const std::string& path) : before_(std::getenv("PATH") ? std::getenv("PATH") : "") {
    ::setenv("PATH", path.c_str(), 1);
  }
  ~PathVariable() { ::setenv("PATH", before_.c_str(), 1); }
  PathVariable(const PathVariable&) = delete;
  PathVariable& operator=(const PathVariable&) = delete;

 private:
  std::string before_;
};

TEST_F(InstallationTest, FindsFtlInPathForTheDirectoryThatFtlWorksOnOnly) {
  if (::access("/usr/bin/pihole-FTL", X_OK) == 0) GTEST_SKIP() << "this host has an FTL in /usr/bin, which comes first";
  write_toml();
  test::write_text(root_ + "/pihole-FTL", "#!/bin/sh\n", 0755);
  PathVariable path("relative::/nonexistent:" + root_);
  EXPECT_EQ(detect(config_).ftl_binary, "") << "it would set the records of /etc/pihole";
  test::PrivateMounts mounts;
  if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
  mounts.overlay("/etc");
  ::mkdir("/etc/pihole", 0755);
  mounts.bind(config_.directory, "/etc/pihole");
  config_.directory = "/etc/pihole";
  EXPECT_EQ(detect(config_).ftl_binary, root_ + "/pihole-FTL");
}

TEST_F(InstallationTest, RefusesADatabaseThatIsAMountOfItsOwn) {
  write_toml();
  write("gravity.db", "x");
  test::write_text(root_ + "/elsewhere.db", "x");
  test::PrivateMounts mounts;
  if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
  mounts.bind(root_ + "/elsewhere.db", config_.directory + "/gravity.db");
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("mount of its own"));
  EXPECT_THAT(error().hint(), HasSubstr("directory"));
}

/// A directory that a container writes.
class VolumeTest : public InstallationTest {
 protected:
  VolumeTest() {
    write("pihole.toml", "[dns]\nport = 5300\n[files]\n  gravity = \"/etc/pihole/gravity.db\"\n  pid = \"/run/pihole-FTL.pid\"\n");
    write("versions", "FTL_VERSION=v6.4.1\nDOCKER_VERSION=2026.07.2\n");
    write("gravity.db", "x");
  }
};

TEST_F(VolumeTest, IsRecognisedByTheVersionOfTheContainer) {
  const auto found = detect(config_);
  EXPECT_EQ(found.runtime, config::Runtime::volume);
  EXPECT_EQ(found.how_runtime, "DOCKER_VERSION in " + config_.directory + "/versions");
  EXPECT_EQ(found.gravity_database, config_.directory + "/gravity.db") << "files.gravity is a path in the container";
  EXPECT_EQ(found.gravity_named, config_.directory + "/gravity.db");
  EXPECT_EQ(found.ftl_binary, "");
  EXPECT_EQ(found.pid_file, "");
  EXPECT_EQ(found.dns_port, 0) << "nobody knows where it is published";
}

TEST_F(VolumeTest, CanBeConfigured) {
  write("versions", "FTL_VERSION=v6.4.1\n");
  EXPECT_EQ(error().code(), ErrorCode::not_found) << "/etc/pihole is not on this host";
  config_.runtime = config::Runtime::volume;
  config_.dns_port = 5353;
  const auto found = detect(config_);
  EXPECT_EQ(found.runtime, config::Runtime::volume);
  EXPECT_EQ(found.how_runtime, "[pihole] runtime");
  EXPECT_EQ(found.gravity_database, config_.directory + "/gravity.db");
  EXPECT_EQ(found.dns_port, 5353);
}

TEST_F(VolumeTest, HasItsDatabaseWhereTheConfigurationSaysWhenItIsOnAnother) {
  write("pihole.toml", "[files]\n  gravity = \"/data/gravity.db\"\n");
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().hint(), HasSubstr("[pihole] gravity_database"));
  config_.gravity_database = config_.directory + "/gravity.db";
  EXPECT_EQ(detect(config_).gravity_database, config_.directory + "/gravity.db");
}

TEST_F(VolumeTest, IsNotLeftThroughASymbolicLink) {
  ::unlink((config_.directory + "/gravity.db").c_str());
  test::write_text(root_ + "/victim.db", "x");
  ASSERT_EQ(::symlink((root_ + "/victim.db").c_str(), (config_.directory + "/gravity.db").c_str()), 0);
  EXPECT_EQ(error().code(), ErrorCode::refused);
}

TEST_F(VolumeTest, IsNotOneWhereItsFtlRunsHere) {
  config_.ftl_binary = root_ + "/ftl";
  config_.pid_file = root_ + "/pid";
  config_.gravity_database = config_.directory + "/gravity.db";
  test::write_text(config_.ftl_binary, "#!/bin/sh\n", 0755);
  EXPECT_EQ(detect(config_).runtime, config::Runtime::volume);
  // We are in the container itself.
  const pid_t ftl = ::fork();
  if (ftl == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "pihole-FTL");
    test::write_text(config_.pid_file, std::to_string(::getpid()));
    for (;;) ::pause();
  }
  const auto deadline = util::Deadline::in(std::chrono::seconds(20));
  while (detect(config_).runtime == config::Runtime::volume && !deadline.passed()) std::this_thread::yield();
  const auto found = detect(config_);
  ::kill(ftl, SIGKILL);
  ::waitpid(ftl, nullptr, 0);
  EXPECT_EQ(found.runtime, config::Runtime::native);
  EXPECT_EQ(found.ftl_binary, config_.ftl_binary);
}

/// A container that a script in docker's place knows, with a directory of ours as its /etc/pihole.
class DockerTest : public InstallationTest {
 protected:
  DockerTest() : path_(root_ + "/bin:/usr/bin:/bin") {
    ::mkdir((root_ + "/bin").c_str(), 0755);
    config_.runtime = config::Runtime::docker;
    volume_ = config_.directory;
    config_.directory = "/etc/pihole";
    mounts_ = {{volume_, "/etc/pihole"}};
    test::write_text(volume_ + "/pihole.toml", "[dns]\nport = 5300\n[files]\n  gravity = \"/etc/pihole/gravity.db\"\n");
    test::write_text(volume_ + "/gravity.db", "x");
    describe();
  }
  /// Writes the script anew.
  void describe() {
    std::string mounts;
    for (const auto& [source, destination] : mounts_) {
      mounts +=
          (mounts.empty() ? "" : ", ") + ("{\"Type\": \"bind\", \"Source\": \"" + source) + "\", \"Destination\": \"" + destination + "\"}";
    }
    test::write_text(root_ + "/bin/docker",
                     "#!/bin/sh\n[ \"$*\" = 'container inspect pihole' ] || exit 1\ncat <<'end'\n[{\"State\": {\"Running\": true, \"Pid\": "
                     "1}, \"Mounts\": [" +
                         mounts +
                         "], \"NetworkSettings\": {\"Ports\": {\"5300/udp\": [{\"HostIp\": \"0.0.0.0\", \"HostPort\": \"54\"}]}}}]\nend\n",
                     0755);
  }

  PathVariable path_;
  std::string volume_;
  std::vector<Mount> mounts_;
};

TEST_F(DockerTest, IsFoundThroughItsMounts) {
  const auto found = detect(config_);
  EXPECT_EQ(found.runtime, config::Runtime::docker);
  EXPECT_EQ(found.directory, volume_);
  EXPECT_EQ(found.gravity_database, volume_ + "/gravity.db");
  EXPECT_EQ(found.how_gravity, "files.gravity in " + volume_ + "/pihole.toml");
  EXPECT_EQ(found.dnsmasq_directory, "") << "Pi-hole 6 does without";
  EXPECT_EQ(found.dns_port, 54) << "where dns.port of the container is published";
  EXPECT_EQ(found.ftl_binary, "");
  ASSERT_TRUE(found.container);
}

TEST_F(DockerTest, MayHaveItsDatabaseOnAnotherMount) {
  ::mkdir((root_ + "/data").c_str(), 0755);
  test::write_text(root_ + "/data/real.db", "x");
  ::unlink((volume_ + "/gravity.db").c_str());
  ASSERT_EQ(::symlink("/srv/data/real.db", (volume_ + "/gravity.db").c_str()), 0);
  EXPECT_EQ(error().code(), ErrorCode::refused) << "nothing is mounted there yet";
  mounts_.push_back({root_ + "/data", "/srv/data"});
  describe();
  const auto found = detect(config_);
  EXPECT_EQ(found.gravity_database, root_ + "/data/real.db");
  EXPECT_EQ(found.gravity_named, volume_ + "/gravity.db");
  EXPECT_THAT(found.how_gravity, HasSubstr("symbolic links"));
}

TEST_F(DockerTest, IsRefusedWithoutAVolume) {
  mounts_ = {{volume_, "/etc/something"}};
  describe();
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("the container's own layer"));
  EXPECT_THAT(error().hint(), HasSubstr("-v /srv/pihole:/etc/pihole"));
}

TEST_F(DockerTest, IsRefusedWithADatabaseInTheContainersOwnLayer) {
  test::write_text(volume_ + "/pihole.toml", "[files]\n  gravity = \"/var/lib/gravity.db\"\n");
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("/var/lib/gravity.db"));
  EXPECT_THAT(error().hint(), HasSubstr("/var/lib"));
}

TEST_F(DockerTest, IsRefusedWithADatabaseThatIsMountedByItself) {
  test::write_text(root_ + "/alone.db", "x");
  mounts_.push_back({root_ + "/alone.db", "/etc/pihole/gravity.db"});
  describe();
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("mount of its own"));
  EXPECT_THAT(error().hint(), HasSubstr("directory"));
}

TEST_F(DockerTest, DoesWithoutADatabaseYet) {
  ::unlink((volume_ + "/gravity.db").c_str());
  const auto found = detect(config_);
  EXPECT_EQ(found.gravity_database, volume_ + "/gravity.db");
  struct stat info {};
  ASSERT_EQ(::stat(volume_.c_str(), &info), 0);
  EXPECT_EQ(found.owner, info.st_uid);
}

TEST_F(InstallationTest, ReportsADamagedPiholeToml) {
  write("pihole.toml", "[files\n");
  EXPECT_EQ(error().code(), ErrorCode::corrupt);
  EXPECT_THAT(error().what(), StartsWith(config_.directory + "/pihole.toml:1: "));
  write("pihole.toml", std::string(20u << 20, '#'));
  EXPECT_EQ(error().code(), ErrorCode::corrupt);
}

TEST_F(InstallationTest, SaysWhoseTheDirectoryIsThatItMayNotRead) {
  write_toml();
  ::chmod(config_.directory.c_str(), 0);
  const auto text = error_as_a_stranger();
  ::chmod(config_.directory.c_str(), 0755);
  EXPECT_THAT(text,
              AllOf(StartsWith("refused "), HasSubstr(config_.directory), HasSubstr("belongs to user "), HasSubstr("run it with sudo")));
}

TEST_F(InstallationTest, SaysWhoseTheFilesAreThatItMayNotRead) {
  write_toml();
  write("gravity.db", "x");
  for (const std::string name : {"pihole.toml", "gravity.db"}) {
    ::chmod((config_.directory + "/" + name).c_str(), 0);
    EXPECT_THAT(error_as_a_stranger(), AllOf(StartsWith("refused "), HasSubstr(config_.directory + "/" + name),
                                             HasSubstr("it belongs to user "), HasSubstr("sudo")));
    ::chmod((config_.directory + "/" + name).c_str(), 0644);
  }
}

}  // namespace
}  // namespace gsync::pihole
