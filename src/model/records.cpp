// The grammar of records. Whatever is not here is refused: the lines end up in dnsmasq's configuration, where a stray character can be a
// directive (PIHOLE.md section 7).
//
//   dns      address blank+ name (blank+ name)* [blank+ "#" comment]
//   cname    alias ("," alias)* "," target ["," ttl]
//   dhcp     part ("," part)*
//
//   address  IPv4 in dotted form | IPv6 without a zone
//   name     labels of 1 to 63 of A-Z a-z 0-9 - _, joined by dots, 253 characters at most; the last label neither begins nor ends
//            with "-"; one dot may follow
//   comment  valid UTF-8 without control characters and line separators
//   alias    ["*."] name
//   target   name, which is not digits and a dot where a ttl could stand
//   ttl      0 to 2147483647, when there are three parts or more
//   part     mac | "id:*" | "id:" hex (":" hex)+ | "id:" token | IPv4 | "[" IPv6 ["/" 64..128] "]" | hostname | lease | "ignore"
//            | "set:" token | "tag:" token; IPv4, hostname and lease at most once
//   mac      [hex "-"] (hex | "*") (":" (hex | "*"))+, 16 bytes at most
//   hex      two hexadecimal digits
//   token    A-Z a-z 0-9 . _ - in any order
//   hostname a name whose first label does not begin with "-" or "_", and that is not digits and dots only, nor, in its canonical form,
//            a lease or "ignore"
//   lease    digits ["s" | "m" | "h" | "d" | "w"] | "infinite"
//
// Blanks are spaces. cname and dhcp may have them around a comma; the canonical form has none.
#include "gsync/model/records.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "gsync/model/setting.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model {
namespace {

constexpr std::size_t max_lines = 10'000;
constexpr std::size_t max_shown = 160;

[[noreturn]] void refuse_record(RecordKind kind, std::string_view line, std::string_view why) {
  std::string shown = util::printable(line.substr(0, max_shown));
  if (line.size() > max_shown) shown += "...";
  if (kind == RecordKind::setting)
    throw Error(ErrorCode::refused, fmt::format("setting '{}': {}", shown, why),
                "Change it on the Pi-hole that has it, or take it out of [sync] settings.");
  throw Error(ErrorCode::refused, fmt::format("{} record '{}': {}", to_string(kind), shown, why),
              "Correct or remove this record on the Pi-hole that has it.");
}

/// Characters that no part of any record may have, comments aside. Quotes, backslash, '=' and '#' mean something to dnsmasq's parser of
/// lines.
void check_bytes(std::string_view text) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) grammar::refuse("it holds a control character");
    if (byte > 0x7e) grammar::refuse("it holds a character outside ASCII");
    if (std::string_view("\"'\\=#").find(c) != std::string_view::npos) grammar::refuse(fmt::format("it holds {}", c));
  }
}

/// The code point at the front of `text`, which it removes. Refusal when it is not well-formed UTF-8 (RFC 3629: no overlong forms, no
/// surrogates).
char32_t take_code_point(std::string_view& text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  std::size_t length = first < 0x80                    ? 1
                       : first >= 0xc2 && first < 0xe0 ? 2
                       : first >= 0xe0 && first < 0xf0 ? 3
                       : first >= 0xf0 && first < 0xf5 ? 4
                                                       : 0;
  if (length == 0 || length > text.size()) grammar::refuse("its comment is not valid UTF-8");
  char32_t point = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) grammar::refuse("its comment is not valid UTF-8");
    point = (point << 6) | (byte(i) & 0x3fu);
  }
  bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  bool surrogate = point >= 0xd800 && point < 0xe000;
  if (overlong || surrogate || point > 0x10ffff) grammar::refuse("its comment is not valid UTF-8");
  text.remove_prefix(length);
  return point;
}

void check_comment(std::string_view text) {
  while (!text.empty()) {
    auto point = take_code_point(text);
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) grammar::refuse("its comment holds a control character");
    if (point == 0x2028 || point == 0x2029) grammar::refuse("its comment holds a line separator");
  }
}

std::string_view trim_spaces(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string canonical_dns(std::string_view line) {
  std::string_view comment;
  auto significant = line;
  if (auto hash = line.find('#'); hash != std::string_view::npos) {
    if (hash == 0) grammar::refuse("it is only a comment");
    if (line[hash - 1] != ' ') grammar::refuse("there is no blank before '#'");
    significant = line.substr(0, hash);
    comment = trim_spaces(line.substr(hash + 1));
  }
  check_bytes(significant);
  check_comment(comment);
  auto canonical = grammar::dns(significant);
  if (!comment.empty()) canonical.append(" # ").append(comment);
  return canonical;
}

std::string canonical_of(RecordKind kind, std::string_view line) {
  if (kind == RecordKind::setting) return grammar::setting(line);
  if (line.size() > grammar::max_line) grammar::refuse("it is longer than 1024 bytes");
  std::string canonical;
  if (kind == RecordKind::dns) {
    canonical = canonical_dns(line);
  } else {
    check_bytes(line);
    canonical = kind == RecordKind::cname ? grammar::cname(line) : grammar::dhcp(line);
  }
  // " # " can make a line longer than it came.
  if (canonical.size() > grammar::max_line) grammar::refuse("it is longer than 1024 bytes");
  return canonical;
}

/// dnsmasq ends at its start when an alias is there twice or leads back to itself, and with it all of DNS.
void check_aliases(const RecordLines& lines) {
  std::map<std::string, std::string> target_of;
  std::map<std::string, std::size_t> line_of;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto record = grammar::parse_cname(lines[i]);
    for (auto& alias : record.aliases) {
      if (!target_of.emplace(alias, record.target).second)
        refuse_record(RecordKind::cname, lines[i], fmt::format("the alias '{}' is there twice", alias));
      line_of[alias] = i;
    }
  }
  std::set<std::string_view> cleared;
  for (const auto& [alias, target] : target_of) {
    std::vector<std::string_view> path;
    std::set<std::string_view> on_path;
    std::string_view here = alias;
    for (;;) {
      if (cleared.count(here) != 0) break;
      auto next = target_of.find(std::string(here));
      if (next == target_of.end()) break;
      if (!on_path.insert(next->first).second)
        refuse_record(RecordKind::cname, lines[line_of.at(next->first)], fmt::format("the alias '{}' leads back to itself", here));
      path.push_back(next->first);
      here = next->second;
    }
    cleared.insert(path.begin(), path.end());
  }
}

/// So it does when two dhcp-host lines have one IPv4 address.
void check_addresses(const RecordLines& lines) {
  std::set<std::string_view> seen;
  for (const auto& line : lines)
    for (auto part : util::split(line, ','))
      if (grammar::is_ipv4(part) && !seen.insert(part).second)
        refuse_record(RecordKind::dhcp, line, fmt::format("the address {} is there twice", part));
}

/// In the order of their keys: a blank sorts before whatever a key can go on with.
RecordLines in_order(RecordLines settings) {
  std::ranges::sort(settings);
  const auto same = std::ranges::adjacent_find(settings, {}, setting_key_of);
  if (same != settings.end()) refuse_record(RecordKind::setting, *same, "this key is there twice");
  return settings;
}

}  // namespace

std::string_view to_string(RecordKind kind) {
  switch (kind) {
    case RecordKind::dns:
      return "dns";
    case RecordKind::cname:
      return "cname";
    case RecordKind::dhcp:
      return "dhcp";
    case RecordKind::setting:
      return "settings";
  }
  return "unknown";
}

std::string_view plural_of(RecordKind kind) {
  switch (kind) {
    case RecordKind::dns:
      return "dns records";
    case RecordKind::cname:
      return "cname records";
    case RecordKind::dhcp:
      return "dhcp records";
    case RecordKind::setting:
      return "settings";
  }
  return "unknown";
}

std::string parse_record(RecordKind kind, std::string_view line) {
  try {
    return canonical_of(kind, line);
  } catch (const grammar::Refusal& refusal) {
    refuse_record(kind, line, refusal.why);
  }
}

RecordLines parse_records(RecordKind kind, const RecordLines& lines) {
  if (lines.size() > max_lines)
    throw Error(ErrorCode::refused, fmt::format("{} {} are more than the {} that are allowed", lines.size(), plural_of(kind), max_lines));
  RecordLines canonical;
  canonical.reserve(lines.size());
  for (const auto& line : lines) canonical.push_back(parse_record(kind, line));
  if (kind == RecordKind::cname) check_aliases(canonical);
  if (kind == RecordKind::dhcp) check_addresses(canonical);
  if (kind == RecordKind::setting) return in_order(std::move(canonical));
  return canonical;
}

}  // namespace gsync::model
