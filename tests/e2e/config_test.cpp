#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"
#include "support/paths.hpp"
#include "support/pihole_directory.hpp"
#include "support/two_nodes.hpp"

namespace gsync {
namespace {

using test::contains;

class ConfigCommand : public ::testing::Test {
 protected:
  test::CommandResult run(const std::vector<std::string>& arguments) const {
    util::Command command{.argv = {test::paths::binary, "--config", file, "config"}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}};
    return util::run(command, util::Deadline::in(std::chrono::seconds(60)));
  }

  test::TempDirectory directory;
  test::PiholeDirectory pihole;
  std::string file = directory / "etc/gravity-sync.toml";
  std::vector<std::string> init{"init", "--directory", pihole.directory(), "--host", "192.168.1.3", "--name", "ph2"};
};

TEST_F(ConfigCommand, WritesAFirstConfigurationThatCanBeUsed) {
  const auto old = ::umask(077);
  const auto made = run(init);
  ::umask(old);
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  EXPECT_TRUE(contains(made.output, "sudo gravity-sync trust ph2")) << made.output;
  struct stat st {};
  ASSERT_EQ(::stat(file.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0644u) << "the account of the peers reads it, too";
  EXPECT_EQ(run({"check"}).exit_code, 0) << run({"check"}).output;
  const auto shown = run({"show"}).output;
  EXPECT_TRUE(contains(shown, "\"192.168.1.3\"")) << shown;
  EXPECT_TRUE(contains(shown, "[[peer]] ph2")) << shown;
  EXPECT_TRUE(contains(shown, pihole.directory())) << shown;
}

TEST_F(ConfigCommand, ReplacesNoSettingsUnasked) {
  ASSERT_EQ(run(init).exit_code, 0);
  const auto before = test::read_text(file);
  auto again = init;
  again[4] = "10.0.0.9";
  const auto refused = run(again);
  EXPECT_EQ(refused.exit_code, 4) << refused.errors;
  EXPECT_EQ(test::read_text(file), before);
  again.push_back("--force");
  EXPECT_EQ(run(again).exit_code, 0);
  EXPECT_TRUE(contains(test::read_text(file), "10.0.0.9"));
  EXPECT_EQ(test::read_text(file + ".old"), before);
}

TEST_F(ConfigCommand, KeepsTheCommentsOfTheExample) {
  std::filesystem::create_directory(directory / "etc");
  const auto example = test::read_text(std::string(test::paths::source) + "/config/gravity-sync.toml");
  test::write_text(file, example, 0640);
  ASSERT_EQ(run(init).exit_code, 0);
  const auto written = test::read_text(file);
  for (auto line : util::split(example, '\n')) EXPECT_TRUE(contains(written, std::string(line) + "\n")) << line;
  EXPECT_TRUE(contains(written, "\n[pihole]\ndirectory = ")) << "below the header that is there";
  EXPECT_EQ(run({"check"}).exit_code, 0);
  struct stat st {};
  ASSERT_EQ(::stat(file.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0640u);
}

TEST_F(ConfigCommand, SaysWhatToSayWhereNobodyCanBeAsked) {
  const auto no_peer = run({"init", "--directory", pihole.directory()});
  EXPECT_EQ(no_peer.exit_code, 2);
  EXPECT_TRUE(contains(no_peer.errors, "--host")) << no_peer.errors;
  EXPECT_EQ(run({"init", "--directory", pihole.directory(), "--host", "a b"}).exit_code, 2);
  EXPECT_EQ(run({"init", "--directory", pihole.directory(), "--host", "a", "--mode", "both"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(run({"init", "--directory", pihole.directory(), "--no-peer"}).exit_code, 0);
  const auto no_pihole = run({"init", "--container", "no-such-container-here", "--no-peer", "--force"});
  EXPECT_EQ(no_pihole.exit_code, 1);
  EXPECT_TRUE(contains(no_pihole.errors, "no Pi-hole was found")) << no_pihole.errors;
}

TEST_F(ConfigCommand, NamesAllFaultsWithTheirLines) {
  std::filesystem::create_directory(directory / "etc");
  test::write_text(file, "[sync]\nprefr = \"x\"\nshrink_percent = 101\n");
  const auto result = run({"check"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.output, file + ":2: ")) << result.output;
  EXPECT_TRUE(contains(result.output, file + ":3: ")) << result.output;
}

TEST_F(ConfigCommand, NamesFilesThatAreNotThere) {
  std::filesystem::create_directory(directory / "etc");
  test::write_text(directory / "key", "x", 0644);
  test::write_text(
      file, fmt::format("[daemon]\non_failure = [\"/nowhere/tell\"]\n[[peer]]\nname = \"a\"\nhost = \"a\"\nidentity = \"/nowhere/key\"\n"
                        "[[peer]]\nname = \"b\"\nhost = \"b\"\nidentity = \"{}\"\n",
                        directory / "key"));
  const auto result = run({"check", "--json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.output, "/nowhere/tell")) << result.output;
  EXPECT_TRUE(contains(result.output, "/nowhere/key")) << result.output;
  EXPECT_TRUE(contains(result.output, "can be read by others")) << result.output;
  test::write_text(file, "");
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  EXPECT_TRUE(contains(run({"check"}).output, "can be changed by others"));
}

TEST_F(ConfigCommand, TakesOverTheOldScriptsSettings) {
  test::write_text(directory / "old.conf",
                   "REMOTE_HOST='192.168.1.7'\nREMOTE_USER='pi'\nLOCAL_PIHOLE_DIRECTORY='" + pihole.directory() + "'\n");
  const auto dry = run({"import", directory / "old.conf", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.errors;
  EXPECT_TRUE(contains(dry.output, "left        REMOTE_USER: ")) << dry.output;
  EXPECT_FALSE(std::filesystem::exists(file));
  ASSERT_EQ(run({"import", directory / "old.conf"}).exit_code, 0);
  EXPECT_TRUE(contains(run({"show"}).output, "\"192.168.1.7\""));
  EXPECT_EQ(run({"import", directory / "none.conf"}).exit_code, 2);
}

}  // namespace
}  // namespace gsync
