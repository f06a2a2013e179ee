#pragma once
#include <gtest/gtest.h>

#include "support/two_nodes.hpp"

namespace gsync::test {

/// Skipped where no sshd can be logged in to.
class TwoNodesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = Sshd::unavailable()) GTEST_SKIP() << *reason;
  }
};

/// With what the program said when it did not.
inline ::testing::AssertionResult succeeded(const CommandResult& result) {
  if (result.exit_code == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "exit code " << result.exit_code << "\n" << result.output << result.errors;
}

inline ::testing::AssertionResult same_content(const PiholeDirectory& a, const PiholeDirectory& b) {
  if (content_of(a.gravity()) == content_of(b.gravity())) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << a.options().name << " and " << b.options().name << " hold different lists or blocklists";
}

}  // namespace gsync::test
