#pragma once
#include <algorithm>
#include <chrono>
#include <optional>

/// When something is to be done. No I/O; the time is passed in.
namespace gsync::daemon {

using Time = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// Many events that belong together become one: acted on after `quiet` without another, but at the latest `limit` after the first.
class Debounce {
 public:
  Debounce(milliseconds quiet, milliseconds limit) : quiet_(quiet), limit_(limit) {}

  void note(Time now) {
    if (!waiting_) first_ = now;
    waiting_ = true;
    last_ = now;
  }
  /// nullopt: nothing happened.
  std::optional<Time> due() const {
    if (!waiting_) return std::nullopt;
    return std::min(last_ + quiet_, first_ + limit_);
  }
  /// True once, when it is time.
  bool take(Time now) {
    const auto when = due();
    if (!when || now < *when) return false;
    waiting_ = false;
    return true;
  }

 private:
  milliseconds quiet_;
  milliseconds limit_;
  bool waiting_ = false;
  Time first_{};
  Time last_{};
};

/// How long to wait before the next try: twice as long each time, from the upper half of the span, so that two nodes do not try in step.
class Backoff {
 public:
  explicit Backoff(milliseconds first = std::chrono::seconds(1), milliseconds most = std::chrono::minutes(5))
      : first_(first), most_(most), span_(first) {}

  /// `random` is from 0 to 1.
  milliseconds next(double random) {
    const auto half = span_ / 2;
    const auto wait = half + milliseconds(static_cast<milliseconds::rep>(random * static_cast<double>((span_ - half).count())));
    span_ = std::min(span_ * 2, most_);
    return std::max(wait, milliseconds(1));
  }
  void reset() { span_ = first_; }

 private:
  milliseconds first_;
  milliseconds most_;
  milliseconds span_;
};

}  // namespace gsync::daemon
