#pragma once
#include <array>
#include <string>
#include <string_view>

#include "gsync/model/lists.hpp"

namespace gsync::pihole {

/// How a kind of rows stands in gravity.db.
struct TableNames {
  model::Table table;
  const char* name;  ///< quoted where it is a keyword
  const char* key;   ///< column of the natural key
  const char* type;  ///< column of RowKey::kind, or null
  bool enabled;      ///< has that column
  const char* comment;
  const char* by_group;  ///< assignment table, or null for groups
  const char* item;      ///< its column of the item's id
};

inline constexpr std::array table_names{
    TableNames{model::Table::group, "\"group\"", "name", nullptr, true, "description", nullptr, nullptr},
    TableNames{model::Table::adlist, "adlist", "address", "type", true, "comment", "adlist_by_group", "adlist_id"},
    TableNames{model::Table::domain, "domainlist", "domain", "type", true, "comment", "domainlist_by_group", "domainlist_id"},
    TableNames{model::Table::client, "client", "ip", nullptr, false, "comment", "client_by_group", "client_id"},
};

inline std::string unquoted(std::string_view name) {
  std::string result(name);
  std::erase(result, '"');
  return result;
}

/// A table's or index's name as SQL says it, whatever somebody called it.
inline std::string identifier(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) result.append(c == '"' ? 2 : 1, c);
  return result + '"';
}

inline const TableNames& names_of(model::Table table) {
  return table_names[static_cast<std::size_t>(table)];
}

}  // namespace gsync::pihole
