// Adlists that nobody has compiled: who hears of them, and where `pihole -g` is run for them.

#include <fmt/format.h>

#include <filesystem>

#include "e2e/fleet.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

constexpr const char* address = "https://added.example/list.txt";
constexpr const char* unreachable = "https://unreachable.example/list.txt";

/// A person adds an adlist in the web page.
void add_adlist(const PiholeDirectory& pihole, const std::string& url) {
  execute(pihole.gravity(), fmt::format("INSERT INTO adlist (address, comment) VALUES ('{}', 'new')", url));
}

std::int64_t compiled_rows(const PiholeDirectory& pihole, const std::string& url = address) {
  return number(pihole.gravity(),
                fmt::format("SELECT count(*) FROM gravity WHERE adlist_id = (SELECT id FROM adlist WHERE address = '{}')", url));
}

std::function<void(FleetNode&)> run_gravity_on(std::vector<std::size_t> nodes) {
  return [nodes](FleetNode& node) {
    settle_empty_adlists(node.pihole);
    for (const auto i : nodes)
      if (node.name() == fmt::format("ph{}", i + 1)) node.pihole.set_sync_lines("run_gravity = true");
  };
}

class RunGravity : public TwoNodesTest {
 protected:
  static ::testing::AssertionResult compiled_by_all(Fleet& fleet) {
    const bool is_so = DaemonProcess::poll([&] {
      for (std::size_t i = 0; i < fleet.size(); ++i)
        if (compiled_rows(fleet[i].pihole) != 3) return false;
      return true;
    });
    if (is_so) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << fleet.logs();
  }
  static std::size_t runs(Fleet& fleet) {
    std::size_t runs = 0;
    for (std::size_t i = 0; i < fleet.size(); ++i) runs += fleet[i].pihole.gravity_runs();
    return runs;
  }
};

TEST_F(RunGravity, IsDoneOnceWhereTheAdlistWasAddedAndAllGetTheResult) {
  for (const std::size_t where : {2U, 0U}) {
    SCOPED_TRACE(where);
    const auto fleet = star(3, true, run_gravity_on({0, 1, 2}));
    ASSERT_TRUE(fleet->in_step());
    add_adlist((*fleet)[where].pihole, address);
    ASSERT_TRUE(compiled_by_all(*fleet));
    ASSERT_TRUE(fleet->in_step());
    EXPECT_TRUE(fleet->same());
    EXPECT_EQ(runs(*fleet), 1U) << fleet->logs();
    EXPECT_EQ((*fleet)[where].pihole.gravity_runs(), 1U) << fleet->logs();
  }
}

/// It serves only: its daemon has no peer, and hears of the adlist from the one that brings it.
TEST_F(RunGravity, IsDoneWhereItIsAllowed) {
  const auto fleet = star(2, false, run_gravity_on({0}));
  ASSERT_TRUE(fleet->in_step());
  add_adlist((*fleet)[1].pihole, address);
  ASSERT_TRUE(compiled_by_all(*fleet));
  EXPECT_EQ((*fleet)[0].pihole.gravity_runs(), 1U);
  EXPECT_EQ((*fleet)[1].pihole.gravity_runs(), 0U);
  ASSERT_TRUE((*fleet)[1].daemon->wait_for([](const auto& peer) { return peer.uncompiled.empty() && peer.in_step == true; }));
}

TEST_F(RunGravity, IsNotDoneAgainAndAgainWhereADownloadFails) {
  const auto fleet = star(2, true, run_gravity_on({0, 1}));
  auto& node = (*fleet)[1];
  ASSERT_TRUE(fleet->in_step());
  add_adlist(node.pihole, unreachable);
  ASSERT_TRUE(node.daemon->wait_for([](const auto& peer) { return peer.uncompiled.size() == 1 && peer.uncompiled[0].failed; }));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(time_until_served(*fleet, node, fmt::format("edit{}.example", i)));
    node.daemon->ask({"now", {}, {}});
  }
  ASSERT_TRUE(fleet->in_step());
  EXPECT_EQ(runs(*fleet), 1U) << fleet->logs();
  EXPECT_TRUE(contains(node.daemon->log(), "its download failed: " + std::string(unreachable))) << node.daemon->log();
}

TEST_F(RunGravity, IsAskedForWhereNobodyDoesIt) {
  TempDirectory directory;
  const auto script = directory / "hook";
  write_text(script, fmt::format("#!/bin/sh\ncat >> {}\n", directory / "events"), 0755);
  const auto fleet = star(2, false, [&](FleetNode& node) {
    settle_empty_adlists(node.pihole);
    node.pihole.set_daemon_lines(fmt::format("on_success = [\"{}\"]\n", script));
  });
  auto& node = (*fleet)[1];
  ASSERT_TRUE(fleet->in_step());
  add_adlist(node.pihole, address);
  ASSERT_TRUE(node.daemon->wait_for([](const auto& peer) {
    return peer.in_step == true && peer.uncompiled == std::vector<daemon::Uncompiled>{{address, false}};
  }));
  const auto named = fmt::format("1 adlist blocks nothing, no Pi-hole has compiled it: {}", address);
  const auto status = run_here(node, {"status"});
  EXPECT_TRUE(contains(status.output, named)) << status.output;
  EXPECT_TRUE(contains(status.output, "run `pihole -g` on one of the Pi-holes")) << status.output;
  EXPECT_TRUE(contains(run_here(node, {"status", "--json"}).output, "\"address\":\"" + std::string(address)));
  EXPECT_TRUE(contains(run_here(node, {"status", "--prometheus"}).output, "\ngravity_sync_uncompiled_adlists 1\n"));
  const auto history = run_here((*fleet)[0], {"history", "--limit", "1"});
  EXPECT_TRUE(contains(history.output, named)) << history.output;
  EXPECT_TRUE(DaemonProcess::poll([&] {
    return std::filesystem::exists(directory / "events") &&
           contains(read_text(directory / "events"), fmt::format("\"uncompiled\":[\"{}\"]", address));
  }));
  // Once in the log, however often the two are compared.
  node.daemon->ask({"now", {}, {}});
  const auto log = node.daemon->log();
  EXPECT_EQ(log.find(named), log.rfind(named)) << log;
  EXPECT_NE(log.find(named), std::string::npos) << log;

  const auto by_hand = util::run({.argv = {node.pihole.pihole_command(), "-g"}}, util::Deadline::in(std::chrono::minutes(1)));
  ASSERT_EQ(by_hand.exit_code, 0) << by_hand.errors;
  ASSERT_TRUE(compiled_by_all(*fleet));
  ASSERT_TRUE(node.daemon->wait_for([](const auto& peer) { return peer.in_step == true && peer.uncompiled.empty(); }));
  EXPECT_FALSE(contains(run_here(node, {"status"}).output, "blocks nothing"));
}

struct OnePull {
  explicit OnePull(bool script, bool container = false) : options(with(script, container)), nodes(options) {
    settle_empty_adlists(nodes.ph1);
    settle_empty_adlists(nodes.ph2);
    nodes.ph2.set_sync_lines("run_gravity = true");
    add_adlist(nodes.ph1, address);
  }
  static TwoNodesOptions with(bool script, bool container) {
    TwoNodesOptions options;
    options.ph2.pihole_script = script;
    options.ph2.container = container;
    return options;
  }
  TwoNodesOptions options;
  TwoNodes nodes;
};

TEST_F(RunGravity, IsDoneByACommandWithoutADaemonAtItsEnd) {
  for (const bool container : {false, true}) {
    SCOPED_TRACE(container ? "container" : "native");
    OnePull pull(true, container);
    const auto& ph2 = pull.nodes.ph2;
    const auto first = pull.nodes.run({"pull"});
    EXPECT_TRUE(succeeded(first));
    EXPECT_TRUE(contains(first.errors, address)) << first.errors;
    EXPECT_TRUE(contains(first.output, "`pihole -g` has compiled 1 new adlist here")) << first.output;
    EXPECT_EQ(compiled_rows(ph2), 3);
    EXPECT_EQ(ph2.gravity_runs(), 1U);
    if (container) {
      EXPECT_TRUE(contains(read_text(ph2.root() + "/executed"), "pihole -g\n"));
    }
    const auto second = pull.nodes.run({"pull"});
    EXPECT_TRUE(succeeded(second));
    EXPECT_FALSE(contains(second.errors, address)) << second.errors;
    EXPECT_EQ(ph2.gravity_runs(), 1U);
  }
}

TEST_F(RunGravity, ThatFailsIsSaidAndNotTriedAgainTheSameDay) {
  OnePull pull(true);
  write_text(pull.nodes.ph2.root() + "/gravity-fails", "");
  const auto first = pull.nodes.run({"pull"});
  EXPECT_TRUE(succeeded(first));
  EXPECT_TRUE(
      contains(first.errors, "`pihole -g` failed with exit code 1: Neutrino emissions detected; DNS resolution is currently unavailable"))
      << first.errors;
  EXPECT_TRUE(succeeded(pull.nodes.run({"pull"})));
  EXPECT_EQ(pull.nodes.ph2.gravity_runs(), 1U);
}

TEST_F(RunGravity, ThatCannotBeStartedIsSaidOnce) {
  OnePull pull(false);
  const auto first = pull.nodes.run({"pull"});
  EXPECT_TRUE(succeeded(first));
  EXPECT_TRUE(contains(first.errors, "there is no command pihole on this host: set [pihole] pihole_command")) << first.errors;
  EXPECT_FALSE(contains(pull.nodes.run({"pull"}).errors, "pihole_command"));
  const auto doctor = pull.nodes.run({"doctor"});
  EXPECT_TRUE(contains(doctor.output, "hint   Pi-hole: [sync] run_gravity can do nothing here: there is no command pihole on this host\n"))
      << doctor.output;
  EXPECT_TRUE(contains(doctor.output, "set [pihole] pihole_command to where it is")) << doctor.output;
  const DaemonProcess daemon(pull.nodes.ph2);
  EXPECT_TRUE(contains(daemon.status().gravity_problem, "no command pihole")) << daemon.log();
  EXPECT_TRUE(contains(daemon.log(), "[sync] run_gravity can do nothing here")) << daemon.log();
}

}  // namespace
}  // namespace gsync::test
