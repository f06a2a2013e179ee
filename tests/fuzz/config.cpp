/// Our own configuration.
#include "gsync/config/config.hpp"
#include "fuzz/target.hpp"
#include "gsync/util/error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace gsync::fuzz {

void run(std::string_view input) {
  try {
    const auto config = config::parse(std::string(input), "gravity-sync.toml");
    // What was accepted does not depend on how often it is read.
    GSYNC_ASSERT(config::parse(config.text, config.path).peers == config.peers);
  } catch (const Error& error) {
    GSYNC_ASSERT(error.code() == ErrorCode::config);
    GSYNC_ASSERT(std::string_view(error.what()).starts_with("gravity-sync.toml:"));
  }
}

std::vector<std::string> seeds() {
  return {test::read_text(std::string(test::paths::source) + "/config/gravity-sync.toml"), R"([node]
name = "ph2"
state_directory = "/var/lib/gravity-sync"
[pihole]
directory = "/etc/pihole"
runtime = "docker"
container = "pihole"
[sync]
components = ["lists", "dns"]
keep_local = ["clients", "group:Kids", "dns:*.site-a.lan"]
shrink_percent = 40
on_ftl_failure = "undo"
prefer = "ph1"
[daemon]
interval_seconds = 60
on_failure = ["/usr/bin/logger", "-t", "x"]
metrics_file = "/var/lib/node_exporter/gravity-sync.prom"
[[peer]]
name = "ph1"
host = "192.168.1.2"
port = 2222
mode = "sync"
[[peer]]
name = "ph3"
host = "fd00::3"
identity = "/etc/gravity-sync/id"
)"};
}

std::vector<std::string> words() {
  return {
      "[[peer]]\n",    "[sync]\n",      "[daemon]\n",      "keep_local = [\"",   "group:", "components = [", "host = \"-oProxyCommand=x\"",
      "name = \"..\"", "_seconds = -1", "mode = \"sync\"", "0x7FFFFFFFFFFFFFFF", "\\n",    "\"\"\"",         "a.a.a.a."};
}

void change(std::string& input, test::Random&, const ChangeBytes& change_bytes) {
  change_bytes(input);
}

}  // namespace gsync::fuzz
