#include <set>

#include "commands.hpp"
#include "gsync/daemon/client.hpp"
#include "gsync/daemon/compile.hpp"
#include "gsync/daemon/server.hpp"
#include "gsync/daemon/supervisor.hpp"
#include "gsync/daemon/worker.hpp"

namespace gsync::cli {

ExitCode run_daemon(Context& context) {
  const auto& invocation = context.invocation();
  daemon::run_supervisor({context.config(), [&invocation] { return config::load(invocation.config); }, context.installation(),
                          context.state(), context.clock(), context.here().label(), software_version(),
                          [&context] { return context.share_helpers(); },
                          [&context](const config::Config& config) { return context.why_no_gravity(config); }});
  return ExitCode::done;
}

ExitCode run_worker(Context& context) {
  const auto& peer = context.peer();
  daemon::run_worker({context.config(), peer, context.installation(), context.shared(), context.clock(), context.compiles(), [&] {
                        auto connection = context.connect(peer);
                        return daemon::Connected{std::move(connection.session), std::move(connection.node)};
                      }});
  return ExitCode::done;
}

ExitCode run_serve(Context& context) {
  const auto greeted = [&](const protocol::Hello& theirs) { context.greeted(theirs); };
  daemon::run_server(context.shared(), context.state(), context.hello(), greeted, context.clock());
  return ExitCode::done;
}

ExitCode run_compile(Context& context) {
  daemon::run_compiler(
      {context.shared(), context.installation(), context.root(), context.compiles(), context.config().sync.lock_deadline, context.clock()});
  return ExitCode::done;
}

bool relay_to_daemon(const Invocation& invocation) {
  std::string run_directory = config::DaemonConfig{}.run_directory;
  try {
    run_directory = config::load(invocation.config).daemon.run_directory;
  } catch (const Error&) {
    // The account that sshd logs in may not be allowed to read it.
  }
  return daemon::relay(run_directory, invocation.peer, invocation.read_only);
}

namespace {

/// One of our peers, or one that only has us for a peer. Error{config} with the names that there are.
std::string peer_to_pause(const config::Config& config, const std::string& name, const std::set<std::string>& others) {
  return !name.empty() && others.contains(name) ? name : config.peer(name).name;
}

}  // namespace

bool pause_by_daemon(const Invocation& invocation, Output& output) {
  const auto config = config::load(invocation.config);
  const auto status = daemon::ask(config.daemon.run_directory, {"status", {}, {}});
  if (!status) return false;
  std::set<std::string> others;
  for (const auto& agent : status->agents) others.insert(agent.peer);
  const auto peer = peer_to_pause(config, invocation.peer, others);
  const bool pause = invocation.command == Command::pause;
  if (!daemon::ask(config.daemon.run_directory, {pause ? "pause" : "resume", peer, "by hand"})) return false;
  output.done(pause ? peer + " is left alone until `gravity-sync resume " + peer + "`" : peer + " is synced again");
  return true;
}

ExitCode run_pause(Context& context) {
  auto others = daemon::pushing_peers(context.state());
  for (const auto& [name, why] : daemon::paused_peers(context.state())) others.insert(name);
  const auto peer = peer_to_pause(context.config(), context.invocation().peer, others);
  const bool pause = context.invocation().command == Command::pause;
  if (pause)
    daemon::set_paused(context.state(), peer, "by hand");
  else
    daemon::set_resumed(context.state(), peer);
  context.output().done(peer + (pause ? " will be left alone" : " will be synced") + " when the daemon runs (it does not run now)");
  return ExitCode::done;
}

}  // namespace gsync::cli
