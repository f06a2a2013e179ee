#include <fmt/core.h>

#include <algorithm>

#include "gravity_tables.hpp"
#include "gsync/pihole/gravity.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

constexpr std::int64_t oldest_schema = 15;  // Pi-hole 5.0

std::set<std::string> columns_of(sqlite::Database& database, std::string_view table) {
  auto kind = database.prepare("SELECT sql FROM sqlite_master WHERE type='table' AND name=?");
  kind.bind(1, unquoted(table));
  if (!kind.step() || !kind.text(0).starts_with("CREATE TABLE")) return {};
  auto info = database.prepare("SELECT name FROM pragma_table_info(?)");
  info.bind(1, unquoted(table));
  std::set<std::string> columns;
  while (info.step()) columns.emplace(info.text(0));
  return columns;
}

/// Whether some unique index of adlist is on address alone.
bool unique_on_address(sqlite::Database& database) {
  auto indexes = database.prepare("SELECT name FROM pragma_index_list('adlist') WHERE \"unique\"=1");
  while (indexes.step()) {
    auto columns = database.prepare("SELECT name FROM pragma_index_info(?)");
    columns.bind(1, indexes.text(0));
    if (columns.step() && columns.text(0) == "address" && !columns.step()) return true;
  }
  return false;
}

bool has_rowid(sqlite::Database& database, std::string_view table) {
  auto definition = database.prepare("SELECT sql LIKE '%)%WITHOUT%ROWID%' FROM sqlite_master WHERE type='table' AND name=?");
  definition.bind(1, table);
  return !definition.step() || definition.integer(0) == 0;
}

void require(const std::string& path, std::string_view table, const std::set<std::string>& columns,
             std::initializer_list<std::string_view> needed) {
  for (auto column : needed) {
    if (columns.contains(std::string(column))) continue;
    auto missing =
        columns.empty() ? fmt::format("there is no table {}", table) : fmt::format("the table {} has no column {}", table, column);
    throw Error(ErrorCode::incompatible, fmt::format("{} is not a gravity.db that this version knows: {}", path, missing),
                "if the file is damaged, `pihole -g` or `gravity-sync pull --full` makes a new one; if Pi-hole is newer than gravity-sync, "
                "upgrade gravity-sync");
  }
}

}  // namespace

model::Capabilities Shape::capabilities() const {
  model::Capabilities result;
  result.allow_lists = adlist_type && antigravity;
  result.address_unique = address_unique;
  return result;
}

Shape shape_of(sqlite::Database& database) {
  const auto& path = database.path();
  if (auto encoding = database.query_text("PRAGMA encoding").value_or(""); encoding != "UTF-8") {
    throw Error(ErrorCode::incompatible, fmt::format("{} keeps its text as {}; Pi-hole's is UTF-8", path, encoding));
  }
  Shape shape;
  require(path, "info", columns_of(database, "info"), {"property", "value"});
  require(path, "gravity", columns_of(database, "gravity"), {"domain", "adlist_id"});
  for (const char* table : {"gravity", "antigravity"}) {
    // Rows that are there twice are told apart by it.
    if (has_rowid(database, table)) continue;
    throw Error(ErrorCode::incompatible,
                fmt::format("{} is not a gravity.db that this version knows: the rows of {} have no rowid", path, table),
                "upgrade gravity-sync");
  }
  static const std::set<std::string> known{"id",          "enabled", "name",         "date_added", "date_modified",   "description",
                                           "address",     "comment", "date_updated", "number",     "invalid_domains", "status",
                                           "abp_entries", "type",    "domain",       "ip"};
  for (const auto& names : table_names) {
    auto table = unquoted(names.name);
    auto columns = columns_of(database, names.name);
    require(path, table, columns, {"id", names.key, "date_added", "date_modified", names.comment});
    if (names.enabled) require(path, table, columns, {"enabled"});
    if (names.table == model::Table::adlist) {
      require(path, table, columns, {"date_updated", "number", "invalid_domains", "status"});
      shape.adlist_type = columns.contains("type");
      shape.abp_entries = columns.contains("abp_entries");
    }
    if (names.table == model::Table::domain) require(path, table, columns, {"type"});
    if (names.by_group != nullptr) require(path, names.by_group, columns_of(database, names.by_group), {names.item, "group_id"});
    for (const auto& column : columns) {
      if (!known.contains(column)) shape.unknown_columns.push_back(fmt::format("{}.{}", table, column));
    }
  }
  auto antigravity = columns_of(database, "antigravity");
  shape.antigravity = antigravity.contains("domain") && antigravity.contains("adlist_id");
  shape.address_unique = unique_on_address(database);
  shape.version = database.query_int("SELECT value FROM info WHERE property='version'").value_or(0);
  if (shape.version < oldest_schema) {
    throw Error(ErrorCode::incompatible,
                fmt::format("{} has schema version {}; the oldest one known is {}", path, shape.version, oldest_schema),
                "update Pi-hole, or run `pihole -g`, which migrates the database");
  }
  return shape;
}

std::set<std::string> schema_of(sqlite::Database& database) {
  // sqlite_stat1 comes and goes with ANALYZE and holds no behaviour.
  auto statement = database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'");
  std::set<std::string> schema;
  while (statement.step())
    schema.insert(fmt::format("{} {} {} {}", statement.text(0), statement.text(1), statement.text(2), statement.text(3)));
  return schema;
}

model::Digest digest_of_schema(const std::set<std::string>& schema) {
  util::Encoder encoder;
  encoder(schema);
  return model::digest_of(encoder.bytes());
}

}  // namespace gsync::pihole
