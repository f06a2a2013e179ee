#include "gsync/daemon/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "gsync/util/text.hpp"

namespace gsync::daemon {
namespace {

/// sd-daemon(3).
int priority_of(Level level) {
  switch (level) {
    case Level::info:
      return 6;
    case Level::warning:
      return 4;
    case Level::error:
      return 3;
  }
  return 6;
}

}  // namespace

void log(const Event& event) {
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  auto line = journal ? fmt::format("<{}>", priority_of(event.level)) : fmt::format("{} ", util::human_time(event.time));
  if (!journal && event.level != Level::info) line += fmt::format("{}: ", to_string(event.level));
  if (!event.peer.empty()) line += fmt::format("{}: ", util::printable(event.peer));
  line += util::printable(event.text);
  if (!event.hint.empty()) line += fmt::format(" ({})", util::printable(event.hint));
  line += '\n';
  // One write, so that lines of several processes do not mix. A log that cannot be written must not stop the work.
  [[maybe_unused]] const auto n = ::write(2, line.data(), line.size());
}

}  // namespace gsync::daemon
