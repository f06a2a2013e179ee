#include "support/gravity_schema.hpp"

#include <fmt/format.h>

namespace gsync::test {

namespace {

constexpr const char* now = "CAST(strftime('%s','now') AS INTEGER)";

std::string dates() {
  return fmt::format("date_added INTEGER NOT NULL DEFAULT ({0}), date_modified INTEGER NOT NULL DEFAULT ({0})", now);
}

std::string tables(const ShapeTraits& t) {
  std::string sql;
  sql += fmt::format(
      "CREATE TABLE \"group\" (id INTEGER PRIMARY KEY AUTOINCREMENT, enabled BOOLEAN NOT NULL DEFAULT 1, name TEXT NOT NULL UNIQUE, {}, "
      "description TEXT);\n",
      dates());
  sql += fmt::format(
      "CREATE TABLE domainlist (id INTEGER PRIMARY KEY AUTOINCREMENT, type INTEGER NOT NULL DEFAULT 0, domain TEXT NOT NULL, "
      "enabled BOOLEAN NOT NULL DEFAULT 1, {}, comment TEXT, UNIQUE(domain, type));\n",
      dates());
  const bool typed_at_once = t.has_type && t.unique_with_type;
  sql += fmt::format(
      "CREATE TABLE adlist (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL{}, enabled BOOLEAN NOT NULL DEFAULT 1, {}, comment "
      "TEXT, "
      "date_updated INTEGER, number INTEGER NOT NULL DEFAULT 0, invalid_domains INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL "
      "DEFAULT 0{});\n",
      typed_at_once ? "" : " UNIQUE", dates(),
      typed_at_once ? ", abp_entries INTEGER NOT NULL DEFAULT 0, type INTEGER NOT NULL DEFAULT 0, UNIQUE(address, type)" : "");
  // A migration adds columns at the end, and cannot change what is unique.
  if (t.has_abp && !typed_at_once) sql += "ALTER TABLE adlist ADD COLUMN abp_entries INTEGER NOT NULL DEFAULT 0;\n";
  if (t.has_type && !typed_at_once) sql += "ALTER TABLE adlist ADD COLUMN type INTEGER NOT NULL DEFAULT 0;\n";
  sql += fmt::format("CREATE TABLE client (id INTEGER PRIMARY KEY AUTOINCREMENT, ip TEXT NOT NULL UNIQUE, {}, comment TEXT);\n", dates());

  const char* cascade = t.cascade ? " ON DELETE CASCADE" : "";
  const char* rowid = t.without_rowid ? " WITHOUT ROWID" : "";
  for (const char* item : {"adlist", "domainlist", "client"})
    sql += fmt::format(
        "CREATE TABLE {0}_by_group ({0}_id INTEGER NOT NULL REFERENCES {0}(id){1}, group_id INTEGER NOT NULL REFERENCES \"group\"(id){1}, "
        "PRIMARY KEY({0}_id, group_id)){2};\n",
        item, cascade, rowid);
  if (t.without_rowid)
    for (const char* item : {"adlist", "domainlist", "client"})
      sql += fmt::format("CREATE INDEX idx_{0}_by_group ON {0}_by_group(group_id);\n", item);

  sql += "CREATE TABLE gravity (domain TEXT NOT NULL, adlist_id INTEGER NOT NULL REFERENCES adlist(id));\n";
  if (t.has_type) sql += "CREATE TABLE antigravity (domain TEXT NOT NULL, adlist_id INTEGER NOT NULL REFERENCES adlist(id));\n";
  sql +=
      fmt::format("CREATE TABLE info (property TEXT PRIMARY KEY{}, value TEXT NOT NULL){};\n", t.without_rowid ? " NOT NULL" : "", rowid);
  if (t.audit)
    sql += fmt::format(
        "CREATE TABLE domain_audit (id INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL UNIQUE, date_added INTEGER NOT NULL DEFAULT "
        "({}));\n",
        now);
  return sql;
}

std::string triggers(const ShapeTraits& t) {
  std::string sql;
  for (const char* item : {"adlist", "domainlist", "client"}) {
    sql += fmt::format(
        "CREATE TRIGGER tr_{0}_add AFTER INSERT ON {0} BEGIN INSERT INTO {0}_by_group ({0}_id, group_id) VALUES (NEW.id, 0); END;\n"
        "CREATE TRIGGER tr_{0}_delete {1} DELETE ON {0} BEGIN DELETE FROM {0}_by_group WHERE {0}_id = OLD.id; END;\n",
        item, t.deletes_before ? "BEFORE" : "AFTER");
  }
  const auto touch = [&](const char* table, const char* of, const char* by) {
    sql += fmt::format(
        "CREATE TRIGGER tr_{0}_update AFTER UPDATE{1} ON \"{0}\" BEGIN UPDATE \"{0}\" SET date_modified = {2} WHERE {3} = NEW.{3}; END;\n",
        table, of, now, by);
  };
  touch("group", "", "id");
  touch("adlist", " OF address, enabled, comment", "id");
  // Until 21 by name: an edit of a denied domain touches its allowed twin too.
  touch("domainlist", "", t.without_rowid ? "id" : "domain");
  touch("client", "", t.without_rowid ? "id" : "ip");
  sql +=
      "CREATE TRIGGER tr_group_zero AFTER DELETE ON \"group\" BEGIN INSERT OR IGNORE INTO \"group\" (id, enabled, name) VALUES (0, 1, "
      "'Default'); END;\n";
  return sql;
}

std::string views(const ShapeTraits& t) {
  std::string sql;
  const std::array<const char*, 4> old_names{"vw_whitelist", "vw_blacklist", "vw_regex_whitelist", "vw_regex_blacklist"};
  const std::array<const char*, 4> new_names{"vw_allowlist", "vw_denylist", "vw_regex_allowlist", "vw_regex_denylist"};
  for (std::size_t type = 0; type < 4; ++type)
    sql += fmt::format(
        "CREATE VIEW {} AS SELECT d.domain, d.id AS id, b.group_id AS group_id FROM domainlist d LEFT JOIN domainlist_by_group b ON "
        "b.domainlist_id = d.id "
        "LEFT JOIN \"group\" g ON g.id = b.group_id WHERE d.enabled = 1 AND d.type = {} AND (b.group_id IS NULL OR g.enabled = 1) ORDER BY "
        "d.id;\n",
        (t.allow_deny_names ? new_names : old_names)[type], type);
  const auto compiled = [&](const char* table, const char* only) {
    sql += fmt::format(
        "CREATE VIEW vw_{0} AS SELECT c.domain{1}, b.group_id AS group_id FROM {0} c LEFT JOIN adlist_by_group b ON b.adlist_id = "
        "c.adlist_id "
        "LEFT JOIN adlist a ON a.id = c.adlist_id LEFT JOIN \"group\" g ON g.id = b.group_id "
        "WHERE a.enabled = 1 AND (b.group_id IS NULL OR g.enabled = 1){2};\n",
        table, t.ids_in_views ? ", a.id AS adlist_id" : "", only);
  };
  compiled("gravity", "");
  if (t.has_type) compiled("antigravity", " AND a.type = 1");
  sql += fmt::format("CREATE VIEW vw_adlist AS SELECT DISTINCT address, id{} FROM adlist WHERE enabled = 1 ORDER BY id;\n",
                     t.has_type ? ", type" : "");
  return sql;
}

}  // namespace

const ShapeTraits& traits(Shape shape) {
  static const std::array<ShapeTraits, all_shapes.size()> all{{
      {15, "v5", false, false, false, false, false, true, false, false, false},
      {16, "v16", true, false, false, false, false, true, false, false, false},
      {17, "v17", true, true, false, false, false, true, false, false, false},
      {18, "v18", true, true, true, false, false, true, false, false, false},
      {19, "v19_migrated", true, true, true, false, false, true, true, false, false},
      {19, "v6_19", true, true, true, true, false, false, false, false, false},
      {19, "v19_cascade", true, true, true, true, true, false, false, false, false},
      {20, "v6_template", true, true, true, true, true, false, false, true, false},
      {20, "v6_migrated", true, true, true, false, false, true, true, true, false},
      {21, "v21", true, true, true, true, true, false, true, true, true},
      {21, "v21_migrated", true, true, true, false, false, true, true, true, true},
  }};
  return all[static_cast<std::size_t>(shape)];
}

std::string schema_sql(Shape shape) {
  const ShapeTraits& t = traits(shape);
  return tables(t) + triggers(t) + views(t) +
         fmt::format(
             "INSERT INTO \"group\" (id, enabled, name, description) VALUES (0, 1, 'Default', 'The default group');\n"
             "INSERT INTO info (property, value) VALUES ('version', '{}');\n",
             t.version);
}

}  // namespace gsync::test
