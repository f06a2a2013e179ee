#include "support/sql.hpp"

#include <sqlite3.h>

#include <stdexcept>

namespace gsync::test {

namespace {

[[noreturn]] void fail(sqlite3* db, const std::string& what) {
  throw std::runtime_error(std::string(sqlite3_errmsg(db)) + ": " + what);
}

std::optional<std::string> cell(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  if (!text) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
}

}  // namespace

Sql::Sql(const std::string& path, Mode mode, std::chrono::milliseconds busy) {
  const int flags = mode == Mode::read_only    ? SQLITE_OPEN_READONLY
                    : mode == Mode::read_write ? SQLITE_OPEN_READWRITE
                                               : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) != SQLITE_OK) {
    const std::string message = sqlite3_errmsg(db_);
    sqlite3_close(db_);
    throw std::runtime_error(message + ": " + path);
  }
  sqlite3_extended_result_codes(db_, 1);
  if (busy.count() > 0) sqlite3_busy_timeout(db_, static_cast<int>(busy.count()));
}

Sql::~Sql() {
  sqlite3_close_v2(db_);
}

int Sql::try_execute(const std::string& sql) {
  const int rc = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  message_ = rc == SQLITE_OK ? "" : sqlite3_errmsg(db_);
  return rc;
}

void Sql::execute(const std::string& sql) {
  if (try_execute(sql) != SQLITE_OK) fail(db_, sql);
}

std::vector<Cells> Sql::rows(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) fail(db_, sql);
  std::vector<Cells> result;
  int rc;
  while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    Cells& row = result.emplace_back();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(cell(statement, i));
  }
  if (sqlite3_finalize(statement) != SQLITE_OK || rc != SQLITE_DONE) fail(db_, sql);
  return result;
}

std::string Sql::value(const std::string& sql) {
  const auto all = rows(sql);
  if (all.empty() || all[0].empty() || !all[0][0]) throw std::runtime_error("no value: " + sql);
  return *all[0][0];
}

std::int64_t Sql::number(const std::string& sql) {
  return std::stoll(value(sql));
}

std::int64_t Sql::last_id() const {
  return sqlite3_last_insert_rowid(db_);
}

namespace {

int (*right_time)(sqlite3_vfs*, sqlite3_int64*) = nullptr;
std::chrono::milliseconds time_off{0};

int wrong_time(sqlite3_vfs* vfs, sqlite3_int64* now) {
  const int rc = right_time(vfs, now);
  *now += time_off.count();
  return rc;
}

}  // namespace

SqlDateOff::SqlDateOff(std::chrono::seconds ahead) {
  auto* vfs = sqlite3_vfs_find(nullptr);
  time_off = ahead;
  right_time = vfs->xCurrentTimeInt64;
  vfs->xCurrentTimeInt64 = wrong_time;
}

SqlDateOff::~SqlDateOff() {
  sqlite3_vfs_find(nullptr)->xCurrentTimeInt64 = right_time;
}

Prepared::Prepared(Sql& sql, const char* text) : sql_(sql) {
  if (sqlite3_prepare_v3(sql.handle(), text, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK) fail(sql.handle(), text);
}

Prepared::~Prepared() {
  sqlite3_finalize(statement_);
}

Prepared& Prepared::bind(int index, std::int64_t value) {
  if (sqlite3_bind_int64(statement_, index, value) != SQLITE_OK) fail(sql_.handle(), "bind");
  return *this;
}

Prepared& Prepared::bind(int index, const std::string& value) {
  if (sqlite3_bind_text64(statement_, index, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK)
    fail(sql_.handle(), "bind");
  return *this;
}

Prepared& Prepared::bind(int index, const std::optional<std::string>& value) {
  if (value) return bind(index, *value);
  if (sqlite3_bind_null(statement_, index) != SQLITE_OK) fail(sql_.handle(), "bind");
  return *this;
}

void Prepared::run() {
  int rc;
  do rc = sqlite3_step(statement_);
  while (rc == SQLITE_ROW);
  if (rc != SQLITE_DONE) fail(sql_.handle(), sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void execute(const std::string& path, const std::string& sql) {
  Sql(path).execute(sql);
}
std::vector<Cells> rows(const std::string& path, const std::string& sql) {
  return Sql(path, Sql::Mode::read_only).rows(sql);
}
std::string value(const std::string& path, const std::string& sql) {
  return Sql(path, Sql::Mode::read_only).value(sql);
}
std::int64_t number(const std::string& path, const std::string& sql) {
  return Sql(path, Sql::Mode::read_only).number(sql);
}

Schema dump_schema(const std::string& path) {
  Schema schema;
  for (const auto& row : rows(path, "SELECT type, name, tbl_name, sql FROM sqlite_master"))
    schema.emplace(row[0].value_or(""), row[1].value_or(""), row[2].value_or(""), row[3].value_or(""));
  return schema;
}

std::map<std::string, std::int64_t> row_ids(const std::string& path, const std::string& table) {
  Sql sql(path, Sql::Mode::read_only);
  std::string key;
  if (table == "group") {
    key = "name";
  } else if (table == "client") {
    key = "ip";
  } else if (table == "domainlist") {
    key = "type || ' ' || domain";
  } else {
    const bool typed = sql.number("SELECT count(*) FROM pragma_table_info('adlist') WHERE name = 'type'") > 0;
    key = typed ? "type || ' ' || address" : "address";
  }
  std::map<std::string, std::int64_t> ids;
  for (const auto& row : sql.rows("SELECT " + key + ", id FROM \"" + table + "\"")) ids.emplace(row[0].value(), std::stoll(row[1].value()));
  return ids;
}

std::string integrity(const std::string& path) {
  std::string result;
  for (const auto& row : rows(path, "PRAGMA integrity_check")) result += (result.empty() ? "" : "\n") + row[0].value_or("NULL");
  return result;
}

std::vector<std::string> blocked_names(const std::string& path, std::size_t count) {
  Sql sql(path, Sql::Mode::read_only);
  const bool antigravity = sql.number("SELECT count(*) FROM sqlite_master WHERE name = 'antigravity'") > 0;
  std::string from =
      " FROM vw_gravity WHERE group_id = 0 AND domain NOT LIKE '||%' AND domain NOT IN (SELECT domain FROM domainlist WHERE type = 0)";
  if (antigravity) from += " AND domain NOT IN (SELECT domain FROM antigravity)";
  const auto all = sql.rows("SELECT DISTINCT domain" + from);
  std::vector<std::string> names;
  if (all.empty() || count == 0) return names;
  const std::size_t step = all.size() <= count ? 1 : all.size() / count;
  for (std::size_t i = 0; i < all.size() && names.size() < count; i += step) names.push_back(all[i][0].value());
  return names;
}

}  // namespace gsync::test
