#include "gsync/setup/check_config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "gsync/daemon/supervisor.hpp"

namespace gsync::setup {
namespace {

constexpr const char* subject = "configuration";

std::string why_not(const std::string& path, int access) {
  return ::access(path.c_str(), access) == 0 ? std::string() : std::generic_category().message(errno);
}

Findings check_file(const config::Config& config) {
  if (config.path.empty())
    return {hint(subject, fmt::format("there is no {}, so the defaults hold and there is no peer", config::default_path),
                 "sudo gravity-sync config init")};
  struct stat st {};
  if (::stat(config.path.c_str(), &st) == 0 && (st.st_mode & 022) != 0)
    return {wrong(subject, fmt::format("{} can be changed by others than its owner", config.path),
                  fmt::format("sudo chmod 0644 {}", config.path))};
  return {good(subject, fmt::format("{} can be read", config.path))};
}

Findings check_key(const config::PeerConfig& peer) {
  if (peer.identity.empty()) return {};
  const auto section = fmt::format("[[peer]] {}", peer.name);
  struct stat st {};
  if (::stat(peer.identity.c_str(), &st) != 0) {
    const int error = errno;
    if (error == EACCES)
      return {hint(subject, fmt::format("{}: whether {} is there cannot be seen", section, peer.identity), "run it with sudo")};
    return {wrong(subject, fmt::format("{}: identity {}: {}", section, peer.identity, std::generic_category().message(error)),
                  "correct the path, or leave identity out: `sudo gravity-sync key` makes the key of this Pi-hole")};
  }
  if ((st.st_mode & 077) != 0)
    return {wrong(subject, fmt::format("{}: the private key {} can be read by others than its owner", section, peer.identity),
                  fmt::format("sudo chmod 0600 {}", peer.identity))};
  return {};
}

Findings check_named_file(const std::string& section, const std::string& key, const std::string& path) {
  if (path.empty() || ::access(path.c_str(), F_OK) == 0 || errno == EACCES) return {};
  return {wrong(subject, fmt::format("{} {}: {} does not exist", section, key, path), "correct the path, or leave it out")};
}

Findings check_command(const char* key, const std::vector<std::string>& command) {
  if (command.empty()) return {};
  const auto why = why_not(command.front(), X_OK);
  if (why.empty()) return {};
  return {wrong(subject, fmt::format("[daemon] {}: {} cannot be run: {}", key, command.front(), why),
                "correct the path, or make it executable")};
}

Findings check_prefer(const config::Config& config) {
  const auto& prefer = config.sync.prefer;
  const bool known = prefer.empty() || prefer == config.node.name ||
                     std::ranges::any_of(config.peers, [&](const auto& peer) { return peer.name == prefer; });
  if (known) return {};
  return {hint(subject,
               fmt::format("[sync] prefer is \"{}\", and neither this Pi-hole ({}) nor a peer is called that", prefer, config.node.name),
               "correct it, unless it is a Pi-hole that syncs from its own side")};
}

}  // namespace

Findings check_configuration(const config::Config& config) {
  Findings all;
  const auto add = [&](Findings more) { all.insert(all.end(), more.begin(), more.end()); };
  add(check_file(config));
  if (config.peers.empty() && !config.path.empty())
    add({hint(subject, "no peer is configured here", "add a [[peer]], unless the other Pi-holes connect to this one")});
  for (const auto& peer : config.peers) {
    add(check_key(peer));
    add(check_named_file(fmt::format("[[peer]] {}", peer.name), "ssh_config", peer.ssh_config));
  }
  const auto& daemon = config.daemon;
  add(check_command("on_success", daemon.on_success));
  add(check_command("on_failure", daemon.on_failure));
  if (!daemon.metrics_file.empty())
    add(check_named_file("[daemon]", "metrics_file", daemon.metrics_file.substr(0, daemon.metrics_file.rfind('/') + 1)));
  add(check_prefer(config));
  return all;
}

}  // namespace gsync::setup
