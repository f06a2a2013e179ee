#include "../src/daemon/hook.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <thread>

#include "gsync/util/deadline.hpp"
#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::daemon {
namespace {

using Tell = HookPolicy::Tell;

PeerStatus failing(unsigned times, const std::string& code = "unreachable") {
  PeerStatus peer;
  peer.failure = Failure{code, "", "", 0};
  peer.failures_in_row = times;
  return peer;
}

PeerStatus well() {
  PeerStatus peer;
  peer.in_step = true;
  return peer;
}

TEST(HookPolicy, TellsOfAFailureOnceAndOfItsEnd) {
  HookPolicy policy;
  EXPECT_EQ(policy.take(failing(1), false, 3), Tell::nothing);
  EXPECT_EQ(policy.take(failing(2), false, 3), Tell::nothing);
  EXPECT_EQ(policy.take(failing(3), false, 3), Tell::failure);
  EXPECT_EQ(policy.take(failing(4), false, 3), Tell::nothing);
  EXPECT_EQ(policy.take(well(), false, 3), Tell::recovery);
  EXPECT_EQ(policy.take(well(), false, 3), Tell::nothing);
  EXPECT_EQ(policy.take(well(), true, 3), Tell::success);
}

TEST(HookPolicy, SaysNothingOfTheEndOfWhatItDidNotTell) {
  HookPolicy policy;
  EXPECT_EQ(policy.take(failing(2), false, 3), Tell::nothing);
  EXPECT_EQ(policy.take(well(), false, 3), Tell::nothing);
}

TEST(HookPolicy, DoesNotWaitWhereWaitingDoesNotHelp) {
  HookPolicy policy;
  EXPECT_EQ(policy.take(failing(1, "refused"), false, 3), Tell::failure);
  EXPECT_EQ(policy.take(failing(1, "refused"), false, 3), Tell::nothing);
}

std::optional<int> wait_for(Hook& hook) {
  const auto deadline = util::Deadline::in(std::chrono::seconds(30));
  for (;;) {
    if (auto status = hook.ended()) return status;
    if (deadline.passed()) return std::nullopt;
    std::this_thread::sleep_for(milliseconds(5));
  }
}

Time later() {
  return std::chrono::steady_clock::now() + std::chrono::hours(1);
}

TEST(Hook, ReadsTheEventAndHasNoCapabilities) {
  test::TempDirectory directory;
  const auto script = directory / "hook";
  test::write_text(script, "#!/bin/sh\ncat > \"$1\"\ngrep -E 'Cap(Prm|Eff|Bnd|Amb)' /proc/self/status > \"$1.caps\"\nexit 3\n", 0755);
  Hook hook({script, directory / "out"}, "{\"kind\":\"failure\"}\n", later());
  const auto status = wait_for(hook);
  ASSERT_TRUE(status);
  EXPECT_EQ(WEXITSTATUS(*status), 3);
  EXPECT_EQ(test::read_text(directory / "out"), "{\"kind\":\"failure\"}\n");
  const auto capabilities = test::read_text(directory / "out.caps");
  for (const char* set : {"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"})
    EXPECT_NE(capabilities.find(set), std::string::npos) << capabilities;
}

TEST(Hook, IsKilledWithWhatItStarted) {
  test::TempDirectory directory;
  const auto script = directory / "hook";
  test::write_text(script, "#!/bin/sh\nsleep 600 &\nwait\n", 0755);
  Hook hook({script}, "", later());
  hook.kill();
  const auto status = wait_for(hook);
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFSIGNALED(*status));
}

TEST(Hook, ThatIsNotThereIsAnError) {
  EXPECT_THROW(Hook({"/nowhere/hook"}, "", later()), Error);
}

}  // namespace
}  // namespace gsync::daemon
