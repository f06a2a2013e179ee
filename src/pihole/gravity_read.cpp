#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "compiled_rows.hpp"
#include "gravity_tables.hpp"
#include "gsync/pihole/gravity.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

using GroupKeys = std::unordered_map<std::int64_t, model::RowKey>;

/// Runs a query whose first one or two columns are an ascending key. With a pacer it lets go of the database when a step is over, pauses,
/// and goes on behind the last key; parameters 1 (and 2) are that key.
template <class Row>
void each_row(sqlite::Database& database, const std::string& sql, int key_columns, sqlite::Pacer* pacer, Row row) {
  auto statement = database.prepare(sql);
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  std::array<std::int64_t, 2> key{least, least};
  for (bool more = true; more;) {
    for (int i = 0; i < key_columns; ++i) statement.bind(i + 1, key[static_cast<std::size_t>(i)]);
    if (pacer != nullptr) pacer->begin_after_writers(database);
    more = false;
    for (bool first = true; statement.step(); first = false) {
      // What came before was waiting for a writer, perhaps for seconds, and with no lock.
      if (first && pacer != nullptr) pacer->begin();
      for (int i = 0; i < key_columns; ++i) key[static_cast<std::size_t>(i)] = statement.integer(i);
      row(statement);
      if (pacer != nullptr && pacer->step_is_over()) {
        more = true;
        break;
      }
    }
    statement.reset();
    if (pacer != nullptr) pacer->pause();
  }
}

GroupKeys read_groups(sqlite::Database& database, sqlite::Pacer* pacer, model::Lists& lists) {
  GroupKeys keys;
  each_row(database, R"(SELECT id, name, enabled, description, date_added, date_modified FROM "group" WHERE id > ? ORDER BY id)", 1, pacer,
           [&](const sqlite::Statement& s) {
             auto id = s.integer(0);
             model::RowKey key = model::default_group_key();
             model::Row row;
             if (id == 0) {
               row.title = s.text(1);
             } else {
               key = {model::Table::group, model::kind::named_group, std::string(s.text(1))};
             }
             row.enabled = s.integer(2) != 0;
             row.comment = s.text(3);
             row.added = s.integer(4);
             row.modified = s.integer(5);
             keys.emplace(id, key);
             lists.emplace(std::move(key), std::move(row));
           });
  return keys;
}

void read_items(sqlite::Database& database, const Shape& shape, const TableNames& names, const GroupKeys& groups, sqlite::Pacer* pacer,
                GravityRows& result) {
  bool adlist = names.table == model::Table::adlist;
  bool has_type = names.type != nullptr && (!adlist || shape.adlist_type);
  std::unordered_map<std::int64_t, model::Row*> by_id;
  auto sql =
      fmt::format("SELECT id, {}, {}, {}, {}, date_added, date_modified{} FROM {} WHERE id > ? ORDER BY id", names.key,
                  has_type ? names.type : "0", names.enabled ? "enabled" : "1", names.comment,
                  adlist ? fmt::format(", date_updated, number, invalid_domains, status, {}", shape.abp_entries ? "abp_entries" : "0") : "",
                  names.name);
  each_row(database, sql, 1, pacer, [&](const sqlite::Statement& s) {
    auto type = s.integer(2);
    if (type < 0 || type > 3) return;  // no such type in any Pi-hole: FTL does not see the row either
    model::RowKey key{names.table, static_cast<std::uint8_t>(type), std::string(s.text(1))};
    model::Row row;
    row.enabled = s.integer(3) != 0;
    row.comment = s.text(4);
    row.added = s.integer(5);
    row.modified = s.integer(6);
    if (adlist) {
      result.adlist_ids.emplace(key, s.integer(0));
      result.statistics.emplace(key, model::AdlistStatistics{s.integer(7), s.integer(8), s.integer(9), s.integer(10), s.integer(11)});
    }
    auto [at, is_new] = result.lists.emplace(std::move(key), std::move(row));
    if (!is_new)
      throw Error(ErrorCode::corrupt, fmt::format("{}: two rows for {}", database.path(), model::describe(at->first)),
                  "remove one of them in Pi-hole's web page");
    by_id.emplace(s.integer(0), &at->second);
  });
  // Only numbers: SQLite keeps text in such a column too, and behind a key that is not one there would be no going on.
  sql = fmt::format(
      "SELECT {0}, group_id FROM {1} WHERE ({0}, group_id) > (?, ?) AND typeof({0})='integer' AND typeof(group_id)='integer' ORDER BY {0}, "
      "group_id",
      names.item, names.by_group);
  each_row(database, sql, 2, pacer, [&](const sqlite::Statement& s) {
    // An assignment whose item or group is gone means nothing to FTL; `pihole -g` removes it.
    auto item = by_id.find(s.integer(0));
    auto group = groups.find(s.integer(1));
    if (item != by_id.end() && group != groups.end()) item->second->groups.insert(group->second);
  });
}

}  // namespace

GravityRows read_rows(sqlite::Database& database, const Shape& shape, sqlite::Pacer* pacer) {
  auto before = database.query_int("PRAGMA data_version");
  GravityRows result;
  auto groups = read_groups(database, pacer, result.lists);
  for (const auto& names : table_names) {
    if (names.table != model::Table::group) read_items(database, shape, names, groups, pacer, result);
  }
  if (pacer != nullptr) pacer->begin_after_writers(database);
  result.mark.updated = read_updated(database);
  result.mark.gravity_count = database.query_int("SELECT value FROM info WHERE property='gravity_count'").value_or(0);
  result.mark.last_gravity = database.query_int("SELECT max(rowid) FROM gravity").value_or(0);
  if (shape.antigravity) result.mark.last_antigravity = database.query_int("SELECT max(rowid) FROM antigravity").value_or(0);
  if (database.query_int("PRAGMA data_version") != before) {
    throw Error(ErrorCode::conflict, fmt::format("{} was edited while it was read", database.path()), "try again");
  }
  if (!result.lists.contains(model::default_group_key())) {
    throw Error(ErrorCode::corrupt, fmt::format("{} has no group with id 0", database.path()),
                "Pi-hole makes it again when `pihole -g` runs");
  }
  return result;
}

bool can_travel(std::string_view domain) {
  if (domain.empty() || domain.size() > 1024) return false;
  // Without a way out in the middle, so that the compiler takes many characters at a time.
  bool control = false;
  for (char c : domain) control |= static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  return !control;
}

std::vector<CompiledSet> read_compiled(sqlite::Database& database, const char* table) {
  CompiledSums sums;
  std::string last;
  std::int64_t last_id = 0;
  for (CompiledRows row(database, table); row.more(); row.next()) {
    const auto id = row.adlist();
    sums.add(row.domain(), id, id == last_id && row.domain() == last);
    last.assign(row.domain());
    last_id = id;
  }
  return sums.sets();
}

Compiled read_compiled(sqlite::Database& database, const Shape& shape) {
  Compiled compiled;
  compiled.gravity = read_compiled(database, "gravity");
  if (shape.antigravity) compiled.antigravity = read_compiled(database, "antigravity");
  return compiled;
}

std::int64_t Compiled::greatest_id() const {
  std::int64_t id = 0;
  for (const auto* sets : {&gravity, &antigravity}) {
    if (!sets->empty()) id = std::max(id, sets->back().id);
  }
  return id;
}

std::uint64_t Compiled::rows() const {
  std::uint64_t n = 0;
  for (const auto* sets : {&gravity, &antigravity}) {
    for (const auto& set : *sets) n += set.rows.count;
  }
  return n;
}

model::Blocklist blocklist_of(const GravityRows& rows, const Compiled& compiled) {
  model::Blocklist blocklist;
  for (const auto& [key, id] : rows.adlist_ids) {
    const auto& sets = key.kind == model::kind::allow_list ? compiled.antigravity : compiled.gravity;
    auto at = std::lower_bound(sets.begin(), sets.end(), id, [](const CompiledSet& set, std::int64_t wanted) { return set.id < wanted; });
    model::AdlistState state{key, {}, rows.statistics.at(key)};
    if (at != sets.end() && at->id == id) state.rows = at->rows;
    blocklist.push_back(std::move(state));
  }
  return blocklist;
}

std::int64_t read_updated(sqlite::Database& database) {
  return database.query_int("SELECT value FROM info WHERE property='updated'").value_or(0);
}

}  // namespace gsync::pihole
