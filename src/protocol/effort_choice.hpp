#pragma once
#include <chrono>
#include <cstdint>

#include "connection.hpp"

namespace gsync::protocol {

/// How much a stream of bytes is compressed: a step less after a stretch in which the receiver and the link did not keep the sender waiting
/// for most of the time, and a step back for good if that made it slower.
class EffortChoice {
 public:
  using Effort = Connection::Effort;
  static constexpr std::uint64_t stretch = 2u << 20;
  /// Since the first byte.
  struct Progress {
    std::uint64_t bytes = 0;
    std::uint64_t on_wire = 0;
    std::chrono::nanoseconds time{};
    std::chrono::nanoseconds waited{};  ///< of that, for the receiver
  };

  /// Whether effort() is another one now.
  bool sent(const Progress& so_far);
  Effort effort() const { return effort_; }

 private:
  Effort effort_ = Effort::usual;
  Effort lowest_ = Effort::least;
  bool tried_ = false;  ///< for one stretch so far
  double pace_ = 0;     ///< of the last stretch, in bytes each nanosecond
  Progress last_;
};

}  // namespace gsync::protocol
