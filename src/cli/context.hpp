#pragma once
#include <memory>
#include <optional>
#include <string>

#include "gsync/config/config.hpp"
#include "gsync/daemon/supervisor.hpp"
#include "gsync/model/shared_node.hpp"
#include "gsync/pihole/gravity_command.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/pihole/local_node.hpp"
#include "gsync/pihole/root_actions.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/replica/state_store.hpp"
#include "gsync/ssh/session.hpp"
#include "gsync/util/clock.hpp"
#include "gsync/util/file_ops.hpp"
#include "invocation.hpp"
#include "output.hpp"

namespace gsync::cli {

/// Our version, "0.1.0".
std::string software_version();

/// "pull", "push"…, as it is typed.
std::string_view name_of(Command command);

/// Everything that a command works with, made once at its start in the order that privileges ask for: the configuration is read, the
/// Pi-hole found, the state directory made, and then, before anything else is touched, root has become the owner of the Pi-hole (on a
/// Pi-hole 5 a child stays root, for its record files and its restart).
class Context {
 public:
  /// Errors: config, not_found (no Pi-hole), refused (somebody who may not), io.
  Context(const Invocation& invocation, Output& output);

  const Invocation& invocation() const { return invocation_; }
  Output& output() { return output_; }
  const config::Config& config() const { return config_; }
  const pihole::Installation& installation() const { return installation_; }
  replica::StateStore& state() { return *state_; }
  pihole::LocalNode& here() { return *here_; }
  /// `here` as the peer sees it that was greeted last: for all that goes to and fro between two nodes.
  model::SharedNode& shared() { return *shared_; }
  void greeted(const protocol::Hello& theirs);
  util::Clock& clock() { return clock_; }
  /// null where nobody kept root's rights.
  pihole::RootActions* root() { return root_helper_.get(); }
  pihole::CompileBook compiles() { return {*state_, clock_}; }
  /// Why [sync] run_gravity can do nothing here, and what to do; nullopt when it can, or is off.
  std::optional<Error> gravity_refusal(const config::Config& config) const;
  /// The same as a sentence; empty when it can, or is off.
  std::string why_no_gravity(const config::Config& config) const;
  ssh::Defaults ssh_defaults() const;
  /// Of our own helpers, for a child that is to do what we can.
  daemon::Helpers share_helpers() const;

  /// The peer that the command names, or the only one.
  const config::PeerConfig& peer() const { return config_.peer(invocation_.peer); }
  /// How we introduce ourselves.
  protocol::Hello hello() const;

  /// Connects to the peer and starts its agent. A deadline that passes meanwhile is Error{unreachable}.
  struct Connection {
    std::unique_ptr<ssh::Session> session;
    std::unique_ptr<protocol::RemoteNode> node;
  };
  Connection connect(const config::PeerConfig& peer);

 private:
  void check_key_files(const config::PeerConfig& peer) const;

  const Invocation& invocation_;
  Output& output_;
  config::Config config_;
  pihole::Installation installation_;
  util::SystemClock clock_;
  util::PosixFileOps files_;
  std::unique_ptr<replica::StateStore> state_;
  std::unique_ptr<pihole::RootHelper> root_helper_;  ///< on a Pi-hole 5, when root started us
  std::unique_ptr<pihole::LocalNode> here_;
  std::unique_ptr<model::SharedNode> shared_;
};

}  // namespace gsync::cli
