#pragma once
#include <string>
#include <string_view>
#include <vector>

/// The pieces that the grammars of records and settings are made of. Nothing here depends on a locale.
namespace gsync::model::grammar {

constexpr std::size_t max_line = 1024;
constexpr std::size_t max_setting = 4096;  ///< of a setting's line

/// Thrown by the grammars; parse_record adds the record and its kind.
struct Refusal {
  std::string why;
};
[[noreturn]] void refuse(std::string why);

bool is_digit(char c);
bool is_hex(char c);
bool is_alphanumeric(char c);
bool all_digits(std::string_view text);  ///< and not empty
std::string lower(std::string_view text);
std::string upper(std::string_view text);

bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);  ///< without a zone

/// A host name as Pi-hole's own check of dns.hosts takes it, in lower case and without a dot at its end. Refusal otherwise.
std::string name(std::string_view text);

/// What dnsmasq takes for a lease time in a DHCP host: digits, perhaps with a unit behind them. `text` is not empty.
bool is_lease(std::string_view text);

/// What may stand in dns.upstreams, dns.revServers and misc.dnsmasq_lines. Refusal otherwise. Their input is ASCII without blanks, control
/// characters, quotes and backslashes.
void check_upstream(std::string_view text);
void check_reverse_server(std::string_view text);
void check_dnsmasq_line(std::string_view text);

/// The line of a setting in canonical form, from nothing but that form (numbers and names aside).
std::string setting(std::string_view line);

/// The grammars of records. Their input is printable ASCII (dns: followed by a comment that was cut off before).
std::string dns(std::string_view line);
std::string cname(std::string_view line);
std::string dhcp(std::string_view line);

/// "alias,alias,target,600" in canonical form, taken apart.
struct Cname {
  std::vector<std::string> aliases;
  std::string target;
  std::string ttl;  ///< empty when there is none
};
Cname parse_cname(std::string_view line);

}  // namespace gsync::model::grammar
