#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/model/keep_local.hpp"
#include "gsync/model/plan.hpp"
#include "gsync/util/error.hpp"

namespace gsync::config {

enum class Mode : std::uint8_t { pull, push, sync };
constexpr Mode last_of(Mode) {
  return Mode::sync;
}
enum class Runtime : std::uint8_t {
  automatic,
  native,
  docker,
  podman,
  volume,  ///< a container writes the directory, and nothing but the directory is known of it
};
/// What to do when FTL does not answer, or does not take the new database, within [sync] ftl_deadline of a publish.
enum class FtlFailure : std::uint8_t { report, undo, restart };

/// [node]
struct NodeConfig {
  std::string name;                                     ///< default: the host name
  std::string state_directory = "/var/lib/gravity-sync";  ///< history, versions, keys; owned by the user that the service runs as
  bool operator==(const NodeConfig&) const = default;
};

/// [pihole]. Empty values are found out by pihole::Installation. With runtime docker or podman all paths are those in the container.
struct PiholeConfig {
  std::string directory = "/etc/pihole";
  std::string dnsmasq_directory = "/etc/dnsmasq.d";     ///< v5's cname and dhcp files
  std::string gravity_database;                         ///< default: files.gravity of pihole.toml, GRAVITYDB of v5's pihole-FTL.conf, else <directory>/gravity.db
  Runtime runtime = Runtime::automatic;
  std::string container = "pihole";                     ///< name or id, with runtime docker or podman
  std::string ftl_binary;                               ///< default: pihole-FTL in /usr/bin or PATH
  std::string pihole_command;                           ///< v5's script; default: pihole in /usr/local/bin or PATH
  std::string pid_file;                                 ///< default: files.pid of pihole.toml, PIDFILE of v5's pihole-FTL.conf, else /run/pihole-FTL.pid
  std::optional<std::uint16_t> dns_port;                ///< default: dns.port of pihole.toml, v5's dnsmasq port, else 53; 0: do not ask FTL a question after a publish. Of a container: the port that it is published on, else 0
  bool operator==(const PiholeConfig&) const = default;
};

/// [sync]
struct SyncConfig {
  model::Components components;                         ///< components = ["lists", "blocklist", "dns", "cname", "dhcp", "settings"]
  model::KeepLocal keep_local;                          ///< keep_local: what this node neither takes nor gives
  bool run_gravity = false;                             ///< run_gravity: start `pihole -g` for adlists that nobody has compiled
  std::vector<std::string> settings;  ///< settings: keys of pihole.toml that travel, where the peer lists them as well; sorted
  model::ShrinkLimits shrink;                           ///< shrink_percent, shrink_handful
  std::string prefer;  ///< the node whose edit stays where two edited the same field; empty: that of the lower node id
  FtlFailure on_ftl_failure = FtlFailure::report;       ///< "report", "undo", "restart"
  std::chrono::milliseconds ftl_deadline{10'000};       ///< ftl_deadline_seconds
  std::chrono::milliseconds lock_deadline{60'000};      ///< lock_deadline_seconds: how long to wait for another run or for `pihole -g`
  std::chrono::milliseconds record_spacing{1'500};      ///< record_spacing_ms: between two writes with pihole-FTL --config (PIHOLE.md §3)
  bool operator==(const SyncConfig&) const = default;
};

/// [[peer]]
struct PeerConfig {
  std::string name;
  std::string host;                                     ///< name or address, IPv6 without brackets
  std::uint16_t port = 0;                               ///< 0: from ssh_config, else 22
  std::string user = "gravity-sync";
  std::string identity;                                 ///< private key file; empty: ssh-agent, then <state_directory>/id_ed25519
  std::string known_hosts;                              ///< default <state_directory>/known_hosts
  std::string ssh_config;                               ///< read only if named
  std::string remote_command = "gravity-sync agent";    ///< what to run there; under a forced command sshd ignores it
  Mode mode = Mode::pull;                               ///< what the daemon does; pull and push as commands ignore it
  std::chrono::milliseconds connect_timeout{10'000};    ///< connect_timeout_seconds: TCP, key exchange and authentication together
  std::chrono::milliseconds idle_timeout{60'000};       ///< idle_timeout_seconds: without a byte from the peer while one is waited for
  bool operator==(const PeerConfig&) const = default;
};

/// [daemon]
struct DaemonConfig {
  std::string run_directory = "/run/gravity-sync";  ///< the sockets
  std::string agent_group = "gravity-sync";         ///< who of it may connect to agent.sock: the SSH account of the peers
  std::chrono::milliseconds interval{300'000};      ///< interval_seconds: the safety net under inotify and the peers' word
  std::chrono::milliseconds debounce{500};          ///< debounce_ms: so long nothing must change before a change is acted on
  std::chrono::milliseconds debounce_limit{5'000};  ///< debounce_limit_ms: it is acted on then, whatever happens
  std::string metrics_file;                         ///< for node_exporter's textfile collector; empty: none
  std::vector<std::string> on_success;              ///< commands with their arguments, told of a run that changed something…
  std::vector<std::string> on_failure;              ///< …and of a failure, and of its end
  unsigned failures_before_hook = 3;
  std::chrono::milliseconds hook_timeout{30'000};  ///< hook_timeout_seconds
  bool operator==(const DaemonConfig&) const = default;
};

struct Config {
  std::string path;                                     ///< where it was read from; empty: built-in defaults
  std::string text;                                     ///< what stands there
  NodeConfig node;
  PiholeConfig pihole;
  SyncConfig sync;
  DaemonConfig daemon;
  std::vector<PeerConfig> peers;

  /// The peer of that name, or the only one for an empty name. Error{config} naming the peers that there are.
  const PeerConfig& peer(const std::string& name) const;
};

/// What is wrong with a name that is shown, logged, compared and written into command lines, such as "is empty"; empty when nothing is.
/// Letters, digits, '.', '_', '-' and `extra_characters` may stand in one.
std::string fault_in_name(std::string_view name, std::string_view extra_characters = {});

inline constexpr const char* default_path = "/etc/gravity-sync/gravity-sync.toml";

/// --config if given, else GRAVITY_SYNC_CONFIG, else the default path. A path that was named must exist; the default path may be missing, which gives the defaults
/// with no peers. Unknown keys (with the nearest valid one), wrong types, values out of range, duplicates and contradictions are
/// Error{config} whose text begins "FILE:LINE: ".
Config load(const std::optional<std::string>& path_option);
/// The same for a text. `path` is for messages.
Config parse(const std::string& text, const std::string& path);
/// Which file load() reads, whether it is there or not.
std::string chosen_path(const std::optional<std::string>& path_option);
/// All that parse() would find fault with, and not the first alone.
std::vector<Error> faults_in(const std::string& text, const std::string& path);

}  // namespace gsync::config
