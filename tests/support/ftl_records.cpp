#include "support/ftl_records.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <set>

namespace gsync::test {

namespace {

bool is_v4(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_v6(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string without_comment(const std::string& line) {
  return line.substr(0, line.find(" #"));
}

/// Aliases to target; a trailing number is the TTL.
struct Cname {
  std::vector<std::string> aliases;
  std::string target;
};
std::optional<Cname> parse_cname(const std::string& line) {
  auto parts = words_of(line, ",");
  if (parts.size() > 2 && is_number(parts.back())) parts.pop_back();
  if (parts.size() < 2) return std::nullopt;
  Cname cname;
  cname.target = lower(parts.back());
  parts.pop_back();
  for (auto& alias : parts) cname.aliases.push_back(lower(alias));
  return cname;
}

}  // namespace

std::vector<std::string> words_of(const std::string& line, const char* separators) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    const auto begin = line.find_first_not_of(separators, at);
    if (begin == line.npos) break;
    at = std::min(line.find_first_of(separators, begin), line.size());
    words.push_back(line.substr(begin, at - begin));
  }
  return words;
}

std::string hosts_problem(const std::vector<std::string>& lines) {
  for (const auto& line : lines) {
    const auto words = words_of(without_comment(line), " \t");
    if (words.empty() || (!is_v4(words[0]) && !is_v6(words[0]))) return "neither a valid IPv4 nor IPv6 address: \"" + line + "\"";
    if (words.size() < 2) return "no host name: \"" + line + "\"";
    for (std::size_t i = 1; i < words.size(); ++i)
      for (const char c : words[i])
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_')
          return "invalid host name \"" + words[i] + "\"";
  }
  return {};
}

std::string cname_problem(const std::vector<std::string>& lines) {
  std::map<std::string, std::string> targets;
  for (const auto& line : lines) {
    const auto cname = parse_cname(line);
    if (!cname) return "not of the form alias,target[,TTL]: \"" + line + "\"";
    for (const auto& alias : cname->aliases)
      if (!targets.emplace(alias, cname->target).second) return "duplicate CNAME " + alias;
  }
  for (const auto& [alias, target] : targets) {
    std::string at = target;
    for (std::size_t steps = 0; targets.count(at); at = targets[at])
      if (at == alias || ++steps > targets.size()) return "loop in CNAME " + alias;
  }
  return {};
}

std::string dhcp_problem(const std::vector<std::string>& lines, bool dhcp_active) {
  if (!dhcp_active) return {};
  std::set<std::string> seen;
  for (const auto& line : lines) {
    if (line.empty()) return "empty dhcp-host";
    for (const auto& part : words_of(line, ","))
      if (is_v4(part) && !seen.insert(part).second) return "duplicate dhcp-host IP address " + part;
  }
  return {};
}

std::map<std::string, std::vector<std::string>> local_names(const std::vector<std::string>& hosts, const std::vector<std::string>& cnames) {
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& line : hosts) {
    const auto words = words_of(without_comment(line), " \t");
    for (std::size_t i = 1; i < words.size(); ++i) {
      auto& addresses = names[lower(words[i])];
      if (is_v4(words[0])) addresses.push_back(words[0]);
    }
  }
  // An alias of an alias needs one more round each.
  for (std::size_t round = 0; round < cnames.size(); ++round)
    for (const auto& line : cnames)
      if (const auto cname = parse_cname(line))
        if (const auto target = names.find(cname->target); target != names.end()) {
          const auto addresses = target->second;
          for (const auto& alias : cname->aliases) names[alias] = addresses;
        }
  return names;
}

}  // namespace gsync::test
