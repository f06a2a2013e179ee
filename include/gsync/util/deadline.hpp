#pragma once
#include <algorithm>
#include <chrono>

namespace gsync::util {

/// The moment by which a blocking call must be done, on the steady clock. Pass it down: the steps of one operation share one deadline.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline in(std::chrono::milliseconds time) { return Deadline(Clock::now() + time); }
  /// The earlier of this one and `time` from now.
  Deadline at_most(std::chrono::milliseconds time) const { return Deadline(std::min(when_, Clock::now() + time)); }

  bool passed() const { return Clock::now() >= when_; }
  /// Never negative; rounded up, so that a poll() with it does not spin. Capped at one hour.
  std::chrono::milliseconds remaining() const {
    using namespace std::chrono;
    auto left = ceil<milliseconds>(when_ - Clock::now());
    return std::clamp(left, milliseconds(0), milliseconds(3'600'000));
  }
  int poll_timeout() const { return static_cast<int>(remaining().count()); }

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}
  Clock::time_point when_;
};

}  // namespace gsync::util
