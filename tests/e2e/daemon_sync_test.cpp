// Daemons whose Pi-holes are all edited.

#include <fmt/format.h>

#include "e2e/fleet.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class DaemonSync : public TwoNodesTest {};

TEST_F(DaemonSync, AnEditOnEitherPiholeIsServedByTheOther) {
  const auto fleet = star(2);
  ASSERT_TRUE(fleet->in_step());
  for (int i = 0; i < 3; ++i) {
    auto& where = (*fleet)[static_cast<std::size_t>(i % 2)];
    const auto time = time_until_served(*fleet, where, fmt::format("edit{}.example", i));
    ASSERT_TRUE(time) << fleet->logs();
  }
  ASSERT_TRUE(fleet->in_step());
  EXPECT_TRUE(fleet->same());
}

TEST_F(DaemonSync, AnUndoIsAnEditThatTheOtherGetsToo) {
  const auto fleet = star(2);
  ASSERT_TRUE(fleet->in_step());
  auto& middle = (*fleet)[0];
  auto& outer = (*fleet)[1];
  for (const auto* where : {&outer, &middle}) {
    const auto* other = where == &outer ? &middle : &outer;
    deny(other->pihole, "mistake.example");
    ASSERT_TRUE(DaemonProcess::poll([&] { return denies(where->pihole, "mistake.example"); })) << fleet->logs();
    ASSERT_TRUE(fleet->in_step());
    const auto undone = run_here(*where, {"undo"});
    EXPECT_EQ(undone.exit_code, 0) << undone.errors;
    EXPECT_FALSE(contains(undone.output, "paused")) << undone.output;
    EXPECT_TRUE(DaemonProcess::poll([&] { return !denies(other->pihole, "mistake.example"); })) << fleet->logs();
    ASSERT_TRUE(fleet->in_step());
    EXPECT_FALSE(denies(where->pihole, "mistake.example"));
    EXPECT_TRUE(fleet->same());
  }
}

/// Both daemons have the other as their peer, and both Pi-holes are edited at the same time, all the time.
TEST_F(DaemonSync, EditsOnBothAtOnceAreAllOnBothInTheEnd) {
  const auto fleet = star(2, true);
  ASSERT_TRUE(fleet->in_step());
  const int edits = 20;
  for (int i = 0; i < edits; ++i) {
    deny((*fleet)[0].pihole, fmt::format("first{}.example", i));
    deny((*fleet)[1].pihole, fmt::format("second{}.example", i));
  }
  ASSERT_TRUE(DaemonProcess::poll([&] { return static_cast<bool>(fleet->same()); })) << fleet->logs();
  ASSERT_TRUE(fleet->in_step());
  for (int i = 0; i < edits; ++i)
    for (const char* words : {"first{}.example", "second{}.example"})
      for (std::size_t n = 0; n < 2; ++n)
        EXPECT_TRUE(denies((*fleet)[n].pihole, fmt::format(fmt::runtime(words), i))) << words << i << " on " << n;
}

TEST_F(DaemonSync, InAStarAnEditOnAnOuterPiholeReachesAllOthers) {
  const auto fleet = star(3);
  ASSERT_TRUE(fleet->in_step());
  for (std::size_t i : {1U, 2U, 0U}) {
    const auto time = time_until_served(*fleet, (*fleet)[i], fmt::format("from{}.example", i));
    ASSERT_TRUE(time) << fleet->logs();
  }
  ASSERT_TRUE(fleet->in_step());
  EXPECT_TRUE(fleet->same());
}

}  // namespace
}  // namespace gsync::test
