#include <fmt/format.h>

#include "commands.hpp"
#include "gsync/daemon/supervisor.hpp"
#include "gsync/protocol/agent.hpp"
#include "gsync/util/fd_stream.hpp"

namespace gsync::cli {

ExitCode run_agent(Context& context) {
  const auto& invocation = context.invocation();
  protocol::AgentOptions options;
  options.hello = context.hello();
  options.peer = invocation.peer;
  options.greeted = [&](const protocol::Hello& theirs) { context.greeted(theirs); };
  options.read_only = invocation.read_only;
  options.may_change = [&](const std::string& peer) { daemon::require_not_paused(context.state(), peer, context.here().label()); };
  util::FdStream stream(util::Fd(0), util::Fd(1));
  context.output().detail(fmt::format("serving {}", invocation.peer.empty() ? "a peer" : invocation.peer));
  protocol::serve(context.shared(), stream, options);
  context.output().detail("the peer is done");
  return ExitCode::done;
}

}  // namespace gsync::cli
