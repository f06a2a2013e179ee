#include "effort_choice.hpp"

#include <utility>

namespace gsync::protocol {

bool EffortChoice::sent(const Progress& so_far) {
  if ((effort_ == lowest_ && !tried_) || so_far.bytes - last_.bytes < stretch) return false;
  const auto bytes = so_far.bytes - last_.bytes;
  const auto on_wire = so_far.on_wire - last_.on_wire;
  const auto took = so_far.time - last_.time;
  const auto waiting = so_far.waited - last_.waited;
  last_ = so_far;
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
