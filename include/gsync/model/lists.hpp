#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace gsync::model {

/// The four kinds of rows in gravity.db that people edit.
enum class Table : std::uint8_t { group, adlist, domain, client };
constexpr Table last_of(Table) { return Table::client; }

/// What `kind` in a RowKey means, per table. The numbers of adlists and domains are Pi-hole's own `type` columns.
namespace kind {
inline constexpr std::uint8_t default_group = 0;  ///< the group with id 0, whatever its name; its key has an empty name
inline constexpr std::uint8_t named_group = 1;
inline constexpr std::uint8_t block_list = 0;
inline constexpr std::uint8_t allow_list = 1;
inline constexpr std::uint8_t allow_exact = 0;
inline constexpr std::uint8_t deny_exact = 1;
inline constexpr std::uint8_t allow_regex = 2;
inline constexpr std::uint8_t deny_regex = 3;
}  // namespace kind

/// Pi-hole's natural keys. Row ids differ from host to host and never travel.
struct RowKey {
  Table table = Table::group;
  std::uint8_t kind = 0;  ///< see namespace kind; 0 for clients
  std::string name;       ///< group name, adlist address, domain or regex, client address; the bytes as they are stored

  auto operator<=>(const RowKey&) const = default;
  bool operator==(const RowKey&) const = default;
};

inline RowKey default_group_key() { return {Table::group, kind::default_group, {}}; }

/// The fields of a row that a person sets, plus its dates, which travel but do not count as a difference.
struct Row {
  bool enabled = true;       ///< always true for clients, which have no such column
  std::string comment;       ///< a group's `description`. NULL and '' are the same to Pi-hole and to us
  std::string title;         ///< the name of the group with id 0; empty for all else, where the name is the key
  std::set<RowKey> groups;   ///< keys of Table::group; always empty for a group
  std::int64_t added = 0;    ///< date_added, seconds since 1970
  std::int64_t modified = 0; ///< date_modified

  /// Equal in what a person sets: everything but the dates.
  bool same_edit(const Row& other) const {
    return enabled == other.enabled && comment == other.comment && title == other.title && groups == other.groups;
  }
};

/// All rows of one Pi-hole, in the canonical order of their keys.
using Lists = std::map<RowKey, Row>;

template <class Archive>
void fields(Archive& a, RowKey& k) {
  a(k.table, k.kind, k.name);
}
template <class Archive>
void fields(Archive& a, Row& r) {
  a(r.enabled, r.comment, r.title, r.groups, r.added, r.modified);
}

/// Checks what came from a peer or a file: kinds in range, only groups as groups, every group that is named is there, exactly one default group, no name or comment
/// longer than 64 KiB or holding NUL, no empty name. Error{protocol} naming the row.
void check_lists(const Lists& lists);

/// A row in Pi-hole's own words: "deny  ads.example.com", "adlist  https://…", "group  Kids". Control characters are made visible.
std::string describe(const RowKey& key);

}  // namespace gsync::model
