#pragma once
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "support/fake_node.hpp"

namespace gsync::test {

/// Makes calls of a FakeNode throw, one error for one call.
class FailingCalls {
 public:
  explicit FailingCalls(FakeNode& node) {
    node.on_call = [this](const std::string& call) {
      auto& waiting = errors_[call];
      if (waiting.empty()) return;
      auto error = std::move(waiting.front());
      waiting.pop_front();
      throw Error(error);
    };
  }
  FailingCalls(const FailingCalls&) = delete;
  FailingCalls& operator=(const FailingCalls&) = delete;

  void next(const std::string& call, Error error) { errors_[call].push_back(std::move(error)); }

 private:
  std::map<std::string, std::deque<Error>> errors_;
};

}  // namespace gsync::test
