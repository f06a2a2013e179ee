#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// What is said and done when FTL does not take the new database, or does not come back.

namespace gsync::test {
namespace {

/// A second for FTL, and what a loaded machine and an sshd under sanitizers take.
constexpr std::chrono::seconds within{40};

ino_t inode(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

class FtlFailure : public TwoNodesTest {
 protected:
  struct Timed {
    CommandResult result;
    std::chrono::steady_clock::duration took;
  };
  static Timed pull(const TwoNodes& nodes) {
    const auto start = std::chrono::steady_clock::now();
    auto result = nodes.run({"pull"});
    return {std::move(result), std::chrono::steady_clock::now() - start};
  }
  static FtlOptions deaf() {
    FtlOptions options;
    options.reload = false;
    return options;
  }
  static FtlOptions hanging() {
    FtlOptions options;
    options.hang_after_reload = true;
    return options;
  }
};

TEST_F(FtlFailure, AnFtlThatGoesOnWithADamagedDatabaseIsReported) {
  TwoNodesOptions both;
  both.ph2.backups = true;
  TwoNodes nodes(both);
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 1");
  FtlProcess ftl(nodes.ph2, deaf());
  ASSERT_EQ(::truncate(nodes.ph2.gravity().c_str(), 20 * 4096), 0);
  const auto result = nodes.run({"pull", "--full"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.errors, "warning: pihole-FTL did not take the new database within 1 s")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "damaged.db")) << result.errors;
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(FtlFailure, AnFtlThatNeverReloadsIsReportedWithinTheDeadline) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 1");
  FtlProcess ftl(nodes.ph2, deaf());
  deny(nodes.ph1, "new.example");
  const auto [result, took] = pull(nodes);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.errors, "warning: pihole-FTL did not take the new database within 1 s")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "reloadlists")) << "what to do: " << result.errors;
  EXPECT_LT(took, within);
  EXPECT_EQ(lookup(ftl.port(), "new.example"), "allowed") << "it goes on with the old one";
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "did not take")) << "and it stands in the history";

  // The old file was left to its reader. The next run works all the same, and FTL takes it when it starts again.
  deny(nodes.ph1, "newer.example");
  EXPECT_EQ(pull(nodes).result.exit_code, 0);
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  ftl.stop();
  ftl.start();
  EXPECT_EQ(lookup(ftl.port(), "newer.example"), "blocked");
}

TEST_F(FtlFailure, ANewDatabaseThatFtlDoesNotTakeIsTakenBackWhenUndoIsConfigured) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 1\non_ftl_failure = \"undo\"");
  FtlProcess ftl(nodes.ph2, deaf());
  const auto before = content_of(nodes.ph2.gravity());
  const auto hosts = nodes.ph2.settings().dns_hosts;
  const auto [result, took] = pull(nodes);
  EXPECT_EQ(result.exit_code, 1) << result.errors;
  EXPECT_TRUE(contains(result.errors, "the old database was put back")) << result.errors;
  EXPECT_LT(took, within);
  EXPECT_TRUE(content_of(nodes.ph2.gravity()) == before);
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, hosts) << "records come after the database";
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "failed"));
  // With an FTL that reloads the same pull works.
  ftl.stop();
  FtlProcess healthy(nodes.ph2);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(FtlFailure, ANewDatabaseThatCannotBeTakenBackIsReported) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 4\non_ftl_failure = \"undo\"");
  FtlProcess ftl(nodes.ph2, deaf());
  deny(nodes.ph1, "new.example");
  const auto before = inode(nodes.ph2.gravity());
  std::promise<void> ended;
  std::thread writer([&, end = ended.get_future()] {
    const auto deadline = std::chrono::steady_clock::now() + within;
    while (inode(nodes.ph2.gravity()) == before && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    Sql sql(nodes.ph2.gravity());
    sql.execute("BEGIN IMMEDIATE");
    end.wait_for(within);
  });
  const auto [result, took] = pull(nodes);
  ended.set_value();
  writer.join();
  EXPECT_TRUE(contains(result.errors, "did not take the new database within 4 s; the old database was not put back")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "gravity-sync undo")) << "what to do: " << result.errors;
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "was not put back"));
}

TEST_F(FtlFailure, AnFtlThatDoesNotReloadIsRestartedWhenThatIsConfigured) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 1\non_ftl_failure = \"restart\"");
  auto options = deaf();
  options.respawn = true;
  FtlProcess ftl(nodes.ph2, options);
  deny(nodes.ph1, "new.example");
  const auto [result, took] = pull(nodes);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.errors, "it was restarted")) << result.errors;
  EXPECT_LT(took, within);
  EXPECT_EQ(ftl.respawned(), 1);
  EXPECT_EQ(lookup(ftl.port(), "new.example", within), "blocked");
}

TEST_F(FtlFailure, AnFtlThatHangsIsReportedWithinTheDeadline) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 2");
  FtlProcess ftl(nodes.ph2, hanging());
  const auto [result, took] = pull(nodes);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.errors, "pihole-FTL does not answer DNS questions")) << result.errors;
  EXPECT_LT(took, within);
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(FtlFailure, AnFtlThatHangsIsKilledAndStartedAgainWhenRestartIsConfigured) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 1\non_ftl_failure = \"restart\"");
  auto options = hanging();
  options.respawn = true;
  FtlProcess ftl(nodes.ph2, options);
  deny(nodes.ph1, "new.example");
  const auto [result, took] = pull(nodes);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(contains(result.errors, "restarted and answers now")) << result.errors;
  EXPECT_LT(took, within);
  EXPECT_GE(ftl.respawned(), 1);
  EXPECT_EQ(lookup(ftl.port(), "new.example", within), "blocked");
}

TEST_F(FtlFailure, TheOldDatabaseComesBackWhenFtlHangsAndUndoIsConfigured) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 1\non_ftl_failure = \"undo\"");
  FtlProcess ftl(nodes.ph2, hanging());
  const auto before = content_of(nodes.ph2.gravity());
  const auto [result, took] = pull(nodes);
  EXPECT_EQ(result.exit_code, 1) << result.errors;
  EXPECT_TRUE(contains(result.errors, "does not answer DNS questions")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "the old database was put back")) << result.errors;
  EXPECT_TRUE(content_of(nodes.ph2.gravity()) == before);
}

TEST_F(FtlFailure, WhatWasTakenBackIsKeptFromWritersWhileFtlStillReadsIt) {
  TwoNodes nodes;
  nodes.ph2.set_sync_lines("ftl_deadline_seconds = 3\non_ftl_failure = \"undo\"");
  FtlProcess ftl(nodes.ph2, hanging());
  const auto before = inode(nodes.ph2.gravity());
  const auto shadow = std::filesystem::path(nodes.ph2.gravity()).parent_path() / ".gravity-sync/shadow.db";
  std::atomic<bool> ended = false;
  std::chrono::steady_clock::duration kept{};
  std::thread writer([&] {
    auto wait = [&](auto condition) {
      while (!condition() && !ended) std::this_thread::yield();
    };
    wait([&] { return inode(nodes.ph2.gravity()) != before; });
    wait([&] { return inode(nodes.ph2.gravity()) == before; });
    const auto start = std::chrono::steady_clock::now();
    wait([&] {
      try {
        Sql(shadow.string(), Sql::Mode::read_write, std::chrono::seconds(0)).execute("BEGIN IMMEDIATE; ROLLBACK");
        return true;
      } catch (const std::exception&) {
        return false;
      }
    });
    kept = std::chrono::steady_clock::now() - start;
  });
  const auto result = pull(nodes).result;
  ended = true;
  writer.join();
  EXPECT_TRUE(contains(result.errors, "the old database was put back")) << result.errors;
  EXPECT_GE(kept, std::chrono::seconds(2)) << "FTL hangs with it for longer than it is waited for";
}

TEST_F(FtlFailure, AnFtlThatDoesNotRunIsNoFailure) {
  TwoNodes nodes;
  { FtlProcess ftl(nodes.ph2); }
  const auto result = nodes.run({"pull"});
  EXPECT_TRUE(succeeded(result));
  EXPECT_FALSE(contains(result.errors, "warning")) << result.errors;
  FtlProcess ftl(nodes.ph2);
  EXPECT_EQ(lookup(ftl.port(), "www.gnu.org"), "allowed");
}

}  // namespace
}  // namespace gsync::test
