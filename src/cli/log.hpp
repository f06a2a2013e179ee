#pragma once
#include <memory>
#include <string_view>

namespace gsync::cli {

/// Lines for whoever looks for a fault: on stderr, with the time, and only with --verbose.
class Log {
 public:
  explicit Log(bool enabled);
  ~Log();
  void line(std::string_view text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gsync::cli
