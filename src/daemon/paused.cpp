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

bool has_run(const replica::StateStore& state) {
  return state.value("daemon").has_value();
}

void set_has_run(replica::StateStore& state) {
  state.set_value("daemon", "1");
}

}  // namespace gsync::daemon
