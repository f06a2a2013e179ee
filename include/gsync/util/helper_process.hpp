#pragma once
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>

#include "gsync/util/deadline.hpp"
#include "gsync/util/fd_stream.hpp"

namespace gsync::util {

/// A child that keeps the rights which this process is about to give up, and answers its requests with one function. It has no descriptor of ours, and ends when this object does, or
/// when this process dies: a request that it works on is brought to its end.
class HelperProcess {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  /// Forks, so this process must have one thread only. `answer` runs in the child, with the rights and the environment of this moment; an Error that it throws is thrown by ask().
  explicit HelperProcess(const Answer& answer);
  ~HelperProcess();
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  /// One at a time. Error{timeout} at the deadline and Error{unreachable} when the child has died; it is unusable then.
  std::string ask(const std::string& request, Deadline deadline);

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  std::unique_ptr<FdStream> stream_;
};

}  // namespace gsync::util
