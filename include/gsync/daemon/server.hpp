#pragma once
#include <functional>
#include <string>

#include "gsync/model/node.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/replica/state_store.hpp"
#include "gsync/util/clock.hpp"

namespace gsync::daemon {

/// The process that serves `here` to one agent that connected to agent.sock, until the connection ends, the supervisor is gone, or SIGTERM
/// (which waits for the end of a request). `hello` is how this node introduces itself.
/// A peer that is paused (see require_not_paused) can read, and change nothing.
/// `greeted` is told who came (see AgentOptions).
void run_server(model::Node& here, replica::StateStore& state, const protocol::Hello& hello,
                std::function<void(const protocol::Hello& theirs)> greeted, util::Clock& clock);

}  // namespace gsync::daemon
