#pragma once
#include <fmt/format.h>

#include <cstdint>

#include "support/campaign.hpp"
#include "support/household.hpp"
#include "support/sanitizer.hpp"
#include "support/simulated_clock.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {

/// Of programs on simulated clocks, to which things happen at random. Prints how to repeat them.
class SimulatedClockTest : public TwoNodesTest {
 protected:
  void SetUp() override {
    TwoNodesTest::SetUp();
    if (sanitized) GTEST_SKIP() << "the sanitizer must be the first library";
    fmt::print("GSYNC_SEED={}\n", seed_);
  }

  std::uint64_t seed_ = campaign_seed();
  Random random_{seed_};
};

}  // namespace gsync::test
