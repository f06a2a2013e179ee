#include <toml++/toml.h>
#include <stdexcept>

#include "support/ftl_toml.hpp"

namespace gsync::test {

namespace {

std::vector<std::string> strings(const toml::node_view<toml::node>& node) {
  std::vector<std::string> result;
  if (const toml::array* array = node.as_array())
    for (const toml::node& each : *array) result.push_back(each.value_or(std::string()));
  return result;
}

}  // namespace

TomlSettings parse_settings(const std::string& text) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& e) {
    throw std::runtime_error("line " + std::to_string(e.source().begin.line) + ": " + std::string(e.description()));
  }
  TomlSettings s;
  s.dns_hosts = strings(table["dns"]["hosts"]);
  s.cname_records = strings(table["dns"]["cnameRecords"]);
  if (table["dns"]["upstreams"].is_array()) s.upstreams = strings(table["dns"]["upstreams"]);
  s.rev_servers = strings(table["dns"]["revServers"]);
  s.dnsmasq_lines = strings(table["misc"]["dnsmasq_lines"]);
  s.domain = table["dns"]["domain"]["name"].value_or(s.domain);
  s.dnssec = table["dns"]["dnssec"].value_or(s.dnssec);
  s.block_ttl = table["dns"]["blockTTL"].value_or(s.block_ttl);
  s.cache_size = table["dns"]["cache"]["size"].value_or(s.cache_size);
  s.dns_port = table["dns"]["port"].value_or(s.dns_port);
  s.dhcp_hosts = strings(table["dhcp"]["hosts"]);
  s.dhcp_active = table["dhcp"]["active"].value_or(s.dhcp_active);
  s.gravity = table["files"]["gravity"].value_or(s.gravity);
  s.pid = table["files"]["pid"].value_or(s.pid);
  s.forced = forced_settings(text);
  s.read_only = table["misc"]["readOnly"].value_or(s.read_only);
  return s;
}

}  // namespace gsync::test
