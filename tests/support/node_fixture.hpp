#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "gsync/config/config.hpp"
#include "gsync/model/node.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/pihole/local_node.hpp"
#include "gsync/protocol/agent.hpp"
#include "gsync/replica/state_store.hpp"
#include "gsync/util/clock.hpp"
#include "gsync/util/file_ops.hpp"
#include "support/pihole_directory.hpp"

namespace gsync::test {

/// The system's clock, counting how often somebody paused.
class CountingClock final : public util::Clock {
 public:
  std::int64_t unix_time() override { return system_.unix_time(); }
  std::chrono::steady_clock::time_point now() override { return system_.now(); }
  void sleep(std::chrono::nanoseconds time) override {
    ++pauses;
    system_.sleep(time);
  }
  std::atomic<int> pauses{0};

 private:
  util::SystemClock system_;
};

/// A Pi-hole directory with a LocalNode on it.
class LocalFixture {
 public:
  explicit LocalFixture(PiholeOptions options = {});
  LocalFixture(PiholeOptions options, std::unique_ptr<util::FileOps> files);

  /// Another node object on the same Pi-hole, as another process would have.
  std::unique_ptr<pihole::LocalNode> another() const;
  /// Reads the configuration and the host anew.
  void reopen();

  PiholeDirectory directory;
  std::unique_ptr<util::FileOps> files;
  mutable CountingClock clock;
  config::Config config;
  pihole::Installation installation;
  std::unique_ptr<replica::StateStore> state;
  std::unique_ptr<pihole::LocalNode> node;

 private:
  mutable std::unique_ptr<replica::StateStore> other_state_;
};

/// A node behind a RemoteNode and an Agent on a socket pair.
class RemoteFixture {
 public:
  /// `client` is the node id of who asks.
  RemoteFixture(model::Node& served, const protocol::AgentOptions& options, const std::string& client = std::string(32, 'c'));
  ~RemoteFixture();
  model::Node& node() { return *remote_; }

 private:
  std::unique_ptr<util::ByteStream> far_;
  std::thread agent_;
  std::unique_ptr<model::Node> remote_;
};

}  // namespace gsync::test
