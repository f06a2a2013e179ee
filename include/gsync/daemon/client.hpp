#pragma once
#include <functional>
#include <optional>
#include <string>

#include "gsync/daemon/status.hpp"

namespace gsync::daemon {

/// Whether somebody listens on status.sock: the daemon, or systemd for one that may not start. Error{refused} (may not connect).
bool is_listening(const std::string& run_directory);

/// Lets the daemon read its configuration again and part with the peers that it serves: for its owner and for root, when what they may do
/// has changed. False when that cannot be done.
bool reload(const std::string& run_directory) noexcept;

/// Asks the daemon whose sockets are in `run_directory`, which answers with how things are then; nullopt when no daemon runs there. Errors:
/// refused (may not connect), timeout (5 s, and 90 s for "now"; it is not done later), and what the daemon answers instead.
std::optional<Status> ask(const std::string& run_directory, const Request& request);

/// Gives each line of JSON as it comes, until the daemon ends (true) or `on_line` says false. False at once when no daemon runs there.
bool follow(const std::string& run_directory, const std::function<bool(const std::string& line)>& on_line);

/// For an agent that sshd started: passes standard input and output on to the daemon's agent.sock until one side ends. False, and nothing
/// was read, when nobody listens there, or when we may not connect (then the agent serves by itself or says what is missing).
bool relay(const std::string& run_directory, const std::string& peer, bool read_only);

}  // namespace gsync::daemon
