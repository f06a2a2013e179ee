#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gsync::test {

/// The settings of a pihole.toml that matter here.
struct TomlSettings {
  std::vector<std::string> dns_hosts;
  std::vector<std::string> cname_records;
  std::vector<std::string> dhcp_hosts;
  std::vector<std::string> upstreams{"9.9.9.9", "149.112.112.112"};
  std::vector<std::string> rev_servers;
  std::vector<std::string> dnsmasq_lines;
  std::string domain = "lan";
  bool dnssec = false;
  std::uint32_t block_ttl = 2;
  std::uint32_t cache_size = 10'000;
  bool dhcp_active = false;
  bool read_only = false;
  std::uint16_t dns_port = 53;
  std::string gravity = "/etc/pihole/gravity.db";
  std::string pid = "/run/pihole-FTL.pid";
  std::vector<std::string> forced{};  ///< settings that FTL has from FTLCONF_ variables, as it lists them at the end of the file

  bool operator==(const TomlSettings&) const = default;
};

/// Throws std::runtime_error for what is not TOML; missing keys have their defaults.
TomlSettings parse_settings(const std::string& text);

/// A pihole.toml as FTL writes them: comments above each key, nested sections, arrays over several lines, "### CHANGED" behind what is not
/// the default.
std::string render_settings(const TomlSettings& settings);

/// What render_settings() wrote for `forced`.
std::vector<std::string> forced_settings(const std::string& text);

/// The text with another value for one key ("dns.hosts"), everything else kept as it is. nullopt when the key is not there. `value` is
/// TOML.
std::optional<std::string> replace_value(const std::string& text, const std::string& key, const std::string& value);
/// The TOML text of a key's value, without the comment behind it.
std::optional<std::string> raw_value(const std::string& text, const std::string& key);

std::string toml_string(const std::string& value);
/// Over several lines, indented for a key of a top section.
std::string toml_array(const std::vector<std::string>& values);

}  // namespace gsync::test
