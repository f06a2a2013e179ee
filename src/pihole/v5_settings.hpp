#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace gsync::pihole {

/// What Pi-hole 5 keeps in files of its own of that which v6 has in pihole.toml.
struct V5Settings {
  std::string gravity_database;           ///< GRAVITYDB in pihole-FTL.conf; empty: not set
  std::string pid_file;                   ///< PIDFILE there
  std::optional<std::uint16_t> dns_port;  ///< dnsmasq's `port`
  std::string dns_port_file;              ///< the file that sets it
};

/// Reads <directory>/pihole-FTL.conf, and for the port dnsmasq.conf beside `dnsmasq_directory` and what stands in that directory, as
/// dnsmasq does: the last one counts. A file that is missing or not readable sets nothing.
V5Settings read_v5_settings(const std::string& directory, const std::string& dnsmasq_directory);

}  // namespace gsync::pihole
