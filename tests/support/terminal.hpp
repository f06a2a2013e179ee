#pragma once
#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "gsync/util/fd.hpp"

namespace gsync::test {

/// A program that has a terminal of its own, and a person who waits for what it asks before he types.
class Terminal {
 public:
  Terminal(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment);
  /// Killed if it still runs.
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Types `line` when `question` has been shown. False when it was not, until the program ended or three minutes were over.
  bool answer(const std::string& question, const std::string& line);
  /// The exit code; -1 when it does not end.
  int wait();
  pid_t pid() const { return pid_; }
  const std::string& shown() const { return shown_; }

 private:
  bool read_more();

  util::Fd terminal_;
  pid_t pid_ = -1;
  std::string shown_;
  std::size_t answered_ = 0;
};

}  // namespace gsync::test
