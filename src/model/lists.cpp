#include "gsync/model/lists.hpp"

#include <fmt/core.h>

#include <string_view>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::model {
namespace {

constexpr std::size_t max_text = 64u << 10;
constexpr std::size_t max_shown = 120;

std::string_view words(const RowKey& key) {
  switch (key.table) {
    case Table::group:
      return "group";
    case Table::adlist:
      return key.kind == kind::allow_list ? "allow adlist" : "adlist";
    case Table::domain:
      switch (key.kind) {
        case kind::allow_exact:
          return "allow";
        case kind::deny_exact:
          return "deny";
        case kind::allow_regex:
          return "allow regex";
        case kind::deny_regex:
          return "deny regex";
        default:
          return "domain";
      }
    case Table::client:
      return "client";
  }
  return "row";
}

std::uint8_t last_kind(Table table) {
  switch (table) {
    case Table::group:
      return kind::named_group;
    case Table::adlist:
      return kind::allow_list;
    case Table::domain:
      return kind::deny_regex;
    case Table::client:
      return 0;
  }
  return 0;
}

/// A key that is too long is one of the things to complain about, so it is cut before it is shown.
[[noreturn]] void bad_row(const RowKey& key, std::string_view why) {
  RowKey shown = key;
  if (shown.name.size() > max_shown) {
    shown.name.resize(max_shown);
    shown.name += "...";
  }
  throw Error(ErrorCode::protocol, fmt::format("the lists are not valid: {}: {}", describe(shown), why));
}

void check_text(const RowKey& key, const std::string& text, std::string_view what) {
  if (text.size() > max_text) bad_row(key, fmt::format("the {} is longer than 64 KiB", what));
  if (text.find('\0') != std::string::npos) bad_row(key, fmt::format("the {} holds a NUL byte", what));
}

void check_key(const RowKey& key) {
  if (key.table > last_of(Table{}) || key.kind > last_kind(key.table)) bad_row(key, fmt::format("unknown kind {}", key.kind));
  check_text(key, key.name, "name");
  bool is_default = key.table == Table::group && key.kind == kind::default_group;
  if (is_default && !key.name.empty()) bad_row(key, "the default group has a name in its key");
  if (!is_default && key.name.empty()) bad_row(key, "the name is empty");
}

void check_group(const Lists& lists, const RowKey& key, const Row& row) {
  if (!row.groups.empty()) bad_row(key, "a group cannot be in groups");
  if (key.kind == kind::default_group) {
    check_text(key, row.title, "name");
    if (row.title.empty()) bad_row(key, "the name is empty");
    // Pi-hole's `group.name` is unique, and the title is the name of the group with id 0.
    if (lists.count({Table::group, kind::named_group, row.title}) != 0) bad_row(key, "another group has the same name");
  }
}

}  // namespace

void check_lists(const Lists& lists) {
  if (lists.count(default_group_key()) == 0)
    throw Error(ErrorCode::protocol, "the lists are not valid: the default group (id 0) is missing");
  for (const auto& [key, row] : lists) {
    check_key(key);
    check_text(key, row.comment, "comment");
    if (key.table == Table::group) check_group(lists, key, row);
    if (key != default_group_key() && !row.title.empty()) bad_row(key, "only the default group has a title");
    if (key.table == Table::client && !row.enabled) bad_row(key, "a client cannot be disabled");
    for (const auto& group : row.groups) {
      if (group.table != Table::group) bad_row(key, "it is assigned to something that is not a group");
      if (lists.count(group) == 0) bad_row(key, "it is assigned to a group that is not there");
    }
  }
}

std::string describe(const RowKey& key) {
  if (key == default_group_key()) return "group  Default (id 0)";
  return fmt::format("{}  {}", words(key), util::printable(key.name));
}

}  // namespace gsync::model
