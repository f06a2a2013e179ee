#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "control.hpp"
#include "gsync/util/fd.hpp"
#include "schedule.hpp"

namespace gsync::daemon {

/// The program of a child, started by us again with a hidden command. Killed, with what it started, when this object goes.
class Child {
 public:
  /// What a child finds where.
  static constexpr int control_fd = 3;
  static constexpr int config_fd = 4;
  static constexpr int stream_fd = 5;
  static constexpr int root_helper_fd = 6;
  static constexpr int container_helper_fd = 7;

  /// A descriptor of ours, and the number that the child has it by.
  struct Given {
    int fd;
    int as;
  };

  /// Starts /proc/self/exe, so that a child is of our own version even while the file is replaced. It has no descriptor of ours but those
  /// that are given, the configuration (config_fd) among them, and its end of the control socket.
  Child(const std::vector<std::string>& arguments, std::vector<Given> given);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) = delete;

  pid_t pid() const { return pid_; }
  const util::Fd& control() const { return control_; }
  /// Tells it to end: it does so at once, or when the run that it is in has come to its end.
  void stop(Time kill_at);
  bool stopping() const { return kill_at_.has_value(); }
  std::optional<Time> kill_at() const { return kill_at_; }
  void kill() const;
  /// It goes on without us, and is not killed with this object.
  void release() { pid_ = -1; }
  /// Its wait status if it has ended.
  std::optional<int> ended();

 private:
  pid_t pid_ = -1;
  util::Fd control_;
  std::optional<Time> kill_at_;
};

/// "ended by itself with 1", "killed by signal 11".
std::string ending_text(int status);

}  // namespace gsync::daemon
