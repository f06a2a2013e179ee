#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace gsync::cli {

/// What a bar shows.
struct BarState {
  std::string step;
  std::uint64_t done = 0;
  std::uint64_t total = 0;        ///< 0: unknown
  std::uint64_t transferred = 0;  ///< bytes on the wire since the step began
};

/// The bar's text for a terminal of `width` columns, `seconds` after the step began.
std::string bar_text(const BarState& state, double seconds, std::size_t width);

/// One line that is drawn over again, for steps that take longer than a second.
class ProgressBar {
 public:
  ProgressBar(std::FILE* file, bool enabled) : file_(file), enabled_(enabled) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void draw(const BarState& state);
  void clear();

 private:
  std::FILE* file_;
  bool enabled_;
  bool visible_ = false;
  std::string step_;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace gsync::cli
