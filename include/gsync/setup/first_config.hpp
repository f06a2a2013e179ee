#pragma once
#include <string>
#include <vector>

#include "gsync/config/config.hpp"

namespace gsync::setup {

/// A Pi-hole of this host, and what has to stand in [pihole] for it.
struct FoundPihole {
  std::string what;  ///< "/etc/pihole", "container pihole (docker)"
  config::PiholeConfig config;
};
/// On the host itself, and in containers called `container` of docker and podman. Empty when there is none.
std::vector<FoundPihole> find_piholes(const std::string& container);

/// Where nothing in [pihole] says which, and there are several: their names, "/etc/pihole, container pihole (docker)". Else empty.
std::string several_piholes(const config::Config& config);

/// What stands in the place of a new configuration.
enum class Existing : unsigned char { nothing, comments, settings };
/// Error{config} when it cannot be read or is not TOML.
Existing existing_configuration(const std::string& path);

/// Writes a configuration of which `toml` are the settings: a new file, or behind what stands there where that is only comments. Settings
/// that are there are replaced only with `replace`, and kept in `path`.old. After a crash the file is the old or the new one.
/// Error{refused} where settings are there, {config} for what would not be read again.
void write_configuration(const std::string& path, const std::string& toml, bool replace);

/// Puts the peer into the configuration, in the place of what stood there under its name; makes the file where there is none. Everything
/// else in it stays. False when it stood there so already. Errors: config, refused (the name is another host's), io, no_space.
bool write_peer(const std::string& path, const config::PeerConfig& peer);
/// False when there is none of that name.
bool remove_peer(const std::string& path, const std::string& name);

}  // namespace gsync::setup
