#include "support/resident.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "gsync/util/deadline.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

using namespace std::chrono_literals;

/// So many of each kind at most, so that rows are changed and removed as often as added.
constexpr std::size_t most = 12;

struct Table {
  const char* name;
  const char* key;
  const char* comment;
  bool enabled;  ///< whether a row can be disabled
};
constexpr std::array<Table, 4> tables{{{"\"group\"", "name", "description", true},
                                       {"adlist", "address", "comment", true},
                                       {"domainlist", "domain", "comment", true},
                                       {"client", "ip", "comment", false}}};

std::string line(const std::string& table, const std::string& key, bool enabled, const std::string& comment, const std::string& groups) {
  return fmt::format("{} {}: {}, '{}', in {}", table, key, enabled ? "enabled" : "disabled", comment, groups);
}

std::string in_group(const char* table, const std::string& key, const std::string& group) {
  return fmt::format(
      "INSERT INTO {0}_by_group ({0}_id, group_id) SELECT i.id, g.id FROM {0} i, \"group\" g WHERE i.{1} = '{2}' AND g.name = '{3}';",
      table,
      std::string_view(table) == "client"   ? "ip"
      : std::string_view(table) == "adlist" ? "address"
                                            : "domain",
      key, group);
}

}  // namespace

void Resident::edit(const std::string& gravity) {
  const auto kind = static_cast<Kind>(random_.below(4));
  auto& items = of(kind);
  const auto choice = random_.below(4);
  const auto statements = items.empty() || (choice == 0 && items.size() < most) ? add(kind) : choice == 1 ? remove(kind) : change(kind);
  commit(gravity, statements);
  ++edits_;
}

void Resident::toggle(const std::string& gravity) {
  auto& groups = of(Kind::group);
  commit(gravity, groups.empty() ? add(Kind::group) : turn(Kind::group, pick(groups)));
  ++edits_;
}

std::string Resident::new_key(Kind kind) {
  const auto number = ++made_;
  switch (kind) {
    case Kind::group:
      return fmt::format("{} group {}", name_, number);
    case Kind::adlist:
      return fmt::format("https://{}.example/{}.txt", name_, number);
    case Kind::domain:
      return fmt::format("{}.{}.example", number, name_);
    case Kind::client:
      return fmt::format("{}-{}.lan", name_, number);
  }
  throw std::logic_error("kind");
}

const std::string& Resident::pick(const Items& items) {
  return std::next(items.begin(), static_cast<std::ptrdiff_t>(random_.below(items.size())))->first;
}

std::string Resident::add(Kind kind) {
  const auto& table = tables[static_cast<std::size_t>(kind)];
  const auto key = new_key(kind);
  Item item{true, fmt::format("made {}", made_), {}};
  auto statements = fmt::format("INSERT INTO {} ({}, {}) VALUES ('{}', '{}');", table.name, table.key, table.comment, key, item.comment);
  if (const auto& groups = of(Kind::group); kind != Kind::group && !groups.empty()) {
    item.groups.insert(pick(groups));
    statements += in_group(table.name, key, *item.groups.begin());
  }
  of(kind)[key] = item;
  return statements;
}

std::string Resident::turn(Kind kind, const std::string& key) {
  const auto& table = tables[static_cast<std::size_t>(kind)];
  auto& item = of(kind)[key];
  item.enabled = !item.enabled;
  return fmt::format("UPDATE {} SET enabled = {} WHERE {} = '{}';", table.name, item.enabled ? 1 : 0, table.key, key);
}

std::string Resident::change(Kind kind) {
  const auto& table = tables[static_cast<std::size_t>(kind)];
  const auto key = pick(of(kind));
  auto& item = of(kind)[key];
  const auto& groups = of(Kind::group);
  if (table.enabled && random_.one_in(2)) return turn(kind, key);
  if (kind != Kind::group && !groups.empty() && random_.one_in(2)) {
    const auto& group = pick(groups);
    if (item.groups.insert(group).second) return in_group(table.name, key, group);
    item.groups.erase(group);
    return fmt::format(
        "DELETE FROM {0}_by_group WHERE {0}_id = (SELECT id FROM {0} WHERE {1} = '{2}') AND group_id = (SELECT id FROM \"group\" WHERE "
        "name = '{3}');",
        table.name, table.key, key, group);
  }
  item.comment = fmt::format("edit {}", ++made_);
  return fmt::format("UPDATE {} SET {} = '{}' WHERE {} = '{}';", table.name, table.comment, item.comment, table.key, key);
}

/// As FTL's API does it: what refers to a row first.
std::string Resident::remove(Kind kind) {
  const auto& table = tables[static_cast<std::size_t>(kind)];
  const auto key = pick(of(kind));
  std::string statements;
  if (kind == Kind::group) {
    for (const auto linked : {Kind::adlist, Kind::domain, Kind::client}) {
      statements += fmt::format("DELETE FROM {}_by_group WHERE group_id = (SELECT id FROM \"group\" WHERE name = '{}');",
                                tables[static_cast<std::size_t>(linked)].name, key);
      for (auto& [name, item] : of(linked)) item.groups.erase(key);
    }
  } else {
    statements +=
        fmt::format("DELETE FROM {0}_by_group WHERE {0}_id = (SELECT id FROM {0} WHERE {1} = '{2}');", table.name, table.key, key);
  }
  if (kind == Kind::adlist)
    statements += fmt::format("DELETE FROM gravity WHERE adlist_id = (SELECT id FROM adlist WHERE address = '{}');", key);
  statements += fmt::format("DELETE FROM {} WHERE {} = '{}';", table.name, table.key, key);
  of(kind).erase(key);
  return statements;
}

void Resident::commit(const std::string& gravity, const std::string& statements) {
  const auto deadline = util::Deadline::in(2min);
  for (;;) {
    std::string why;
    try {
      Sql sql(gravity, Sql::Mode::read_write, 0ms);
      // With foreign keys on, as FTL has them.
      if (sql.try_execute("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE;" + statements + "COMMIT") == SQLITE_OK) return;
      why = sql.message();
    } catch (const std::runtime_error& error) {
      why = error.what();  // `pihole -g` has moved it away, and its successor is not there yet
    }
    if (deadline.passed()) throw std::runtime_error(fmt::format("{}: {}", why, statements));
    std::this_thread::sleep_for(5ms);
  }
}

std::string Resident::wrong(const std::string& gravity) const {
  std::set<std::string> expected;
  std::set<std::string> found;
  Sql sql(gravity, Sql::Mode::read_only);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const auto& table = tables[i];
    const bool is_group = i == static_cast<std::size_t>(Kind::group);
    for (const auto& [key, item] : items_[i]) {
      std::string groups = is_group ? "" : "0";
      for (const auto& group : item.groups) groups += "|" + group;
      expected.insert(line(table.name, key, item.enabled, item.comment, groups));
    }
    const auto groups = is_group ? std::string("''")
                                 : fmt::format(
                                       "(SELECT group_concat(name, '|') FROM (SELECT CASE g.id WHEN 0 THEN '0' ELSE g.name END AS name "
                                       "FROM {0}_by_group b JOIN \"group\" g ON g.id = "
                                       "b.group_id WHERE b.{0}_id = i.id ORDER BY g.id != 0, g.name))",
                                       table.name);
    for (const auto& row : sql.rows(fmt::format("SELECT {0}, {1}, coalesce({2}, ''), coalesce({3}, '') FROM {4} i WHERE {0} LIKE '%{5}%'",
                                                table.key, table.enabled ? "enabled" : "1", table.comment, groups, table.name, name_)))
      found.insert(line(table.name, *row[0], *row[1] == "1", *row[2], *row[3]));
  }
  std::string text;
  for (const auto& each : expected)
    if (!found.contains(each)) text += "is not there: " + each + "\n";
  for (const auto& each : found)
    if (!expected.contains(each)) text += "must not be there: " + each + "\n";
  return text;
}

}  // namespace gsync::test
