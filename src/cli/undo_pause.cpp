#include "undo_pause.hpp"

#include <fmt/format.h>

#include "gsync/daemon/client.hpp"
#include "gsync/daemon/supervisor.hpp"

namespace gsync::cli {

bool UndoPause::daemon_does(const daemon::Request& request) {
  try {
    return answers_ && daemon::ask(context_.config().daemon.run_directory, request).has_value();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout) throw;
    return answers_ = false;  // one that does not start, when an undo may be what is needed
  }
}

UndoPause::UndoPause(Context& context, const std::string& why) : context_(context) {
  if (context.invocation().dry_run || !daemon::has_run(context.state())) return;
  auto peers = daemon::pushing_peers(context.state());
  for (const auto& peer : context.config().peers) {
    if (peer.mode == config::Mode::pull) peers.insert(peer.name);
    if (peer.mode == config::Mode::sync) told_.push_back(peer.name);
  }
  const auto already = daemon::paused_peers(context.state());
  try {
    for (const auto& peer : peers) {
      if (already.contains(peer)) continue;
      if (!daemon_does({"pause", peer, why})) daemon::set_paused(context.state(), peer, why);
      paused_.push_back(peer);
    }
  } catch (...) {
    resume();
    throw;
  }
}

UndoPause::~UndoPause() {
  resume();
}

void UndoPause::resume() noexcept {
  for (const auto& peer : paused_) {
    try {
      if (!daemon_does({"resume", peer, {}})) daemon::set_resumed(context_.state(), peer);
    } catch (const std::exception&) {
      // `status` shows that it is paused, and how to go on.
    }
  }
}

void UndoPause::keep() {
  for (const auto& peer : paused_)
    context_.output().say(fmt::format(
        "  {0} is paused here now, so that the change does not come back from there; `gravity-sync resume {0}` ends that", peer));
  paused_.clear();
  for (const auto& peer : told_) context_.output().say(fmt::format("  {} is synced both ways: it gets this as it gets every edit", peer));
}

}  // namespace gsync::cli
