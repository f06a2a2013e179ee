#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// Writes that fail for lack of room, and a program that is killed by one.

namespace gsync::test {
namespace {

class Disk : public TwoNodesTest {};

/// ph2's pull in a shell that sets limits first.
CommandResult limited_pull(const TwoNodes& nodes, const std::string& limits, const std::string& arguments) {
  util::Command command;
  command.argv = {"/bin/sh", "-c", fmt::format("{}; exec {} --config {} pull {}", limits, GSYNC_BINARY, nodes.ph2.config(), arguments)};
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

/// A small filesystem of our own, in a mount namespace of this thread that ends with it.
class SmallDisk {
 public:
  explicit SmallDisk(std::size_t bytes) {
    if (::geteuid() != 0) {
      reason_ = "only root can mount a small filesystem";
      return;
    }
    const auto options = fmt::format("size={}", bytes);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", where_.path().c_str(), "tmpfs", 0, options.c_str()) != 0) {
      reason_ = fmt::format("a small filesystem cannot be mounted here: {}", std::strerror(errno));
      return;
    }
    mounted_ = true;
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", where_.path().c_str(), 1);
  }
  ~SmallDisk() {
    if (!mounted_) return;
    if (before_)
      ::setenv("TMPDIR", before_->c_str(), 1);
    else
      ::unsetenv("TMPDIR");
    ::umount2(where_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& reason() const { return reason_; }
  /// Writes a file until so many bytes are left.
  void leave_free(std::uint64_t bytes) {
    struct statvfs fs {};
    ASSERT_EQ(::statvfs(where_.path().c_str(), &fs), 0);
    const auto free = std::uint64_t{fs.f_bavail} * fs.f_frsize;
    ASSERT_GT(free, bytes);
    write_text(where_ / "filler", std::string(free - bytes, 'x'));
  }
  void empty() { ::unlink((where_ / "filler").c_str()); }

 private:
  TempDirectory where_;
  std::string reason_;
  std::optional<std::string> before_;
  bool mounted_ = false;
};

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

}  // namespace
}  // namespace gsync::test
