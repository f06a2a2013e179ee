#include "support/ftl_toml.hpp"

#include <fmt/format.h>

#include <string_view>

namespace gsync::test {

namespace {

std::string_view trimmed(std::string_view line) {
  const auto first = line.find_first_not_of(" \t");
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

/// Where a key's value stands in the text: from after "= " to before the comment or line end.
struct Extent {
  std::size_t begin;
  std::size_t end;
};

/// The end of a value that begins at `begin`: an array may go over many lines, each element on its own.
std::size_t value_end(const std::string& text, std::size_t begin) {
  bool in_string = false;
  int depth = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[') {
      ++depth;
    } else if (c == ']') {
      if (--depth == 0) return i + 1;
    } else if (depth == 0 && (c == '\n' || c == '#')) {
      return begin + trimmed(std::string_view(text).substr(begin, i - begin)).size();
    }
  }
  return text.size();
}

std::optional<Extent> find_value(const std::string& text, const std::string& key) {
  const auto dot = key.rfind('.');
  if (dot == key.npos) return std::nullopt;
  const std::string section = "[" + key.substr(0, dot) + "]";
  const std::string name = key.substr(dot + 1) + " = ";
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    auto line_end = text.find('\n', at);
    if (line_end == text.npos) line_end = text.size();
    const std::string_view line = std::string_view(text).substr(at, line_end - at);
    const std::string_view word = trimmed(line);
    if (!word.empty() && word.front() == '[') inside = word == section;
    const auto equals = line.find(" = ");
    if (equals != line.npos && word.front() != '#') {
      const std::size_t begin = at + equals + 3;
      const std::size_t end = value_end(text, begin);
      if (inside && word.substr(0, name.size()) == name) return Extent{begin, end};
      // Past the value: the lines of an array are not keys.
      line_end = text.find('\n', end);
      if (line_end == text.npos) break;
    }
    at = line_end + 1;
  }
  return std::nullopt;
}

/// One key with its comment, in FTL's layout.
std::string entry(int depth, const std::string& comment, const std::string& key, const std::string& value,
                  const std::string& default_value) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  const std::string changed = value == default_value ? "" : " ### CHANGED, default = " + default_value;
  return fmt::format("{0}# {1}\n{0}{2} = {3}{4}\n\n", indent, comment, key, value, changed);
}

std::string boolean(bool value) {
  return value ? "true" : "false";
}

}  // namespace

std::string toml_string(const std::string& value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string toml_array(const std::vector<std::string>& values) {
  if (values.empty()) return "[]";
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i ? ",\n    " : "\n    ") + toml_string(values[i]);
  return text + "\n  ]";
}

std::string render_settings(const TomlSettings& s) {
  std::string t =
      "# A configuration as pihole-FTL keeps it (v6.4.1)\n# Encoding: UTF-8\n# Last updated on 2026-11-22 11:42:53 UTC\n\n[dns]\n";
  t += entry(1, "Where queries go that are not answered here", "upstreams", toml_array(s.upstreams), "[]");
  t += entry(1, "What to do while the gravity database is locked.\n  # One of: \"BLOCK\", \"ALLOW\", \"REFUSE\", \"DROP\"", "replyWhenBusy",
             "\"ALLOW\"", "\"ALLOW\"");
  t += entry(1, "Local names, \"IP name [name ...]\".\n  # Example: hosts = [ \"127.0.0.1 mylocal\" ]", "hosts", toml_array(s.dns_hosts),
             "[]");
  t += entry(1, "Aliases, \"alias,target[,TTL]\"", "cnameRecords", toml_array(s.cname_records), "[]");
  t += entry(1, "What blocked names are answered with, in seconds", "blockTTL", fmt::format("{}", s.block_ttl), "2");
  t += entry(1, "Whether answers are validated", "dnssec", boolean(s.dnssec), "false");
  t += entry(1, "Where names and addresses of other networks are asked for", "revServers", toml_array(s.rev_servers), "[]");
  t += entry(1, "The port of the DNS server", "port", fmt::format("{}", s.dns_port), "53");
  t += "  [dns.domain]\n";
  t += entry(2, "The domain of this network", "name", toml_string(s.domain), "\"lan\"");
  t += "  [dns.cache]\n";
  t += entry(2, "How many answers are kept", "size", fmt::format("{}", s.cache_size), "10000");
  t += "  [dns.blocking]\n";
  t += entry(2, "Whether anything is blocked", "active", "true", "true");
  t += entry(2, "How blocked names are answered", "mode", "\"NULL\"", "\"NULL\"");
  t += "[dhcp]\n";
  t += entry(1, "Whether the DHCP server runs", "active", boolean(s.dhcp_active), "false");
  t += entry(1, "Fixed leases", "hosts", toml_array(s.dhcp_hosts), "[]");
  t += "[files]\n";
  t += entry(1, "The process id", "pid", toml_string(s.pid), "\"/run/pihole-FTL.pid\"");
  t += entry(1, "The query history", "database", "\"/etc/pihole/pihole-FTL.db\"", "\"/etc/pihole/pihole-FTL.db\"");
  t += entry(1, "The lists", "gravity", toml_string(s.gravity), "\"/etc/pihole/gravity.db\"");
  t += entry(1, "Where gravity puts what it downloads", "gravity_tmp", "\"/tmp\"", "\"/tmp\"");
  t += "[misc]\n";
  t += entry(1, "Further lines for dnsmasq", "dnsmasq_lines", toml_array(s.dnsmasq_lines), "[]");
  t += entry(1, "Whether /etc/dnsmasq.d is read", "etc_dnsmasq_d", "false", "false");
  t += entry(1, "No changes over the API or the command line", "readOnly", boolean(s.read_only), "false");
  t += "# Configuration statistics:\n";
  if (!s.forced.empty()) t += fmt::format("# {} entries are forced through environment:\n", s.forced.size());
  for (const auto& key : s.forced) t += "#   - " + key + "\n";
  return t;
}

std::vector<std::string> forced_settings(const std::string& text) {
  std::vector<std::string> keys;
  static const std::string bullet = "\n#   - ";
  for (auto at = text.find(bullet); at != text.npos; at = text.find(bullet, at + 1)) {
    const auto begin = at + bullet.size();
    keys.push_back(text.substr(begin, text.find('\n', begin) - begin));
  }
  return keys;
}

std::optional<std::string> raw_value(const std::string& text, const std::string& key) {
  const auto extent = find_value(text, key);
  if (!extent) return std::nullopt;
  return text.substr(extent->begin, extent->end - extent->begin);
}

std::optional<std::string> replace_value(const std::string& text, const std::string& key, const std::string& value) {
  const auto extent = find_value(text, key);
  if (!extent) return std::nullopt;
  return text.substr(0, extent->begin) + value + text.substr(extent->end);
}

}  // namespace gsync::test
