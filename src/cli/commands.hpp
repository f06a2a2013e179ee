#pragma once
#include "context.hpp"
#include "gsync/cli/exit_code.hpp"

/// One function for each command. All throw Error.
namespace gsync::cli {

ExitCode run_pull(Context& context);
ExitCode run_push(Context& context);
ExitCode run_compare(Context& context);
ExitCode run_info(Context& context);
ExitCode run_history(Context& context);
ExitCode run_undo(Context& context);
ExitCode run_restore(Context& context);
ExitCode run_trust(Context& context);
ExitCode run_agent(Context& context);
ExitCode run_version(Output& output);

}  // namespace gsync::cli
