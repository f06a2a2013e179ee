#pragma once
#include "context.hpp"
#include "gsync/cli/exit_code.hpp"

/// One function for each command. All throw Error.
namespace gsync::cli {

ExitCode run_pull(Context& context);
ExitCode run_push(Context& context);
ExitCode run_sync(Context& context);
ExitCode run_forget(Context& context);
ExitCode run_compare(Context& context);
ExitCode run_info(Context& context);
ExitCode run_history(Context& context);
ExitCode run_undo(Context& context);
ExitCode run_restore(Context& context);
ExitCode run_trust(Context& context);
ExitCode run_agent(Context& context);
ExitCode run_daemon(Context& context);
ExitCode run_worker(Context& context);
ExitCode run_serve(Context& context);
ExitCode run_compile(Context& context);
/// These need no Pi-hole and no rights but those of the daemon's socket.
ExitCode run_status(const Invocation& invocation, Output& output);
ExitCode run_monitor(const Invocation& invocation, Output& output);
/// False when no daemon runs: then the Context does it.
bool pause_by_daemon(const Invocation& invocation, Output& output);
ExitCode run_pause(Context& context);
/// Passes what sshd gave us on to the daemon. False when there is none: then the agent serves by itself.
bool relay_to_daemon(const Invocation& invocation);
ExitCode run_key(Context& context);
/// The keys of peers are this host's matter, not its Pi-hole's.
ExitCode run_accept(const Invocation& invocation, Output& output);
ExitCode run_auto(const Invocation& invocation, Output& output);
/// Both carry out other commands here and on the other host.
ExitCode run_pair(const Invocation& invocation, Output& output);
ExitCode run_unpair(const Invocation& invocation, Output& output);
ExitCode run_purge(const Invocation& invocation, Output& output);
/// Goes on where a Context cannot be had.
ExitCode run_doctor(const Invocation& invocation, Output& output);
ExitCode run_config(const Invocation& invocation, Output& output);
ExitCode run_version(Output& output);

}  // namespace gsync::cli
