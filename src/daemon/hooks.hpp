#pragma once
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "gsync/config/config.hpp"
#include "hook.hpp"

namespace gsync::daemon {

/// The user's commands on success, failure and recovery, and those of them that run.
class Hooks {
 public:
  using Say = std::function<void(Level, const std::string& text)>;
  explicit Hooks(Say say) : say_(std::move(say)) {}

  /// A peer reported. Starts what the configuration says.
  void take(const config::DaemonConfig& config, const PeerStatus& now, bool synced, std::int64_t unix_time);
  std::optional<Time> next() const;
  void kill_late(Time now);
  void reap();

 private:
  void start(const config::DaemonConfig& config, const std::vector<std::string>& command, const Event& event);

  Say say_;
  std::map<std::string, HookPolicy> policies_;  ///< by peer
  std::list<Hook> running_;
};

}  // namespace gsync::daemon
