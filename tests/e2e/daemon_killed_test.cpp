// Any process of any side dies at any moment, and people go on editing.

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "e2e/fleet.hpp"
#include "support/paths.hpp"
#include "support/resident.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class DaemonKilled : public TwoNodesTest {};

/// Edits a Pi-hole from a thread of his own until he is told to stop.
class BusyResident {
 public:
  BusyResident(const PiholeDirectory& pihole, std::uint64_t seed) : resident_("resident-of-" + pihole.options().name, seed) {
    thread_ = std::thread([this, &pihole, seed] {
      Random pauses(~seed);
      try {
        for (; !stopping_; std::this_thread::sleep_for(std::chrono::milliseconds(pauses.below(150)))) resident_.edit(pihole.gravity());
      } catch (const std::exception& error) {
        error_ = error.what();
      }
    });
  }
  ~BusyResident() { stop(); }
  BusyResident(const BusyResident&) = delete;
  BusyResident& operator=(const BusyResident&) = delete;

  const Resident& stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    EXPECT_EQ(error_, "");
    return resident_;
  }

 private:
  Resident resident_;
  std::atomic<bool> stopping_{false};
  std::string error_;
  std::thread thread_;
};

bool is_alive(pid_t pid) {
  const auto stat = std::filesystem::exists(fmt::format("/proc/{}", pid)) ? read_text(fmt::format("/proc/{}/stat", pid)) : "";
  const auto end = stat.rfind(") ");
  return end != std::string::npos && stat[end + 2] != 'Z';
}

/// Kills processes of a fleet, and starts daemons again.
class Killer {
 public:
  Killer(Fleet& fleet, std::uint64_t seed) : fleet_(fleet), random_(seed), missing_(fleet.size()) {}

  void kill_one() {
    const auto at = random_.below(fleet_.size());
    auto& node = fleet_[at];
    const auto agents = node.sshd.running(paths::binary);
    if (!agents.empty() && random_.one_in(2)) {
      ::kill(agents[random_.below(agents.size())], SIGKILL);
      ++(missing_[at] ? alone : relays);
    } else if (missing_[at]) {
      start(at);
      return kill_one();
    } else {
      auto& daemon = *node.daemon;
      const auto processes = daemon.processes();
      const auto victim =
          processes.size() == 1 || random_.one_in(3) ? processes.front() : processes[1 + random_.below(processes.size() - 1)];
      ::kill(victim, SIGKILL);
      ++(victim == daemon.pid() ? supervisors : children);
      if (victim != daemon.pid()) return;
      ASSERT_TRUE(DaemonProcess::poll([&] { return daemon.ended() && std::none_of(processes.begin() + 1, processes.end(), is_alive); }))
          << "its children live on";
      // Without a daemon an agent serves by itself, until this one is chosen again.
      missing_[at] = random_.one_in(2);
      if (!missing_[at]) daemon.start();
    }
  }
  void start_all() {
    for (std::size_t i = 0; i < fleet_.size(); ++i)
      if (missing_[i]) start(i);
  }

  int supervisors = 0;
  int children = 0;
  int relays = 0;
  int alone = 0;

 private:
  void start(std::size_t i) {
    missing_[i] = false;
    fleet_[i].daemon->start();
  }

  Fleet& fleet_;
  Random random_;
  std::vector<bool> missing_;
};

/// The middle and one outer Pi-hole are edited, and names are asked for on the other outer one.
TEST_F(DaemonKilled, WithItsAgentsAtRandomMomentsWhileTwoPiholesAreEditedNothingIsLost) {
  const auto seed = campaign_seed();
  fmt::print("GSYNC_SEED={}\n", seed);
  SCOPED_TRACE(fmt::format("GSYNC_SEED={}", seed));
  const auto fleet = star(3, true);
  ASSERT_TRUE(fleet->in_step());
  DnsProbe probe((*fleet)[2].ftl->port(), blocked_names((*fleet)[2].pihole.gravity(), 500), ProbeOptions{8, 200});
  BusyResident first((*fleet)[0].pihole, seed);
  BusyResident second((*fleet)[1].pihole, seed + 1);
  Killer killer(*fleet, seed + 2);
  Random moments(seed + 3);
  const int kills = campaign() ? 1000 : 6;
  for (int i = 0; i < kills; ++i) {
    // The moment is what is random; nothing is waited for.
    std::this_thread::sleep_for(std::chrono::milliseconds(moments.below(700)));
    killer.kill_one();
    if (HasFatalFailure()) FAIL() << fleet->logs();
    if ((i + 1) % 100 == 0) fmt::print("{} kills\n", i + 1);
  }
  killer.start_all();
  const auto residents = {&first.stop(), &second.stop()};
  ASSERT_TRUE(DaemonProcess::poll([&] { return static_cast<bool>(fleet->same()); })) << fleet->logs();
  ASSERT_TRUE(fleet->in_step()) << fleet->logs();
  for (const auto* resident : residents) {
    EXPECT_GT(resident->edits(), 0u);
    for (std::size_t i = 0; i < fleet->size(); ++i) {
      const auto wrong = resident->wrong((*fleet)[i].pihole.gravity());
      EXPECT_EQ(wrong, "") << (*fleet)[i].name() << "\n"
                           << (wrong.empty() ? "" : run_here((*fleet)[i], {"history", "--rows", "--limit", "100000"}).output);
    }
  }
  const auto counts = probe.stop();
  figure(
      "seed {}: {} kills ({} of daemons, {} of their children, {} of agents that pass bytes on, {} of agents that serve) during {} edits; "
      "{} questions",
      seed, kills, killer.supervisors, killer.children, killer.relays, killer.alone,
      (*residents.begin())->edits() + (*(residents.end() - 1))->edits(), counts.asked);
  EXPECT_GT(counts.blocked, 0u);
  EXPECT_EQ(counts.allowed, 0u) << fmt::format("{}", fmt::join(counts.allowed_names, ", "));
  EXPECT_EQ(counts.other, 0u);
  for (std::size_t i = 0; i < fleet->size(); ++i) {
    const auto& pihole = (*fleet)[i].pihole;
    EXPECT_EQ(integrity(pihole.state() + "/state.db"), "ok");
    for (const auto& name : own_files(pihole))
      EXPECT_TRUE(name == "lock" || name == "shadow.db" || name == "delta.db") << (*fleet)[i].name() << " keeps " << name;
  }
}

}  // namespace
}  // namespace gsync::test
