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

/// What a client of a Pi-hole that holds other things says in all it can do.
std::string conversation() {
  auto theirs = furnished("ph1", 'a');
  auto ours = furnished("ph2", 'c');
  ours.add_domain("only.here.example");
  ours.records_now[0] = model::RecordLines{"192.168.1.9 printer.lan"};
  return frames_of_client(theirs, [&](model::Node& peer) {
    sync::compare(ours, peer, {});
    sync::Options push;
    push.action = model::Action::push;
    push.agree = true;
    sync::replicate(ours, peer, push);
    ours.add_domain("edited.here.example");
    sync::synchronise(ours, peer, {});
    peer.versions();
    push.full = true;
    ours.add_domain("again.example");
    sync::replicate(ours, peer, push);
    peer.note({});
  });
}

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
  auto seeds = at_each_layer(client_hello(), conversation());
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
