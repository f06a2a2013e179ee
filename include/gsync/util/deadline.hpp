#pragma once
#include <algorithm>
#include <chrono>
#include <functional>

namespace gsync::util {

/// The moment by which a blocking call must be done, on the steady clock. Pass it down: the steps of one operation share one deadline.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline in(std::chrono::milliseconds time) { return Deadline(Clock::now() + time); }
  /// The earlier of this one and `time` from now.
  Deadline at_most(std::chrono::milliseconds time) const {
    auto result = *this;
    result.when_ = std::min(when_, Clock::now() + time);
    return result;
  }
  /// The same, but it has also passed as soon as `given_up` says so: whoever waits asks ten times a second. `given_up` must outlive it.
  Deadline unless(const std::function<bool()>& given_up) const {
    auto result = *this;
    result.given_up_ = &given_up;
    return result;
  }

  bool passed() const { return Clock::now() >= when_ || (given_up_ && (*given_up_)()); }
  /// How long to wait before the next look at passed(). Never negative; rounded up, so that a poll() with it does not spin. Capped at one
  /// hour.
  std::chrono::milliseconds remaining() const {
    using namespace std::chrono;
    auto left = ceil<milliseconds>(when_ - Clock::now());
    return std::clamp(left, milliseconds(0), given_up_ ? milliseconds(100) : milliseconds(3'600'000));
  }
  int poll_timeout() const { return static_cast<int>(remaining().count()); }

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}
  Clock::time_point when_;
  const std::function<bool()>* given_up_ = nullptr;
};

}  // namespace gsync::util
