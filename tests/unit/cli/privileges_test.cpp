#include "../src/cli/privileges.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/subprocess.hpp"
#include "support/in_child.hpp"
#include "support/temp_directory.hpp"

namespace gsync::cli {
namespace {

/// A user that exists nowhere and owns nothing.
constexpr uid_t nobody_known = 54321;

/// A line of /proc/self/status, without its name.
std::string status_of(const std::string& text, const std::string& name) {
  auto at = text.find(name + ":\t");
  if (at == std::string::npos) return "absent";
  at += name.size() + 2;
  return text.substr(at, text.find('\n', at) - at);
}

class AsRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  }
};

TEST_F(AsRoot, BecomesTheOwnerForGood) {
  EXPECT_EQ(test::in_child([]() -> std::string {
              become_owner(nobody_known, nobody_known, "/etc/pihole", "run: sudo gravity-sync pull");
              if (::getuid() != nobody_known || ::geteuid() != nobody_known || ::getgid() != nobody_known) return "not the owner";
              gid_t groups[64];
              auto n = ::getgroups(64, groups);
              if (n != 1 || groups[0] != nobody_known) return "groups of root are left";
              if (::setuid(0) == 0) return "could become root again";
              return {};
            }),
            "");
}

TEST_F(AsRoot, KeepsOneCapabilityForAChildAndUsesItItselfForNothing) {
  EXPECT_EQ(test::in_child([]() -> std::string {
              become_owner(nobody_known, nobody_known, "/etc/pihole", "run: sudo gravity-sync pull");
              auto ours = util::read_file("/proc/self/status").value();
              if (std::stoull(status_of(ours, "CapEff"), nullptr, 16) != 0) return "effective: " + status_of(ours, "CapEff");
              const auto permitted = std::stoull(status_of(ours, "CapPrm"), nullptr, 16);
              if (permitted > 1ull << CAP_CHOWN) return "permitted: " + status_of(ours, "CapPrm");
              util::Command plain{{"/bin/cat", "/proc/self/status"}, {}, {}, {}};
              auto other = util::run(plain, util::Deadline::in(std::chrono::seconds(20)));
              if (std::stoull(status_of(other.output, "CapEff"), nullptr, 16) != 0) return "every child has it";
              plain.ambient_capabilities = {CAP_CHOWN};
              auto chosen = util::run(plain, util::Deadline::in(std::chrono::seconds(20)));
              if (std::stoull(status_of(chosen.output, "CapEff"), nullptr, 16) != permitted)
                return "the child did not get it: " + status_of(chosen.output, "CapEff");
              return {};
            }),
            "");
}

TEST_F(AsRoot, KeepsNothingWhereNoChildNeedsIt) {
  EXPECT_EQ(test::in_child([]() -> std::string {
              become_owner(nobody_known, nobody_known, "/etc/pihole", "run: sudo gravity-sync pull", Keep::nothing);
              const auto ours = util::read_file("/proc/self/status").value();
              for (const auto* set : {"CapPrm", "CapEff", "CapInh", "CapAmb"}) {
                if (std::stoull(status_of(ours, set), nullptr, 16) != 0) return std::string(set) + ": " + status_of(ours, set);
              }
              return {};
            }),
            "");
}

TEST_F(AsRoot, GivesTheStateDirectoryToTheOwner) {
  test::TempDirectory root;
  const auto path = root / "var/lib/gravity-sync";
  prepare_state_directory(path, nobody_known, nobody_known);
  struct stat made {};
  ASSERT_EQ(::stat(path.c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, nobody_known);
  EXPECT_EQ(made.st_mode & 07777, 0700u);
  prepare_state_directory(path, nobody_known, nobody_known);
}

TEST_F(AsRoot, DoesNotTakeAStateDirectoryFromSomebodyElse) {
  test::TempDirectory root;
  const auto path = root / "state";
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  ASSERT_EQ(::chown(path.c_str(), nobody_known + 1, nobody_known + 1), 0);
  EXPECT_THROW(prepare_state_directory(path, nobody_known, nobody_known), Error);
}

TEST_F(AsRoot, FollowsNoLinkToTheStateDirectory) {
  test::TempDirectory root;
  ASSERT_EQ(::mkdir((root / "elsewhere").c_str(), 0755), 0);
  ASSERT_EQ(::symlink((root / "elsewhere").c_str(), (root / "state").c_str()), 0);
  EXPECT_THROW(prepare_state_directory(root / "state", nobody_known, nobody_known), Error);
  struct stat other {};
  ASSERT_EQ(::stat((root / "elsewhere").c_str(), &other), 0);
  EXPECT_EQ(other.st_uid, 0u);
}

TEST_F(AsRoot, GivesTheDirectoryOfTheSocketsToTheOwnerUnlessSomethingElseIsInIt) {
  const auto owner_of = [](const std::string& path) {
    struct stat st {};
    EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
    return st.st_uid;
  };
  const test::TempDirectory directory;
  const std::string run = directory.path() + "/run/";
  const std::string ours = run + "ours";
  prepare_run_directory(ours, nobody_known, nobody_known);
  EXPECT_EQ(owner_of(ours), nobody_known);
  const std::string left = run + "left";
  const std::string another = run + "another";
  ASSERT_EQ(::mkdir(left.c_str(), 0700), 0);
  ASSERT_EQ(::mkdir(another.c_str(), 0700), 0);
  test::write_text(left + "/agent.sock", "");
  test::write_text(another + "/initctl", "");
  prepare_run_directory(left, nobody_known, nobody_known);
  prepare_run_directory(another, nobody_known, nobody_known);
  EXPECT_EQ(owner_of(left), nobody_known);
  EXPECT_EQ(owner_of(another), 0U);
  const std::string target = run + "target";
  const std::string link = run + "link";
  ASSERT_EQ(::mkdir(target.c_str(), 0700), 0);
  ASSERT_EQ(::symlink(target.c_str(), link.c_str()), 0);
  prepare_run_directory(link, nobody_known, nobody_known);
  EXPECT_EQ(owner_of(target), 0U);
}

TEST_F(AsRoot, TellsAnOrdinaryUserToUseSudo) {
  EXPECT_EQ(test::in_child([]() -> std::string {
              if (::setgid(nobody_known) != 0 || ::setuid(nobody_known) != 0) return "cannot become an ordinary user";
              try {
                become_owner(nobody_known + 1, nobody_known, "/etc/pihole/gravity.db", "run: sudo gravity-sync pull");
              } catch (const Error& error) {
                if (error.code() != ErrorCode::refused) return "another code";
                if (error.hint() != "run: sudo gravity-sync pull") return error.hint();
                return {};
              }
              return "no error";
            }),
            "");
}

TEST(Privileges, StayAsTheyAreForTheOwner) {
  become_owner(::geteuid(), ::getegid(), "/etc/pihole", "run: sudo gravity-sync pull");
  test::TempDirectory root;
  prepare_state_directory(root / "a/state", ::geteuid(), ::getegid());
  struct stat made {};
  ASSERT_EQ(::stat((root / "a/state").c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 07777, 0700u);
}

TEST(Privileges, SayHowToMakeAStateDirectoryThatCannotBeMade) {
  test::TempDirectory root;
  test::write_text(root / "file", "");
  try {
    prepare_state_directory(root / "file/state", ::geteuid(), ::getegid());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("install -d -m 0700"), std::string::npos) << error.hint();
  }
}

}  // namespace
}  // namespace gsync::cli
