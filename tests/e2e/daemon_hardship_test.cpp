// Daemons that are killed, started at once, or live on a host with a wrong clock.

#include <fmt/format.h>

#include <ctime>
#include "e2e/fleet.hpp"
#include "support/gravity_editor.hpp"
#include "support/household.hpp"
#include "support/paths.hpp"
#include "support/sanitizer.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class DaemonHardship : public TwoNodesTest {};

/// The first is edited all the time, the second pulls from it and pushes to the third; any process of any daemon dies.
TEST_F(DaemonHardship, KilledAtRandomMomentsWhileEditsGoOnAllEndUpTheSame) {
  const auto number = campaign_seed();
  SCOPED_TRACE(fmt::format("GSYNC_SEED={}", number));
  Random random(number);
  Fleet fleet(3);
  fleet.connect(fleet[1], fleet[0], "pull");
  fleet.connect(fleet[1], fleet[2], "push");
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step());
  FleetProbe probe(fleet);
  GravityEditor editor(fleet[0].pihole.gravity(), 5);
  const int kills = campaign() ? 100 : 10;
  int supervisors = 0;
  for (int i = 0; i < kills * static_cast<int>(fleet.size()); ++i) {
    auto& daemon = *fleet[static_cast<std::size_t>(i) % fleet.size()].daemon;
    // The moment is what is random; nothing is waited for.
    std::this_thread::sleep_for(std::chrono::milliseconds(random.below(400)));
    const auto processes = daemon.processes();
    // The daemon itself, or, twice as often, one of its children.
    const auto victim = processes.size() == 1 || random.one_in(3) ? processes.front() : processes[1 + random.below(processes.size() - 1)];
    ::kill(victim, SIGKILL);
    if (victim != daemon.pid()) continue;
    ++supervisors;
    ASSERT_TRUE(daemon.ended());
    daemon.start();
  }
  const auto edits = editor.stop();
  figure("seed {}: {} kills, {} of them of a daemon's first process, during {} edits", number, kills * static_cast<int>(fleet.size()),
         supervisors, edits.edits);
  ASSERT_TRUE(time_until_served(fleet, fleet[0], "last.example")) << fleet.logs();
  ASSERT_TRUE(fleet.in_step());
  EXPECT_TRUE(fleet.same());
  EXPECT_TRUE(probe.right());
}

/// One wants to push what the other wants to pull.
TEST_F(DaemonHardship, StartedAtTheSameInstantBothMakeTheChangeOnce) {
  Fleet fleet(2);
  fleet.connect(fleet[0], fleet[1], "push");
  fleet.connect(fleet[1], fleet[0], "pull");
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step());
  for (int round = 0; round < (campaign() ? 20 : 4); ++round) {
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      ASSERT_TRUE(fleet[i].daemon->stop());
    }
    const auto domain = fmt::format("first{}.example", round);
    deny(fleet[0].pihole, domain);
    deny(fleet[1].pihole, fmt::format("second{}.example", round));
    for (std::size_t i = 0; i < fleet.size(); ++i) fleet[i].daemon->launch();
    for (std::size_t i = 0; i < fleet.size(); ++i) fleet[i].daemon->await();
    ASSERT_TRUE(DaemonProcess::poll([&] { return fleet[1].serves(domain); })) << fleet.logs();
    ASSERT_TRUE(fleet.in_step());
    EXPECT_TRUE(fleet.same());
    EXPECT_FALSE(denies(fleet[1].pihole, fmt::format("second{}.example", round)));
    int runs = 0;
    const auto history = history_of(fleet[1], {"--rows"});
    for (const auto& run : history)
      if (contains(run.dump(), domain)) ++runs;
    EXPECT_EQ(runs, 1) << "one of the two did it\n" << fleet.logs();
  }
}

/// A chain, whose middle is target and source.
TEST_F(DaemonHardship, AClockThatIsAnHourOffChangesNothingButTheDatesOfItsOwnHistory) {
  if (sanitized) GTEST_SKIP() << "the sanitizer must be the first library";
  for (const int ahead : {3600, -3600}) {
    SCOPED_TRACE(ahead);
    Fleet fleet(3);
    fleet.connect(fleet[1], fleet[0], "pull");
    fleet.connect(fleet[2], fleet[1], "pull");
    fleet.start_ftls();
    fleet[0].start_daemon();
    fleet[1].through = {"/usr/bin/env", fmt::format("LD_PRELOAD={}", paths::clock_off), fmt::format("GSYNC_CLOCK_OFF={}", ahead)};
    fleet[1].start_daemon();
    fleet[2].start_daemon();
    ASSERT_TRUE(fleet.in_step());
    std::vector<std::chrono::milliseconds> times;
    for (int i = 0; i < (campaign() ? 50 : 4); ++i) {
      const auto time = time_until_served(fleet, fleet[0], fmt::format("timeless{}.example", i));
      ASSERT_TRUE(time) << fleet.logs();
      times.push_back(*time);
      if (campaign()) std::this_thread::sleep_for(std::chrono::milliseconds(1000 + 7 * i));
    }
    figure("a clock {} s off in the middle of three: served by the third after p50 {} ms, p95 {} ms", ahead, percentile(times, 50).count(),
           percentile(times, 95).count());
    ASSERT_TRUE(fleet.in_step());
    EXPECT_TRUE(fleet.same());
    const auto newest = [](const FleetNode& node) { return history_of(node).at(0).at("time").get<std::int64_t>(); };
    EXPECT_NEAR(static_cast<double>(newest(fleet[1]) - std::time(nullptr)), ahead, 300);
    EXPECT_NEAR(static_cast<double>(newest(fleet[2]) - std::time(nullptr)), 0, 300);
  }
}

}  // namespace
}  // namespace gsync::test
