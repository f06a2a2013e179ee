#pragma once
#include <functional>
#include <string>

#include "context.hpp"
#include "gsync/sync/engine.hpp"

/// What pull, push, undo and restore have in common.
namespace gsync::cli {

/// The engine's options from the command line and the configuration. `remote` is the connection whose bytes are counted; null when there is
/// none.
sync::Options engine_options(Context& context, model::Action action, const protocol::RemoteNode* remote);

/// Says what came of a run, for people or as JSON.
void report_result(Context& context, const sync::Result& result, const sync::Options& options, const std::string& source,
                   const std::string& target);

}  // namespace gsync::cli
