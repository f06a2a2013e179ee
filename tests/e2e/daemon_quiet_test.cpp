// What a daemon costs, and what it leaves alone. GSYNC_CAMPAIGN=1 runs these as long as a campaign does.

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "gsync/util/fd.hpp"
#include "support/campaign.hpp"
#include "support/daemon_process.hpp"
#include "support/sanitizer.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class QuietDaemon : public TwoNodesTest {};

long kilobytes(pid_t pid, const std::string& file, const std::string& key) {
  std::ifstream status(fmt::format("/proc/{}/{}", pid, file));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stol(line.substr(key.size()));
  return -1;
}

/// Tells when somebody opens, reads or writes a database, or writes into our own books.
class DatabaseWatch {
 public:
  void add(const PiholeDirectory& pihole) {
    watch(pihole.gravity(), IN_OPEN | IN_ACCESS | IN_MODIFY);
    watch(pihole.directory() + "/.gravity-sync", IN_OPEN | IN_ACCESS | IN_MODIFY | IN_CREATE | IN_DELETE);
    watch(pihole.state() + "/state.db", IN_OPEN | IN_MODIFY);
  }
  /// False when nothing happened for so long.
  bool sees_something(std::chrono::milliseconds time) const {
    pollfd p{fd_.get(), POLLIN, 0};
    return ::poll(&p, 1, static_cast<int>(time.count())) != 0;
  }

 private:
  void watch(const std::string& path, std::uint32_t what) const {
    ASSERT_GE(::inotify_add_watch(fd_.get(), path.c_str(), what), 0) << path;
  }
  util::Fd fd_{::inotify_init1(IN_CLOEXEC)};
};

TEST_F(QuietDaemon, ALookAtTheIntervalOpensNoDatabase) {
  TwoNodes nodes;
  nodes.ph1.set_daemon_lines("interval_seconds = 1");
  nodes.ph2.set_daemon_lines("interval_seconds = 1");
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  // The publish's own events are over, and what was written is so old that the files are told by their looks.
  const auto checks = here.peer().checks;
  ASSERT_TRUE(here.wait_for([&](const auto& p) { return p.checks >= checks + 3; }));
  DatabaseWatch opened;
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2}) opened.add(*pihole);
  const auto looked = here.peer().checks;
  ASSERT_TRUE(here.wait_for([&](const auto& p) { return p.checks >= looked + 4; }));
  EXPECT_FALSE(opened.sees_something(std::chrono::milliseconds(0))) << "somebody looked into a database";
  // It is noticed when there is something to notice, and an edit is seen as one.
  deny(nodes.ph1, "after.example");
  ASSERT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "after.example"); })) << here.log();
  EXPECT_TRUE(opened.sees_something(std::chrono::milliseconds(0)));
}

TEST_F(QuietDaemon, OpensNoDatabaseAndUsesNoTimeWhileNothingChanges) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  // Its own publish is noticed and done with.
  ASSERT_TRUE(DaemonProcess::poll([&] { return here.status().changes > 0; }));
  here.ask({"now", {}, {}});

  DatabaseWatch opened;
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2}) opened.add(*pihole);
  const auto before = here.cpu_time() + there.cpu_time();
  // Longer than two intervals.
  const std::chrono::milliseconds time = campaign() ? std::chrono::minutes(11) : std::chrono::minutes(1);
  EXPECT_FALSE(opened.sees_something(time)) << "somebody looked into a database";
  const auto used = here.cpu_time() + there.cpu_time() - before;
  const auto share = std::chrono::duration<double>(used) / std::chrono::duration<double>(time);
  figure("two daemons and nothing to do: {} us of CPU time in {} s, {:.4f} %", used.count() / 1000, time.count() / 1000, share * 100);
  EXPECT_GT(used.count(), 0) << "it is alive";
  EXPECT_LE(share, 0.002) << "of two daemons";
}

/// What each process of two daemons takes, and has ever taken.
void expect_small(const std::string& when, std::initializer_list<const DaemonProcess*> daemons) {
  constexpr long most = 20 * 1024;
  constexpr long idle = 12 * 1024;  // a moment after it has nothing more to do
  for (const auto* daemon : daemons) {
    long sum = 0;
    for (const auto pid : daemon->processes()) {
      auto command = read_text(fmt::format("/proc/{}/cmdline", pid));
      std::replace(command.begin(), command.end(), '\0', ' ');
      command.erase(0, command.find("config") + 6);
      EXPECT_TRUE(DaemonProcess::poll([&] { return kilobytes(pid, "status", "VmRSS:") <= idle; })) << when << command;
      const auto resident = kilobytes(pid, "status", "VmRSS:");
      const auto peak = kilobytes(pid, "status", "VmHWM:");
      const auto proportional = kilobytes(pid, "smaps_rollup", "Pss:");
      sum += proportional;
      figure("  {}: {}: resident {} KB, of it anonymous {}, proportional {}, most ever {}", when, command, resident,
             kilobytes(pid, "status", "RssAnon:"), proportional, peak);
      EXPECT_GT(resident, 0);
      EXPECT_LE(peak, most) << when << command;
    }
    figure("  {}: together {} KB", when, sum);
    EXPECT_LE(sum, most) << when;
  }
}

/// A first copy of a large blocklist, and what a run of `pihole -g` changes of it.
void expect_small(std::size_t domains) {
  AdlistRow large{"https://large.example/list.txt"};
  large.entries = domains;
  auto later = large;
  later.first_entry += domains / 100;
  constexpr std::int64_t hour = 3'600;
  TwoNodesOptions options;
  options.ph1.gravity = GravityBuilder().household(small_household()).adlist(large);
  TwoNodes nodes(options);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  figure("a database of {} MB:", std::filesystem::file_size(nodes.ph2.gravity()) / 1'000'000);
  expect_small("first copy", {&here, &there});
  const auto syncs = here.peer().syncs;
  const auto next = nodes.ph1.gravity() + "_new";
  GravityBuilder().household(small_household()).adlist(later).updated(default_date + hour).build(next);
  std::filesystem::rename(next, nodes.ph1.gravity());
  ASSERT_TRUE(here.wait_for([&](const auto& p) { return p.syncs > syncs && p.in_step == true; }));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  expect_small("pihole -g", {&here, &there});

  ASSERT_TRUE(here.stop());
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  nodes.set_peer({{}, {}, {}, {}, "mode = \"sync\""});
  here.start();
  ASSERT_TRUE(here.wait_in_step());
  GravityBuilder().household(small_household()).adlist(large).updated(default_date + 2 * hour).build(next);
  std::filesystem::rename(next, nodes.ph1.gravity());
  ASSERT_TRUE(DaemonProcess::poll([&] { return static_cast<bool>(same_content(nodes.ph1, nodes.ph2)); })) << here.log();
  ASSERT_TRUE(here.wait_in_step());
  deny(nodes.ph1, "there.example");
  deny(nodes.ph2, "here.example");
  ASSERT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph1, "here.example") && denies(nodes.ph2, "there.example"); })) << here.log();
  expect_small("both ways", {&here, &there});
}

TEST_F(QuietDaemon, StaysSmall) {
  if (sanitized) GTEST_SKIP() << "the sanitizer's own memory is many times that of the daemon";
  if (counted) GTEST_SKIP() << "the counters of the coverage are in the daemon's memory";
  expect_small(575'000);
  if (campaign()) expect_small(5'000'000);
}

/// Runs of this node that published something.
std::size_t publishes(const TwoNodes& nodes, const PiholeDirectory& pihole) {
  const auto runs = nlohmann::json::parse(nodes.run_on(pihole, {"history", "--json", "--limit", "1000"}).output).at("history");
  return static_cast<std::size_t>(std::count_if(runs.begin(), runs.end(), [](const auto& run) { return run.at("outcome") == "done"; }));
}

TEST_F(QuietDaemon, ABurstOfEditsIsFewPublishes) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto before = publishes(nodes, nodes.ph2);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    deny(nodes.ph1, fmt::format("burst{}.example", i));
    std::this_thread::sleep_until(begin + (i + 1) * std::chrono::milliseconds(50));
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "burst199.example"); })) << here.log();
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  const auto after = publishes(nodes, nodes.ph2);
  figure("200 edits in {} s: {} publishes", seconds, after - before);
  // One for every five seconds, and the last one. Ten seconds where a machine is as quick as the edits.
  EXPECT_LE(after - before, static_cast<std::size_t>(seconds) / 5 + 2) << here.log();
  EXPECT_EQ(publishes(nodes, nodes.ph1), 0u);
}

TEST_F(QuietDaemon, WhileGravityRunsNothingIsPublishedAndItIsSyncedWhenItIsDone) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto temporary = nodes.ph2.gravity() + "_temp";
  std::filesystem::copy_file(nodes.ph2.gravity(), temporary);
  std::filesystem::last_write_time(temporary, std::filesystem::file_time_type::clock::now());
  const auto syncs = here.peer().syncs;
  deny(nodes.ph1, "held.example");
  // Longer than it takes otherwise, and shorter than a temporary file counts as being written to.
  const auto until = util::Deadline::in(std::chrono::seconds(3));
  while (!until.passed()) {
    ASSERT_FALSE(denies(nodes.ph2, "held.example"));
    EXPECT_TRUE(here.status().gravity_running);
    std::filesystem::last_write_time(temporary, std::filesystem::file_time_type::clock::now());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(here.peer().syncs, syncs);
  std::filesystem::rename(temporary, nodes.ph2.gravity());
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, "held.example"); })) << here.log();
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

}  // namespace
}  // namespace gsync::test
