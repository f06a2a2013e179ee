#include "gsync/config/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "keys.hpp"

namespace gsync::config {
namespace {

std::string text(const std::string& value) {
  return value.empty() ? value : quoted(value);
}

std::string list(const std::vector<std::string>& values) {
  std::vector<std::string> all;
  all.reserve(values.size());
  for (const auto& value : values) all.push_back(quoted(value));
  return all.empty() ? "" : fmt::format("[{}]", fmt::join(all, ", "));
}

/// An argument may be a password.
std::string command(const std::vector<std::string>& words) {
  if (words.size() < 2) return list(words);
  return fmt::format("[{}, …]", quoted(words.front()));
}

std::string seconds(std::chrono::milliseconds time) {
  return std::to_string(time.count() / 1'000);
}

std::string milliseconds(std::chrono::milliseconds time) {
  return std::to_string(time.count());
}

template <class T, std::size_t N>
std::string word(T value, const std::pair<T, const char*> (&words)[N]) {
  for (const auto& [each, name] : words) {
    if (each == value) return quoted(name);
  }
  return {};
}

std::string mode(Mode value) {
  return word(value, {{Mode::pull, "pull"}, {Mode::push, "push"}, {Mode::sync, "sync"}});
}

std::string runtime(Runtime value) {
  return word(value, {{Runtime::automatic, "automatic"},
                      {Runtime::native, "native"},
                      {Runtime::docker, "docker"},
                      {Runtime::podman, "podman"},
                      {Runtime::volume, "volume"}});
}

std::string ftl_failure(FtlFailure value) {
  return word(value, {{FtlFailure::report, "report"}, {FtlFailure::undo, "undo"}, {FtlFailure::restart, "restart"}});
}

std::string components(const model::Components& value) {
  std::vector<std::string> names;
  if (value.lists) names.emplace_back("lists");
  if (value.blocklist) names.emplace_back("blocklist");
  for (auto kind : model::record_kinds) {
    if (value.records[index_of(kind)]) names.emplace_back(model::to_string(kind));
  }
  return list(names);
}

/// How the value of a key is written. There is one for each key in keys.cpp.
template <class Target>
struct Shown {
  std::string_view name;
  std::string (*value)(const Target&);
};

constexpr Shown<NodeConfig> node_values[] = {
    {"name", [](const NodeConfig& c) { return text(c.name); }},
    {"state_directory", [](const NodeConfig& c) { return text(c.state_directory); }},
};

constexpr Shown<PiholeConfig> pihole_values[] = {
    {"directory", [](const PiholeConfig& c) { return text(c.directory); }},
    {"dnsmasq_directory", [](const PiholeConfig& c) { return text(c.dnsmasq_directory); }},
    {"gravity_database", [](const PiholeConfig& c) { return text(c.gravity_database); }},
    {"runtime", [](const PiholeConfig& c) { return runtime(c.runtime); }},
    {"container",
     [](const PiholeConfig& c) { return c.runtime == Runtime::docker || c.runtime == Runtime::podman ? text(c.container) : ""; }},
    {"ftl_binary", [](const PiholeConfig& c) { return text(c.ftl_binary); }},
    {"pihole_command", [](const PiholeConfig& c) { return text(c.pihole_command); }},
    {"pid_file", [](const PiholeConfig& c) { return text(c.pid_file); }},
    {"dns_port", [](const PiholeConfig& c) { return c.dns_port ? std::to_string(*c.dns_port) : ""; }},
};

constexpr Shown<SyncConfig> sync_values[] = {
    {"components", [](const SyncConfig& c) { return components(c.components); }},
    {"prefer", [](const SyncConfig& c) { return text(c.prefer); }},
    {"keep_local", [](const SyncConfig& c) { return list(c.keep_local.patterns()); }},
    {"settings", [](const SyncConfig& c) { return list(c.settings); }},
    {"run_gravity", [](const SyncConfig& c) { return std::string(c.run_gravity ? "true" : "false"); }},
    {"shrink_percent", [](const SyncConfig& c) { return std::to_string(c.shrink.share_percent); }},
    {"shrink_handful", [](const SyncConfig& c) { return std::to_string(c.shrink.handful); }},
    {"on_ftl_failure", [](const SyncConfig& c) { return ftl_failure(c.on_ftl_failure); }},
    {"ftl_deadline_seconds", [](const SyncConfig& c) { return seconds(c.ftl_deadline); }},
    {"lock_deadline_seconds", [](const SyncConfig& c) { return seconds(c.lock_deadline); }},
    {"record_spacing_ms", [](const SyncConfig& c) { return milliseconds(c.record_spacing); }},
};

constexpr Shown<DaemonConfig> daemon_values[] = {
    {"run_directory", [](const DaemonConfig& c) { return text(c.run_directory); }},
    {"agent_group", [](const DaemonConfig& c) { return text(c.agent_group); }},
    {"interval_seconds", [](const DaemonConfig& c) { return seconds(c.interval); }},
    {"debounce_ms", [](const DaemonConfig& c) { return milliseconds(c.debounce); }},
    {"debounce_limit_ms", [](const DaemonConfig& c) { return milliseconds(c.debounce_limit); }},
    {"metrics_file", [](const DaemonConfig& c) { return text(c.metrics_file); }},
    {"on_success", [](const DaemonConfig& c) { return command(c.on_success); }},
    {"on_failure", [](const DaemonConfig& c) { return command(c.on_failure); }},
    {"failures_before_hook", [](const DaemonConfig& c) { return std::to_string(c.failures_before_hook); }},
    {"hook_timeout_seconds", [](const DaemonConfig& c) { return seconds(c.hook_timeout); }},
};

constexpr Shown<PeerConfig> peer_values[] = {
    {"name", [](const PeerConfig& c) { return text(c.name); }},
    {"host", [](const PeerConfig& c) { return text(c.host); }},
    {"port", [](const PeerConfig& c) { return std::to_string(c.port); }},
    {"user", [](const PeerConfig& c) { return text(c.user); }},
    {"identity", [](const PeerConfig& c) { return text(c.identity); }},
    {"known_hosts", [](const PeerConfig& c) { return text(c.known_hosts); }},
    {"ssh_config", [](const PeerConfig& c) { return text(c.ssh_config); }},
    {"remote_command", [](const PeerConfig& c) { return text(c.remote_command); }},
    {"mode", [](const PeerConfig& c) { return mode(c.mode); }},
    {"connect_timeout_seconds", [](const PeerConfig& c) { return seconds(c.connect_timeout); }},
    {"idle_timeout_seconds", [](const PeerConfig& c) { return seconds(c.idle_timeout); }},
};

/// The parenthesis that a key's explanation ends with.
std::string default_in_words(std::string_view doc) {
  const auto begin = doc.rfind("(default");
  if (begin == std::string_view::npos || !doc.ends_with(')')) return {};
  doc = doc.substr(begin + 8, doc.size() - begin - 9);
  doc.remove_prefix(std::min(doc.find_first_not_of(": "), doc.size()));
  return std::string(doc);
}

/// What of the file is about the section that is shown.
template <class Target>
void add(std::vector<Setting>& all, const std::string& header, const Target& target, std::span<const Key<Target>> keys,
         std::span<const Shown<Target>> values, const Section* section) {
  for (const auto& key : keys) {
    Setting setting{header, std::string(key.name), {}, default_in_words(key.doc), 0};
    const auto shown = std::ranges::find(values, key.name, &Shown<Target>::name);
    if (shown != values.end()) setting.value = shown->value(target);
    if (section) {
      const auto entry = std::ranges::find(section->entries, key.name, &Entry::key);
      if (entry != section->entries.end()) setting.line = entry->line;
    }
    all.push_back(std::move(setting));
  }
}

}  // namespace

std::vector<Setting> settings_of(const Config& config) {
  const auto sections = read_sections(config.text, config.path);
  const auto named = [&](std::string_view name) {
    const auto found = std::ranges::find(sections, name, &Section::name);
    return found == sections.end() ? nullptr : &*found;
  };
  std::vector<Setting> all;
  add<NodeConfig>(all, "[node]", config.node, node_keys(), node_values, named("node"));
  add<PiholeConfig>(all, "[pihole]", config.pihole, pihole_keys(), pihole_values, named("pihole"));
  add<SyncConfig>(all, "[sync]", config.sync, sync_keys(), sync_values, named("sync"));
  add<DaemonConfig>(all, "[daemon]", config.daemon, daemon_keys(), daemon_values, named("daemon"));
  auto peer = config.peers.begin();
  for (const auto& section : sections) {
    if (section.name != "peer" || peer == config.peers.end()) continue;
    add<PeerConfig>(all, "[[peer]] " + peer->name, *peer, peer_keys(), peer_values, &section);
    ++peer;
  }
  return all;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result.append("\\").push_back(c);
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else
      result += c;
  }
  return result + "\"";
}

std::string peer_section(const PeerConfig& peer) {
  const PeerConfig usual;
  std::string result = "[[peer]]\n";
  for (const auto& key : peer_values) {
    const auto value = key.value(peer);
    if (value != key.value(usual) || key.name == "mode") result += fmt::format("{} = {}\n", key.name, value);
  }
  return result;
}

}  // namespace gsync::config
