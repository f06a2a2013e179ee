#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/temp_directory.hpp"

namespace gsync::test {

/// The clocks of programs that are started through() it, beside the machine's.
class SimulatedClock {
 public:
  SimulatedClock();
  ~SimulatedClock();
  SimulatedClock(const SimulatedClock&) = delete;
  SimulatedClock& operator=(const SimulatedClock&) = delete;

  /// A program and its arguments that start another one.
  std::vector<std::string> through() const;
  /// So much time has passed for them, at once.
  void pass(std::chrono::nanoseconds time) { shared_->passed += time.count(); }
  /// Somebody has set the host's date; no time has passed.
  void set_date_off(std::chrono::nanoseconds ahead) { shared_->date = ahead.count(); }

 private:
  /// As clock_off_preload.cpp reads it.
  struct Shared {
    std::atomic<std::int64_t> date;
    std::atomic<std::int64_t> passed;
  };
  TempDirectory directory_;
  Shared* shared_ = nullptr;
};

}  // namespace gsync::test
