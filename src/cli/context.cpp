#include "context.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

#include "gsync/daemon/supervisor.hpp"
#include "gsync/setup/ssh_account.hpp"
#include "gsync/util/text.hpp"
#include "privileges.hpp"
#include "reach.hpp"

namespace gsync::cli {
namespace {

/// Root can read what the owner of the Pi-hole cannot, so this is the commonest fault of a first run: say it before libssh says "no key".
void require_readable(const std::string& path, const std::string& what, const std::string& peer) {
  if (path.empty()) return;
  util::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) return;
  const int error = errno;
  auto who = user_text(::geteuid());
  throw Error(
      ErrorCode::config, fmt::format("peer {}: cannot read {} {} as {}: {}", peer, what, path, who, std::generic_category().message(error)),
      error == ENOENT ? fmt::format("correct the path in [[peer]] {}, or make the file", peer)
                      : fmt::format("gravity-sync runs as the owner of the Pi-hole: give the file, and the folders above it, to {}", who));
}

}  // namespace

std::string software_version() {
  return GSYNC_VERSION;
}

std::string_view name_of(Command command) {
  switch (command) {
    case Command::pull:
      return "pull";
    case Command::push:
      return "push";
    case Command::compare:
      return "compare";
    case Command::info:
      return "info";
    case Command::history:
      return "history";
    case Command::undo:
      return "undo";
    case Command::restore:
      return "restore";
    case Command::trust:
      return "trust";
    case Command::version:
      return "version";
    case Command::agent:
      return "agent";
    case Command::daemon:
      return "daemon";
    case Command::status:
      return "status";
    case Command::monitor:
      return "monitor";
    case Command::pause:
      return "pause";
    case Command::resume:
      return "resume";
    case Command::worker:
      return "worker";
    case Command::serve:
      return "serve";
    case Command::compile:
      return "compile";
    case Command::sync:
      return "sync";
    case Command::forget:
      return "forget";
    case Command::key:
      return "key";
    case Command::accept:
      return "accept";
    case Command::config:
      return "config";
    case Command::doctor:
      return "doctor";
    case Command::automatic:
      return "auto";
    case Command::pair:
      return "pair";
    case Command::unpair:
      return "unpair";
    case Command::purge:
      return "purge";
  }
  return "";
}

Context::Context(const Invocation& invocation, Output& output)
    : invocation_(invocation), output_(output), config_(config::load(invocation.config)) {
  output_.detail(fmt::format("configuration: {}", config_.path.empty() ? "defaults" : config_.path));
  if (invocation.root_helper >= 0) root_helper_ = pihole::join_root_helper(util::Fd(invocation.root_helper));
  installation_ = pihole::detect(config_.pihole, util::Fd(invocation.container_helper));
  output_.detail(fmt::format("database: {} ({}), owned by {}", installation_.gravity_database, installation_.how_gravity,
                             user_text(installation_.owner)));
  if (::geteuid() == 0) prepare_state_directory(config_.node.state_directory, installation_.owner, installation_.group);
  if (::geteuid() == 0 && installation_.owner != 0) {
    // Of a process that talks to peers, no more stays root than what RootActions can be asked for. Before the others, whose helpers it does
    // without.
    if (installation_.generation == pihole::Generation::v5) root_helper_ = pihole::start_root_helper(installation_);
    if (installation_.container) installation_.container->keep_rights();
    auto directories = installation_.directories();
    std::erase_if(directories, [](const std::string& path) { return ::access(path.c_str(), F_OK) != 0; });
    keep_reachable(directories, installation_.owner, installation_.group);
  }
  std::optional<gid_t> agent_group;
  if (::geteuid() == 0 && invocation.command == Command::daemon) {
    prepare_run_directory(config_.daemon.run_directory, installation_.owner, installation_.group);
    // Only a member can give agent.sock to it.
    agent_group = daemon::group_id(config_.daemon.agent_group);
  }
  const auto keep = installation_.generation == pihole::Generation::v6 && !installation_.container ? Keep::chown : Keep::nothing;
  become_owner(installation_.owner, installation_.group, installation_.gravity_database,
               invocation.command == Command::agent ? setup::how_to_serve(installation_.owner, installation_.group)
                                                    : fmt::format("run: sudo gravity-sync {}", name_of(invocation.command)),
               keep, agent_group);
  prepare_state_directory(config_.node.state_directory, installation_.owner, installation_.group);
  state_ = std::make_unique<replica::StateStore>(config_.node.state_directory, clock_);
  here_ = std::make_unique<pihole::LocalNode>(installation_, config_, *state_, files_, clock_, software_version(), root_helper_.get());
  // An agent of its own ends with the connection: who knows of it is to see to it.
  here_->set_runs_gravity(config_.sync.run_gravity && invocation.command != Command::agent && why_no_gravity(config_).empty());
  const model::SharedNode::Memory memory{[this] { return state_->value("shared"); },
                                         [this](const std::string& bytes) { state_->set_value("shared", bytes); }};
  shared_ = std::make_unique<model::SharedNode>(*here_, config_.sync.shrink, memory);
  shared_->keep(config_.sync.keep_local);
}

std::optional<Error> Context::gravity_refusal(const config::Config& config) const {
  return config.sync.run_gravity ? pihole::why_no_gravity_run(installation_, root_helper_.get()) : std::nullopt;
}

std::string Context::why_no_gravity(const config::Config& config) const {
  const auto refusal = gravity_refusal(config);
  return refusal ? fmt::format("{}: {}", refusal->what(), refusal->hint()) : std::string();
}

ssh::Defaults Context::ssh_defaults() const {
  return {config_.node.state_directory + "/id_ed25519", config_.node.state_directory + "/known_hosts"};
}

daemon::Helpers Context::share_helpers() const {
  daemon::Helpers helpers;
  if (root_helper_) helpers.root = root_helper_->share();
  if (installation_.container) helpers.container = installation_.container->share();
  return helpers;
}

protocol::Hello Context::hello() const {
  return {protocol::protocol_version,
          software_version(),
          state_->node_id(),
          here_->label(),
          config_.sync.keep_local.but_settings(here_->settings()),
          std::time(nullptr),
          installation_.compiles_weekly()};
}

void Context::greeted(const protocol::Hello& theirs) {
  // A node that lists no settings has none to hide, and is seen as it is.
  const bool settings = !config_.sync.settings.empty();
  shared_->keep(config_.sync.keep_local | (settings ? theirs.keep_local : model::KeepLocal(theirs.keep_local.patterns())));
}

void Context::check_key_files(const config::PeerConfig& peer) const {
  require_readable(peer.identity, "the key", peer.name);
  require_readable(peer.ssh_config, "the ssh_config file", peer.name);
  auto known_hosts = peer.known_hosts.empty() ? ssh_defaults().known_hosts : peer.known_hosts;
  if (::access(known_hosts.c_str(), F_OK) == 0) require_readable(known_hosts, "the known hosts", peer.name);
}

Context::Connection Context::connect(const config::PeerConfig& peer) {
  check_key_files(peer);
  output_.detail(fmt::format("connecting to {} at {}", peer.name, peer.host));
  try {
    Connection connection;
    connection.session = ssh::Session::connect(peer, ssh_defaults());
    auto stream = connection.session->execute(peer.remote_command, util::Deadline::in(peer.connect_timeout));
    connection.node = std::make_unique<protocol::RemoteNode>(
        std::move(stream), peer.name, hello(), protocol::Limits{peer.connect_timeout, peer.idle_timeout},
        [this] { return here_->lock_is_wanted(); }, protocol::Opening::describe);
    const auto& theirs = connection.node->peer_hello();
    greeted(theirs);
    output_.detail(fmt::format("{} is {} with gravity-sync {}", peer.name, theirs.name, theirs.software));
    return connection;
  } catch (const Error& error) {
    // Scripts tell "the peer is not there" from "it failed" by the exit code.
    if (error.code() == ErrorCode::timeout) throw Error(ErrorCode::unreachable, error.what(), error.hint());
    throw;
  }
}

}  // namespace gsync::cli
