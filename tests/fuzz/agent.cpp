/// An agent that hears whatever a client may say.
#include "fuzz/target.hpp"
#include "fuzz/wire.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"
#include "support/memory_stream.hpp"

namespace gsync::fuzz {
namespace {

test::FakeNode furnished(const std::string& name, char id) {
  test::FakeNode node(name, std::string(32, id));
  furnish(node);
  return node;
}

/// What the client has that the served Pi-hole has not, compiled sets among it.
test::FakeNode client_node() {
  auto ours = furnished("ph2", 'c');
  ours.add_domain("only.here.example");
  ours.add_adlist("https://lists.example/ours.txt", {"one.example", "three.example", "two.example"});
  ours.records_now[0] = model::RecordLines{"192.168.1.9 printer.lan"};
  return ours;
}

sync::Options pushing(bool full, bool agree) {
  sync::Options push;
  push.action = model::Action::push;
  push.full = full;
  push.agree = agree;
  push.force = true;
  return push;
}

/// Whole conversations: all that a client can ask for, as runs ask for it.
using Talk = void (*)(model::Node& ours, model::Node& peer);
constexpr Talk talks[] = {
    [](model::Node& ours, model::Node& peer) { sync::compare(ours, peer, {}); },
    [](model::Node& ours, model::Node& peer) { sync::replicate(ours, peer, pushing(false, true)); },
    [](model::Node& ours, model::Node& peer) { sync::replicate(ours, peer, pushing(true, false)); },
    [](model::Node& ours, model::Node& peer) { sync::replicate(peer, ours, {}); },
    [](model::Node& ours, model::Node& peer) {
      sync::Options pull;
      pull.full = true;
      sync::replicate(peer, ours, pull);
    },
    [](model::Node& ours, model::Node& peer) {
      sync::replicate(ours, peer, pushing(false, true));
      static_cast<test::FakeNode&>(ours).add_domain("edited.here.example");
      sync::synchronise(ours, peer, {});
      for (const auto& version : peer.versions()) peer.version(version.id);
      peer.note({});
    },
    // Readers that want no more.
    [](model::Node&, model::Node& peer) {
      peer.lock(util::Deadline::in(std::chrono::seconds(1)));
      peer.blocklist_rows({{{model::Table::adlist, model::kind::block_list, "https://lists.example/a.txt"}, std::nullopt}})->next();
      peer.copy(model::CopyOf::live);
      peer.catch_up(std::string(32, 'c'));
      peer.forget(std::string(32, 'c'), false);
      peer.unlock();
    },
};

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const auto layer = static_cast<Layer>(static_cast<unsigned char>(input.front()) % layers);
  auto node = furnished("ph1", 'a');
  test::CannedStream stream(said(client_hello(), layer, input.substr(1)));
  try {
    protocol::serve(node, stream, agent_options());
  } catch (const Error&) {
    // The end of every conversation that is not right.
  }
  require_valid(node);
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (auto talk : talks) {
    auto theirs = furnished("ph1", 'a');
    auto ours = client_node();
    const auto frames = frames_of_client(theirs, [&](model::Node& peer) { talk(ours, peer); });
    for (auto& seed : at_each_layer(client_hello(), frames)) seeds.push_back(std::move(seed));
  }
  for (unsigned type = 1; type <= 18; ++type) seeds.push_back(std::string(1, '\0') + frame(type, ""));
  return seeds;
}

std::vector<std::string> words() {
  return {frame(1, ""), frame(2, ""), frame(9, ""), frame(0x80 | 9, "x"), std::string(4, '\xFF'), "gravity-sync 1 0.1.0 "};
}

void change(std::string& input, test::Random& random, const ChangeBytes& change_bytes) {
  change_frames(input, 1, random, change_bytes);
}

}  // namespace gsync::fuzz
