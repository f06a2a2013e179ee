#include "gsync/daemon/client.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <array>
#include <chrono>

#include "gsync/util/fd_stream.hpp"
#include "sockets.hpp"

namespace gsync::daemon {
namespace {

constexpr std::chrono::seconds answer_time{5};
constexpr std::chrono::seconds answer_time_of_now{90};  // it waits for all peers
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

bool is_listening(const std::string& run_directory) {
  return static_cast<bool>(connect_to(run_directory + "/status.sock"));
}

std::optional<Status> ask(const std::string& run_directory, const Request& request) {
  auto socket = connect_to(run_directory + "/status.sock");
  if (!socket) return std::nullopt;
  util::FdStream stream(std::move(socket));
  std::optional<std::string> line;
  try {
    say(stream, request);
    std::string rest;
    line = next_line(stream, rest, request.command == "now" ? answer_time_of_now : answer_time);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout) throw;
    // systemd listens there for one that cannot start.
    throw Error(ErrorCode::timeout, fmt::format("the daemon does not answer on {}/status.sock", run_directory),
                "see why it does not start, or hangs: journalctl -u gravity-sync");
  }
  if (!line) throw Error(ErrorCode::unreachable, "the daemon ended before it answered", "look into its log: journalctl -u gravity-sync");
  return status_from_json(*line);
}

bool reload(const std::string& run_directory) noexcept {
  try {
    const auto status = ask(run_directory, {"status", {}, {}});
    const auto pid = status ? static_cast<pid_t>(status->pid) : 0;
    // What is no process of its own would be everybody.
    return pid > 1 && ::kill(pid, SIGHUP) == 0;
  } catch (const std::exception&) {
    return false;
  }
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
