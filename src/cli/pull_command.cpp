#include "commands.hpp"
#include "publishing.hpp"

namespace gsync::cli {
namespace {

/// The target writes its history line while the run still goes on. Here it is our own, and only now all bytes are counted.
void complete_history(Context& context, const sync::Result& result, const protocol::RemoteNode& peer) {
  if (!result.report || result.report->history_id == 0) return;
  auto entry = context.state().history_entry(result.report->history_id);
  if (!entry) return;
  entry->bytes_sent = peer.bytes_sent();
  entry->bytes_received = peer.bytes_received();
  context.state().update_history(*entry);
}

}  // namespace

ExitCode run_pull(Context& context) {
  auto connection = context.connect(context.peer());
  auto options = engine_options(context, model::Action::pull, connection.node.get());
  auto result = sync::replicate(*connection.node, context.here(), options);
  complete_history(context, result, *connection.node);
  report_result(context, result, options, connection.node->label(), context.here().label());
  return ExitCode::done;
}

}  // namespace gsync::cli
