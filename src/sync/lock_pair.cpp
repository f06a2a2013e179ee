#include "lock_pair.hpp"

#include <algorithm>
#include <random>
#include <thread>

namespace gsync::sync {
namespace {

/// How long the first node is held while the second one is busy: others may wait for the first.
constexpr auto patience = std::chrono::milliseconds(1'000);

}  // namespace

void back_off(util::Deadline deadline) {
  std::random_device random;
  std::uniform_int_distribution<int> milliseconds(50, 750);
  std::this_thread::sleep_for(std::min(std::chrono::milliseconds(milliseconds(random)), deadline.remaining()));
}

LockedPair lock_both(model::Node& source, const model::NodeInfo& source_info, model::Node& target, const model::NodeInfo& target_info,
                     std::chrono::milliseconds time) {
  const bool source_first = source_info.node_id < target_info.node_id;
  auto& first = source_first ? source : target;
  auto& second = source_first ? target : source;
  const auto deadline = util::Deadline::in(time);
  for (;;) {
    NodeLock one(first, deadline);
    try {
      NodeLock two(second, deadline.at_most(patience));
      if (source_first) return {std::move(one), std::move(two)};
      return {std::move(two), std::move(one)};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy || deadline.passed()) throw;
    }
    one.release();
    back_off(deadline);
  }
}

}  // namespace gsync::sync
