// What people type wrong while they set a Pi-hole up: each is answered with what is wrong and what to do, and leaves everything as it was.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "support/paths.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

constexpr int failed = 1;
constexpr int usage = 2;
constexpr int refused = 4;
constexpr int unreachable = 5;

class BadInput : public ::testing::Test {
 protected:
  CommandResult run(const std::vector<std::string>& arguments, const std::string& input = {}) const {
    util::Command command{.argv = {paths::binary, "--config", configuration}, .standard_input = input};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}};
    return util::run(command, util::Deadline::in(std::chrono::seconds(60)));
  }
  /// Says `text`, and what to do in a line below the error; changes nothing.
  void expect(const std::vector<std::string>& arguments, int exit_code, const std::string& text, const std::string& input = {}) const {
    SCOPED_TRACE(fmt::format("gravity-sync {}", fmt::join(arguments, " ")));
    const auto before = files_below({pihole.root(), directory.path()});
    const auto result = run(arguments, input);
    EXPECT_EQ(result.exit_code, exit_code) << result.output << result.errors;
    EXPECT_TRUE(contains(result.errors, text)) << result.errors;
    const auto error = result.errors.find("error: ");
    ASSERT_NE(error, std::string::npos) << result.errors;
    EXPECT_TRUE(contains(result.errors.substr(error), "\n  ")) << "and what to do: " << result.errors;
    EXPECT_EQ(files_below({pihole.root(), directory.path()}), before);
  }
  static int as_root(int exit_code) { return ::geteuid() == 0 ? exit_code : refused; }

  PiholeDirectory pihole;
  TempDirectory directory;
  std::string configuration = pihole.config();
};

TEST_F(BadInput, OfKeyLeavesTheFileThatIsThere) {
  const auto key = pihole.state() + "/id_ed25519";
  ASSERT_EQ(run({"info"}).exit_code, 0) << "which makes what every command makes";
  for (const std::string content : {"", "not a key\n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"}) {
    write_text(key, content, 0600);
    expect({"key"}, usage, key);
  }
  std::filesystem::remove(key);
  make_key(key, "ed25519", "open sesame");
  expect({"key"}, usage, key);
}

TEST_F(BadInput, OfKeyWithoutAStateDirectory) {
  write_text(directory / "file", "x");
  write_text(pihole.config(), fmt::format("[node]\nstate_directory = \"{}\"\n[pihole]\ndirectory = \"{}\"\ndns_port = 0\n",
                                          directory / "file", pihole.directory()));
  expect({"key"}, failed, directory / "file");
}

TEST_F(BadInput, OfAcceptLetsNobodyIn) {
  expect({"accept", "a b", "/dev/null"}, usage, "NAME");
  expect({"accept", "../x", "/dev/null"}, usage, "NAME");
  if (!contains(read_text("/etc/passwd"), "\ngravity-sync:")) expect({"accept", "ph1", "/dev/null"}, failed, "no account gravity-sync");
}

TEST_F(BadInput, OfTrustTrustsNobody) {
  pihole.set_peers({"[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\nport = 1\n"});
  ASSERT_EQ(run({"info"}).exit_code, 0);
  expect({"trust", "ph7"}, usage, "ph7");
  expect({"trust", "ph1"}, unreachable, "127.0.0.1");
  if (const auto reason = Sshd::unavailable()) GTEST_SKIP() << *reason;
  const Sshd sshd;
  pihole.set_peers({fmt::format("[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\nport = {}\n", sshd.port())});
  expect({"trust", "ph1", "--fingerprint", "SHA256:" + std::string(43, 'A')}, unreachable, "SHA256:");
  expect({"trust", "ph1", "--fingerprint", "yes"}, usage, "yes is not a fingerprint");
  EXPECT_FALSE(std::filesystem::exists(pihole.state() + "/known_hosts"));
}

TEST_F(BadInput, OfConfigWritesNothing) {
  configuration = directory / "new.toml";
  expect({"config", "init", "--directory", "/nowhere", "--no-peer"}, failed, "/nowhere");
  expect({"config", "init", "--directory", directory.path(), "--no-peer"}, failed, directory.path());
  expect({"config", "init", "--directory", pihole.directory(), "--host", "-oProxyCommand=id"}, usage, "the host '-oProxyCommand=id' ");
  expect({"config", "init", "--directory", pihole.directory(), "--host", "ph2.lan", "--name", "a b"}, usage, "name");
  expect({"config", "init", "--directory", pihole.directory(), "--host", "ph2.lan", "--port", "70000"}, usage, "port");
  expect({"config", "import", "/nowhere"}, usage, "/nowhere");
  expect({"config", "import", directory.path()}, failed, directory.path());
  write_text(directory / "large.conf", std::string(2u << 20, '#'));
  expect({"config", "import", directory / "large.conf"}, refused, "large.conf");
  expect({"config", "peer", "ph2", "--remove"}, failed, "ph2");
  expect({"config", "peer", "ph2"}, usage, "--host");
}

TEST_F(BadInput, OfConfigShowAndCheckIsNamedWithItsLine) {
  for (const std::string text : {"[sync\n", "[sync]\nprefr = 1\n", "\x80\xff\n", "[sync]\nkeep_local = [\"group\"]\n"}) {
    write_text(pihole.config(), text);
    expect({"config", "show"}, usage, pihole.config() + ":");
    const auto checked = run({"config", "check"});
    EXPECT_EQ(checked.exit_code, usage) << checked.output;
    EXPECT_TRUE(contains(checked.output, pihole.config() + ":")) << checked.output;
  }
  configuration = directory.path();
  expect({"config", "show"}, usage, configuration);
  configuration = "/nowhere/it.toml";
  expect({"config", "check"}, usage, configuration);
}

TEST_F(BadInput, OfAutoTurnsNothingOn) {
  expect({"auto", "sideways"}, usage, "sideways");
  write_text(pihole.config(), "[sync\n");
  expect({"auto", "on"}, usage, pihole.config());
  if (!std::filesystem::exists("/run/systemd/system")) {
    write_text(pihole.config(), "");
    expect({"auto", "on"}, usage, "there is no peer");
  }
  if (::geteuid() == 0) return;  // who may turn it on
  expect({"auto", "off"}, refused, "only root");
  pihole.set_peers({"[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\n"});
  if (!std::filesystem::exists("/run/systemd/system")) expect({"auto", "on"}, refused, "only root");
}

TEST_F(BadInput, OfUnpairAndPurgeTakesNothingAway) {
  pihole.set_peers({"[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\nport = 1\n"});
  ASSERT_EQ(run({"info"}).exit_code, 0);
  expect({"unpair", "ph7"}, as_root(usage), ::geteuid() == 0 ? "ph7" : "only root");
  expect({"unpair", "ph1", "--admin", "-oProxyCommand=id@h"}, as_root(usage), ::geteuid() == 0 ? "ADMIN@HOST" : "only root");
  expect({"unpair", "ph1", "--admin", "root@127.0.0.1"}, as_root(unreachable), ::geteuid() == 0 ? "does not answer" : "only root");
  expect({"purge"}, refused, ::geteuid() == 0 ? "nobody is there to be asked" : "only root");
}

}  // namespace
}  // namespace gsync::test
