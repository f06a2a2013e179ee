// A day of a household, in minutes: the daemons' clocks are simulated, all else is real.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "e2e/fleet.hpp"
#include "support/paths.hpp"
#include "support/resident.hpp"
#include "support/simulated_clock_test.hpp"

namespace gsync::test {
namespace {

using namespace std::chrono_literals;

/// What one process holds.
struct Held {
  long descriptors = 0;
  long kilobytes = 0;
};

/// "worker ph1" and so on. A process of each kind but the first has come and gone meanwhile, so they are told by what they do.
std::map<std::string, Held> held_by(const FleetNode& node) {
  std::map<std::string, Held> all;
  for (const auto pid : node.daemon->processes()) {
    auto words = read_text(fmt::format("/proc/{}/cmdline", pid));
    std::replace(words.begin(), words.end(), '\0', ' ');
    std::string kind = "supervisor";
    for (const std::string each : {"worker", "serve"})
      if (contains(words, " " + each)) kind = words.substr(words.find(each));
    auto& held = all[node.name() + " " + kind];
    std::error_code gone;
    for ([[maybe_unused]] const auto& fd : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), gone)) ++held.descriptors;
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("RssAnon:")) held.kilobytes += std::stol(line.substr(8));
  }
  return all;
}

class HouseholdDay : public SimulatedClockTest {
 protected:
  void start() {
    fleet_ = std::make_unique<Fleet>(2);
    auto& ph1 = (*fleet_)[0];
    auto& ph2 = (*fleet_)[1];
    fleet_->connect(ph2, ph1, "sync");
    const auto first = run_here(ph2, {"push", "--force"});
    ASSERT_EQ(first.exit_code, 0) << first.errors;
    fleet_->start_ftls();
    for (auto* node : {&ph1, &ph2}) {
      node->through = clock_.through();
      node->start_daemon();
    }
    ASSERT_TRUE(fleet_->in_step());
  }

  /// Nobody edits, and time passes quickly: as fast as all sides can say that they are still there.
  void pass(std::chrono::seconds time) {
    constexpr auto step = 5s;
    for (auto left = time; left > 0s; left -= step) {
      clock_.pass(std::min(left, std::chrono::seconds(step)));
      std::this_thread::sleep_for(15ms);
    }
    now_ += time;
  }
  /// Whatever was edited has arrived. Time passes as it does.
  void settle() {
    ASSERT_TRUE(DaemonProcess::poll([&] { return static_cast<bool>(fleet_->same()) && same_records(); }))
        << now_.count() << " s after midnight\n"
        << fleet_->logs();
    ASSERT_TRUE(fleet_->in_step()) << now_.count() << " s after midnight\n" << fleet_->logs();
  }
  bool same_records() { return (*fleet_)[0].pihole.settings().dns_hosts == (*fleet_)[1].pihole.settings().dns_hosts; }

  Resident& somebody(std::size_t& at) {
    at = random_.below(2);
    return residents_[at];
  }
  void edit() {
    // Some go on clicking, and sometimes on both.
    for (std::size_t left = 1 + random_.below(4); left > 0; --left) {
      std::size_t at = 0;
      somebody(at).edit((*fleet_)[at].pihole.gravity());
      ++edits_;
    }
    settle();
  }
  void toggle() {
    std::size_t at = 0;
    somebody(at).toggle((*fleet_)[at].pihole.gravity());
    ++edits_;
    settle();
  }
  void edit_records() {
    const auto& pihole = (*fleet_)[random_.below(2)].pihole;
    auto settings = pihole.settings();
    if (hosts_.size() > 3) {
      std::erase(settings.dns_hosts, hosts_.front());
      hosts_.erase(hosts_.begin());
    }
    hosts_.push_back(fmt::format("192.168.7.{} host{}.lan", edits_ % 250 + 1, edits_));
    settings.dns_hosts.push_back(hosts_.back());
    pihole.save(settings);
    ++edits_;
    settle();
  }
  void run_gravity(std::size_t at) {
    const auto result = util::run({.argv = {(*fleet_)[at].pihole.pihole_command(), "-g"}}, util::Deadline::in(1min));
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    ++gravity_runs_;
    settle();
  }
  /// The daemon's end is one that systemd asks for, or none at all.
  void reboot(std::size_t at) {
    auto& node = (*fleet_)[at];
    node.daemon->signal(random_.one_in(2) ? SIGTERM : SIGKILL);
    ASSERT_TRUE(node.daemon->ended());
    node.ftl->stop();
    // Somebody edits the other one meanwhile.
    residents_[1 - at].edit((*fleet_)[1 - at].pihole.gravity());
    ++edits_;
    pass(40s);
    node.ftl->start();
    node.daemon->start();
    ++reboots_;
    settle();
  }

  SimulatedClock clock_;
  std::unique_ptr<Fleet> fleet_;
  Resident residents_[2] = {Resident("anna", seed_ + 1), Resident("otto", seed_ + 2)};
  std::vector<std::string> hosts_;
  std::chrono::seconds now_{0};
  std::uint64_t edits_ = 0;
  int gravity_runs_ = 0;
  int reboots_ = 0;
};

/// Lists, domains, clients and groups are edited in the waking hours, groups are switched by a phone, names are given, both run `pihole -g`
/// in the night, and each host is started again once.
TEST_F(HouseholdDay, EndsWithBothEqualAndNothingLostOrLeaked) {
  SCOPED_TRACE(fmt::format("GSYNC_SEED={}", seed_));
  ASSERT_NO_FATAL_FAILURE(start());
  const auto begin = std::chrono::steady_clock::now();
  constexpr std::chrono::seconds slot = 5min;
  const std::chrono::seconds all = campaign() ? 24h : 20min;
  // The order of a day is that of the sample, whose night is short.
  const auto moment = [&](double hours) {
    return std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(all.count()) * hours / 24)) / slot * slot;
  };
  std::map<std::string, Held> before;
  std::map<std::string, Held> after;
  const auto hold = [&](auto& into) {
    for (std::size_t i = 0; i < 2; ++i)
      for (const auto& [name, held] : held_by((*fleet_)[i])) into[name] = held;
  };
  for (std::chrono::seconds at{0}; at < all; at += slot) {
    const auto hour = 24.0 * static_cast<double>(at.count()) / static_cast<double>(all.count());
    const bool awake = hour >= 7 && hour < 23;
    const std::size_t chance = !campaign() ? 2 : awake ? 3 : 40;
    const auto later = std::chrono::seconds(random_.below(static_cast<std::size_t>(slot.count())));
    pass(later);
    if (random_.one_in(chance)) edit();
    if (hour >= 14 && hour < 22 && random_.one_in(campaign() ? 4 : 1)) toggle();
    if (awake && random_.one_in(campaign() ? 24 : 2)) edit_records();
    for (std::size_t i = 0; i < 2; ++i) {
      if (at == moment(3.5 + 0.2 * static_cast<double>(i))) run_gravity(i);
      if (at == moment(i == 0 ? 4.5 : 5.5)) reboot(i);
    }
    if (HasFatalFailure()) FAIL() << fleet_->logs();
    pass(slot - later);
    // When both have started again, and have done all that they do once.
    if (before.empty() && hour >= 8) hold(before);
    if (campaign() && at % 1h == 0s) fmt::print("{:02}:00: {} edits\n", at / 1h, edits_);
  }
  ASSERT_NO_FATAL_FAILURE(settle());
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& node = (*fleet_)[i];
    EXPECT_EQ(integrity(node.pihole.gravity()), "ok");
    EXPECT_EQ(integrity(node.pihole.state() + "/state.db"), "ok");
    for (const auto& resident : residents_) EXPECT_EQ(resident.wrong(node.pihole.gravity()), "") << node.name();
    for (const auto& host : hosts_) {
      const auto& there = node.pihole.settings().dns_hosts;
      EXPECT_TRUE(std::find(there.begin(), there.end(), host) != there.end()) << host << " on " << node.name();
    }
    for (const auto& name : own_files(node.pihole))
      EXPECT_TRUE(name == "lock" || name == "shadow.db" || name == "delta.db") << node.name() << " keeps " << name;
  }
  EXPECT_GT(edits_, 0u);
  EXPECT_FALSE(before.empty());
  // Whoever asked for the status a moment ago still has a connection.
  const auto within = [&](const auto& each) {
    const auto was = before.find(each.first);
    return was == before.end() ||
           (each.second.descriptors <= was->second.descriptors && each.second.kilobytes <= was->second.kilobytes + 1024);
  };
  const auto deadline = util::Deadline::in(30s);
  do {
    hold(after);
  } while (!std::all_of(after.begin(), after.end(), within) && !deadline.passed());
  for (const auto& each : after) {
    const auto found = before.find(each.first);
    const auto was = found == before.end() ? Held{} : found->second;
    figure("{}: {} descriptors and {} KB, {} and {} at eight in the morning", each.first, each.second.descriptors, each.second.kilobytes,
           was.descriptors, was.kilobytes);
    EXPECT_TRUE(within(each)) << each.first << " holds more than in the morning";
  }
  figure("seed {}: {} minutes of a household in {} s: {} edits, {} runs of pihole -g, {} reboots", seed_, all / 1min,
         std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count(), edits_, gravity_runs_,
         reboots_);
}

}  // namespace
}  // namespace gsync::test
