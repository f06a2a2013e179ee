#pragma once
#include <string>
#include <vector>

#include "gsync/config/import.hpp"
#include "gsync/config/settings.hpp"
#include "gsync/setup/node_key.hpp"

/// What the commands that set a host up print with --json; see json.hpp.
namespace gsync::cli {

std::string key_json(const setup::NodeKey& key, const std::string& path);

struct AcceptFacts {
  std::string peer;
  std::string file;
  std::string fingerprint;  ///< empty: removed
  bool read_only = false;
  bool before = false;   ///< there was a key of this peer already
  std::string replaced;  ///< that key, if it was another one: "ssh-ed25519 AAAA…"
  bool replaced_read_only = false;
};
std::string accept_json(const AcceptFacts& facts);

std::string settings_json(const std::string& path, const std::vector<config::Setting>& settings);
std::string imported_json(const config::Imported& imported);

}  // namespace gsync::cli
