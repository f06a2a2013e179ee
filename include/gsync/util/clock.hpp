#pragma once
#include <chrono>
#include <cstdint>

namespace gsync::util {

/// Where the time comes from and how one waits, so that tests need not. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Seconds since 1970, for dates that people read. May jump: never used to order events.
  virtual std::int64_t unix_time() = 0;
  virtual std::chrono::steady_clock::time_point now() = 0;
  virtual void sleep(std::chrono::nanoseconds time) = 0;
};

/// The system's clocks.
class SystemClock final : public Clock {
 public:
  std::int64_t unix_time() override;
  std::chrono::steady_clock::time_point now() override;
  void sleep(std::chrono::nanoseconds time) override;
};

}  // namespace gsync::util
