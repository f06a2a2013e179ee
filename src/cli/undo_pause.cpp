#include "undo_pause.hpp"

#include <fmt/format.h>

#include "gsync/daemon/client.hpp"
#include "gsync/daemon/supervisor.hpp"

namespace gsync::cli {

UndoPause::UndoPause(Context& context, const std::string& why) : context_(context) {
  if (context.invocation().dry_run || !daemon::has_run(context.state())) return;
  const auto already = daemon::paused_peers(context.state());
  for (const auto& peer : context.config().peers) {
    if (peer.mode == config::Mode::push || already.contains(peer.name)) continue;
    if (!daemon::ask(context.config().daemon.run_directory, {"pause", peer.name, why})) daemon::set_paused(context.state(), peer.name, why);
    paused_.push_back(peer.name);
  }
}

UndoPause::~UndoPause() {
  for (const auto& peer : paused_) {
    try {
      if (!daemon::ask(context_.config().daemon.run_directory, {"resume", peer, {}})) daemon::set_resumed(context_.state(), peer);
    } catch (const std::exception&) {
      // `status` shows that it is paused, and how to go on.
    }
  }
}

void UndoPause::keep() {
  for (const auto& peer : paused_)
    context_.output().say(fmt::format(
        "  the daemon leaves {0} alone now, so that it does not bring the change back; `gravity-sync resume {0}` ends that", peer));
  paused_.clear();
}

}  // namespace gsync::cli
