#include "progress_bar.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "gsync/util/text.hpp"

namespace gsync::cli {
namespace {

constexpr auto patience = std::chrono::seconds(1);
constexpr std::size_t cells = 24;

std::size_t width_of(std::FILE* file) {
  winsize size{};
  if (::ioctl(::fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string bar_text(const BarState& state, double seconds, std::size_t width) {
  auto rate = seconds > 0 ? static_cast<double>(state.transferred) / seconds : 0.0;
  std::string right = fmt::format("{}  {}/s", util::human_bytes(state.transferred), util::human_bytes(static_cast<std::uint64_t>(rate)));
  if (state.total > 0) {
    auto share = std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
    auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
    right = fmt::format("[{}{}] {:3}%  {}", std::string(full, '#'), std::string(cells - full, '.'), static_cast<int>(share * 100), right);
  } else if (state.done > 0) {
    right = fmt::format("{} rows  {}", state.done, right);
  }
  // One column stays free: a terminal that wraps would leave lines behind.
  auto room = width > right.size() + 3 ? width - right.size() - 3 : 0;
  auto step = util::printable(state.step);
  if (step.size() > room) step.resize(room);
  auto text = fmt::format("{}  {}", step, right);
  if (text.size() >= width) text.resize(width > 0 ? width - 1 : 0);
  return text;
}

void ProgressBar::draw(const BarState& state) {
  if (!enabled_) return;
  auto now = std::chrono::steady_clock::now();
  if (state.step != step_) {
    clear();
    step_ = state.step;
    began_ = now;
  }
  if (now - began_ < patience) return;
  auto seconds = std::chrono::duration<double>(now - began_).count();
  fmt::print(file_, "\r{}\x1b[K", bar_text(state, seconds, width_of(file_)));
  std::fflush(file_);
  visible_ = true;
}

void ProgressBar::clear() {
  if (!visible_) return;
  std::fputs("\r\x1b[K", file_);
  std::fflush(file_);
  visible_ = false;
}

}  // namespace gsync::cli
