#pragma once
#include <chrono>

#include "run_support.hpp"

namespace gsync::sync {

/// Both nodes locked. `source` and `target` are their descriptions under the lock.
struct LockedPair {
  NodeLock source;
  NodeLock target;
};

/// Locks both in the order of their node ids, so that two runs that want each other's nodes do not wait for each other. While the second is
/// busy the first is let go again and again, for a random while, so that others get their turn. Error{busy} at the deadline, naming the
/// node that is busy.
LockedPair lock_both(model::Node& source, const model::NodeInfo& source_info, model::Node& target, const model::NodeInfo& target_info,
                     std::chrono::milliseconds time);

/// Sleeps for a random part of a second, not beyond the deadline: two that collided must not collide again in step.
void back_off(util::Deadline deadline);

}  // namespace gsync::sync
