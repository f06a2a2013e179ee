#include <fmt/format.h>

#include "commands.hpp"
#include "gsync/protocol/agent.hpp"
#include "gsync/util/fd_stream.hpp"

namespace gsync::cli {
namespace {

/// How long the far side may be silent. It is silent while it publishes on itself, which takes minutes with millions of domains on a slow
/// card; a connection that is lost ends our input much earlier.
constexpr auto patience = std::chrono::minutes(30);

}  // namespace

ExitCode run_agent(Context& context) {
  const auto& invocation = context.invocation();
  protocol::AgentOptions options;
  options.hello = context.hello();
  options.peer = invocation.peer;
  options.read_only = invocation.read_only;
  options.limits.idle = patience;
  util::FdStream stream(util::Fd(0), util::Fd(1));
  context.output().detail(fmt::format("serving {}", invocation.peer.empty() ? "a peer" : invocation.peer));
  protocol::serve(context.here(), stream, options);
  context.output().detail("the peer is done");
  return ExitCode::done;
}

}  // namespace gsync::cli
