#include "../src/cli/reach.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "../src/cli/privileges.hpp"
#include "support/in_child.hpp"
#include "support/private_mounts.hpp"
#include "support/temp_directory.hpp"

namespace gsync::cli {
namespace {

constexpr uid_t owner = 54'321;

/// Two volumes below a directory that only root gets through, as /var/lib/docker is.
class Reach : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = test::PrivateMounts().reason(); !reason.empty()) GTEST_SKIP() << reason;
    root_ = std::filesystem::canonical(directory_.path());
    ::chmod(root_.c_str(), 0755);
    for (const auto& volume : {first(), second()}) {
      std::filesystem::create_directories(volume);
      test::write_text(volume + "/file", "content");
      for (const auto& path : {volume, volume + "/file"}) ASSERT_EQ(::chown(path.c_str(), owner, owner), 0);
    }
    test::write_text(root_ + "/docker/secret", "of somebody else");
    ASSERT_EQ(::chmod((root_ + "/docker").c_str(), 0710), 0);
    ASSERT_EQ(::chmod((root_ + "/docker/volumes").c_str(), 0701), 0);
  }
  std::string first() const { return root_ + "/docker/volumes/pihole/_data"; }
  std::string second() const { return root_ + "/docker/volumes/dnsmasq/_data"; }

  test::TempDirectory directory_;
  std::string root_;
};

TEST_F(Reach, IsGivenToTheOwnerOfWhatIsThereAndToNothingElse) {
  const auto said = test::in_child([&]() -> std::string {
    keep_reachable({first(), second(), root_}, owner, owner);
    become_owner(owner, owner, first(), "run: sudo gravity-sync info");
    for (const auto& volume : {first(), second()}) {
      if (test::read_text(volume + "/file") != "content") return "another file";
      test::write_text(volume + "/new", "written");
    }
    if (::access((root_ + "/docker/secret").c_str(), F_OK) == 0) return "more than the volumes is there";
    return "";
  });
  EXPECT_EQ(said, "");
  EXPECT_EQ(test::read_text(first() + "/new"), "written") << "it is the same directory";
  EXPECT_EQ(test::read_text(root_ + "/docker/secret"), "of somebody else") << "and nobody else sees a difference";
}

TEST_F(Reach, IsWhatTheOwnerDoesNotHaveOtherwise) {
  const auto said = test::in_child([&]() -> std::string {
    become_owner(owner, owner, first(), "run: sudo gravity-sync info");
    return ::access((first() + "/file").c_str(), F_OK) == 0 ? "it is there" : "";
  });
  EXPECT_EQ(said, "");
}

TEST_F(Reach, TakesNoNamespaceWhereNothingIsInTheWay) {
  const auto said = test::in_child([&]() -> std::string {
    const auto before = std::filesystem::read_symlink("/proc/self/ns/mnt");
    ::chmod((root_ + "/docker").c_str(), 0711);
    keep_reachable({first(), root_, "/"}, owner, owner);
    return std::filesystem::read_symlink("/proc/self/ns/mnt") == before ? "" : "another namespace";
  });
  EXPECT_EQ(said, "");
}

}  // namespace
}  // namespace gsync::cli
