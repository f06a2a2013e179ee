#include "gsync/daemon/client.hpp"

#include <array>
#include <chrono>

#include "gsync/util/fd_stream.hpp"
#include "sockets.hpp"

namespace gsync::daemon {
namespace {

/// `now` waits for all peers.
constexpr std::chrono::seconds answer_time{90};
constexpr std::size_t longest_line = 16u << 20;

void say(util::FdStream& stream, const Request& request) {
  const auto line = to_json(request) + "\n";
  stream.write(std::as_bytes(std::span(line)), util::Deadline::in(answer_time));
}

/// nullopt at the end of the stream.
std::optional<std::string> next_line(util::FdStream& stream, std::string& rest, std::chrono::milliseconds time) {
  for (;;) {
    if (const auto end = rest.find('\n'); end != std::string::npos) {
      auto line = rest.substr(0, end);
      rest.erase(0, end + 1);
      return line;
    }
    std::array<std::byte, 16384> buffer;
    const auto n = stream.read(buffer, util::Deadline::in(time));
    if (n == 0) return std::nullopt;
    rest.append(reinterpret_cast<const char*>(buffer.data()), n);
    if (rest.size() > longest_line) throw Error(ErrorCode::protocol, "the daemon says a line without an end");
  }
}

}  // namespace

std::optional<std::string> ask(const std::string& run_directory, const Request& request) {
  auto socket = connect_to(run_directory + "/status.sock");
  if (!socket) return std::nullopt;
  util::FdStream stream(std::move(socket));
  say(stream, request);
  std::string rest;
  auto line = next_line(stream, rest, answer_time);
  if (!line) throw Error(ErrorCode::unreachable, "the daemon ended before it answered", "look into its log: journalctl -u gravity-sync");
  return line;
}

bool follow(const std::string& run_directory, const std::function<bool(const std::string& line)>& on_line) {
  auto socket = connect_to(run_directory + "/status.sock");
  if (!socket) return false;
  util::FdStream stream(std::move(socket));
  say(stream, {"monitor", {}, {}});
  std::string rest;
  while (auto line = next_line(stream, rest, std::chrono::hours(24 * 365))) {
    if (!on_line(*line)) break;
  }
  return true;
}

}  // namespace gsync::daemon
