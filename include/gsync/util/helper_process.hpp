#pragma once
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>

#include "gsync/util/deadline.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/fd_stream.hpp"

namespace gsync::util {

/// A child that keeps the rights which this process is about to give up, and answers its requests with one function. It has no descriptor of ours, and ends when this object does, or
/// when this process dies: a request that it works on is brought to its end.
/// Other children of this process can be given connections of their own to it, which are served side by side and end with whoever holds them.
class HelperProcess {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  /// Forks, so this process must have one thread only. `answer` runs in the child, with the rights and the environment of this moment; an Error that it throws is thrown by ask().
  explicit HelperProcess(const Answer& answer);
  /// With a connection that share() gave to the process that started this one. pid() is 0.
  explicit HelperProcess(Fd connection);
  ~HelperProcess();
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  /// One at a time. Error{timeout} at the deadline: an answer that comes later is nobody's. Error{unreachable} when the child has died, or could not be understood; it is unusable then.
  std::string ask(const std::string& request, Deadline deadline);

  /// One more connection, for a process that makes a HelperProcess of it. Error{unreachable} when the child has died.
  Fd share();

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  Fd door_;  ///< through which the child is handed further connections
  std::unique_ptr<FdStream> stream_;
};

}  // namespace gsync::util
