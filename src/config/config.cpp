#include "gsync/config/config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <tuple>

#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"
#include "keys.hpp"

namespace gsync::config {
namespace {

constexpr std::size_t file_limit = 1u << 20;
constexpr std::array<std::string_view, 5> section_names{"node", "pihole", "sync", "daemon", "peer"};

/// "[sync]", "[[peer]]": as it stands in the file.
std::string header_of(std::string_view name) {
  return name == "peer" ? "[[peer]]" : fmt::format("[{}]", name);
}

template <class Target>
[[noreturn]] void unknown_key(const Section& section, const Entry& entry, std::span<const Key<Target>> keys, const std::string& path) {
  std::vector<std::string_view> names;
  for (const auto& key : keys) names.push_back(key.name);
  const auto what = fmt::format("unknown key '{}' in {}", util::printable(entry.key), header_of(section.name));
  const auto list = fmt::format("the keys of {} are: {}", header_of(section.name), fmt::join(names, ", "));
  const auto near = util::nearest(entry.key, names);
  fail_at(path, entry.line, near.empty() ? what : fmt::format("{}; did you mean '{}'?", what, near), list);
}

/// What becomes of a fault: it ends the reading, or all are wanted.
class Faults {
 public:
  explicit Faults(std::vector<Error>* all = nullptr) : all_(all) {}
  /// False after a fault.
  bool attempt(const auto& work) {
    try {
      work();
      return true;
    } catch (const Error& error) {
      if (!all_) throw;
      all_->push_back(error);
      return false;
    }
  }

 private:
  std::vector<Error>* all_;
};

template <class Target>
void take_over(const Section& section, std::span<const Key<Target>> keys, Target& target, const std::string& path, Faults& faults) {
  const auto header = header_of(section.name);
  for (const auto& entry : section.entries) {
    faults.attempt([&] {
      const Key<Target>* found = nullptr;
      for (const auto& key : keys) {
        if (key.name == entry.key) found = &key;
      }
      if (!found) unknown_key(section, entry, keys, path);
      found->set(target, Reader(path, header, entry, found->doc));
    });
  }
}

const Entry* find(const Section& section, std::string_view key) {
  for (const auto& entry : section.entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

void check_section(const Section& section, const std::string& path) {
  if (std::ranges::find(section_names, section.name) == section_names.end()) {
    const auto near = section.name == "peers" ? std::string("peer") : util::nearest(section.name, section_names);
    const auto what = fmt::format("unknown section '{}'", util::printable(section.name));
    fail_at(path, section.line, near.empty() ? what : fmt::format("{}; did you mean {}?", what, header_of(near)),
            "the sections are: [node], [pihole], [sync], [daemon], [[peer]]");
  }
  const bool several = section.name == "peer";
  if (several && !section.element) fail_at(path, section.line, "write [[peer]] with two brackets on each side: there can be several peers");
  if (!several && section.element)
    fail_at(path, section.line, fmt::format("write [{0}] with one bracket on each side: there is one {0}", section.name));
}

void check_container(const Section& section, const PiholeConfig& pihole, const std::string& path) {
  const auto* container = find(section, "container");
  if (container && pihole.runtime != Runtime::docker && pihole.runtime != Runtime::podman) {
    fail_at(path, container->line, "[pihole] container is set, but runtime is neither \"docker\" nor \"podman\"",
            "set runtime = \"docker\" or \"podman\", or remove container");
  }
}

void check_settings(const Section& section, const SyncConfig& sync, const std::string& path) {
  if (sync.settings.empty() || sync.components.records[index_of(model::RecordKind::setting)]) return;
  fail_at(path, find(section, "settings")->line, "[sync] settings names some, but components does not name \"settings\"",
          "add \"settings\" to components, or remove settings");
}

void check_debounce(const Section& section, const DaemonConfig& daemon, const std::string& path) {
  if (daemon.debounce_limit >= daemon.debounce) return;
  const auto* entry = find(section, "debounce_limit_ms");
  fail_at(path, entry ? entry->line : section.line,
          fmt::format("[daemon] debounce_limit_ms is {}, less than debounce_ms, which is {}", daemon.debounce_limit.count(),
                      daemon.debounce.count()),
          "the limit must be at least as long as the quiet time that it limits");
}

/// What must differ between peers, and where it was first seen.
struct PeersSeen {
  std::map<std::string, std::size_t> names;
  std::map<std::tuple<std::string, std::uint16_t, std::string>, std::size_t> addresses;
};

void check_peer(const Section& section, const PeerConfig& peer, PeersSeen& seen, const std::string& path) {
  for (auto key : {"name", "host"}) {
    if (!find(section, key)) fail_at(path, section.line, fmt::format("this [[peer]] has no {}", key), "every peer needs a name and a host");
  }
  const auto [same_name, new_name] = seen.names.emplace(peer.name, section.line);
  if (!new_name) {
    fail_at(path, find(section, "name")->line,
            fmt::format("there are two peers named '{}', the first in line {}", peer.name, same_name->second),
            "give each peer its own name");
  }
  std::string host = peer.host;
  for (char& c : host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  // Without an ssh_config, no port and port 22 are the same thing.
  const std::uint16_t port = peer.port == 0 && peer.ssh_config.empty() ? 22 : peer.port;
  const auto [same_address, new_address] = seen.addresses.emplace(std::tuple(host, port, peer.user), section.line);
  if (!new_address) {
    fail_at(path, find(section, "host")->line,
            fmt::format("peer '{}' has the same host, port and user as the peer in line {}", peer.name, same_address->second),
            "remove one of them, or correct its host, port or user");
  }
}

std::string host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer[0] == '\0') return "localhost";
  return buffer.data();
}

Config defaults(const std::string& path) {
  Config config;
  config.path = path;
  config.node.name = host_name();
  return config;
}

/// The text of a file that must be readable for us, in the words of somebody who named it.
std::optional<std::string> read_text(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    throw Error(ErrorCode::config, fmt::format("the configuration {} is not a file", path), "name the file itself: --config FILE");
  try {
    return util::read_file(path, file_limit);
  } catch (const Error& error) {
    throw Error(ErrorCode::config, fmt::format("cannot read the configuration: {}", error.what()),
                ::geteuid() == 0 ? error.hint() : "run it with sudo, or as the owner of that file");
  }
}

}  // namespace

const PeerConfig& Config::peer(const std::string& name) const {
  const auto file = path.empty() ? std::string(default_path) : path;
  std::vector<std::string_view> names;
  for (const auto& each : peers) {
    if (each.name == name) return each;
    names.push_back(each.name);
  }
  if (peers.empty()) {
    throw Error(ErrorCode::config, fmt::format("no peer is configured in {}", file),
                fmt::format("add a [[peer]] with name and host to {}", file));
  }
  if (name.empty()) {
    if (peers.size() == 1) return peers.front();
    throw Error(ErrorCode::config, fmt::format("there are several peers in {}", file),
                fmt::format("name one of them: {}", fmt::join(names, ", ")));
  }
  const auto near = util::nearest(name, names);
  throw Error(ErrorCode::config,
              fmt::format("there is no peer '{}' in {}{}", util::printable(name), file,
                          near.empty() ? "" : fmt::format("; did you mean '{}'?", near)),
              fmt::format("the peers are: {}", fmt::join(names, ", ")));
}

namespace {

void parse_into(Config& config, Faults& faults) {
  const auto& path = config.path;
  PeersSeen seen;
  for (const auto& section : read_sections(config.text, path)) {
    if (!faults.attempt([&] { check_section(section, path); })) continue;
    if (section.name == "node") {
      take_over(section, node_keys(), config.node, path, faults);
    } else if (section.name == "pihole") {
      take_over(section, pihole_keys(), config.pihole, path, faults);
      faults.attempt([&] { check_container(section, config.pihole, path); });
    } else if (section.name == "sync") {
      take_over(section, sync_keys(), config.sync, path, faults);
      faults.attempt([&] { check_settings(section, config.sync, path); });
    } else if (section.name == "daemon") {
      take_over(section, daemon_keys(), config.daemon, path, faults);
      faults.attempt([&] { check_debounce(section, config.daemon, path); });
    } else {
      PeerConfig peer;
      take_over(section, peer_keys(), peer, path, faults);
      faults.attempt([&] { check_peer(section, peer, seen, path); });
      config.peers.push_back(std::move(peer));
    }
  }
}

/// Named by the environment, unless the command line names one.
bool from_environment(const std::optional<std::string>& path_option) {
  const char* variable = std::getenv("GRAVITY_SYNC_CONFIG");
  return !path_option && variable && *variable;
}

}  // namespace

Config parse(const std::string& text, const std::string& path) {
  auto config = defaults(path);
  config.text = text;
  Faults faults;
  parse_into(config, faults);
  return config;
}

std::vector<Error> faults_in(const std::string& text, const std::string& path) {
  auto config = defaults(path);
  config.text = text;
  std::vector<Error> all;
  Faults faults(&all);
  faults.attempt([&] { parse_into(config, faults); });
  return all;
}

std::string chosen_path(const std::optional<std::string>& path_option) {
  if (path_option && path_option->empty()) throw Error(ErrorCode::config, "--config needs the path of a file");
  return path_option ? *path_option : from_environment(path_option) ? std::getenv("GRAVITY_SYNC_CONFIG") : default_path;
}

Config load(const std::optional<std::string>& path_option) {
  const bool from_variable = from_environment(path_option);
  const auto path = chosen_path(path_option);
  if (auto text = read_text(path)) return parse(*text, path);
  if (!path_option && !from_variable) return defaults({});
  throw Error(ErrorCode::config,
              fmt::format("there is no configuration {}{}", path, from_variable ? " (named by GRAVITY_SYNC_CONFIG)" : ""),
              "check the path; config/gravity-sync.toml is a commented example");
}

}  // namespace gsync::config
