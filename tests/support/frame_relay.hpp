#pragma once
#include <atomic>
#include <thread>

#include "gsync/util/fd.hpp"

namespace gsync::test {

enum class FrameEvent : unsigned char {
  none,
  cut_before,
  cut_within,  ///< half of the frame arrives
  cut_after,
  late,   ///< it takes longer than anything else, but less than anybody waits
  never,  ///< neither it nor anything behind it arrives, and nobody is told
  twice,
};

struct FrameFault {
  FrameEvent event = FrameEvent::none;
  bool of_agent = false;  ///< else of the client
  int at = 0;             ///< 0 is the hello. Signs of life do not count
};

/// What is between a client and an agent: it takes the stream apart into frames, and puts them together again but for one fault.
class FrameRelay {
 public:
  explicit FrameRelay(const FrameFault& fault);
  ~FrameRelay();
  FrameRelay(const FrameRelay&) = delete;
  FrameRelay& operator=(const FrameRelay&) = delete;

  util::Fd take_client() { return std::move(client_); }
  util::Fd take_agent() { return std::move(agent_); }
  bool happened() const { return happened_; }
  /// That were sent on this way so far, the hello included.
  int frames(bool of_agent) const { return frames_[of_agent ? 1 : 0]; }

 private:
  class Way;
  void run();

  const FrameFault fault_;
  util::Fd client_;
  util::Fd agent_;
  util::Fd near_;  ///< the relay's end of the client's connection
  util::Fd far_;
  util::Fd stop_;
  std::atomic<bool> happened_{false};
  std::atomic<int> frames_[2] = {0, 0};
  std::thread thread_;
};

}  // namespace gsync::test
