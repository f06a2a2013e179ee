// A peer that hangs in the middle of a run: whoever else wants the Pi-hole that the run holds does not wait for it.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <functional>

#include "e2e/fleet.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class DaemonHang : public TwoNodesTest {};

util::Fd open_file(const std::string& path) {
  util::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(fd) << path;
  return fd;
}

/// A run works on it.
bool is_locked(const PiholeDirectory& pihole) {
  const auto fd = open_file(pihole.directory() + "/.gravity-sync/lock");
  return ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

/// All are in step, and no run has yet to carry on what another one brought.
::testing::AssertionResult settled(Fleet& fleet) {
  if (auto result = fleet.in_step(); !result) return result;
  const bool is_so = DaemonProcess::poll([&] {
    for (std::size_t i = 0; i < fleet.size(); ++i)
      if (is_locked(fleet[i].pihole)) return false;
    return bool(fleet.same());
  });
  if (is_so) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << fleet.logs();
}

/// The middle one of three follows the first, and the last follows the middle one: by its push, or by pulling from it.
class Chain {
 public:
  explicit Chain(const std::string& mode) {
    fleet.connect(middle(), first(), "pull");
    if (mode == "push")
      fleet.connect(middle(), last(), "push");
    else
      fleet.connect(last(), middle(), "pull");
    last().pihole.set_sync_lines("ftl_deadline_seconds = 600");
    fleet.start_ftls();
    fleet.start_daemons();
  }

  /// An edit, and a run that carries it from the middle to the last and is not over before FTL there has closed its old database. We read
  /// it, too, and do not close it.
  ::testing::AssertionResult begin_a_run_that_lasts() {
    reader_ = open_file(last().pihole.gravity());
    deny(first().pihole, "first.example");
    if (!DaemonProcess::poll([&] { return denies(last().pihole, "first.example"); }))
      return ::testing::AssertionFailure() << "it never comes\n" << fleet.logs();
    if (!is_locked(last().pihole) || !is_locked(middle().pihole))
      return ::testing::AssertionFailure() << "the run is over\n" << fleet.logs();
    return ::testing::AssertionSuccess();
  }

  /// The middle's log, from now on, has lost the run's peer to the mechanism and not to a deadline.
  void an_edit_of_the_first_is_served_by_the_middle() {
    const auto begin = std::chrono::steady_clock::now();
    deny(first().pihole, "second.example");
    ASSERT_TRUE(DaemonProcess::poll([&] { return middle().serves("second.example"); })) << fleet.logs();
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    const auto log = middle().daemon->log();
    figure("an edit is served after {} ms while another peer hangs in the middle of a run", time.count());
    EXPECT_TRUE(contains(log, "gave way to it")) << log;
    EXPECT_FALSE(contains(log, "nothing was heard")) << "a deadline was waited for\n" << log;
    EXPECT_LT(time, std::chrono::seconds(10)) << log;
  }

  void all_are_the_same_in_the_end() {
    reader_.reset();
    ASSERT_TRUE(DaemonProcess::poll([&] { return last().serves("second.example"); })) << fleet.logs();
    ASSERT_TRUE(fleet.in_step());
    EXPECT_TRUE(fleet.same());
  }

  FleetNode& first() { return fleet[0]; }
  FleetNode& middle() { return fleet[1]; }
  FleetNode& last() { return fleet[2]; }

  Fleet fleet{3};

 private:
  util::Fd reader_;
};

TEST_F(DaemonHang, OfAnAgentThatIsPushedToDoesNotHoldUpAnotherPeersEdit) {
  Chain chain("push");
  ASSERT_TRUE(settled(chain.fleet));
  ASSERT_TRUE(chain.begin_a_run_that_lasts());
  const auto hanging = chain.last().daemon->processes();
  for (const auto pid : hanging) ::kill(pid, SIGSTOP);
  chain.last().sshd.stop_connections();
  chain.an_edit_of_the_first_is_served_by_the_middle();
  // As when somebody pulls its plug.
  chain.last().sshd.kill_connections();
  for (const auto pid : hanging) ::kill(pid, SIGKILL);
  ASSERT_TRUE(chain.last().daemon->ended());
  chain.last().daemon->start();
  chain.all_are_the_same_in_the_end();
}

TEST_F(DaemonHang, OfAWorkerThatPullsFromUsDoesNotHoldUpAnotherPeersEdit) {
  Chain chain("pull");
  ASSERT_TRUE(settled(chain.fleet));
  ASSERT_TRUE(chain.begin_a_run_that_lasts());
  const auto hanging = chain.last().daemon->processes();
  for (const auto pid : hanging) ::kill(pid, SIGSTOP);
  chain.an_edit_of_the_first_is_served_by_the_middle();
  for (const auto pid : hanging) ::kill(pid, SIGKILL);
  ASSERT_TRUE(chain.last().daemon->ended());
  chain.last().daemon->start();
  chain.all_are_the_same_in_the_end();
}

/// One wants to push what the other wants to pull: whichever of the two runs, the other one waits, and each has lost its way to the far
/// side. Neither may wait for the other for ever, nor both give way again and again.
TEST_F(DaemonHang, OfBothWaysBetweenTwoThatWantEachOtherEndsByItself) {
  Fleet fleet(2);
  fleet.connect(fleet[0], fleet[1], "push");
  fleet.connect(fleet[1], fleet[0], "pull");
  fleet[1].pihole.set_sync_lines("ftl_deadline_seconds = 600");
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step());
  // The first connected before the second's daemon was there. An agent that serves by itself would hang together with its connection.
  fleet[1].sshd.kill_connections();
  ASSERT_TRUE(DaemonProcess::poll([&] { return fleet[1].daemon->status().agents.size() == 1; })) << fleet.logs();
  ASSERT_TRUE(settled(fleet));
  auto reader = open_file(fleet[1].pihole.gravity());
  deny(fleet[0].pihole, "first.example");
  ASSERT_TRUE(DaemonProcess::poll([&] { return denies(fleet[1].pihole, "first.example"); })) << fleet.logs();
  ASSERT_TRUE(is_locked(fleet[0].pihole));
  ASSERT_TRUE(is_locked(fleet[1].pihole));
  for (std::size_t i = 0; i < fleet.size(); ++i) fleet[i].sshd.stop_connections();
  deny(fleet[0].pihole, "second.example");
  reader.reset();
  ASSERT_TRUE(DaemonProcess::poll([&] { return fleet[1].serves("second.example"); })) << fleet.logs();
  // Those that did nothing meanwhile notice it later.
  for (std::size_t i = 0; i < fleet.size(); ++i) fleet[i].sshd.kill_connections();
  deny(fleet[0].pihole, "third.example");
  ASSERT_TRUE(DaemonProcess::poll([&] { return fleet[1].serves("third.example"); })) << fleet.logs();
  ASSERT_TRUE(fleet.in_step());
  EXPECT_TRUE(fleet.same());
}

}  // namespace
}  // namespace gsync::test
