#include "effort_choice.hpp"

#include <utility>

namespace gsync::protocol {

bool EffortChoice::sent(const Progress& now) {
  if ((effort_ == lowest_ && !tried_) || now.bytes - last_.bytes < stretch) return false;
  const auto bytes = now.bytes - last_.bytes;
  const auto on_wire = now.on_wire - last_.on_wire;
  const auto took = now.time - last_.time;
  const auto waiting = now.waited - last_.waited;
  last_ = now;
  // Free pages and the like say nothing about the rest.
  if (effort_ != Effort::least && on_wire < bytes / 3) return false;
  const double pace = static_cast<double>(bytes) / static_cast<double>(took.count());
  const double before = std::exchange(pace_, pace);
  const auto effort = effort_;
  if (std::exchange(tried_, false) && pace < before * 0.8) {
    // What is saved in compressing is lost on the way.
    effort_ = lowest_ = effort == Effort::least ? Effort::little : Effort::usual;
  } else if (effort != lowest_ && waiting < took / 2) {
    effort_ = effort == Effort::usual ? Effort::little : Effort::least;
    tried_ = true;
  }
  return effort_ != effort;
}

}  // namespace gsync::protocol
