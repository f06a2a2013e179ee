#pragma once
#include <functional>
#include <memory>

#include "gsync/config/config.hpp"
#include "gsync/model/node.hpp"
#include "gsync/pihole/compile_book.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/ssh/session.hpp"
#include "gsync/util/clock.hpp"

namespace gsync::daemon {

struct Connected {
  std::unique_ptr<ssh::Session> session;
  std::unique_ptr<protocol::RemoteNode> node;
};

/// What a peer's worker works with. References must outlive it.
struct WorkerParts {
  const config::Config& config;
  const config::PeerConfig& peer;
  const pihole::Installation& installation;
  model::Node& here;
  util::Clock& clock;
  pihole::CompileBook compiles;
  std::function<Connected()> connect;
};

/// The process that keeps this node and one peer the same: holds the connection, opens it again when it is lost, and runs a sync whenever
/// the supervisor, the peer or the clock says so; while the peer is away, brings back here what `pihole -g` loses. Returns when the
/// supervisor is gone; SIGTERM ends it between two runs.
void run_worker(const WorkerParts& parts);

}  // namespace gsync::daemon
