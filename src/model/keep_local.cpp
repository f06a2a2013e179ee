#include "gsync/model/keep_local.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "gsync/model/setting.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model {
namespace {

struct Word {
  std::string_view all;
  std::string_view one;
  std::variant<Table, RecordKind> subject;
};
constexpr Word words[] = {
    {"groups", "group", Table::group},    {"adlists", "adlist", Table::adlist}, {"domains", "domain", Table::domain},
    {"clients", "client", Table::client}, {"dns", "dns", RecordKind::dns},      {"cname", "cname", RecordKind::cname},
    {"dhcp", "dhcp", RecordKind::dhcp},
};

[[noreturn]] void wrong(std::string_view pattern, std::string_view why) {
  throw Error(ErrorCode::config, fmt::format("\"{}\": {}", util::printable(pattern), why));
}

/// Of a word without a pattern behind it, or of the word in front of one.
[[noreturn]] void unknown(std::string_view pattern, std::string_view word, bool alone) {
  std::vector<std::string_view> valid;
  for (const auto& known : words) valid.push_back(alone ? known.all : known.one);
  if (alone && std::any_of(std::begin(words), std::end(words), [&](const Word& known) { return known.one == word; }))
    wrong(pattern, fmt::format("write \"{0}s\" for all of them, or \"{0}:NAME\" for some", word));
  if (const auto near = util::nearest(word, valid); !near.empty())
    wrong(pattern, fmt::format("this cannot be kept local; did you mean \"{}{}\"?", near, alone ? "" : pattern.substr(pattern.find(':'))));
  wrong(pattern, fmt::format("this cannot be kept local; it can be \"{}\"{}", fmt::join(valid, "\", \""),
                             alone ? ", or \"group:NAME\" and the like" : ", each with ':' and a name behind it"));
}

/// The bytes of the character that `text` begins with.
std::size_t character(std::string_view text) {
  std::size_t n = 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
  return n;
}

/// '*' takes as little as it can, and more when what follows it does not fit: only the last one is ever tried again.
bool fits(std::string_view glob, std::string_view name) {
  constexpr auto none = std::string_view::npos;
  std::size_t g = 0, n = 0, star = none, taken = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      taken = n;
    } else if (g < glob.size() && glob[g] == '?') {
      ++g;
      n += character(name.substr(n));
    } else if (g < glob.size() && glob[g] == name[n]) {
      ++g;
      ++n;
    } else if (star != none) {
      g = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == none;
}

std::vector<std::string_view> dns_names(std::string_view line) {
  return util::split(line.substr(0, line.find(" #")), ' ');
}

std::vector<std::string_view> cname_names(std::string_view line) {
  auto parts = util::split(line, ',');
  if (parts.size() >= 3 && grammar::all_digits(parts.back())) parts.pop_back();  // a TTL
  return parts;
}

/// Neither tags nor ids, nor what dnsmasq takes for a lease time.
std::vector<std::string_view> dhcp_names(std::string_view line) {
  std::vector<std::string_view> names;
  for (auto part : util::split(line, ',')) {
    const bool named = part.starts_with("set:") || part.starts_with("tag:") || part.starts_with("id:");
    if (part.empty() || named || part == "ignore" || part == "infinite" || grammar::is_lease(part)) continue;
    if (part.front() == '[') part = part.substr(1, part.find(']') - 1);
    names.push_back(part);
  }
  return names;
}

std::vector<std::string_view> names_in(RecordKind kind, std::string_view line) {
  switch (kind) {
    case RecordKind::dns:
      return dns_names(line);
    case RecordKind::cname:
      return cname_names(line);
    case RecordKind::dhcp:
      return dhcp_names(line);
    case RecordKind::setting:
      break;
  }
  return {};
}

}  // namespace

KeepLocal::KeepLocal(const std::vector<std::string>& patterns) {
  if (patterns.size() > max_patterns)
    throw Error(ErrorCode::config, fmt::format("there are {} patterns, and {} at most", patterns.size(), max_patterns));
  take(patterns);
}

void KeepLocal::take(const std::vector<std::string>& patterns) {
  patterns_.clear();
  for (const auto& text : patterns) patterns_.push_back(parse(text));
  std::ranges::sort(patterns_);
  patterns_.erase(std::unique(patterns_.begin(), patterns_.end()), patterns_.end());
}

KeepLocal KeepLocal::but_settings(std::vector<std::string> keys) const {
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  auto result = *this;
  result.settings_ = std::move(keys);
  return result;
}

bool KeepLocal::keeps_rows() const {
  return std::ranges::any_of(patterns_, [](const Pattern& pattern) { return std::holds_alternative<Table>(pattern.subject); });
}

KeepLocal::Pattern KeepLocal::parse(const std::string& text) {
  if (text.size() > max_length) wrong(text.substr(0, 40) + "...", fmt::format("is longer than {} bytes", max_length));
  const auto colon = text.find(':');
  const bool alone = colon == std::string::npos;
  const auto word = util::trim(std::string_view(text).substr(0, colon));
  const auto* found = std::ranges::find(words, word, [&](const Word& known) { return alone ? known.all : known.one; });
  if (found == std::end(words)) unknown(text, word, alone);
  if (alone) return {std::string(word), found->subject, "*"};

  const auto name = util::trim(std::string_view(text).substr(colon + 1));
  if (name.empty()) wrong(text, fmt::format("a name or a pattern is missing behind \"{}:\"", word));
  auto glob = grammar::lower(name);
  if (found->subject == std::variant<Table, RecordKind>(Table::group) && glob == "default")
    wrong(text,
          "the default group (id 0) cannot be kept local: every Pi-hole has it, and new entries are in it; keep single entries local, or "
          "put them into a group that is");
  return {fmt::format("{}:{}", word, name), found->subject, std::move(glob)};
}

std::vector<std::string> KeepLocal::patterns() const {
  std::vector<std::string> texts;
  for (const auto& pattern : patterns_) texts.push_back(pattern.text);
  return texts;
}

bool KeepLocal::matches(Subject subject, std::string_view name) const {
  std::string lower;
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
    if (pattern.subject != subject) return false;
    if (pattern.glob == "*") return true;
    if (lower.empty()) lower = grammar::lower(name);
    return fits(pattern.glob, lower);
  });
}

bool KeepLocal::keeps(const RowKey& key) const {
  return key != default_group_key() && matches(key.table, key.name);
}

bool KeepLocal::keeps(RecordKind kind, std::string_view line) const {
  if (kind == RecordKind::setting) return settings_ && !std::ranges::binary_search(*settings_, setting_key_of(line));
  const auto is_there = [&](const Pattern& pattern) { return pattern.subject == Subject(kind); };
  if (std::ranges::none_of(patterns_, is_there)) return false;
  const auto names = names_in(kind, line);
  return std::ranges::any_of(names, [&](std::string_view name) { return matches(kind, name); });
}

std::vector<std::string> KeepLocal::unused(const Lists& lists, const Records& records) const {
  std::vector<std::string> texts;
  for (const auto& pattern : patterns_) {
    KeepLocal alone;
    alone.patterns_ = {pattern};
    bool used = pattern.glob == "*";
    if (const auto* kind = std::get_if<RecordKind>(&pattern.subject)) {
      const auto& lines = records[index_of(*kind)];
      used = used || !lines || std::ranges::any_of(*lines, [&](const auto& line) { return alone.keeps(*kind, line); });
    } else {
      used = used || std::ranges::any_of(lists, [&](const auto& row) { return alone.keeps(row.first); });
    }
    if (!used) texts.push_back(pattern.text);
  }
  return texts;
}

KeepLocal KeepLocal::operator|(const KeepLocal& other) const {
  KeepLocal both;
  std::ranges::set_union(patterns_, other.patterns_, std::back_inserter(both.patterns_));
  both.settings_ = settings_ ? settings_ : other.settings_;
  if (settings_ && other.settings_) {
    both.settings_->clear();
    std::ranges::set_intersection(*settings_, *other.settings_, std::back_inserter(*both.settings_));
  }
  return both;
}

}  // namespace gsync::model
