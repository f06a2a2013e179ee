#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "gsync/daemon/status.hpp"
#include "schedule.hpp"

namespace gsync::daemon {

/// Which of a peer's reports a person's command is told of. Pure.
class HookPolicy {
 public:
  enum class Tell { nothing, success, failure, recovery };
  /// `now` is the peer's status after the report, `synced` whether the report is of a run that changed something. A failure is told when it
  /// is the `failures`th in a row, or at once when it will not pass by itself; its end is told only after it was told itself.
  Tell take(const PeerStatus& now, bool synced, unsigned failures);

 private:
  bool told_ = false;
};

/// A running command of the user's: without a shell, without our capabilities and descriptors, with the event on its standard input, in a
/// process group of its own, and killed when its time is over.
class Hook {
 public:
  /// argv[0] is a whole path. Error{io} when it cannot be started.
  Hook(const std::vector<std::string>& argv, const std::string& input, Time kill_at);
  ~Hook();
  Hook(Hook&& other) noexcept;
  Hook& operator=(Hook&&) = delete;

  Time kill_at() const { return kill_at_; }
  void kill();
  bool killed() const { return killed_; }
  /// Its wait status if it has ended.
  std::optional<int> ended();
  const std::string& name() const { return name_; }

 private:
  pid_t pid_ = -1;
  Time kill_at_;
  bool killed_ = false;
  std::string name_;
};

}  // namespace gsync::daemon
