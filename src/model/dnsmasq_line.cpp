// What a peer may put into dnsmasq's configuration by way of dns.upstreams, dns.revServers and misc.dnsmasq_lines: options about names,
// answers and upstream servers. None that names a file, a command, a user, an interface or an address to listen on: with dhcp-script alone
// a peer could run what it likes (PIHOLE.md section 7).
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model::grammar {
namespace {

using Parts = std::vector<std::string_view>;

bool is_address(std::string_view text) {
  return is_ipv4(text) || is_ipv6(text);
}

void check_address(std::string_view text) {
  if (!is_address(text)) refuse(fmt::format("'{}' is no IPv4 or IPv6 address", util::printable(text)));
}

void check_number(std::string_view text, unsigned lowest, unsigned highest, std::string_view what) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!all_digits(text) || error != std::errc() || end != text.data() + text.size() || value < lowest || value > highest)
    refuse(fmt::format("'{}' is no {} from {} to {}", util::printable(text), what, lowest, highest));
}

void check_ttl(std::string_view text) {
  check_number(text, 0, 2'147'483'647, "time in seconds");
}

/// address["#" port]
void check_server(std::string_view text) {
  const auto hash = text.find('#');
  check_address(text.substr(0, hash));
  if (hash != std::string_view::npos) check_number(text.substr(hash + 1), 1, 65'535, "port");
}

/// address["/" bits]
void check_network(std::string_view text) {
  const auto slash = text.find('/');
  check_address(text.substr(0, slash));
  if (slash != std::string_view::npos) check_number(text.substr(slash + 1), 0, is_ipv4(text.substr(0, slash)) ? 32 : 128, "prefix length");
}

/// "/" domain ("/" domain)* "/" target. Gives the target, which may be empty.
std::string_view behind_domains(std::string_view text, bool every_domain) {
  auto parts = util::split(text, '/');
  if (parts.size() < 3 || !parts.front().empty()) refuse("it is not of the form /domain/…");
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
    const bool special = (every_domain && parts[i] == "#") || (parts[i].empty() && parts.size() == 3);
    if (!special) name(parts[i]);
  }
  return parts.back();
}

void check_address_option(std::string_view text) {
  const auto target = behind_domains(text, true);
  if (!target.empty() && target != "#") check_address(target);
}

void check_server_option(std::string_view text) {
  if (!text.starts_with('/')) return check_server(text);
  const auto target = behind_domains(text, true);
  if (!target.empty() && target != "#") check_server(target);
}

void check_local_option(std::string_view text) {
  if (!behind_domains(text, false).empty()) refuse("something stands behind the last '/'");
}

void check_rebind_option(std::string_view text) {
  if (text.starts_with('/')) return check_local_option(text);
  name(text);
}

void check_rev_server(std::string_view text) {
  const auto parts = util::split(text, ',');
  if (parts.size() != 2) refuse("it is not network,server");
  check_network(parts[0]);
  check_server(parts[1]);
}

/// name ("," name)* ("," address)+ ["," ttl]
void check_host_record(std::string_view text) {
  auto parts = util::split(text, ',');
  if (parts.size() > 2 && all_digits(parts.back())) {
    check_ttl(parts.back());
    parts.pop_back();
  }
  std::size_t addresses = 0;
  for (auto part : parts) {
    if (is_address(part))
      ++addresses;
    else
      name(part);
  }
  if (addresses == 0 || addresses == parts.size()) refuse("it needs a name and an address");
}

void check_cname(std::string_view text) {
  parse_cname(text);
}

void check_txt_record(std::string_view text) {
  const auto parts = util::split(text, ',');
  name(parts.front());
  constexpr std::string_view more = "-._:;=+/@~*()";
  for (char c : text)
    if (!is_alphanumeric(c) && c != ',' && more.find(c) == std::string_view::npos) refuse(fmt::format("it holds '{}'", c));
}

/// A service or name, perhaps with a target and numbers.
void check_name_target(std::string_view text, std::size_t numbers) {
  const auto parts = util::split(text, ',');
  if (parts.size() > 2 + numbers) refuse("it has too many parts");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i < 2)
      name(parts[i]);
    else
      check_number(parts[i], 0, 65'535, "number");
  }
}

void check_srv_host(std::string_view text) {
  check_name_target(text, 3);
}
void check_mx_host(std::string_view text) {
  check_name_target(text, 1);
}
void check_ptr_record(std::string_view text) {
  check_name_target(text, 0);
}
void check_cache_minimum(std::string_view text) {
  check_number(text, 0, 3'600, "time in seconds");
}
void check_forward_maximum(std::string_view text) {
  check_number(text, 1, 10'000, "number");
}

/// [("tag:" token ",")*] option "," value ("," value)*, of the few options that several Pi-holes of one network have in common.
void check_dhcp_option(std::string_view text) {
  auto parts = util::split(text, ',');
  while (!parts.empty() && parts.front().starts_with("tag:")) {
    for (char c : parts.front().substr(4))
      if (!is_alphanumeric(c) && c != '-' && c != '_') refuse(fmt::format("'{}' is no tag", parts.front()));
    parts.erase(parts.begin());
  }
  if (parts.size() < 2) refuse("it is not option,value");
  const auto option = parts.front();
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) { return std::ranges::find(words, option) != words.end(); };
  const bool addresses = is_one_of({"3", "option:router", "6", "option:dns-server", "42", "option:ntp-server"});
  const bool names = is_one_of({"15", "option:domain-name", "119", "option:domain-search"});
  if (!addresses && !names && option != "option6:dns-server")
    refuse(fmt::format("'{}' is not one of the DHCP options router, dns-server, ntp-server, domain-name, domain-search", option));
  for (auto value = parts.begin() + 1; value != parts.end(); ++value) {
    if (names)
      name(*value);
    else if (addresses ? !is_ipv4(*value)
                       : !(value->starts_with('[') && value->ends_with(']') && is_ipv6(value->substr(1, value->size() - 2))))
      refuse(fmt::format("'{}' is no address as this option takes it", *value));
  }
}

/// `check` is null for an option that has no value.
struct Option {
  std::string_view name;
  void (*check)(std::string_view value) = nullptr;
};
constexpr Option options[] = {
    {"address", check_address_option},
    {"all-servers"},
    {"bogus-nxdomain", check_network},
    {"bogus-priv"},
    {"cname", check_cname},
    {"dhcp-option", check_dhcp_option},
    {"dns-forward-max", check_forward_maximum},
    {"domain-needed"},
    {"filter-A"},
    {"filter-AAAA"},
    {"host-record", check_host_record},
    {"ignore-address", check_network},
    {"local", check_local_option},
    {"local-ttl", check_ttl},
    {"max-cache-ttl", check_ttl},
    {"max-ttl", check_ttl},
    {"min-cache-ttl", check_cache_minimum},
    {"mx-host", check_mx_host},
    {"neg-ttl", check_ttl},
    {"ptr-record", check_ptr_record},
    {"rebind-domain-ok", check_rebind_option},
    {"rebind-localhost-ok"},
    {"rev-server", check_rev_server},
    {"server", check_server_option},
    {"srv-host", check_srv_host},
    {"stop-dns-rebind"},
    {"strict-order"},
    {"txt-record", check_txt_record},
};

}  // namespace

void check_upstream(std::string_view text) {
  check_server(text);
}

/// "true" or "false", network, server[, domain]
void check_reverse_server(std::string_view text) {
  const auto parts = util::split(text, ',');
  if (parts.size() < 3 || parts.size() > 4 || (parts[0] != "true" && parts[0] != "false"))
    refuse("it is not true or false,network,server[,domain]");
  check_network(parts[1]);
  check_server(parts[2]);
  if (parts.size() == 4) name(parts[3]);
}

void check_dnsmasq_line(std::string_view text) {
  const auto equals = text.find('=');
  const bool has_value = equals != std::string_view::npos;
  const auto* option = std::ranges::find(options, text.substr(0, equals), &Option::name);
  if (option == std::end(options)) refuse("it is not one of the dnsmasq options that may travel");
  if (has_value != (option->check != nullptr)) refuse(fmt::format("{} {}", option->name, has_value ? "has no value" : "needs a value"));
  if (has_value) option->check(text.substr(equals + 1));
}

}  // namespace gsync::model::grammar
