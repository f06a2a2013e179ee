/// Whole runs with a peer that answers whatever it likes, and what they leave behind here.
#include "fuzz/target.hpp"
#include "fuzz/wire.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "support/memory_stream.hpp"

namespace gsync::fuzz {
namespace {

test::FakeNode peer_node() {
  test::FakeNode node("ph1", std::string(32, 'a'));
  furnish(node);
  node.add_domain("only.there.example");
  node.add_adlist("https://lists.example/theirs.txt", {"five.example", "four.example"});
  node.records_now[1] = model::RecordLines{"www.lan,nas.lan"};
  return node;
}

test::FakeNode our_node() {
  test::FakeNode node("ph2", std::string(32, 'c'));
  furnish(node);
  node.add_domain("only.here.example");
  node.add_adlist("https://lists.example/ours.txt", {"one.example", "three.example", "two.example"});
  return node;
}

template <class O>
O options(bool dry_run = false) {
  O options;
  options.lock_deadline = std::chrono::milliseconds(1);
  options.dry_run = dry_run;
  return options;
}

using Run = void (*)(model::Node& here, model::Node& peer);
constexpr Run runs[] = {
    [](model::Node& here, model::Node& peer) { sync::replicate(peer, here, options<sync::Options>()); },
    [](model::Node& here, model::Node& peer) {
      auto pull = options<sync::Options>();
      pull.full = true;
      sync::replicate(peer, here, pull);
    },
    [](model::Node& here, model::Node& peer) {
      auto push = options<sync::Options>();
      push.action = model::Action::push;
      push.agree = true;
      sync::replicate(here, peer, push);
    },
    [](model::Node& here, model::Node& peer) {
      auto both_ways = options<sync::TwoWayOptions>();
      both_ways.unite = true;
      sync::synchronise(here, peer, both_ways);
    },
    [](model::Node& here, model::Node& peer) { sync::compare(here, peer, {}); },
};

std::string content_of(const test::FakeNode& node) {
  return util::encode(node.lists_now) + util::encode(node.records_now) + util::encode(node.compiled);
}

}  // namespace

void run(std::string_view input) {
  if (input.size() < 2) return;
  const auto what = runs[static_cast<unsigned char>(input[1]) % std::size(runs)];
  const auto layer = static_cast<Layer>(static_cast<unsigned char>(input[0]) % layers);
  auto here = our_node();
  const auto before = content_of(here);
  try {
    protocol::RemoteNode peer(std::make_unique<test::CannedStream>(said(agent_options().hello, layer, input.substr(2))), "ph1",
                              client_hello(), {});
    what(here, peer);
  } catch (const Error&) {
    // The peer's lies came out, or its answers did.
  }
  GSYNC_ASSERT(!here.locked);
  if (here.applied.empty())
    GSYNC_ASSERT(content_of(here) == before);
  else
    require_valid(here);
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (std::size_t i = 0; i < std::size(runs); ++i) {
    auto peer = peer_node();
    auto here = our_node();
    const auto frames = frames_of_agent(peer, [&](model::Node& there) { runs[i](here, there); });
    for (auto& seed : at_each_layer(agent_options().hello, frames)) seeds.push_back(seed.insert(1, 1, static_cast<char>(i)));
  }
  return seeds;
}

std::vector<std::string> words() {
  return {frame(64, ""), frame(65, ""), frame(66, ""), frame(67, ""), "https://lists.example/a.txt", "192.168.1.2 nas.lan", "example"};
}

void change(std::string& input, test::Random& random, const ChangeBytes& change_bytes) {
  change_frames(input, 2, random, change_bytes);
}

}  // namespace gsync::fuzz
