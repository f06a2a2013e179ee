#include "gsync/setup/ssh_account.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::setup {
namespace {

constexpr uid_t somebody = 54321;

class TheSshAccount : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root lets others in";
  }

  void admit(const std::string& peer, const ssh::PublicKey& with) {
    setup::admit(account, {"/usr/bin/gravity-sync", "", peer, false}, with);
  }
  ErrorCode failure(const std::string& peer = "ph2") {
    try {
      admit(peer, key);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::cancelled;
  }
  std::string content() { return test::read_text(account.authorized_keys()); }

  test::TempDirectory directory;
  SshAccount account{somebody, somebody, directory / "home", "/bin/sh"};
  ssh::PublicKey key = ssh::generate_key("ph2").public_key;
};

TEST_F(TheSshAccount, GetsAFileOfRootsThatItCanRead) {
  const auto old = ::umask(077);
  std::filesystem::create_directory(account.home);
  ASSERT_EQ(::chmod(account.home.c_str(), 0755), 0);
  admit("ph2", key);
  ::umask(old);
  for (const auto& [path, mode] : {std::pair(account.home + "/.ssh", 0755u), std::pair(account.authorized_keys(), 0644u)}) {
    struct stat st {};
    ASSERT_EQ(::lstat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, mode) << path;
    EXPECT_EQ(st.st_uid, 0u);
  }
  ASSERT_EQ(admitted(account).size(), 1u);
  EXPECT_EQ(admitted(account)[0].peer, "ph2");
}

TEST_F(TheSshAccount, HasAFileThatIsReplacedAndNotAppendedTo) {
  admit("ph2", key);
  admit("ph2", ssh::generate_key("new").public_key);
  EXPECT_EQ(admitted(account).size(), 1u);
  EXPECT_EQ(content().find(key.base64), std::string::npos);
  admit("ph3", key);
  EXPECT_EQ(admitted(account).size(), 2u);
  EXPECT_TRUE(dismiss(account, "ph2"));
  EXPECT_FALSE(dismiss(account, "ph2"));
  EXPECT_EQ(admitted(account).size(), 1u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(account.home + "/.ssh"), {}), 1);
}

TEST_F(TheSshAccount, IsGivenBackAFileThatSomebodyElseOwned) {
  std::filesystem::create_directories(account.home + "/.ssh");
  test::write_text(account.authorized_keys(), "# mine\n", 0666);
  ASSERT_EQ(::chown(account.authorized_keys().c_str(), somebody, somebody), 0);
  admit("ph2", key);
  struct stat st {};
  ASSERT_EQ(::lstat(account.authorized_keys().c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 0u);
  EXPECT_EQ(st.st_mode & 07777, 0644u);
  EXPECT_TRUE(content().starts_with("# mine\n"));
}

TEST_F(TheSshAccount, LetsNobodyInThroughADirectoryThatIsNotRoots) {
  std::filesystem::create_directories(account.home + "/.ssh");
  ASSERT_EQ(::chown((account.home + "/.ssh").c_str(), somebody, somebody), 0);
  EXPECT_EQ(failure(), ErrorCode::refused);
  ASSERT_EQ(::chown((account.home + "/.ssh").c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(account.home.c_str(), somebody, somebody), 0);
  EXPECT_EQ(failure(), ErrorCode::refused);
  ASSERT_EQ(::chown(account.home.c_str(), 0, 0), 0);
  ASSERT_EQ(::chmod(account.home.c_str(), 0777), 0);
  EXPECT_EQ(failure(), ErrorCode::refused);
  EXPECT_FALSE(std::filesystem::exists(account.authorized_keys()));
}

TEST_F(TheSshAccount, IsNotServedThroughLinks) {
  test::write_text(directory / "passwd", "root\n", 0600);
  std::filesystem::create_directories(account.home + "/.ssh");
  std::filesystem::create_symlink(directory / "passwd", account.authorized_keys());
  EXPECT_EQ(failure(), ErrorCode::refused);
  EXPECT_EQ(test::read_text(directory / "passwd"), "root\n");
  struct stat st {};
  ASSERT_EQ(::lstat((directory / "passwd").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  std::filesystem::remove_all(account.home + "/.ssh");
  std::filesystem::create_directory(directory / "elsewhere");
  std::filesystem::create_directory_symlink(directory / "elsewhere", account.home + "/.ssh");
  EXPECT_NE(failure(), ErrorCode::cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(directory / "elsewhere"));
}

TEST_F(TheSshAccount, ChangesNothingForANameThatCannotStandInACommand) {
  EXPECT_EQ(failure("ph2;id"), ErrorCode::config);
  EXPECT_FALSE(std::filesystem::exists(account.home));
}

TEST(TheSshAccountOfOthers, IsRootsMatter) {
  if (::geteuid() == 0) GTEST_SKIP() << "this is root";
  test::TempDirectory directory;
  SshAccount account{::geteuid(), ::getegid(), directory / "home", "/bin/sh"};
  EXPECT_THROW(dismiss(account, "ph2"), Error);
  EXPECT_FALSE(std::filesystem::exists(account.home));
}

TEST(TheSshAccountOfOthers, IsNeverToBecomeRoot) {
  EXPECT_NE(how_to_serve(999, 998).find("usermod --non-unique --uid 999 --gid 998 gravity-sync"), std::string::npos);
  EXPECT_EQ(how_to_serve(0, 0).find("usermod"), std::string::npos);
}

}  // namespace
}  // namespace gsync::setup
