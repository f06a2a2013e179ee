#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>

#include "gsync/util/byte_stream.hpp"

namespace gsync::protocol {

/// How long nothing was heard from the far side while we wait for it, and whether that costs somebody else's time.
class Silence {
 public:
  using milliseconds = std::chrono::milliseconds;

  /// What is a sign of life: bytes that come, and, for one who waits until his own are taken, that.
  enum class Life { received, received_or_sent };

  Silence(const util::ByteStream& stream, milliseconds enough, Life life = Life::received)
      : stream_(stream), enough_(enough), life_(life), bytes_(bytes()), last_look_(Clock::now()) {}

  /// What was silence until now counts no more.
  void begin() {
    last_look_ = Clock::now();
    silent_ = {};
  }

  /// To be asked several times within `enough`. True when nothing was heard for so long and `wanted` says that somebody waits.
  bool must_give_way(const std::function<bool()>& wanted) {
    const auto now = Clock::now();
    // A time in which nobody looked is not the far side's: it is this host that was busy.
    silent_ += std::min<Clock::duration>(now - last_look_, enough_ / 2);
    last_look_ = now;
    if (const auto so_far = bytes(); so_far != bytes_) {
      bytes_ = so_far;
      silent_ = {};
    }
    return silent_ >= enough_ && wanted && wanted();
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::uint64_t bytes() const { return stream_.bytes_received() + (life_ == Life::received_or_sent ? stream_.bytes_sent() : 0); }

  const util::ByteStream& stream_;
  const milliseconds enough_;
  const Life life_;
  std::uint64_t bytes_;
  Clock::time_point last_look_;
  Clock::duration silent_{};
};

}  // namespace gsync::protocol
