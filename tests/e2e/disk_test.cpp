#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/paths.hpp"
#include "support/private_mounts.hpp"
#include "support/small_disk.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// Writes that fail for lack of room, and a program that is killed by one.

namespace gsync::test {
namespace {

namespace fs = std::filesystem;

class Disk : public TwoNodesTest {};

/// ph2's pull in a shell that sets limits first.
CommandResult limited_pull(const TwoNodes& nodes, const std::string& limits, const std::string& arguments) {
  util::Command command;
  command.argv = {"/bin/sh", "-c", fmt::format("{}; exec {} --config {} pull {}", limits, paths::binary, nodes.ph2.config(), arguments)};
  command.environment = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}};
  return util::run(command, util::Deadline::in(std::chrono::minutes(3)));
}

void expect_old_version_and_a_good_next_run(const TwoNodes& nodes, const std::string& before) {
  EXPECT_TRUE(read_text(nodes.ph2.gravity()) == before);
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(own_files(nodes.ph2), (std::vector<std::string>{"lock", "shadow.db"}));
}

TEST_F(Disk, AFileThatMayNotGrowLeavesTheOldVersion) {
  TwoNodes nodes;
  const auto before = read_text(nodes.ph2.gravity());
  // Half of the database, in the shell's units of 512 bytes.
  const auto limit = fmt::format("trap '' XFSZ; ulimit -f {}", before.size() / 1024);
  for (const std::string arguments : {"", "--full --force"}) {
    const auto result = limited_pull(nodes, limit, arguments);
    EXPECT_EQ(result.exit_code, 1) << result.output << result.errors;
    EXPECT_TRUE(contains(result.errors, "error: ")) << result.errors;
    EXPECT_TRUE(read_text(nodes.ph2.gravity()) == before);
  }
  expect_old_version_and_a_good_next_run(nodes, before);
}

TEST_F(Disk, ARunThatIsKilledByItsFirstTooLargeWriteLeavesTheOldVersion) {
  TwoNodes nodes;
  const auto before = read_text(nodes.ph2.gravity());
  const auto result = limited_pull(nodes, fmt::format("ulimit -c 0; ulimit -f {}", before.size() / 1024), "");
  EXPECT_EQ(result.exit_code, 128 + SIGXFSZ) << result.errors;
  expect_old_version_and_a_good_next_run(nodes, before);
}

TEST_F(Disk, AFullDiskIsNamedAndLeavesTheOldVersion) {
  SmallDisk disk(24u << 20);
  if (!disk.reason().empty()) GTEST_SKIP() << disk.reason();
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"info"})));
  const auto before = read_text(nodes.ph2.gravity());
  for (const std::string arguments : {"", "--full"}) {
    SCOPED_TRACE(arguments);
    // Enough for neither a second database nor a part of one.
    disk.leave_free(before.size() / 3);
    const auto result =
        nodes.run(arguments.empty() ? std::vector<std::string>{"pull"} : std::vector<std::string>{"pull", arguments, "--force"});
    EXPECT_EQ(result.exit_code, 1) << result.errors;
    EXPECT_TRUE(contains(result.errors, "space") || contains(result.errors, "full")) << result.errors;
    EXPECT_TRUE(read_text(nodes.ph2.gravity()) == before);
    disk.empty();
  }
  expect_old_version_and_a_good_next_run(nodes, before);
}

/// A second copy of the database fits in the place of the first one only.
TEST_F(Disk, WhatAKilledRunHasLeftTakesNoRoomFromTheNextOne) {
  SmallDisk disk(24u << 20);
  if (!disk.reason().empty()) GTEST_SKIP() << disk.reason();
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  // As `pihole -g` leaves it, for which the source copies it.
  execute(nodes.ph1.gravity(),
          "UPDATE gravity SET domain = 'other.example' WHERE rowid = 1; UPDATE info SET value = value + 60 WHERE property = 'updated'");
  const auto ours = fs::path(nodes.ph1.gravity()).parent_path() / ".gravity-sync";
  fs::rename(ours / "shadow.db", ours / "shadow.building");
  disk.leave_free((1u << 20) + fs::file_size(nodes.ph1.gravity()) / 2);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

// --- filesystems that cannot do everything

/// ph2's pull on a filesystem without some of what it is asked for.
CommandResult pull_without(const TwoNodes& nodes, const std::vector<std::string>& missing,
                           const std::vector<std::string>& arguments = {"pull"}) {
  util::Command command;
  command.argv = {paths::without};
  command.argv.insert(command.argv.end(), missing.begin(), missing.end());
  command.argv.insert(command.argv.end(), {"--", paths::binary, "--config", nodes.ph2.config()});
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}};
  return util::run(command, util::Deadline::in(std::chrono::minutes(3)));
}

std::string lacking(const char* what, int error) {
  return fmt::format("{}:{}", what, error);
}

TEST_F(Disk, WhereNamesCannotBeExchangedTheNewVersionIsRenamedOverTheOldOne) {
  for (const int error : {EINVAL, ENOSYS, EPERM}) {
    SCOPED_TRACE(std::strerror(error));
    TwoNodes nodes;
    FtlProcess ftl(nodes.ph2);
    deny(nodes.ph1, "new.example");
    const auto result = pull_without(nodes, {lacking("exchange", error)});
    EXPECT_TRUE(succeeded(result));
    EXPECT_TRUE(contains(result.errors, "cannot exchange two files in one step")) << result.errors;
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_EQ(lookup(ftl.port(), "new.example", std::chrono::seconds(60)), "blocked");
    EXPECT_TRUE(succeeded(pull_without(nodes, {lacking("exchange", error)}, {"undo"})));
    EXPECT_FALSE(denies(nodes.ph2, "new.example"));
    EXPECT_EQ(own_files(nodes.ph2), (std::vector<std::string>{"lock", "shadow.db"}));
  }
}

TEST_F(Disk, WhereNobodyTellsWhoHasAFileOpenNobodyIsBlamed) {
  TwoNodes nodes;
  FtlProcess ftl(nodes.ph2);
  for (const int error : {EINVAL, EACCES}) {
    SCOPED_TRACE(std::strerror(error));
    const auto domain = fmt::format("new{}.example", error);
    deny(nodes.ph1, domain);
    const auto result = pull_without(nodes, {lacking("lease", error)});
    EXPECT_TRUE(succeeded(result));
    EXPECT_FALSE(contains(result.errors, "warning")) << result.errors;
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_EQ(lookup(ftl.port(), domain, std::chrono::seconds(60)), "blocked");
  }
}

TEST_F(Disk, WithoutBothItStillWorks) {
  TwoNodes nodes;
  FtlProcess ftl(nodes.ph2);
  const auto result = pull_without(nodes, {lacking("exchange", EINVAL), lacking("lease", EINVAL)});
  EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
}

TEST_F(Disk, AReadOnlyFilesystemIsNamedAndNothingIsChanged) {
  PrivateMounts mounts;
  if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
  for (const bool source : {true, false}) {
    SCOPED_TRACE(source ? "source" : "target");
    TwoNodes nodes;
    const auto& pihole = source ? nodes.ph1 : nodes.ph2;
    const auto before = read_text(nodes.ph2.gravity());
    mounts.bind(pihole.directory(), pihole.directory());
    mounts.make_read_only(pihole.directory());
    const auto result = nodes.run({"pull"});
    EXPECT_EQ(result.exit_code, 1) << result.errors;
    EXPECT_TRUE(contains(result.errors, "Read-only file system")) << result.errors;
    mounts.unmount(pihole.directory());
    EXPECT_TRUE(read_text(nodes.ph2.gravity()) == before);
    EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  }
}

TEST_F(Disk, ADatabaseThatIsAMountOfItsOwnIsRefusedWithWhatToMount) {
  PrivateMounts mounts;
  if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
  for (const bool source : {true, false}) {
    SCOPED_TRACE(source ? "source" : "target");
    TwoNodes nodes;
    const auto& pihole = source ? nodes.ph1 : nodes.ph2;
    const auto before = read_text(nodes.ph2.gravity());
    write_text(pihole.root() + "/alone.db", read_text(pihole.gravity()), 0664);
    mounts.bind(pihole.root() + "/alone.db", pihole.gravity());
    const auto result = nodes.run({"pull"});
    EXPECT_NE(result.exit_code, 0);
    EXPECT_TRUE(contains(result.errors, "is a mount of its own")) << result.errors;
    EXPECT_TRUE(contains(result.errors, "mount the directory")) << result.errors;
    EXPECT_TRUE(read_text(nodes.ph2.gravity()) == before);
    mounts.unmount(pihole.gravity());
  }
}

}  // namespace
}  // namespace gsync::test
