#include "gsync/pihole/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

using model::RecordKind;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using util::Deadline;

Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::cancelled, "it worked");
}

/// As docker 28 prints it, without what is of no interest here.
constexpr const char* from_docker = R"([
    {
        "Id": "6f0f3a0c9a1b4f7c8d6e5a4b3c2d1e0f6f0f3a0c9a1b4f7c8d6e5a4b3c2d1e0f",
        "Created": "2026-11-02T09:12:44.310215338Z",
        "Path": "start.sh",
        "Args": [],
        "State": {
            "Status": "running",
            "Running": true,
            "Paused": false,
            "Restarting": false,
            "OOMKilled": false,
            "Dead": false,
            "Pid": 21874,
            "ExitCode": 0,
            "Health": {"Status": "healthy", "FailingStreak": 0, "Log": []}
        },
        "Name": "/pihole",
        "HostConfig": {
            "Binds": ["/srv/pihole/etc-pihole:/etc/pihole:rw"],
            "NetworkMode": "pihole_default",
            "PortBindings": {"53/udp": [{"HostIp": "", "HostPort": "53"}]},
            "CapAdd": ["CAP_NET_ADMIN", "CAP_SYS_NICE", "CAP_SYS_TIME"]
        },
        "Mounts": [
            {
                "Type": "bind",
                "Source": "/srv/pihole/etc-pihole",
                "Destination": "/etc/pihole",
                "Mode": "rw",
                "RW": true,
                "Propagation": "rprivate"
            },
            {
                "Type": "volume",
                "Name": "pihole_dnsmasq",
                "Source": "/var/lib/docker/volumes/pihole_dnsmasq/_data",
                "Destination": "/etc/dnsmasq.d",
                "Driver": "local",
                "Mode": "z",
                "RW": true,
                "Propagation": ""
            },
            {"Type": "tmpfs", "Source": "", "Destination": "/var/log/pihole", "Mode": "", "RW": true, "Propagation": ""}
        ],
        "Config": {
            "Hostname": "6f0f3a0c9a1b",
            "Env": ["TZ=Europe/Berlin", "FTLCONF_dns_upstreams=9.9.9.9;1.1.1.1", "PATH=/usr/local/bin:/usr/bin:/bin"],
            "Cmd": null,
            "Image": "pihole/pihole:latest"
        },
        "NetworkSettings": {
            "SandboxID": "2c3",
            "Ports": {
                "123/udp": null,
                "443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8443"}, {"HostIp": "::", "HostPort": "8443"}],
                "53/tcp": [{"HostIp": "0.0.0.0", "HostPort": "5300"}],
                "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "5353"}, {"HostIp": "::", "HostPort": "5353"}]
            },
            "Networks": {"pihole_default": {"IPAddress": "172.20.0.2"}}
        }
    }
])";

/// As podman 4.3 printed it for a container that had ended.
constexpr const char* from_podman = R"([
     {
          "Id": "79ea4666f88c27e9314d3a42e7cab183fa4f44bf3f85ff510ddd097eedc30e52",
          "Path": "/bin/sleep",
          "State": {
               "OciVersion": "1.0.2-dev",
               "Status": "exited",
               "Running": false,
               "Pid": 0,
               "ConmonPid": 0,
               "ExitCode": 137,
               "CgroupPath": "/libpod_parent/libpod-79ea",
               "CheckpointedAt": "0001-01-01T00:00:00Z"
          },
          "Name": "pihole",
          "Mounts": [
               {
                    "Type": "volume",
                    "Name": "etc-pihole",
                    "Source": "/var/lib/containers/storage/volumes/etc-pihole/_data",
                    "Destination": "/etc/pihole",
                    "Driver": "local",
                    "Mode": "",
                    "Options": ["nosuid", "nodev", "rbind"],
                    "RW": true,
                    "Propagation": "rprivate"
               }
          ],
          "NetworkSettings": {"IPAddress": "", "Ports": {}, "SandboxKey": ""},
          "Config": {"Hostname": "79ea4666f88c", "User": "", "Env": ["TERM=xterm", "container=podman", "FTLCONF_dns_upstreams=1.1.1.1"]},
          "HostConfig": {"NetworkMode": "host", "PortBindings": {}, "PidMode": "private"}
     }
])";

TEST(ContainerInspection, UnderstandsDocker) {
  const auto found = parse_inspection(from_docker, "container pihole");
  EXPECT_TRUE(found.running);
  EXPECT_EQ(found.pid, 21874);
  ASSERT_EQ(found.mounts.size(), 2u) << "a tmpfs stands on no path of the host";
  EXPECT_EQ(found.mounts[0].source, "/srv/pihole/etc-pihole");
  EXPECT_EQ(found.mounts[0].destination, "/etc/pihole");
  EXPECT_EQ(found.mounts[1].source, "/var/lib/docker/volumes/pihole_dnsmasq/_data");
  EXPECT_THAT(found.variables, ElementsAre("TZ", "FTLCONF_dns_upstreams", "PATH"));
  EXPECT_EQ(found.host_port(53), 5353) << "UDP, not TCP";
  EXPECT_EQ(found.host_port(123), 0) << "exposed, but not published";
  EXPECT_EQ(found.host_port(5335), 0);
}

TEST(ContainerInspection, UnderstandsPodman) {
  const auto found = parse_inspection(from_podman, "container pihole");
  EXPECT_FALSE(found.running);
  EXPECT_EQ(found.pid, 0);
  ASSERT_EQ(found.mounts.size(), 1u);
  EXPECT_EQ(found.mounts[0].source, "/var/lib/containers/storage/volumes/etc-pihole/_data");
  EXPECT_THAT(found.variables, ElementsAre("TERM", "container", "FTLCONF_dns_upstreams"));
  EXPECT_EQ(found.host_port(53), 53) << "on the host's own network";
}

TEST(ContainerInspection, DoesNotTakeAPortThatOnlyAnotherAddressHas) {
  std::string text = from_docker;
  for (auto at = text.find("0.0.0.0"); at != std::string::npos; at = text.find("0.0.0.0")) text.replace(at, 7, "192.168.1.2");
  EXPECT_EQ(parse_inspection(text, "c").host_port(53), 0);
}

TEST(ContainerInspection, RefusesWhatItDoesNotKnow) {
  for (const std::string text : {"", "[]", "{}", "[1]", "[{}]", "[{\"State\": null}]", "[{\"State\": {}}, {\"State\": {}}]", "\x1b[2J"}) {
    const auto error = error_of([&] { parse_inspection(text, "container pihole"); });
    EXPECT_EQ(error.code(), ErrorCode::incompatible) << text;
    EXPECT_THAT(error.what(), AllOf(HasSubstr("container pihole"), testing::Not(HasSubstr("\x1b"))));
  }
  const auto bare =
      parse_inspection("[{\"State\": {\"Running\": \"yes\", \"Pid\": \"x\"}, \"Mounts\": [1, {}], \"Config\": {\"Env\": [1]}}]", "c");
  EXPECT_FALSE(bare.running);
  EXPECT_THAT(bare.mounts, IsEmpty());
}

/// Directories of the host, and a container that has them.
class ContainerPaths : public testing::Test {
 protected:
  ContainerPaths() {
    root_ = std::filesystem::canonical(directory_.path()).string();
    for (const char* name : {"/etc-pihole", "/data", "/outside"}) ::mkdir((root_ + name).c_str(), 0755);
    mounts_ = {{root_ + "/etc-pihole", "/etc/pihole"}, {root_ + "/data", "/srv/data"}};
  }
  void file(const std::string& path) { test::write_text(root_ + path, "x"); }
  void link(const std::string& target, const std::string& path) { ASSERT_EQ(::symlink(target.c_str(), (root_ + path).c_str()), 0); }
  std::string path_of(const std::string& inside) {
    const auto located = locate(mounts_, inside);
    return located ? located->path : "in the container's own layer";
  }

  test::TempDirectory directory_;
  std::string root_;
  std::vector<Mount> mounts_;
};

TEST_F(ContainerPaths, LeadThroughTheInnermostMount) {
  file("/etc-pihole/gravity.db");
  EXPECT_EQ(path_of("/etc/pihole/gravity.db"), root_ + "/etc-pihole/gravity.db");
  EXPECT_EQ(path_of("/etc/pihole"), root_ + "/etc-pihole");
  EXPECT_EQ(path_of("/etc/./pihole//../pihole/gravity.db"), root_ + "/etc-pihole/gravity.db");
  mounts_.push_back({root_ + "/data", "/etc/pihole/lists"});
  EXPECT_EQ(path_of("/etc/pihole/lists/x"), root_ + "/data/x");
  EXPECT_EQ(path_of("/etc/pihole/listsCache"), root_ + "/etc-pihole/listsCache") << "a name that begins alike is another one";
  mounts_ = {{root_, "/"}};
  EXPECT_EQ(path_of("/data/x"), root_ + "/data/x");
}

TEST_F(ContainerPaths, AreNotOnTheHostOutsideOfTheMounts) {
  for (const char* inside : {"/gravity.db", "/etc/gravity.db", "/etc/pihole2/gravity.db", "/srv/gravity.db", "/etc/pihole/../gravity.db"}) {
    EXPECT_EQ(locate(mounts_, inside), std::nullopt) << inside;
  }
}

TEST_F(ContainerPaths, SayWhetherTheFileIsThere) {
  EXPECT_FALSE(locate(mounts_, "/etc/pihole/gravity.db")->exists);
  EXPECT_FALSE(locate(mounts_, "/etc/pihole/no/such/gravity.db")->exists);
  EXPECT_EQ(path_of("/etc/pihole/no/such/gravity.db"), root_ + "/etc-pihole/no/such/gravity.db");
  file("/etc-pihole/gravity.db");
  EXPECT_TRUE(locate(mounts_, "/etc/pihole/gravity.db")->exists);
}

TEST_F(ContainerPaths, FollowLinksAsTheContainerDoes) {
  file("/data/real.db");
  link("/srv/data/real.db", "/etc-pihole/absolute.db");
  link("../../srv/data/real.db", "/etc-pihole/relative.db");
  link("absolute.db", "/etc-pihole/twice.db");
  link("/srv/data", "/etc-pihole/directory");
  for (const char* name : {"absolute.db", "relative.db", "twice.db", "directory/real.db"}) {
    const auto located = locate(mounts_, std::string("/etc/pihole/") + name);
    ASSERT_TRUE(located) << name;
    EXPECT_EQ(located->path, root_ + "/data/real.db") << name;
    EXPECT_TRUE(located->linked && located->exists) << name;
  }
}

TEST_F(ContainerPaths, NeverLeadIntoTheHostsOwnTree) {
  file("/outside/victim.db");
  link(root_ + "/outside/victim.db", "/etc-pihole/gravity.db");
  EXPECT_EQ(locate(mounts_, "/etc/pihole/gravity.db"), std::nullopt);
  ::unlink((root_ + "/etc-pihole/gravity.db").c_str());
  link("../outside/victim.db", "/etc-pihole/gravity.db");
  EXPECT_EQ(locate(mounts_, "/etc/pihole/gravity.db"), std::nullopt) << "one above /etc/pihole is the container's own /etc";
}

TEST_F(ContainerPaths, EndWhereLinksLeadInACircle) {
  link("b", "/etc-pihole/a");
  link("a", "/etc-pihole/b");
  EXPECT_EQ(error_of([&] { locate(mounts_, "/etc/pihole/a"); }).code(), ErrorCode::corrupt);
}

TEST_F(ContainerPaths, TellAFileThatIsMountedByItself) {
  file("/data/gravity.db");
  mounts_.push_back({root_ + "/data/gravity.db", "/etc/pihole/gravity.db"});
  const auto located = locate(mounts_, "/etc/pihole/gravity.db");
  ASSERT_TRUE(located);
  EXPECT_TRUE(located->is_mount);
  EXPECT_FALSE(locate(mounts_, "/etc/pihole/pihole.toml")->is_mount);
}

TEST_F(ContainerPaths, SayWhenTheHostDoesNotHaveWhatIsMounted) {
  mounts_ = {{root_ + "/on-another-machine", "/etc/pihole"}};
  const auto error = error_of([&] { locate(mounts_, "/etc/pihole/gravity.db"); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.what(), HasSubstr(root_ + "/on-another-machine"));
  EXPECT_THAT(error.hint(), HasSubstr("DOCKER_HOST"));
}

/// A command in docker's place, found in PATH.
class ContainerCommand : public testing::Test {
 protected:
  ContainerCommand() : before_(std::getenv("PATH") ? std::getenv("PATH") : "") {
    ::setenv("PATH", (directory_.path() + ":/usr/bin:/bin").c_str(), 1);
  }
  ~ContainerCommand() override { ::setenv("PATH", before_.c_str(), 1); }
  void script(const std::string& body, const std::string& name = "docker") {
    test::write_text(directory_ / name, "#!/bin/sh\ncd '" + directory_.path() + "' || exit 99\n" + body, 0755);
  }
  Error not_found_in(config::Runtime runtime = config::Runtime::docker) {
    return error_of([&] { Container::find(runtime, "box"); });
  }
  Container container() { return Container(directory_ / "docker", "box", {}); }

  test::TempDirectory directory_;
  std::string before_;
};

TEST_F(ContainerCommand, IsAskedForTheContainerByItsName) {
  test::write_text(directory_ / "answer", from_docker);
  script("printf '%s\\n' \"$@\" > called\ncat answer\n");
  const auto found = Container::find(config::Runtime::docker, "box");
  EXPECT_EQ(test::read_text(directory_ / "called"), "container\ninspect\nbox\n");
  EXPECT_EQ(found->label(), "container box (docker)");
  EXPECT_EQ(found->inspection().pid, 21874);
}

TEST_F(ContainerCommand, ThatIsMissingIsNamed) {
  ::setenv("PATH", directory_.path().c_str(), 1);
  const auto error = not_found_in(config::Runtime::podman);
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.what(), HasSubstr("no command podman"));
}

TEST_F(ContainerCommand, HasItsComplaintsExplained) {
  struct Case {
    const char* words;
    ErrorCode code;
    const char* hint;
  };
  for (const auto& [words, code, hint] :
       {Case{"Error response from daemon: No such container: box", ErrorCode::not_found, "docker ps -a"},
        Case{"Error: inspecting object: no such container box", ErrorCode::not_found, "[pihole] container"},
        Case{"permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://x\": dial "
             "unix "
             "/var/run/docker.sock: connect: permission denied",
             ErrorCode::refused, "sudo"},
        Case{"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", ErrorCode::io,
             "docker ps"}}) {
    script("echo '[]'; cat >&2 <<'end'\n" + std::string(words) + "\nend\nexit 1\n");
    const auto error = not_found_in();
    EXPECT_EQ(error.code(), code) << words;
    EXPECT_THAT(error.what(), HasSubstr("box"));
    EXPECT_THAT(error.hint(), HasSubstr(hint));
  }
}

TEST_F(ContainerCommand, RunsWhatItIsAskedForInTheContainer) {
  script("printf '%s ' \"$@\" >> called; echo out; echo err >&2; exit 5\n");
  const auto box = container();
  for (auto action :
       {Container::Action::reload_lists, Container::Action::reload_dns, Container::Action::restart_dns, Container::Action::restart}) {
    box.run({action}, Deadline::in(milliseconds(20'000)));
  }
  const auto result = box.run({Container::Action::set_records, RecordKind::cname, "[\"a.lan,b.lan\"]"}, Deadline::in(milliseconds(20'000)));
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(test::read_text(directory_ / "called"),
            "exec box pihole restartdns reload-lists exec box pihole restartdns reload exec box pihole restartdns restart box "
            "exec box pihole-FTL --config dns.cnameRecords [\"a.lan,b.lan\"] ");
  script("printf '%s ' \"$@\" > called\n");
  const auto set = [&](const std::string& line) {
    box.run({Container::Action::set_records, RecordKind::setting, line}, Deadline::in(milliseconds(20'000)));
  };
  set("dns.blocking.mode = \"NX\"");
  EXPECT_EQ(test::read_text(directory_ / "called"), "exec box pihole-FTL --config dns.blocking.mode NX ");
  for (const auto* hostile :
       {"files.gravity = \"/x\"", "dns.domain.name = \"a\\nb\"", "misc.dnsmasq_lines = [\"dhcp-script=/x\"]", "-q = true"})
    EXPECT_THROW(set(hostile), Error) << hostile;
  EXPECT_EQ(test::read_text(directory_ / "called"), "exec box pihole-FTL --config dns.blocking.mode NX ");
}

TEST_F(ContainerCommand, IsRunByWhoeverStillHasTheRights) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has rights to give up";
  script("id -u > user; echo \"$#\"\n");
  ::chmod(directory_.path().c_str(), 0700);
  auto box = container();
  box.keep_rights();
  ASSERT_EQ(::seteuid(12'345), 0);
  const auto result =
      box.run({Container::Action::set_records, RecordKind::dns, std::string(100'000, ' ')}, Deadline::in(milliseconds(20'000)));
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_EQ(result.output, "6\n") << result.errors;
  EXPECT_EQ(test::read_text(directory_ / "user"), "0\n");
}

TEST_F(ContainerCommand, ThatDoesNotReturnIsGivenUpAtTheDeadline) {
  script("exec sleep 600\n");
  auto box = container();
  EXPECT_EQ(error_of([&] { box.run({Container::Action::restart}, Deadline::in(milliseconds(200))); }).code(), ErrorCode::timeout);
  box.keep_rights();
  EXPECT_EQ(error_of([&] { box.run({Container::Action::restart}, Deadline::in(milliseconds(200))); }).code(), ErrorCode::timeout);
  script("true\n");
  EXPECT_EQ(box.run({Container::Action::restart}, Deadline::in(milliseconds(20'000))).exit_code, 0) << "and the helper goes on";
}

}  // namespace
}  // namespace gsync::pihole
