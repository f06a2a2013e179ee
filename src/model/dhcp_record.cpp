#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model::grammar {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_byte(std::string_view text) {
  return text.size() == 2 && is_hex(text[0]) && is_hex(text[1]);
}

bool is_hardware_address(std::string_view text) {
  if (text.size() > 3 && text[2] == '-') {
    if (!is_byte(text.substr(0, 2))) return false;
    text.remove_prefix(3);
  }
  auto bytes = util::split(text, ':');
  // 16 is DHCP_CHADDR_MAX of dnsmasq.
  return bytes.size() >= 2 && bytes.size() <= 16 &&
         std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == "*" || is_byte(byte); });
}

std::string client_id(std::string_view text) {
  auto id = text.substr(3);
  if (id == "*") return "id:*";
  auto bytes = util::split(id, ':');
  bool hex = bytes.size() >= 2 && std::all_of(bytes.begin(), bytes.end(), is_byte);
  if (!hex && !is_token(id)) refuse(fmt::format("'{}' is no client id", text));
  return fmt::format("id:{}", id);
}

std::string ipv6_in_brackets(std::string_view text) {
  auto inner = text.substr(1);
  if (inner.empty() || inner.back() != ']') refuse(fmt::format("'{}' lacks its closing bracket", text));
  inner.remove_suffix(1);
  auto slash = inner.find('/');
  auto address = std::string(inner.substr(0, slash));
  in6_addr parsed{};
  if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) refuse(fmt::format("'{}' is no IPv6 address (without a zone)", text));
  if (slash == std::string_view::npos) return std::string(text);

  auto length = inner.substr(slash + 1);
  if (!all_digits(length) || length.size() > 3) refuse(fmt::format("'{}' has no valid prefix length", text));
  auto bits = static_cast<unsigned>(std::stoul(std::string(length)));
  if (bits < 64 || bits > 128) refuse(fmt::format("'{}' has a prefix length outside 64 to 128", text));
  // dnsmasq does not start with an address that has bits beyond its prefix.
  for (unsigned bit = bits; bit < 128; ++bit)
    if ((parsed.s6_addr[bit / 8] >> (7 - bit % 8)) & 1) refuse(fmt::format("'{}' has bits set beyond its prefix", text));
  return fmt::format("[{}/{}]", address, bits);
}

std::string lease(std::string_view text) {
  constexpr std::size_t max_digits = 9;  // more would not fit dnsmasq's int even as seconds
  auto digits = text;
  std::uint64_t unit = 1;
  if (!is_digit(text.back())) {
    switch (lower(text.substr(text.size() - 1))[0]) {
      case 'm':
        unit = 60;
        break;
      case 'h':
        unit = 3600;
        break;
      case 'd':
        unit = 86400;
        break;
      case 'w':
        unit = 604800;
        break;
      default:
        break;
    }
    digits.remove_suffix(1);
  }
  if (digits.size() > max_digits || std::stoull(std::string(digits)) * unit > 2147483647ull)
    refuse(fmt::format("the lease time '{}' is too long", text));
  return lower(text);
}

std::string host_name(std::string_view text) {
  auto canonical = name(text);
  if (canonical.front() == '-' || canonical.front() == '_')
    refuse(fmt::format("the host name '{}' begins with '{}'", text, canonical.front()));
  if (std::all_of(canonical.begin(), canonical.end(), [](char c) { return is_digit(c) || c == '.'; }))
    refuse(fmt::format("'{}' is no IPv4 address", text));
  // "Ignore" and "24h." are names to dnsmasq, but their canonical forms are not.
  if (canonical == "infinite" || canonical == "ignore" || is_lease(canonical))
    refuse(fmt::format("the host name '{}' is a word of dnsmasq", text));
  return canonical;
}

/// At most one of each: dnsmasq takes the last of some and does not start with two of others.
struct Seen {
  bool address = false;
  bool name = false;
  bool lease = false;
};

void only_once(bool& seen, std::string_view what) {
  if (seen) refuse(fmt::format("it has more than one {}", what));
  seen = true;
}

std::string parse_part(std::string_view text, Seen& seen) {
  if (text.empty()) refuse("a part between commas is empty");
  if (text == "ignore") return "ignore";
  if (starts_with(lower(text), "id:")) return client_id(text);
  if (starts_with(text, "set:") || starts_with(text, "tag:")) {
    if (!is_token(text.substr(4))) refuse(fmt::format("'{}' is no tag", text));
    return std::string(text);
  }
  if (text.front() == '[') return ipv6_in_brackets(text);
  if (text.find(':') != std::string_view::npos) {
    if (!is_hardware_address(text)) refuse(fmt::format("'{}' is no hardware address (IPv6 addresses stand in brackets)", text));
    return upper(text);
  }
  if (is_ipv4(text)) {
    only_once(seen.address, "IPv4 address");
    return std::string(text);
  }
  if (text == "infinite" || is_lease(text)) {
    only_once(seen.lease, "lease time");
    return text == "infinite" ? std::string(text) : lease(text);
  }
  only_once(seen.name, "host name");
  return host_name(text);
}

}  // namespace

bool is_lease(std::string_view text) {
  auto last = lower(text.substr(text.size() - 1))[0];
  if (text.size() > 1 && std::string_view("smhdw").find(last) != std::string_view::npos) text.remove_suffix(1);
  return all_digits(text);
}

std::string dhcp(std::string_view line) {
  if (util::trim(line).empty()) refuse("it is empty");
  Seen seen;
  std::vector<std::string> parts;
  for (auto part : util::split(line, ',')) parts.push_back(parse_part(util::trim(part), seen));
  return fmt::format("{}", fmt::join(parts, ","));
}

}  // namespace gsync::model::grammar
