// What a daemon costs, and what it leaves alone. GSYNC_CAMPAIGN=1 runs these as long as a campaign does.

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gsync/util/fd.hpp"
#include "support/daemon_process.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class QuietDaemon : public TwoNodesTest {};

bool campaign() {
  return std::getenv("GSYNC_CAMPAIGN") != nullptr;
}

/// The daemon and its children.
std::vector<pid_t> processes_of(const DaemonProcess& daemon) {
  std::vector<pid_t> pids{daemon.pid()};
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", daemon.pid()));
  for (pid_t pid; children >> pid;) pids.push_back(pid);
  return pids;
}

long status_value(pid_t pid, const std::string& key) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stol(line.substr(key.size()));
  return -1;
}

/// Of all processes, in clock ticks.
long cpu_of(const DaemonProcess& daemon) {
  long ticks = 0;
  for (const auto pid : processes_of(daemon)) {
    std::ifstream stat(fmt::format("/proc/{}/stat", pid));
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    std::istringstream rest(text.substr(text.rfind(')') + 2));
    std::string word;
    for (int field = 3; rest >> word; ++field)
      if (field == 14 || field == 15) ticks += std::stol(word);
  }
  return ticks;
}

TEST_F(QuietDaemon, OpensNoDatabaseAndUsesNoTimeWhileNothingChanges) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  // Its own publish is noticed and done with.
  ASSERT_TRUE(DaemonProcess::poll([&] { return here.status().changes > 0; }));
  here.ask({"now", {}, {}});

  const util::Fd opened(::inotify_init1(IN_CLOEXEC));
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2}) {
    ASSERT_GE(::inotify_add_watch(opened.get(), pihole->gravity().c_str(), IN_OPEN | IN_ACCESS | IN_MODIFY), 0);
    ASSERT_GE(::inotify_add_watch(opened.get(), (pihole->state() + "/state.db").c_str(), IN_MODIFY), 0);
  }
  const auto before = cpu_of(here) + cpu_of(there);
  const auto time = campaign() ? std::chrono::minutes(4) : std::chrono::seconds(5);  // below the interval
  pollfd p{opened.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&p, 1, static_cast<int>(std::chrono::milliseconds(time).count())), 0) << "somebody looked into a database";
  const auto used = cpu_of(here) + cpu_of(there) - before;
  const auto share = static_cast<double>(used) / static_cast<double>(::sysconf(_SC_CLK_TCK)) / std::chrono::duration<double>(time).count();
  RecordProperty("cpu_share", fmt::format("{:.5f}", share));
  EXPECT_LE(share, campaign() ? 0.001 : 0.01);
}

TEST_F(QuietDaemon, StaysSmall) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's own memory is many times that of the daemon";
#endif
  TwoNodesOptions options;
  auto household = small_household();
  AdlistRow large{"https://large.example/list.txt"};
  large.entries = campaign() ? 500'000 : 50'000;
  options.ph1.gravity = GravityBuilder().household(household).adlist(large);
  TwoNodes nodes(options);
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  for (const auto* daemon : {&here, &there}) {
    for (const auto pid : processes_of(*daemon)) {
      const auto kilobytes = status_value(pid, "RssAnon:");
      RecordProperty(fmt::format("anonymous_kb_{}", pid), static_cast<int>(kilobytes));
      EXPECT_GT(kilobytes, 0);
      EXPECT_LE(kilobytes, 20 * 1024) << read_text(fmt::format("/proc/{}/cmdline", pid));
    }
  }
}

TEST_F(QuietDaemon, ABurstOfEditsIsFewPublishes) {
  TwoNodes nodes;
  DaemonProcess there(nodes.ph1);
  DaemonProcess here(nodes.ph2);
  ASSERT_TRUE(here.wait_in_step());
  const auto before = here.peer().syncs;
  const int edits = campaign() ? 200 : 40;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < edits; ++i) {
    deny(nodes.ph1, fmt::format("burst{}.example", i));
    std::this_thread::sleep_until(begin + (i + 1) * std::chrono::milliseconds(50));
  }
  const auto last = fmt::format("burst{}.example", edits - 1);
  EXPECT_TRUE(DaemonProcess::poll([&] { return denies(nodes.ph2, last); })) << here.log();
  ASSERT_TRUE(here.wait_in_step());
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_LE(here.peer().syncs - before, 4u) << here.log();
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
