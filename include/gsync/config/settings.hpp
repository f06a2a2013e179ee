#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/config/config.hpp"

namespace gsync::config {

/// One key of the configuration as it is in force.
struct Setting {
  std::string section;  ///< "[node]", "[[peer]] ph1"
  std::string key;
  std::string value;      ///< as it would be written; empty: found out by itself, or not there
  std::string otherwise;  ///< what holds where `value` is empty, in words
  std::size_t line = 0;   ///< where it stands; 0: it is the default
};

/// Every key of every section, in the order of the documentation. Of commands with arguments, which may hold a secret, only the command is
/// given.
std::vector<Setting> settings_of(const Config& config);

/// A string as it is written in TOML.
std::string quoted(std::string_view text);

/// A [[peer]] section with the keys that are not as usual, ready to stand at the end of a file.
std::string peer_section(const PeerConfig& peer);

/// The text of a configuration with this peer's section in the place of the one of that name, else at its end. Everything else stays as it
/// is. Error{config} for a text that cannot be read, and for a peer that could not be read again.
std::string with_peer(const std::string& text, const std::string& path, const PeerConfig& peer);
/// The text without the peer; nullopt when there is none of that name.
std::optional<std::string> without_peer(const std::string& text, const std::string& path, const std::string& name);

}  // namespace gsync::config
