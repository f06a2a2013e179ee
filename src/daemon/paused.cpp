#include <fmt/format.h>

#include "gsync/daemon/supervisor.hpp"
#include "gsync/util/codec.hpp"

namespace gsync::daemon {
namespace {

constexpr const char* name = "paused";
using Paused = std::map<std::string, std::string>;

void store(replica::StateStore& state, const Paused& paused) {
  state.set_value(name, paused.empty() ? std::string() : util::encode(paused));
}

}  // namespace

Paused paused_peers(const replica::StateStore& state) {
  const auto bytes = state.value(name);
  if (!bytes) return {};
  try {
    return util::decode<Paused>(*bytes);
  } catch (const Error& error) {
    throw Error(ErrorCode::corrupt, std::string("state.db holds a damaged list of paused peers: ") + error.what());
  }
}

void set_paused(replica::StateStore& state, const std::string& peer, const std::string& why) {
  auto paused = paused_peers(state);
  paused[peer] = why;
  store(state, paused);
}

void set_resumed(replica::StateStore& state, const std::string& peer) {
  auto paused = paused_peers(state);
  paused.erase(peer);
  store(state, paused);
}

void require_not_paused(const replica::StateStore& state, const std::string& peer, const std::string& here) {
  const auto paused = paused_peers(state);
  const auto why = paused.find(peer);
  if (why == paused.end()) return;
  throw Error(ErrorCode::refused, fmt::format("{} is paused on {}: {}", peer, here, why->second),
              fmt::format("to go on, on {}: gravity-sync resume {}", here, peer));
}

std::set<std::string> pushing_peers(const replica::StateStore& state) {
  constexpr std::size_t lately = 200;
  constexpr std::string_view agent = "agent for ";
  std::map<std::string, model::Action> last;  // history() gives the newest first
  for (const auto& entry : state.history(lately, false))
    if ((entry.action == model::Action::push || entry.action == model::Action::sync) && entry.outcome == model::Outcome::done &&
        entry.started_by.starts_with(agent))
      last.emplace(entry.started_by.substr(agent.size()), entry.action);
  std::set<std::string> peers;
  for (const auto& [peer, action] : last)
    if (action == model::Action::push) peers.insert(peer);
  return peers;
}

bool has_run(const replica::StateStore& state) {
  return state.value("daemon").has_value();
}

void set_has_run(replica::StateStore& state) {
  state.set_value("daemon", "1");
}

}  // namespace gsync::daemon
