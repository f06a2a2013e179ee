#pragma once
#include <chrono>
#include <cstdint>

#include "gsync/util/clock.hpp"

namespace gsync::test {

/// A date that a test sets, and no time that passes.
class ManualClock final : public util::Clock {
 public:
  std::int64_t unix_time() override { return time; }
  std::chrono::steady_clock::time_point now() override { return {}; }
  void sleep(std::chrono::nanoseconds) override {}
  std::int64_t time = 1'700'000'000;
};

}  // namespace gsync::test
