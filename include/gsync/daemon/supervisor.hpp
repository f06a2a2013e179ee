#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gsync/config/config.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/replica/state_store.hpp"
#include "gsync/util/clock.hpp"
#include "gsync/util/fd.hpp"

namespace gsync::daemon {

/// Of a daemon that root started: connections to its processes that kept root's rights, for one child. Empty where there is none.
struct Helpers {
  util::Fd root;       ///< pihole::join_root_helper()
  util::Fd container;  ///< pihole::detect()
};

struct SupervisorParts {
  config::Config config;
  std::function<config::Config()> load;  ///< reads it again
  const pihole::Installation& installation;
  replica::StateStore& state;
  util::Clock& clock;
  std::string name;      ///< of this node
  std::string software;  ///< our version
  std::function<Helpers()> helpers;
  std::function<std::string(const config::Config&)> why_no_gravity;  ///< why run_gravity can do nothing here; empty: it can, or is off
};

/// The daemon's first process: watches this Pi-hole's files, starts a worker for each peer and a server for each agent that connects, tells
/// them what happened, and answers on status.sock. It opens no database and talks to no peer itself, so nothing of theirs can stop it.
/// Returns after SIGTERM or SIGINT, when the children have ended (some seconds at most). Errors: config, busy (another daemon runs here),
/// io.
void run_supervisor(const SupervisorParts& parts);

/// nullopt when there is no such group.
std::optional<gid_t> group_id(const std::string& name);

/// Which peers are paused, and why. Kept over restarts.
std::map<std::string, std::string> paused_peers(const replica::StateStore& state);
void set_paused(replica::StateStore& state, const std::string& peer, const std::string& why);
void set_resumed(replica::StateStore& state, const std::string& peer);
/// Error{refused} while `peer` is paused: it may read everything here, and change nothing. `here` is for the message.
void require_not_paused(const replica::StateStore& state, const std::string& peer, const std::string& here);
/// Who pushes to this node, by the names that their agents serve: not who has synced both ways since.
std::set<std::string> pushing_peers(const replica::StateStore& state);

/// Whether a daemon was ever started on this node.
bool has_run(const replica::StateStore& state);
void set_has_run(replica::StateStore& state);

}  // namespace gsync::daemon
