#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "gsync/util/file_ops.hpp"
#include "gsync/util/files.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// What is refused, and what is waited for.

namespace gsync::test {
namespace {

constexpr int refused = 4;
constexpr int busy = 75;

class Safety : public TwoNodesTest {
 protected:
  /// The bytes of both databases and settings.
  static std::string everything(const TwoNodes& nodes) {
    std::string all;
    for (const auto* node : {&nodes.ph1, &nodes.ph2}) all += read_text(node->gravity()) + read_text(node->toml());
    return all;
  }
};

TEST_F(Safety, AChangeThatWouldTakeMostOfTheListsAwayIsRefusedUnlessForced) {
  TwoNodes nodes;
  execute(nodes.ph1.gravity(), "DELETE FROM domainlist WHERE id % 5 != 0");
  const auto before = everything(nodes);
  const auto result = nodes.run({"pull"});
  EXPECT_EQ(result.exit_code, refused);
  EXPECT_TRUE(contains(result.errors, "domains would go")) << result.errors;
  EXPECT_TRUE(contains(result.errors, "--force")) << result.errors;
  EXPECT_TRUE(everything(nodes) == before);
  EXPECT_TRUE(contains(nodes.run({"history"}).output, "refused"));
  EXPECT_TRUE(contains(nodes.run({"pull", "--dry-run"}).errors, "would be refused"));

  EXPECT_TRUE(succeeded(nodes.run({"pull", "--force"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_TRUE(succeeded(nodes.run({"undo"}))) << "and an undo needs no force";
  EXPECT_GT(number(nodes.ph2.gravity(), "SELECT count(*) FROM domainlist"), 50);
}

TEST_F(Safety, AnEmptySourceEmptiesNothingUnlessForced) {
  TwoNodesOptions options;
  options.ph1.gravity = GravityBuilder();
  options.ph1.dns_hosts = options.ph1.cname_records = options.ph1.dhcp_hosts = {};
  TwoNodes nodes(options);
  const auto before = everything(nodes);
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"pull"}, {"pull", "--full"}, {"pull", "--only", "lists"}}) {
    const auto result = nodes.run(command);
    EXPECT_EQ(result.exit_code, refused) << result.errors;
    EXPECT_TRUE(contains(result.errors, "would go")) << result.errors;
    EXPECT_TRUE(everything(nodes) == before);
  }
  EXPECT_TRUE(succeeded(nodes.run({"push"}))) << "filling an empty one is no danger";
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(Safety, TheLimitsAreThoseOfTheTarget) {
  TwoNodes nodes;
  execute(nodes.ph1.gravity(), "DELETE FROM domainlist WHERE id % 5 != 0");
  nodes.ph2.set_sync_lines("shrink_percent = 100");
  EXPECT_EQ(nodes.run({"pull"}).exit_code, 0);
  // Pushed back with generous limits here: the agent there has its own.
  execute(nodes.ph2.gravity(), "DELETE FROM client");
  const auto result = nodes.run({"push"});
  EXPECT_EQ(result.exit_code, refused) << result.errors;
  EXPECT_GT(number(nodes.ph1.gravity(), "SELECT count(*) FROM client"), 5);
}

/// A process that is called gravity.sh, with the temporary database that it works on.
class GravityRun {
 public:
  GravityRun(const PiholeDirectory& pihole, const std::string& script) : directory_(pihole.root()) {
    write_text(pihole.gravity() + "_temp", "half a database");
    // Long ago, so that only the process tells that it still runs.
    std::filesystem::last_write_time(pihole.gravity() + "_temp", std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    write_text(directory_ + "/gravity.sh", "#!/bin/sh\n" + script + "\n", 0755);
    process_.emplace(std::vector<std::string>{directory_ + "/gravity.sh"}, directory_ + "/gravity.log");
  }
  void stop() { process_->stop(); }

 private:
  std::string directory_;
  std::optional<ChildProcess> process_;
};

TEST_F(Safety, AGravityRunOnEitherSideIsWaitedFor) {
  for (const bool on_source : {true, false}) {
    SCOPED_TRACE(on_source ? "source" : "target");
    TwoNodes nodes;
    const auto& pihole = on_source ? nodes.ph1 : nodes.ph2;
    const auto marker = pihole.root() + "/gravity-ended";
    // It ends a while after the node was locked, which is when we begin to look.
    GravityRun run(
        pihole, fmt::format("while [ ! -e {}/.gravity-sync/lock ]; do sleep 0.05; done\nsleep 0.7\ntouch {}", pihole.directory(), marker));
    const auto result = nodes.run({"pull"});
    EXPECT_TRUE(succeeded(result));
    EXPECT_TRUE(std::filesystem::exists(marker)) << "it was not waited for";
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  }
}

TEST_F(Safety, AGravityRunThatGoesOnIsBusyAtTheDeadline) {
  for (const bool on_source : {true, false}) {
    SCOPED_TRACE(on_source ? "source" : "target");
    TwoNodes nodes;
    nodes.ph2.set_sync_lines("lock_deadline_seconds = 1");
    const auto before = everything(nodes);
    GravityRun run(on_source ? nodes.ph1 : nodes.ph2, "while :; do sleep 1; done");
    const auto result = nodes.run({"pull"});
    EXPECT_EQ(result.exit_code, busy) << result.errors;
    EXPECT_TRUE(contains(result.errors, "`pihole -g` is still running on ph" + std::string(on_source ? "1" : "2"))) << result.errors;
    EXPECT_TRUE(everything(nodes) == before);
    run.stop();
    EXPECT_TRUE(succeeded(nodes.run({"pull"}))) << "a stale gravity.db_temp alone is no run";
  }
}

TEST_F(Safety, AnotherRunOnEitherSideIsBusyAtTheDeadline) {
  for (const bool on_source : {true, false}) {
    SCOPED_TRACE(on_source ? "source" : "target");
    TwoNodes nodes;
    nodes.ph2.set_sync_lines("lock_deadline_seconds = 1");
    ASSERT_TRUE(succeeded(nodes.run({"compare"})));  // makes the directories
    const auto& pihole = on_source ? nodes.ph1 : nodes.ph2;
    const auto directory = util::open_directory(pihole.directory() + "/.gravity-sync");
    deny(nodes.ph1, "new.example");
    {
      const auto held = util::FileLock::acquire(directory.get(), "lock", util::Deadline::in(std::chrono::seconds(10)));
      ASSERT_TRUE(held);
      const auto result = nodes.run({"pull"});
      EXPECT_EQ(result.exit_code, busy) << result.errors;
      EXPECT_TRUE(contains(result.errors, "another gravity-sync")) << result.errors;
      EXPECT_FALSE(denies(nodes.ph2, "new.example"));
    }
    EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  }
}

TEST_F(Safety, TwoRunsAtOnceBothEndWell) {
  TwoNodes nodes;
  std::vector<CommandResult> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = nodes.run({"pull"}); });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_TRUE(succeeded(result));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(number(nodes.ph2.state() + "/state.db", "SELECT count(*) FROM history"), 1) << "one did it, the others had nothing to do";
}

TEST_F(Safety, ADatabaseInWalModeIsRefused) {
  for (const bool on_source : {true, false}) {
    SCOPED_TRACE(on_source ? "source" : "target");
    TwoNodes nodes;
    const auto& pihole = on_source ? nodes.ph1 : nodes.ph2;
    execute(pihole.gravity(), "PRAGMA journal_mode = WAL");
    const auto before = everything(nodes);
    const auto result = nodes.run({"pull"});
    EXPECT_EQ(result.exit_code, refused) << result.errors;
    EXPECT_TRUE(contains(result.errors, "WAL")) << result.errors;
    EXPECT_TRUE(contains(result.errors, "journal_mode=DELETE")) << "how to leave it: " << result.errors;
    EXPECT_TRUE(everything(nodes) == before);
  }
}

TEST_F(Safety, AnAgentThatMayOnlyReadRefusesAPushAndServesAPull) {
  TwoNodes nodes;
  PeerOptions peer;
  peer.remote_command = nodes.agent_command() + " --read-only";
  nodes.set_peer(peer);
  const auto before = read_text(nodes.ph1.gravity());
  const auto result = nodes.run({"push"});
  EXPECT_EQ(result.exit_code, refused) << result.errors;
  EXPECT_TRUE(contains(result.errors, "--read-only")) << result.errors;
  EXPECT_TRUE(read_text(nodes.ph1.gravity()) == before);
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
}

TEST_F(Safety, AShadowThatSomebodyElseLinkedIsNotWrittenThrough) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto shadow = nodes.ph2.directory() + "/.gravity-sync/shadow.db";
  const auto victim = nodes.ph2.root() + "/victim";
  for (const bool symbolic : {true, false}) {
    SCOPED_TRACE(symbolic);
    write_text(victim, "precious");
    ::unlink(shadow.c_str());
    ASSERT_EQ(symbolic ? ::symlink(victim.c_str(), shadow.c_str()) : ::link(victim.c_str(), shadow.c_str()), 0);
    deny(nodes.ph1, symbolic ? "one.example" : "two.example");
    const auto result = nodes.run({"pull"});
    EXPECT_EQ(read_text(victim), "precious");
    EXPECT_TRUE(succeeded(result));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  }
}

/// `pihole -g` copies the lists when it begins and moves its file over live when it is done. What was published in between is gone then.
TEST_F(Safety, ACopyAndSwapThatNobodyCouldSeeIsMendedByTheNextRun) {
  TwoNodes nodes;
  const auto copy = nodes.ph2.directory() + "/swapped.db";
  std::filesystem::copy_file(nodes.ph2.gravity(), copy);
  execute(copy, "UPDATE info SET value = value + 60 WHERE property = 'updated'");
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  ASSERT_TRUE(same_content(nodes.ph1, nodes.ph2));
  std::filesystem::rename(copy, nodes.ph2.gravity());
  ASSERT_NE(content_of(nodes.ph1.gravity()), content_of(nodes.ph2.gravity()));
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
}

TEST_F(Safety, TwoTargetsReadOneSourceAtOnce) {
  TwoNodes nodes;
  PiholeDirectory ph3(small_pihole("ph3", 11, small_household()));
  const auto config = read_text(nodes.ph2.config());
  ph3.set_peers({config.substr(config.find("[[peer]]"))});
  write_text(ph3.state() + "/known_hosts", nodes.sshd.known_hosts_line(), 0600);
  for (int round = 0; round < 3; ++round) {
    deny(nodes.ph1, fmt::format("round-{}.example", round));
    CommandResult third;
    std::thread other([&] { third = nodes.run_on(ph3, {"pull"}); });
    const auto second = nodes.run({"pull"});
    other.join();
    EXPECT_TRUE(succeeded(second));
    EXPECT_TRUE(succeeded(third));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_TRUE(same_content(nodes.ph1, ph3));
  }
}

}  // namespace
}  // namespace gsync::test
