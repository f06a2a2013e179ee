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
  /// Somebody has set the host's date, in seconds since 1970; no time has passed.
  void set_date(std::int64_t unix_time);
  /// How far the host's date is ahead of the machine's.
  std::chrono::seconds ahead() const {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::nanoseconds(shared_->date + shared_->passed));
  }
  std::int64_t date() const;

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
