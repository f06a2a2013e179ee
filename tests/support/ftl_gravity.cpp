#include "support/ftl_gravity.hpp"

#include <sqlite3.h>

namespace gsync::test {

namespace {

/// -1 when there is no such row or the database cannot be read now.
std::int64_t read_info(sqlite3* db, const char* property) {
  sqlite3_stmt* statement = nullptr;
  std::int64_t value = -1;
  if (sqlite3_prepare_v2(db, "SELECT value FROM info WHERE property = ?1", -1, &statement, nullptr) != SQLITE_OK) return value;
  sqlite3_bind_text(statement, 1, property, -1, SQLITE_STATIC);
  if (sqlite3_step(statement) == SQLITE_ROW) value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return value;
}

}  // namespace

void FtlGravity::close() {
  for (auto& statement : statements_) {
    sqlite3_finalize(statement);
    statement = nullptr;
  }
  sqlite3_close(db_);
  db_ = nullptr;
}

bool FtlGravity::open() {
  if (db_) return true;
  if (sqlite3_open_v2(path_.c_str(), &db_, v5_ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
    close();
    return false;
  }
  sqlite3_exec(db_, "PRAGMA foreign_keys = ON", nullptr, nullptr, nullptr);
  // Each query with the view's name since schema 20, and before.
  static constexpr std::array<std::array<const char*, 2>, query_count> views{
      {{"vw_allowlist", "vw_whitelist"}, {"vw_denylist", "vw_blacklist"}, {"vw_antigravity", nullptr}, {"vw_gravity", nullptr}}};
  for (std::size_t i = 0; i < query_count; ++i) {
    for (const char* view : views[i]) {
      if (!view || statements_[i]) continue;
      const std::string sql = std::string("SELECT 1 FROM ") + view + " WHERE domain = ?1 AND group_id IN (0)";
      if (sqlite3_prepare_v3(db_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statements_[i], nullptr) == SQLITE_BUSY) {
        close();
        return false;
      }
    }
  }
  if (!statements_[gravity] || !statements_[deny] || !statements_[allow]) {
    close();
    return false;
  }
  abp_ = read_info(db_, "abp_domains") == 1;
  updated_ = read_info(db_, "updated");
  return true;
}

void FtlGravity::reload() {
  close();
  verdicts_.clear();
  updated_ = -1;
  open();
}

FtlGravity::Found FtlGravity::find(Query query, const std::string& name) {
  sqlite3_stmt* statement = statements_[query];
  if (!statement) return Found::no;
  sqlite3_bind_text(statement, 1, name.c_str(), static_cast<int>(name.size()), SQLITE_STATIC);
  const int rc = sqlite3_step(statement);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (rc == SQLITE_ROW) return Found::yes;
  if (rc == SQLITE_DONE) return Found::no;
  if (rc == SQLITE_BUSY) {
    ++counts_.busy;
    if (v5_) return Found::dropped;
  } else {
    ++counts_.errors;
  }
  return Found::unknown;
}

FtlGravity::Found FtlGravity::find_compiled(Query query, const std::string& name) {
  Found found = find(query, name);
  const char* prefix = query == antigravity ? "@@||" : "||";
  for (std::size_t at = 0; abp_ && found == Found::no && at < name.size();) {
    found = find(query, prefix + name.substr(at) + "^");
    const auto dot = name.find('.', at);
    at = dot == name.npos ? name.size() : dot + 1;
  }
  return found;
}

FtlGravity::Found FtlGravity::decide(const std::string& name) {
  if (!open()) {
    ++counts_.errors;
    return Found::unknown;
  }
  if (const Found found = find(allow, name); found != Found::no) return found == Found::yes ? Found::no : found;
  if (const Found found = find(deny, name); found != Found::no) return found;
  if (const Found found = find_compiled(antigravity, name); found != Found::no) return found == Found::yes ? Found::no : found;
  return find_compiled(gravity, name);
}

std::optional<bool> FtlGravity::blocked(const std::string& name) {
  if (const auto known = verdicts_.find(name); known != verdicts_.end()) return known->second;
  ++counts_.lookups;
  const auto found = decide(name);
  if (found == Found::dropped) return std::nullopt;
  return verdicts_[name] = found == Found::yes;
}

bool FtlPoll::updated() {
  sqlite3* db = nullptr;
  std::int64_t updated = -1;
  if (sqlite3_open_v2(path_.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    sqlite3_busy_timeout(db, 1000);
    updated = read_info(db, "updated");
  }
  sqlite3_close(db);
  if (updated < 0) {
    ++failures_;
    return false;
  }
  const bool higher = last_ >= 0 && updated > last_;
  if (last_ < 0 || higher) last_ = updated;
  return higher;
}

}  // namespace gsync::test
