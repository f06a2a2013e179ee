#include "gsync/cli/run.hpp"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>

#include "command_line.hpp"
#include "commands.hpp"
#include "exit_status.hpp"
#include "gsync/util/memory.hpp"

namespace gsync::cli {
namespace {

ExitCode dispatch(const Invocation& invocation, Output& output) {
  if (invocation.command == Command::version) return run_version(output);
  if (invocation.command == Command::status) return run_status(invocation, output);
  if (invocation.command == Command::monitor) return run_monitor(invocation, output);
  if (invocation.command == Command::agent && relay_to_daemon(invocation)) return ExitCode::done;
  if (invocation.command == Command::accept) return run_accept(invocation, output);
  if (invocation.command == Command::config) return run_config(invocation, output);
  if (invocation.command == Command::automatic) return run_auto(invocation, output);
  if (invocation.command == Command::purge) return run_purge(invocation, output);
  if (invocation.command == Command::pair) return run_pair(invocation, output);
  if (invocation.command == Command::unpair) return run_unpair(invocation, output);
  if (invocation.command == Command::doctor) return run_doctor(invocation, output);
  const bool pauses = invocation.command == Command::pause || invocation.command == Command::resume;
  if (pauses && pause_by_daemon(invocation, output)) return ExitCode::done;
  Context context(invocation, output);
  switch (invocation.command) {
    case Command::pull:
      return run_pull(context);
    case Command::push:
      return run_push(context);
    case Command::sync:
      return run_sync(context);
    case Command::forget:
      return run_forget(context);
    case Command::compare:
      return run_compare(context);
    case Command::info:
      return run_info(context);
    case Command::history:
      return run_history(context);
    case Command::undo:
      return run_undo(context);
    case Command::restore:
      return run_restore(context);
    case Command::trust:
      return run_trust(context);
    case Command::key:
      return run_key(context);
    case Command::agent:
      return run_agent(context);
    case Command::daemon:
      return run_daemon(context);
    case Command::worker:
      return run_worker(context);
    case Command::serve:
      return run_serve(context);
    case Command::compile:
      return run_compile(context);
    case Command::pause:
    case Command::resume:
      return run_pause(context);
    case Command::status:
    case Command::monitor:
    case Command::version:
    case Command::accept:
    case Command::config:
    case Command::doctor:
    case Command::automatic:
    case Command::purge:
    case Command::pair:
    case Command::unpair:
      break;
  }
  return ExitCode::failed;
}

/// Before the command line is understood: a script that wants JSON wants its errors so, too.
bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--json") return true;
  return false;
}

ExitCode guarded(Output& output, const auto& work) {
  try {
    return work();
  } catch (const Error& error) {
    output.error(error);
    return exit_code_of(error.code());
  } catch (const std::exception& error) {
    output.error(Error(ErrorCode::io, std::string("unexpected: ") + error.what()));
    return ExitCode::failed;
  }
}

int finish(Output& output, ExitCode code) {
  if (!output.finish() && code == ExitCode::done) code = ExitCode::failed;
  return static_cast<int>(code);
}

}  // namespace

int run(int argc, char** argv) {
  // A peer that goes away is an error of write(), with a message, and not our silent end.
  ::signal(SIGPIPE, SIG_IGN);
  util::write_no_core_files();
  std::optional<Invocation> invocation;
  {
    Output output({asks_for_json(argc, argv), false, false});
    auto code = guarded(output, [&] {
      auto parsed = parse_command_line(argc, argv);
      invocation = std::move(parsed.invocation);
      if (!invocation) std::fwrite(parsed.help.data(), 1, parsed.help.size(), stdout);
      return ExitCode::done;
    });
    if (!invocation) return finish(output, code);
  }
  // An sshd may let its client set what it likes: only the command line that `accept` wrote says which configuration an agent reads.
  if (invocation->command == Command::agent) ::unsetenv("GRAVITY_SYNC_CONFIG");
  // The agent's stdout belongs to the protocol, whatever is asked for.
  const bool json = invocation->json && invocation->command != Command::agent;
  Output output({json, invocation->quiet, invocation->verbose});
  return finish(output, guarded(output, [&] { return dispatch(*invocation, output); }));
}

}  // namespace gsync::cli
