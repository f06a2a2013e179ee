/// A client that asks one thing and hears whatever an agent may answer.
#include <array>

#include "fuzz/target.hpp"
#include "fuzz/wire.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"
#include "support/fake_node.hpp"
#include "support/memory_stream.hpp"

namespace gsync::fuzz {
namespace {

const std::string us(32, 'c');

void read_all(model::BlocklistReader& rows) {
  while (rows.next()) continue;
}
void read_all(util::ByteReader& bytes) {
  std::array<std::byte, 4096> buffer{};
  while (bytes.read(buffer) > 0) continue;
}

/// It was synced with us once, and has a version from before.
test::FakeNode with_a_past() {
  test::FakeNode node("ph1", std::string(32, 'a')), ours("ph2", us);
  furnish(node);
  furnish(ours);
  ours.add_domain("only.here.example");
  sync::TwoWayOptions unite;
  unite.unite = true;
  sync::synchronise(ours, node, unite);
  return node;
}

std::vector<model::BlocklistWish> wishes() {
  return {{{model::Table::adlist, model::kind::block_list, "https://lists.example/a.txt"}, std::nullopt},
          {{model::Table::adlist, model::kind::allow_list, "https://lists.example/b.txt"}, std::nullopt}};
}

model::Change a_change(model::Node& node) {
  model::Change change;
  change.source = "ph2";
  change.expected = node.describe().digests;
  change.records[0] = model::RecordLines{"192.168.1.9 printer.lan"};
  return change;
}

void lock(model::Node& node) {
  node.lock(util::Deadline::in(std::chrono::seconds(1)));
}

model::Intent an_intent(const model::NodeInfo& info) {
  model::Intent intent;
  intent.id = std::string(32, '5');
  intent.expected = info.digests;
  return intent;
}

using Question = void (*)(model::Node&);
constexpr Question questions[] = {
    [](model::Node& node) { node.describe(); },
    [](model::Node& node) { lock(node); },
    [](model::Node& node) { model::check_lists(node.lists()); },
    [](model::Node& node) {
      const auto records = node.records();
      for (auto kind : model::record_kinds)
        if (records[model::index_of(kind)]) model::parse_records(kind, *records[model::index_of(kind)]);
    },
    [](model::Node& node) { node.blocklist(); },
    [](model::Node& node) {
      lock(node);
      read_all(*node.blocklist_rows(wishes()));
    },
    [](model::Node& node) {
      lock(node);
      read_all(*node.copy(model::CopyOf::live).reader);
    },
    [](model::Node& node) {
      lock(node);
      node.apply(a_change(node), nullptr, nullptr);
    },
    [](model::Node& node) {
      for (const auto& version : node.versions()) node.version(version.id);
    },
    [](model::Node& node) { node.note({}); },
    [](model::Node& node) {
      if (!node.pair(us).base.empty()) node.base(us);
    },
    [](model::Node& node) {
      lock(node);
      node.catch_up(us);
    },
    [](model::Node& node) {
      lock(node);
      node.forget(us, true);
    },
    [](model::Node& node) {
      lock(node);
      node.unlock();
    },
    [](model::Node& node) {
      node.intend(us, an_intent(node.lock(util::Deadline::in(std::chrono::seconds(1)))));
      node.settle(us, {std::string(32, '5'), false, "ph1", {us, "ph2"}, {}});
    },
    [](model::Node& node) { model::check_lists(node.lists_beside(test::FakeNode("ph2").lists_now)); },
};

}  // namespace

void run(std::string_view input) {
  if (input.size() < 2) return;
  const auto question = questions[static_cast<unsigned char>(input[1]) % std::size(questions)];
  const auto layer = static_cast<Layer>(static_cast<unsigned char>(input[0]) % layers);
  try {
    protocol::RemoteNode node(std::make_unique<test::CannedStream>(said(agent_options().hello, layer, input.substr(2))), "ph1",
                              client_hello(), {});
    question(node);
  } catch (const Error&) {
    // What a person gets to read.
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (std::size_t i = 0; i < std::size(questions); ++i) {
    auto node = with_a_past();
    for (auto& seed : at_each_layer(agent_options().hello, frames_of_agent(node, questions[i])))
      seeds.push_back(seed.insert(1, 1, static_cast<char>(i)));
  }
  return seeds;
}

std::vector<std::string> words() {
  return {frame(64, ""), frame(65, ""), frame(66, ""), frame(67, ""), frame(33, "x"), frame(0x80 | 64, "x"), std::string(4, '\xFF')};
}

void change(std::string& input, test::Random& random, const ChangeBytes& change_bytes) {
  change_frames(input, 2, random, change_bytes);
}

}  // namespace gsync::fuzz
