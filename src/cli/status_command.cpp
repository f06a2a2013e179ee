#include <fmt/format.h>

#include <ctime>

#include "commands.hpp"
#include "gsync/daemon/client.hpp"
#include "gsync/daemon/metrics.hpp"
#include "status_text.hpp"

namespace gsync::cli {
namespace {

[[noreturn]] void no_daemon(const std::string& run_directory) {
  throw Error(ErrorCode::not_found, fmt::format("the daemon does not run here: nobody listens on {}/status.sock", run_directory),
              "start it: sudo systemctl start gravity-sync, or sudo gravity-sync daemon");
}

daemon::Status show(const Invocation& invocation, Output& output, const std::string& run_directory, const char* request) {
  auto status = daemon::ask(run_directory, {request, {}, {}});
  if (!status) no_daemon(run_directory);
  if (invocation.json)
    output.json(daemon::to_json(*status));
  else if (invocation.prometheus)
    output.say(daemon::prometheus_text(*status));
  else
    output.lines(status_text(*status, std::time(nullptr)));
  return std::move(*status);
}

}  // namespace

ExitCode run_status(const Invocation& invocation, Output& output) {
  const auto run_directory = config::load(invocation.config).daemon.run_directory;
  auto status = show(invocation, output, run_directory, invocation.now ? "now" : "status");
  if (invocation.watch) {
    daemon::follow(run_directory, [&](const std::string&) {
      output.say("");
      status = show(invocation, output, run_directory, "status");
      return output.finish();
    });
  }
  return invocation.exit_code && !status.healthy() ? ExitCode::failed : ExitCode::done;
}

ExitCode run_monitor(const Invocation& invocation, Output& output) {
  const auto run_directory = config::load(invocation.config).daemon.run_directory;
  const bool ran = daemon::follow(run_directory, [&](const std::string& line) {
    if (invocation.json)
      output.json(line);
    else
      output.line(event_text(daemon::event_from_json(line)));
    return output.finish();
  });
  if (!ran) no_daemon(run_directory);
  throw Error(ErrorCode::unreachable, "the daemon ended");
}

}  // namespace gsync::cli
