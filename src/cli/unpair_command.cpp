#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ask.hpp"
#include "commands.hpp"
#include "gsync/daemon/client.hpp"
#include "gsync/setup/admin_session.hpp"
#include "gsync/setup/ssh_account.hpp"
#include "gsync/util/memory.hpp"
#include "gsync/util/text.hpp"
#include "host.hpp"

namespace gsync::cli {
namespace {

/// Takes away what lets us in there, before what lets us reach it goes here. False, with a warning, when our key stays.
bool let_us_in_no_more(const Invocation& invocation, const config::PeerConfig& peer, const std::string& own_name, Output& output) {
  auto admin = setup::parse_admin(invocation.pair.admin);
  admin.port = peer.port;
  admin.identities = admin_identities(invocation.pair.identity);
  const auto shown = nlohmann::json::parse(run_here(invocation, {"trust", peer.name, "--json"}).output, nullptr, false);
  if (!shown.is_object() || shown.value("state", "") != "known")
    throw Error(ErrorCode::host_key, fmt::format("the host key of {} is not the one that is trusted, or it does not answer", peer.host),
                fmt::format("without --admin only this side is undone; `sudo gravity-sync trust {}` says more", peer.name));
  admin.host_key = shown.value("public_key", "");
  output.step(fmt::format("logging in to {} as {}", admin.host, admin.user));
  setup::AdminSession session(admin);
  session.become_root(session.facts(), [&](const std::string& question) {
    if (!can_ask())
      throw Error(ErrorCode::auth, fmt::format("sudo on {} asks for a password, and nobody is there to be asked", admin.host),
                  "run this in a terminal, or log in as root");
    return ask_secret(output, question);
  });
  output.step(fmt::format("taking this Pi-hole's key away on {}", admin.host));
  // We may be no peer of its own. `accept` lets its daemon read the configuration, which must be without us by then.
  session.gravity_sync({"config", "peer", own_name, "--remove"});
  const auto removed = session.gravity_sync({"accept", own_name, "--remove"});
  session.gravity_sync({"forget", own_name});
  if (removed.exit_code != 0) output.warn(fmt::format("{}: {}", admin.host, error_in(removed).what()));
  return removed.exit_code == 0;
}

}  // namespace

ExitCode run_unpair(const Invocation& invocation, Output& output) {
  require_root("unpair");
  util::hide_memory();
  const auto config = present_configuration(invocation);
  const auto& peer = config.peer(invocation.peer);
  const bool done_there = !invocation.pair.admin.empty() && let_us_in_no_more(invocation, peer, config.node.name, output);
  output.step(fmt::format("taking {} out here: its host key, its own key, the syncs with it, its place in the configuration", peer.name));
  run_here(invocation, {"trust", peer.name, "--remove"});
  if (const auto account = setup::find_ssh_account()) setup::dismiss(*account, peer.name);
  const auto removed = run_here(invocation, {"config", "peer", peer.name, "--remove"});
  if (removed.exit_code != 0) throw error_in(removed);
  // A daemon that runs goes on with what is left.
  if (!daemon::reload(config.daemon.run_directory) && daemon::is_listening(config.daemon.run_directory))
    output.warn("the daemon does not answer, so it was not told: sudo systemctl restart gravity-sync");
  run_here(invocation, {"forget", peer.name});  // which waits for a run that had begun
  output.done(fmt::format("{} is no peer of this Pi-hole any more", peer.name));
  if (!done_there)
    output.say(fmt::format("Over there, this takes this Pi-hole's key away: sudo gravity-sync accept {} --remove", config.node.name));
  return ExitCode::done;
}

}  // namespace gsync::cli
