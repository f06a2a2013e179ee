#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// A real podman with a real container, where that is possible: what the stand-in for docker answers elsewhere is what these answer.

namespace gsync::test {
namespace {

namespace fs = std::filesystem;

/// As much of pihole-FTL as can be said in a shell: `--config KEY JSON` for a pihole.toml with one line for each key.
constexpr const char* ftl_in_shell = R"sh(#!/bin/sh
[ "$1" = --config ] || exit 1
echo "$2 with $FTLCONF_dns_upstreams" >>/etc/pihole/executed
sed "/^\[${2%.*}\]/,/^\[/ s|^${2#*.} = .*|${2#*.} = $3|" /etc/pihole/pihole.toml >/etc/pihole/pihole.toml.tmp
mv /etc/pihole/pihole.toml.tmp /etc/pihole/pihole.toml
echo "$3"
)sh";

/// A container of an image that has little more than a shell, with storage of its own. reason() says why there is none.
class PodmanContainer {
 public:
  explicit PodmanContainer(const std::string& name) : name_(name) {
    if (!found("podman")) {
      reason_ = "there is no podman";
    } else if (!fs::exists("/bin/busybox")) {
      reason_ = "there is no /bin/busybox to make a container of";
    } else {
      make_command();
      make_image();
    }
  }
  ~PodmanContainer() {
    if (started_) run({"rm", "--force", "--time", "0", name_});
  }
  PodmanContainer(const PodmanContainer&) = delete;
  PodmanContainer& operator=(const PodmanContainer&) = delete;

  const std::string& reason() const { return reason_; }
  std::string path_variable() const { return directory_ / "bin" + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"; }

  void start(const std::vector<std::string>& options) {
    if (!reason_.empty()) return;
    // What an unprivileged place may set; the defaults of podman are higher.
    std::vector<std::string> words{"run",  "--detach", "--name",           name_,      "--network",
                                   "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"gsync-test:latest", "/bin/sleep", "600"});
    const auto result = run(words);
    started_ = true;
    if (result.exit_code != 0) give_up("podman cannot run a container here: " + result.errors);
  }
  void stop() { run({"stop", "--time", "0", name_}); }

 private:
  static bool found(const std::string& program) { return fs::exists("/usr/bin/" + program) || fs::exists("/usr/sbin/" + program); }
  void give_up(const std::string& why) { reason_ = why; }

  void make_command() {
    fs::create_directories(directory_ / "bin");
    write_text(directory_ / "bin/podman",
               fmt::format("#!/bin/sh\nexec /usr/bin/podman --root '{0}/storage' --runroot '{0}/run' --storage-driver vfs --cgroup-manager "
                           "cgroupfs{1} \"$@\"\n",
                           directory_.path(), found("runc") ? " --runtime runc" : ""),
               0755);
  }
  void make_image() {
    const auto root = directory_ / "root";
    for (const char* name : {"/bin", "/usr/bin", "/etc/pihole", "/tmp"}) fs::create_directories(root + name);
    fs::copy_file("/bin/busybox", root + "/bin/busybox");
    for (const char* name : {"sh", "sed", "mv", "sleep"}) fs::create_symlink("busybox", root + "/bin/" + name);
    write_text(root + "/usr/bin/pihole-FTL", ftl_in_shell, 0755);
    const auto archive = directory_ / "root.tar";
    const auto packed = util::run({.argv = {"tar", "-C", root, "-cf", archive, "."}}, patience());
    const auto imported = packed.exit_code == 0 ? run({"import", archive, "gsync-test:latest"}) : packed;
    if (imported.exit_code != 0) give_up("podman cannot make an image here: " + imported.errors);
  }
  static util::Deadline patience() { return util::Deadline::in(std::chrono::minutes(3)); }
  CommandResult run(std::vector<std::string> words) {
    words.insert(words.begin(), directory_ / "bin/podman");
    return util::run({.argv = std::move(words)}, patience());
  }

  TempDirectory directory_;
  std::string name_;
  std::string reason_;
  bool started_ = false;
};

class Podman : public TwoNodesTest {};

TEST_F(Podman, AContainerIsFoundPulledIntoAndSpokenTo) {
  PodmanContainer box("gsync-ph2");
  if (!box.reason().empty()) GTEST_SKIP() << box.reason();
  TwoNodesOptions options;
  options.ph2.container = true;
  TwoNodes nodes(options);
  write_text(nodes.ph2.toml(),
             "[dns]\nhosts = []\ncnameRecords = []\n[dhcp]\nhosts = []\n[files]\ngravity = \"/etc/pihole/gravity.db\"\n\n"
             "# 1 entry is forced through environment:\n#   - dns.upstreams\n");
  box.start({"--volume", nodes.ph2.directory() + ":/etc/pihole", "--env", "FTLCONF_dns_upstreams=9.9.9.9"});
  if (!box.reason().empty()) GTEST_SKIP() << box.reason();
  nodes.ph2.set_pihole_lines("runtime = \"podman\"\ncontainer = \"gsync-ph2\"");
  const auto run = [&](const std::vector<std::string>& words) { return nodes.run_on(nodes.ph2, words, {{"PATH", box.path_variable()}}); };

  const auto info = run({"info"});
  EXPECT_TRUE(contains(info.output, "container gsync-ph2 (podman), runs")) << info.output << info.errors;
  EXPECT_TRUE(succeeded(run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts);
  EXPECT_EQ(nodes.ph2.settings().cname_records, nodes.ph1.settings().cname_records);
  EXPECT_TRUE(contains(read_text(nodes.ph2.directory() + "/executed"), "dns.hosts with 9.9.9.9")) << "in the container's own environment";

  nodes.ph2.set_pihole_lines("runtime = \"podman\"\ncontainer = \"another\"");
  EXPECT_TRUE(contains(run({"info"}).errors, "podman knows no container 'another'"));

  nodes.ph2.set_pihole_lines("runtime = \"podman\"\ncontainer = \"gsync-ph2\"");
  box.stop();
  deny(nodes.ph1, "new.example");
  const auto stopped = run({"pull"});
  EXPECT_TRUE(succeeded(stopped));
  EXPECT_TRUE(denies(nodes.ph2, "new.example"));
  EXPECT_TRUE(contains(run({"info"}).output, "does not run"));
}

}  // namespace
}  // namespace gsync::test
