#include "keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gsync/model/setting.hpp"

namespace gsync::config {
namespace {

std::chrono::milliseconds seconds(const Reader& value, std::int64_t lowest, std::int64_t highest) {
  return std::chrono::seconds(value.integer(lowest, highest));
}

std::uint16_t port(const Reader& value) {
  return static_cast<std::uint16_t>(value.integer(0, 65'535));
}

model::Components components(const Reader& value) {
  auto result = model::Components::none();
  const std::pair<std::string_view, bool*> names[] = {{"lists", &result.lists},
                                                      {"blocklist", &result.blocklist},
                                                      {"dns", &result.records[index_of(model::RecordKind::dns)]},
                                                      {"cname", &result.records[index_of(model::RecordKind::cname)]},
                                                      {"dhcp", &result.records[index_of(model::RecordKind::dhcp)]},
                                                      {"settings", &result.records[index_of(model::RecordKind::setting)]}};
  for (const auto& word : value.strings()) {
    const auto* found = std::ranges::find(names, word, [](const auto& pair) { return pair.first; });
    if (found == std::end(names)) {
      std::vector<std::string_view> valid;
      for (const auto& [name, flag] : names) valid.push_back(name);
      value.not_one_of(word, valid);
    }
    *found->second = true;
  }
  return result;
}

model::KeepLocal keep_local(const Reader& value) {
  const auto patterns = value.strings();
  try {
    return model::KeepLocal(patterns);
  } catch (const Error& error) {
    value.fail(error.what());
  }
}

/// Sorted: what is made of them is compared.
std::vector<std::string> settings(const Reader& value) {
  auto keys = value.strings();
  try {
    for (const auto& key : keys) model::require_setting_key(key);
  } catch (const Error& error) {
    value.fail(error.what());
  }
  std::ranges::sort(keys);
  return keys;
}

/// What people write in place of a bare name or address, each with its own answer.
std::string peer_host(const Reader& value) {
  const auto& text = value.text();
  if (text.find('@') != std::string::npos) value.fail(fmt::format("\"{}\": the user has a key of its own, user", text));
  if (text.front() == '[') value.fail(fmt::format("\"{}\": write an IPv6 address without brackets; the port has a key of its own", text));
  if (std::ranges::count(text, ':') == 1) value.fail(fmt::format("\"{}\": the port has a key of its own, port", text));
  return value.name(":%");
}

/// node_exporter reads no other names.
std::string metrics_file(const Reader& value) {
  auto path = value.absolute_path();
  if (!path.ends_with(".prom")) value.fail("does not end in .prom");
  return path;
}

std::vector<std::string> command(const Reader& value) {
  auto words = value.strings();
  if (words.front().front() != '/') value.fail(fmt::format("\"{}\" is not a whole path from /; no shell looks for it", words.front()));
  return words;
}

/// The kernel's limit for a socket's name is 108 bytes.
std::string run_directory(const Reader& value) {
  auto path = value.absolute_path();
  if (path.size() > 90) value.fail("is longer than 90 characters, too long for the names of sockets");
  return path;
}

constexpr Key<NodeConfig> all_node_keys[] = {
    {"name", "what this Pi-hole is called in the history and on peers; letters, digits, '.', '_' and '-' (default: the host name)",
     [](NodeConfig& c, const Reader& v) { c.name = v.name(); }},
    {"state_directory", "where history, versions and keys are kept, a whole path (default /var/lib/gravity-sync)",
     [](NodeConfig& c, const Reader& v) { c.state_directory = v.absolute_path(); }},
};

constexpr Key<PiholeConfig> all_pihole_keys[] = {
    {"directory", "Pi-hole's own directory, a whole path (default /etc/pihole)",
     [](PiholeConfig& c, const Reader& v) { c.directory = v.absolute_path(); }},
    {"dnsmasq_directory", "where Pi-hole 5 keeps its CNAME and DHCP files, a whole path (default /etc/dnsmasq.d)",
     [](PiholeConfig& c, const Reader& v) { c.dnsmasq_directory = v.absolute_path(); }},
    {"gravity_database", "the whole path of gravity.db (default: what files.gravity in pihole.toml, or GRAVITYDB in pihole-FTL.conf, says)",
     [](PiholeConfig& c, const Reader& v) { c.gravity_database = v.absolute_path(); }},
    {"runtime", "how Pi-hole runs: \"automatic\", \"native\", \"docker\", \"podman\" or \"volume\" (default \"automatic\")",
     [](PiholeConfig& c, const Reader& v) {
       c.runtime = v.choice<Runtime>(
           {{"automatic", Runtime::automatic}, {"native", Runtime::native}, {"docker", Runtime::docker}, {"podman", Runtime::podman}, {"volume", Runtime::volume}});
     }},
    {"container", "the name or id of the container, with runtime = \"docker\" or \"podman\" only (default \"pihole\")",
     [](PiholeConfig& c, const Reader& v) { c.container = v.name(); }},
    {"ftl_binary", "the whole path of pihole-FTL (default: /usr/bin/pihole-FTL, else the one in PATH)",
     [](PiholeConfig& c, const Reader& v) { c.ftl_binary = v.absolute_path(); }},
    {"pihole_command",
     "the whole path of Pi-hole's script, for run_gravity and for the restart of a Pi-hole 5 (default: /usr/local/bin/pihole, else the one "
     "in PATH)",
     [](PiholeConfig& c, const Reader& v) { c.pihole_command = v.absolute_path(); }},
    {"pid_file", "the whole path of FTL's pid file (default: what files.pid in pihole.toml, or PIDFILE in pihole-FTL.conf, says)",
     [](PiholeConfig& c, const Reader& v) { c.pid_file = v.absolute_path(); }},
    {"dns_port",
     "the port on 127.0.0.1 where FTL is asked a question after each change, 0 to 65535; 0: do not ask (default: dns.port in pihole.toml, "
     "or dnsmasq's port on Pi-hole 5)",
     [](PiholeConfig& c, const Reader& v) { c.dns_port = port(v); }},
};

constexpr Key<SyncConfig> all_sync_keys[] = {
    {"components", "what is synced, some of \"lists\", \"blocklist\", \"dns\", \"cname\", \"dhcp\" and \"settings\" (default: all of them)",
     [](SyncConfig& c, const Reader& v) { c.components = components(v); }},
    {"prefer", "the name of the Pi-hole whose edit stays where two edited the same thing (default: the one with the lower node id)",
     [](SyncConfig& c, const Reader& v) { c.prefer = v.name(); }},
    {"keep_local",
     "what this Pi-hole neither takes nor gives: \"groups\", \"adlists\", \"domains\", \"clients\", \"dns\", \"cname\", \"dhcp\", or "
     "\"group:Kids\", \"client:10.0.7.*\", \"dns:*.site-a.lan\" and the like, with * for any text and ? for any character (default: "
     "nothing)",
     [](SyncConfig& c, const Reader& v) { c.keep_local = keep_local(v); }},
    {"run_gravity",
     "whether to start `pihole -g` here when adlists are enabled that no Pi-hole has compiled, true or false (default false)",
     [](SyncConfig& c, const Reader& v) { c.run_gravity = v.boolean(); }},
    {"settings",
     "further settings of pihole.toml that are synced with the peers that list them as well, such as \"dns.upstreams\" and "
     "\"dns.revServers\" (default: none)",
     [](SyncConfig& c, const Reader& v) { c.settings = settings(v); }},
    {"shrink_percent",
     "a run that takes away more than this share of the entries of one kind is refused without --force, 0 to 100 (default 50)",
     [](SyncConfig& c, const Reader& v) { c.shrink.share_percent = static_cast<unsigned>(v.integer(0, 100)); }},
    {"shrink_handful", "so many entries may always go, whatever share they are, 0 to 1000000 (default 5)",
     [](SyncConfig& c, const Reader& v) { c.shrink.handful = static_cast<unsigned>(v.integer(0, 1'000'000)); }},
    {"on_ftl_failure", "what to do when FTL does not come back after a change: \"report\", \"undo\" or \"restart\" (default \"report\")",
     [](SyncConfig& c, const Reader& v) {
       c.on_ftl_failure =
           v.choice<FtlFailure>({{"report", FtlFailure::report}, {"undo", FtlFailure::undo}, {"restart", FtlFailure::restart}});
     }},
    {"ftl_deadline_seconds", "how long FTL may take to come back after a change, 1 to 600 seconds (default 10)",
     [](SyncConfig& c, const Reader& v) { c.ftl_deadline = seconds(v, 1, 600); }},
    {"lock_deadline_seconds", "how long to wait for another run or for pihole -g, 0 to 86400 seconds (default 60)",
     [](SyncConfig& c, const Reader& v) { c.lock_deadline = seconds(v, 0, 86'400); }},
    {"record_spacing_ms", "the pause between two record lists that are handed to FTL, 0 to 60000 milliseconds (default 1500)",
     [](SyncConfig& c, const Reader& v) { c.record_spacing = std::chrono::milliseconds(v.integer(0, 60'000)); }},
};

constexpr Key<DaemonConfig> all_daemon_keys[] = {
    {"run_directory", "where the daemon has its sockets, a whole path (default /run/gravity-sync)",
     [](DaemonConfig& c, const Reader& v) { c.run_directory = run_directory(v); }},
    {"agent_group", "the group whose members may connect to agent.sock: that of the SSH account (default \"gravity-sync\")",
     [](DaemonConfig& c, const Reader& v) { c.agent_group = v.name(); }},
    {"interval_seconds", "how often to compare with the peers even if nobody said that something changed, 1 to 86400 seconds (default 300)",
     [](DaemonConfig& c, const Reader& v) { c.interval = seconds(v, 1, 86'400); }},
    {"debounce_ms", "how long nothing must change before a change is acted on, 0 to 60000 milliseconds (default 500)",
     [](DaemonConfig& c, const Reader& v) { c.debounce = std::chrono::milliseconds(v.integer(0, 60'000)); }},
    {"debounce_limit_ms", "how long after the first change it is acted on at the latest, 0 to 600000 milliseconds (default 5000)",
     [](DaemonConfig& c, const Reader& v) { c.debounce_limit = std::chrono::milliseconds(v.integer(0, 600'000)); }},
    {"metrics_file", "a file to write metrics for Prometheus to, a whole path that ends in .prom (default: none)",
     [](DaemonConfig& c, const Reader& v) { c.metrics_file = metrics_file(v); }},
    {"on_success", "a command and its arguments that is told of each run that changed something (default: none)",
     [](DaemonConfig& c, const Reader& v) { c.on_success = command(v); }},
    {"on_failure", "a command and its arguments that is told when a peer fails, and when that is over (default: none)",
     [](DaemonConfig& c, const Reader& v) { c.on_failure = command(v); }},
    {"failures_before_hook", "after so many failures in a row on_failure is told, 1 to 1000 (default 3)",
     [](DaemonConfig& c, const Reader& v) { c.failures_before_hook = static_cast<unsigned>(v.integer(1, 1'000)); }},
    {"hook_timeout_seconds", "how long on_success and on_failure may run before they are killed, 1 to 3600 seconds (default 30)",
     [](DaemonConfig& c, const Reader& v) { c.hook_timeout = seconds(v, 1, 3'600); }},
};

constexpr Key<PeerConfig> all_peer_keys[] = {
    {"name", "what the peer is called on the command line and in the history; letters, digits, '.', '_' and '-'",
     [](PeerConfig& c, const Reader& v) { c.name = v.name(); }},
    {"host", "the peer's name or address; IPv6 without brackets", [](PeerConfig& c, const Reader& v) { c.host = peer_host(v); }},
    {"port", "the SSH port there, 0 to 65535; 0: what ssh_config says, else 22 (default 0)",
     [](PeerConfig& c, const Reader& v) { c.port = port(v); }},
    {"user", "the user to log in as (default \"gravity-sync\")", [](PeerConfig& c, const Reader& v) { c.user = v.name("@"); }},
    {"identity", "the private key file, a whole path (default: ssh-agent, then id_ed25519 in the state directory)",
     [](PeerConfig& c, const Reader& v) { c.identity = v.absolute_path(); }},
    {"known_hosts", "the file with the host keys that are trusted, a whole path (default: known_hosts in the state directory)",
     [](PeerConfig& c, const Reader& v) { c.known_hosts = v.absolute_path(); }},
    {"ssh_config", "an OpenSSH client configuration to read, a whole path (default: none)",
     [](PeerConfig& c, const Reader& v) { c.ssh_config = v.absolute_path(); }},
    {"remote_command", "what to run on the peer (default \"gravity-sync agent\")",
     [](PeerConfig& c, const Reader& v) { c.remote_command = v.text(); }},
    {"mode", "what the daemon does with this peer: \"pull\", \"push\" or \"sync\" (default \"pull\")",
     [](PeerConfig& c, const Reader& v) {
       c.mode = v.choice<Mode>({{"pull", Mode::pull}, {"push", Mode::push}, {"sync", Mode::sync}});
     }},
    {"connect_timeout_seconds", "how long connecting and logging in may take, 1 to 3600 seconds (default 10)",
     [](PeerConfig& c, const Reader& v) { c.connect_timeout = seconds(v, 1, 3'600); }},
    {"idle_timeout_seconds", "how long the peer may send nothing while it is waited for, 1 to 86400 seconds (default 60)",
     [](PeerConfig& c, const Reader& v) { c.idle_timeout = seconds(v, 1, 86'400); }},
};

}  // namespace

std::span<const Key<NodeConfig>> node_keys() {
  return all_node_keys;
}
std::span<const Key<PiholeConfig>> pihole_keys() {
  return all_pihole_keys;
}
std::span<const Key<SyncConfig>> sync_keys() {
  return all_sync_keys;
}
std::span<const Key<DaemonConfig>> daemon_keys() {
  return all_daemon_keys;
}
std::span<const Key<PeerConfig>> peer_keys() {
  return all_peer_keys;
}

}  // namespace gsync::config
