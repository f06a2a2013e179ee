#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gsync/util/subprocess.hpp"
#include "support/paths.hpp"
#include "support/pihole_directory.hpp"

namespace gsync {
namespace {

using test::PiholeDirectory;

/// The program with an environment of its own, so that a configuration of this host does not matter.
util::CommandResult gravity_sync(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment = {}) {
  util::Command command;
  command.argv = {test::paths::binary};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = environment;
  command.environment->emplace("PATH", "/usr/bin:/bin");
  return util::run(command, util::Deadline::in(std::chrono::seconds(60)));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> with_config(const PiholeDirectory& pihole, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--config", pihole.config()});
  return arguments;
}

const std::string unreachable_peer = "[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\nport = 1\nconnect_timeout_seconds = 5\n";

TEST(CommandLineProgram, PrintsHelpOfAllCommandsOnStdout) {
  for (const std::string command : {"", "pull", "push", "compare", "info", "history", "undo", "restore", "trust", "version", "agent"}) {
    auto result = gravity_sync(command.empty() ? std::vector<std::string>{"--help"} : std::vector<std::string>{command, "--help"});
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_TRUE(has(result.output, "gravity-sync " + command)) << command;
    EXPECT_EQ(result.errors, "") << command;
  }
}

TEST(CommandLineProgram, PrintsItsVersion) {
  auto result = gravity_sync({"version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(has(result.output, "gravity-sync 0.")) << result.output;
  EXPECT_TRUE(has(gravity_sync({"version", "--json"}).output, "\"version\": \"0."));
}

TEST(CommandLineProgram, ExitsWithTwoForWrongUsage) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--dri-run"}, {"pul"}, {"pull", "--dri-run"}, {"pull", "a", "b"}, {"pull", "--only", "list"}, {"restore", "x"}}) {
    auto result = gravity_sync(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.output, "");
    EXPECT_TRUE(has(result.errors, "error: ")) << result.errors;
  }
}

TEST(CommandLineProgram, GivesUsageErrorsAsJsonWhenAsked) {
  auto result = gravity_sync({"pul", "--json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.output, "\"code\": \"config\"")) << result.output;
  EXPECT_TRUE(has(result.errors, "there is no command 'pul'"));
}

TEST(CommandLineProgram, NamesAConfigurationThatIsNotThere) {
  auto result = gravity_sync({"info", "--config", "/nowhere/gravity-sync.toml"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.errors, "/nowhere/gravity-sync.toml")) << result.errors;
  result = gravity_sync({"info"}, {{"GRAVITY_SYNC_CONFIG", "/nowhere/else.toml"}});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.errors, "/nowhere/else.toml")) << result.errors;
}

TEST(CommandLineProgram, NamesFileAndLineOfAFaultInTheConfiguration) {
  test::TempDirectory directory;
  const auto path = directory / "gravity-sync.toml";
  test::write_text(path, "[pihole]\ndirectori = \"/etc/pihole\"\n");
  auto result = gravity_sync({"info", "--config", path});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.errors, path + ":2: ")) << result.errors;
  EXPECT_TRUE(has(result.errors, "directory")) << result.errors;
  test::write_text(path, "[pihole\n");
  result = gravity_sync({"info", "--config", path});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.errors, path + ":1: ")) << result.errors;
}

TEST(CommandLineProgram, SaysWhereItLookedForAPihole) {
  test::TempDirectory directory;
  test::write_text(directory / "gravity-sync.toml", "[pihole]\ndirectory = \"" + directory.path() + "/none\"\n");
  auto result = gravity_sync({"info", "--config", directory / "gravity-sync.toml"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.errors, directory.path() + "/none")) << result.errors;
}

TEST(CommandLineProgram, NamesThePeersThatThereAre) {
  PiholeDirectory pihole;
  auto result = gravity_sync(with_config(pihole, {"pull"}));
  EXPECT_EQ(result.exit_code, 2) << "no peer is configured";
  pihole.set_peers({unreachable_peer});
  result = gravity_sync(with_config(pihole, {"pull", "ph7"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.errors, "'ph7'")) << result.errors;
  EXPECT_TRUE(has(result.errors, "ph1")) << result.errors;
}

TEST(CommandLineProgram, ExitsWithFiveWhenThePeerCannotBeReached) {
  PiholeDirectory pihole;
  pihole.set_peers({unreachable_peer});
  for (const std::string command : {"pull", "push", "compare", "trust"}) {
    auto result = gravity_sync(with_config(pihole, {command}));
    EXPECT_EQ(result.exit_code, 5) << command << ": " << result.errors;
    EXPECT_TRUE(has(result.errors, "ph1")) << result.errors;
    EXPECT_TRUE(has(result.errors, "127.0.0.1")) << result.errors;
  }
}

TEST(CommandLineProgram, NamesAKeyThatItCannotRead) {
  PiholeDirectory pihole;
  pihole.set_peers({unreachable_peer + "identity = \"/nowhere/key\"\n"});
  auto result = gravity_sync(with_config(pihole, {"pull"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.errors, "/nowhere/key")) << result.errors;
}

TEST(CommandLineProgram, ShowsWhatItFoundOnThisHost) {
  PiholeDirectory pihole;
  auto result = gravity_sync(with_config(pihole, {"info"}));
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(has(result.output, pihole.gravity())) << result.output;
  EXPECT_TRUE(has(result.output, "Not synced"));
  auto json = gravity_sync(with_config(pihole, {"info", "--json"}));
  EXPECT_TRUE(has(json.output, "\"schema\": 20")) << json.output;
  EXPECT_EQ(json.errors, "");
}

TEST(CommandLineProgram, HasNothingToShowOrUndoOnAFreshHost) {
  PiholeDirectory pihole;
  auto result = gravity_sync(with_config(pihole, {"history"}));
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(has(gravity_sync(with_config(pihole, {"history", "--json"})).output, "\"history\": []"));
  EXPECT_EQ(gravity_sync(with_config(pihole, {"restore"})).exit_code, 0);
  result = gravity_sync(with_config(pihole, {"undo"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.errors, "no earlier version")) << result.errors;
  EXPECT_EQ(gravity_sync(with_config(pihole, {"restore", "9"})).exit_code, 1);
  EXPECT_EQ(gravity_sync(with_config(pihole, {"history", "--id", "9"})).exit_code, 1);
}

TEST(CommandLineProgram, LeavesNoFileOfRootBehind) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes the owner of a Pi-hole";
  constexpr uid_t owner = 54321;
  PiholeDirectory pihole;
  std::filesystem::remove_all(pihole.state());
  pihole.give_to(owner, owner);
  auto result = gravity_sync(with_config(pihole, {"info", "--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(has(result.output, "uid 54321")) << result.output;
  ASSERT_TRUE(std::filesystem::exists(pihole.state()));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(pihole.root())) {
    struct stat file {};
    ASSERT_EQ(::lstat(entry.path().c_str(), &file), 0);
    EXPECT_EQ(file.st_uid, owner) << entry.path();
    EXPECT_EQ(file.st_gid, owner) << entry.path();
  }
}

TEST(CommandLineProgram, TellsWhoeverMayNotToUseSudo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a Pi-hole to somebody else";
  PiholeDirectory pihole;
  pihole.give_to(54321, 54321);
  // Readable for everybody, as on an ordinary host.
  for (const auto& path : {pihole.root(), pihole.directory()}) ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  for (const auto& path : {pihole.config(), pihole.toml()}) ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  util::Command command;
  command.argv = {"/usr/bin/setpriv",  "--reuid=54322", "--regid=54322", "--clear-groups",
                  test::paths::binary, "--config",      pihole.config(), "pull"};
  if (::access(command.argv[0].c_str(), X_OK) != 0) GTEST_SKIP() << "there is no setpriv here";
  if (std::filesystem::path binary = test::paths::binary;
      (std::filesystem::status(binary.parent_path()).permissions() & std::filesystem::perms::others_exec) == std::filesystem::perms::none)
    GTEST_SKIP() << "another user cannot reach the program in this build directory";
  auto result = util::run(command, util::Deadline::in(std::chrono::seconds(60)));
  EXPECT_EQ(result.exit_code, 4) << result.errors;
  EXPECT_TRUE(has(result.errors, "sudo gravity-sync pull")) << result.errors;
}

TEST(CommandLineProgram, FailsWhenItsResultCannotBeWritten) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "there is no /dev/full here";
  util::Command command;
  command.argv = {"/bin/sh", "-c", std::string("exec ") + test::paths::binary + " version > /dev/full"};
  EXPECT_EQ(util::run(command, util::Deadline::in(std::chrono::seconds(60))).exit_code, 1);
}

}  // namespace
}  // namespace gsync
