#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/private_mounts.hpp"
#include "support/sanitizer.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// Started by root on Pi-holes that belong to others: the program becomes the owner, and leaves nothing of root's behind.

namespace gsync::test {
namespace {

class Owner : public TwoNodesTest {
 protected:
  void SetUp() override {
    TwoNodesTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a Pi-hole to somebody else";
  }
};

/// Another owner on each side, and a key that ph2's owner can read.
void give_away(TwoNodes& nodes, uid_t ph1, uid_t ph2) {
  const auto key = nodes.ph2.state() + "/key";
  std::filesystem::copy_file(nodes.sshd.client_key(), key);
  PeerOptions peer;
  peer.identity = key;
  nodes.set_peer(peer);
  nodes.ph1.give_to(ph1, ph1 + 1);
  nodes.ph2.give_to(ph2, ph2 + 1);
}

void expect_all_owned(const PiholeDirectory& pihole, uid_t uid) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(pihole.root())) {
    struct stat st {};
    if (::lstat(entry.path().c_str(), &st) != 0) continue;
    EXPECT_EQ(st.st_uid, uid) << entry.path();
    EXPECT_EQ(st.st_gid, uid + 1) << entry.path();
  }
}

struct stat stat_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(::stat(path.c_str(), &st), 0);
  return st;
}

TEST_F(Owner, NoFileOfRootsIsLeftOnEitherSideAndLiveKeepsItsOwnerAndMode) {
  TwoNodes nodes;
  // As FTL's start script leaves it, and as gravity.sh does.
  ASSERT_EQ(::chmod(nodes.ph1.gravity().c_str(), 0640), 0);
  ASSERT_EQ(::chmod(nodes.ph2.gravity().c_str(), 0664), 0);
  give_away(nodes, 54'321, 54'331);
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"info"}, {"compare"}, {"pull"}, {"undo"}, {"push"}, {"pull", "--full"}, {"history"}}) {
    EXPECT_TRUE(succeeded(nodes.run(command))) << command[0];
    expect_all_owned(nodes.ph1, 54'321);
    expect_all_owned(nodes.ph2, 54'331);
    EXPECT_EQ(stat_of(nodes.ph1.gravity()).st_mode & 07777, 0640U) << command[0];
    EXPECT_EQ(stat_of(nodes.ph2.gravity()).st_mode & 07777, 0664U) << command[0];
  }
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(Owner, RecordsAreSetByAChildWithTheOneCapabilityThatFtlAsksFor) {
  TwoNodesOptions options;
  options.ph2.needs_chown = true;
  TwoNodes nodes(options);
  give_away(nodes, 54'321, 54'331);
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts);
  expect_all_owned(nodes.ph2, 54'331);
}

TEST_F(Owner, AnFtlThatProcHidesReloadsByItsPollAndIsNotTakenForAnother) {
  PrivateMounts mounts;
  if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
  mounts.hide_processes();
  TwoNodes nodes;
  FtlProcess ftl(nodes.ph2);
  give_away(nodes, 54'321, 54'331);
  deny(nodes.ph1, "new.example");
  std::map<std::string, std::string> environment;
  if (address_sanitizer) environment["ASAN_OPTIONS"] = "detect_leaks=0";  // LeakSanitizer does not work where it cannot see its own process
  const auto info = nodes.run({"info"}, environment).output;
  EXPECT_TRUE(contains(info, "hidden from us")) << info;
  const auto result = nodes.run({"pull", "--only", "lists,blocklist"}, environment);
  EXPECT_TRUE(succeeded(result));
  EXPECT_FALSE(contains(result.errors, "warning")) << result.errors;
  EXPECT_EQ(ftl.stats().signals, 0U);
  EXPECT_EQ(lookup(ftl.port(), "new.example", std::chrono::seconds(60)), "blocked");
}

TEST_F(Owner, AKeyThatTheOwnerCannotReadIsNamed) {
  TwoNodes nodes;
  nodes.ph2.give_to(54'331, 54'332);
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, 2) << result.errors;
  EXPECT_TRUE(contains(result.errors, nodes.sshd.client_key())) << result.errors;
  EXPECT_TRUE(contains(result.errors, "uid 54331")) << result.errors;
}

}  // namespace
}  // namespace gsync::test
