#include <fmt/format.h>

#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model::grammar {
namespace {

std::string parse_ttl(std::string_view text) {
  auto digits = text;
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  if (digits.size() > 10 || std::stoull(std::string(digits)) > 2147483647ull) refuse("its TTL is larger than 2147483647");
  return std::string(digits);
}

std::string parse_alias(std::string_view text) {
  if (text.substr(0, 2) == "*.") return "*." + name(text.substr(2));
  return name(text);
}

}  // namespace

Cname parse_cname(std::string_view line) {
  std::vector<std::string_view> parts;
  for (auto part : util::split(line, ',')) {
    parts.push_back(util::trim(part));
    if (parts.back().empty()) refuse("a part between commas is empty");
  }
  Cname record;
  // As dnsmasq reads it: digits at the end of two parts are a target.
  if (parts.size() >= 3 && all_digits(parts.back())) {
    record.ttl = parse_ttl(parts.back());
    parts.pop_back();
  }
  if (parts.size() < 2) refuse("it needs an alias and a target");
  record.target = name(parts.back());
  // "a,b,600." has a name at its end, but its canonical form would have a TTL there.
  if (parts.size() >= 3 && record.ttl.empty() && all_digits(record.target))
    refuse(fmt::format("its target '{}' looks like a TTL", parts.back()));
  parts.pop_back();
  for (auto part : parts) record.aliases.push_back(parse_alias(part));
  return record;
}

std::string cname(std::string_view line) {
  auto record = parse_cname(line);
  auto canonical = fmt::format("{},{}", fmt::join(record.aliases, ","), record.target);
  if (!record.ttl.empty()) canonical.append(",").append(record.ttl);
  return canonical;
}

}  // namespace gsync::model::grammar
