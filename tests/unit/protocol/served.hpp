#pragma once
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "gsync/protocol/agent.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "support/fake_node.hpp"
#include "support/memory_stream.hpp"

namespace gsync::test {

inline protocol::Hello client_hello() {
  return {protocol::protocol_version, "0.1.0", std::string(32, 'c'), "ph2"};
}
inline protocol::AgentOptions agent_options(std::string peer = "ph2") {
  protocol::AgentOptions options;
  options.hello = {protocol::protocol_version, "0.1.0", std::string(32, 'a'), "ph1"};
  options.peer = std::move(peer);
  return options;
}

/// serve() on a node in a thread of its own. The node belongs to that thread until finish().
class Served {
 public:
  explicit Served(model::Node& node, const protocol::AgentOptions& options = agent_options(), const Faults& client_faults = {},
                  const Faults& agent_faults = {}) {
    auto pair = stream_pair();
    stream_ = std::make_unique<FaultyStream>(std::move(pair.client), client_faults);
    auto server = std::make_shared<FaultyStream>(std::move(pair.server), agent_faults);
    thread_ = std::thread([this, &node, options, server]() mutable {
      try {
        protocol::serve(node, *server, options);
      } catch (const Error& error) {
        error_ = error;
      }
      server.reset();  // as the end of the agent's process does
    });
  }
  ~Served() { finish(); }

  std::unique_ptr<util::ByteStream> take_stream() { return std::move(stream_); }
  std::unique_ptr<protocol::RemoteNode> connect(const protocol::Limits& limits = {}, const protocol::Hello& hello = client_hello(),
                                                protocol::Opening opening = protocol::Opening::hello) {
    return std::make_unique<protocol::RemoteNode>(take_stream(), "ph1", hello, limits, std::function<bool()>(), opening);
  }
  /// Waits for the end of serve() and gives the Error that it ended with. The client must be gone.
  std::optional<Error> finish() {
    stream_.reset();
    if (thread_.joinable()) thread_.join();
    return error_;
  }

 private:
  std::unique_ptr<util::ByteStream> stream_;
  std::thread thread_;
  std::optional<Error> error_;
};

/// What `action` throws; a failure of the test's own making when it throws nothing.
template <class Action>
Error error_from(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::config, "nothing was thrown");
}

/// Values without operator== are equal when they are encoded alike.
template <class T>
bool alike(const T& a, const T& b) {
  return util::encode(a) == util::encode(b);
}

/// A Pi-hole with a bit of everything.
inline void furnish(FakeNode& node) {
  node.add_group("Kids");
  node.add_domain("ads.example.com", "said \"no\",\nthen left");
  node.add_domain("shop.example.org", "", model::kind::allow_exact);
  node.add_adlist("https://lists.example/a.txt", {"a.example", "b.example", "common.example"});
  node.add_adlist("https://lists.example/b.txt", {"common.example", "z.example"});
  node.records_now = {model::RecordLines{"192.168.1.2 nas.lan"}, model::RecordLines{"www.lan,nas.lan"}, std::nullopt};
  node.info.capabilities.records_unavailable[2] = "dhcp is not ours to set here";
  node.info.notes = {"dhcp: not available"};
}

inline std::vector<model::BlocklistWish> wishes_for(const FakeNode& node) {
  std::vector<model::BlocklistWish> wishes;
  for (const auto& [key, domains] : node.compiled) wishes.push_back({key, std::nullopt});
  return wishes;
}

}  // namespace gsync::test
