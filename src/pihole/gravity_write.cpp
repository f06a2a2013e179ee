#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "gravity_tables.hpp"
#include "gsync/pihole/gravity.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

constexpr std::int64_t last_id = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t last_date = 0xffffffff;  // in the year 2106

class RowWriter {
 public:
  RowWriter(sqlite::Database& database, const Shape& shape, std::int64_t greatest_compiled_id)
      : database_(database), shape_(shape), greatest_compiled_id_(greatest_compiled_id) {}

  /// Removals first, so that a name or an address is free before another row takes it; groups before the items that are in them.
  RowsWritten write(const std::vector<model::RowChange>& changes) {
    for (const auto& change : changes) {
      if (change.key.table == model::Table::adlist && change.key.kind != model::kind::block_list && !shape_.adlist_type) {
        // Without the column it would be found, or made, as a block list of that address.
        throw Error(ErrorCode::incompatible, "this Pi-hole cannot hold allow lists", "update Pi-hole to version 6");
      }
    }
    for (bool groups : {true, false}) {
      for (const auto& change : changes) {
        if ((change.key.table == model::Table::group) == groups && !change.after) remove(change.key);
      }
      for (const auto& change : changes) {
        if ((change.key.table == model::Table::group) == groups && change.before && change.after) update(change);
      }
      for (const auto& change : changes) {
        if ((change.key.table == model::Table::group) == groups && !change.before && change.after) insert(change);
      }
    }
    return std::move(written_);
  }

 private:
  bool has_type(const TableNames& names) const { return names.type != nullptr && (names.table != model::Table::adlist || shape_.adlist_type); }

  std::int64_t id_of(const model::RowKey& key) {
    if (key == model::default_group_key()) return 0;
    const auto& names = names_of(key.table);
    auto find = database_.prepare(has_type(names) ? fmt::format("SELECT id FROM {} WHERE {}=? AND type=?", names.name, names.key)
                                                  : fmt::format("SELECT id FROM {} WHERE {}=?", names.name, names.key));
    find.bind(1, key.name);
    if (has_type(names)) find.bind(2, std::int64_t{key.kind});
    if (!find.step()) throw Error(ErrorCode::conflict, fmt::format("{}: {} is not there any more", database_.path(), model::describe(key)), "run it again");
    return find.integer(0);
  }

  void remove(const model::RowKey& key) {
    const auto& names = names_of(key.table);
    auto id = id_of(key);
    if (key.table == model::Table::group) {
      if (id == 0) throw Error(ErrorCode::refused, "the group with id 0 cannot be removed");
      for (const auto& items : table_names) {
        if (items.by_group != nullptr) database_.prepare(fmt::format("DELETE FROM {} WHERE group_id=?", items.by_group)).bind(1, id).run();
      }
    } else {
      database_.prepare(fmt::format("DELETE FROM {} WHERE {}=?", names.by_group, names.item)).bind(1, id).run();
      if (key.table == model::Table::adlist) written_.removed_adlists.push_back(id);
    }
    database_.prepare(fmt::format("DELETE FROM {} WHERE id=?", names.name)).bind(1, id).run();
  }

  static void bind_comment(sqlite::Statement& statement, int index, const std::string& comment) {
    // As the API does it: no comment is NULL.
    if (comment.empty())
      statement.bind_null(index);
    else
      statement.bind(index, comment);
  }

  void update(const model::RowChange& change) {
    const auto& names = names_of(change.key.table);
    const auto& row = *change.after;
    auto id = id_of(change.key);
    std::string sets = fmt::format("{}=?2, date_modified=?3", names.comment);
    if (names.enabled) sets += ", enabled=?4";
    if (id == 0 && change.key.table == model::Table::group) sets += ", name=?5";
    auto statement = database_.prepare(fmt::format("UPDATE {} SET {} WHERE id=?1", names.name, sets));
    statement.bind(1, id);
    bind_comment(statement, 2, row.comment);
    statement.bind(3, row.modified);
    if (names.enabled) statement.bind(4, std::int64_t{row.enabled});
    if (id == 0 && change.key.table == model::Table::group) statement.bind(5, row.title);
    statement.run();
    if (names.by_group != nullptr) assign(names, id, row.groups);
  }

  void insert(const model::RowChange& change) {
    const auto& names = names_of(change.key.table);
    const auto& row = *change.after;
    if (change.key == model::default_group_key()) throw Error(ErrorCode::conflict, "the group with id 0 is missing here", "`pihole -g` makes it again");
    std::string columns = fmt::format("{}, {}, date_added, date_modified", names.key, names.comment);
    std::string values = "?1, ?2, ?3, ?4";
    if (names.enabled) columns += ", enabled", values += ", ?5";
    if (has_type(names)) columns += ", type", values += ", ?6";
    auto id = names.table == model::Table::adlist ? next_adlist_id() : 0;
    if (names.table == model::Table::adlist) columns += ", id", values += ", ?7";
    auto statement = database_.prepare(fmt::format("INSERT INTO {} ({}) VALUES ({})", names.name, columns, values));
    statement.bind(1, change.key.name);
    bind_comment(statement, 2, row.comment);
    statement.bind(3, row.added).bind(4, row.modified);
    if (names.enabled) statement.bind(5, std::int64_t{row.enabled});
    if (has_type(names)) statement.bind(6, std::int64_t{change.key.kind});
    if (names.table == model::Table::adlist) statement.bind(7, id);
    statement.run();
    if (names.table == model::Table::adlist) written_.added_adlists.push_back(id);
    if (names.by_group != nullptr) assign(names, database_.last_insert_rowid(), row.groups);
  }

  /// Greater than every id that any row of gravity may still name.
  std::int64_t next_adlist_id() {
    auto used = database_.query_int("SELECT max(id) FROM adlist").value_or(0);
    auto sequence = database_.query_int("SELECT seq FROM sqlite_sequence WHERE name='adlist'").value_or(0);
    auto greatest = std::max({used, sequence, greatest_compiled_id_});
    if (greatest >= last_id) throw Error(ErrorCode::corrupt, fmt::format("{} knows an adlist with the id {}, after which there is no other", database_.path(), greatest));
    return greatest + 1;
  }

  void assign(const TableNames& names, std::int64_t item, const std::set<model::RowKey>& groups) {
    std::set<std::int64_t> wanted;
    for (const auto& group : groups) wanted.insert(id_of(group));
    std::set<std::int64_t> there;
    auto read = database_.prepare(fmt::format("SELECT group_id FROM {} WHERE {}=?", names.by_group, names.item));
    read.bind(1, item);
    while (read.step()) there.insert(read.integer(0));
    read.reset();
    auto remove = database_.prepare(fmt::format("DELETE FROM {} WHERE {}=? AND group_id=?", names.by_group, names.item));
    for (auto group : there) {
      if (!wanted.contains(group)) remove.bind(1, item).bind(2, group).run();
    }
    auto insert = database_.prepare(fmt::format("INSERT INTO {} ({}, group_id) VALUES (?, ?)", names.by_group, names.item));
    for (auto group : wanted) {
      if (!there.contains(group)) insert.bind(1, item).bind(2, group).run();
    }
  }

  sqlite::Database& database_;
  const Shape& shape_;
  std::int64_t greatest_compiled_id_;
  RowsWritten written_;
};

}  // namespace

RowsWritten write_rows(sqlite::Database& database, const Shape& shape, const std::vector<model::RowChange>& changes, std::int64_t greatest_compiled_id) {
  return RowWriter(database, shape, greatest_compiled_id).write(changes);
}

void raise_updated(sqlite::Database& database, std::int64_t above, std::int64_t wanted) {
  // FTL compares it with what it had: a date that a peer made up must leave room for the next one.
  auto next = above < std::numeric_limits<std::int64_t>::max() ? above + 1 : above;
  auto value = wanted <= last_date ? std::max(next, wanted) : next;
  database.prepare("UPDATE info SET value=? WHERE property='updated'").bind(1, value).run();
  if (database.changes() == 0) database.prepare("INSERT INTO info (property, value) VALUES ('updated', ?)").bind(1, value).run();
}

void write_counts(sqlite::Database& database, std::optional<std::uint64_t> domains) {
  auto set = [&](std::string_view property, std::int64_t value) {
    database.prepare("UPDATE info SET value=? WHERE property=?").bind(1, value).bind(2, property).run();
    if (database.changes() == 0) database.prepare("INSERT INTO info (property, value) VALUES (?, ?)").bind(1, property).bind(2, value).run();
  };
  auto any = [&](std::string_view sql) { return database.query_int(sql).value_or(0) != 0; };
  if (!domains)
    domains = static_cast<std::uint64_t>(database.query_int("SELECT count(*) FROM (SELECT DISTINCT domain FROM gravity)").value_or(0));
  set("gravity_count", static_cast<std::int64_t>(*domains));
  // ABP-style entries are stored as they are written, ||domain^ and @@||domain^. FTL looks for either kind only when this says that there is one
  // (gravity-parseList.c sets it for both tables).
  bool abp = any("SELECT EXISTS (SELECT 1 FROM gravity WHERE domain >= '||' AND domain < '|}')");
  if (!abp && any("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type='table' AND name='antigravity')")) {
    abp = any("SELECT EXISTS (SELECT 1 FROM antigravity WHERE domain >= '@@||' AND domain < '@@|}')");
  }
  set("abp_domains", abp ? 1 : 0);
}

}  // namespace gsync::pihole
