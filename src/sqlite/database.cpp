#include "gsync/sqlite/database.hpp"

#include <sqlite3.h>

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "cache.hpp"
#include "error.hpp"
#include "gsync/util/error.hpp"
#include "page_copying_vfs.hpp"

namespace gsync::sqlite {
namespace {

sqlite3_pcache_methods2 standard_cache{};

void set_cache_size(sqlite3_pcache* cache, int pages) {
  standard_cache.xCachesize(cache, std::min(pages, most_cached_pages));
}

/// Only before SQLite is first used; later it says no, and that is as well.
void configure_library() {
  static const bool configured = [] {
    // Counting allocations takes a mutex around each of them, and nobody asks for the count.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    // Not by PRAGMA cache_size, for which SQLite locks and reads the database.
    if (sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &standard_cache) != SQLITE_OK) return false;
    auto smaller = standard_cache;
    smaller.xCachesize = set_cache_size;
    return sqlite3_config(SQLITE_CONFIG_PCACHE2, &smaller) == SQLITE_OK;
  }();
  static_cast<void>(configured);
}

void harden(sqlite3* db) {
  int ignored = 0;
  for (auto [option, value] : {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
                               {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                               {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                               {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
                               {SQLITE_DBCONFIG_ENABLE_FKEY, 0},
                               {SQLITE_DBCONFIG_DQS_DML, 0}}) {
    sqlite3_db_config(db, option, value, &ignored);
  }
  sqlite3_extended_result_codes(db, 1);
  sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

}  // namespace

Database::Database(const std::string& path, OpenMode mode, Vfs vfs) : path_(path) {
  configure_library();
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  switch (mode) {
    case OpenMode::read_only:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case OpenMode::read_write:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case OpenMode::create:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
  }
  int code = sqlite3_open_v2(path.c_str(), &handle_, flags, vfs == Vfs::system ? nullptr : page_copying_vfs());
  if (code != SQLITE_OK) {
    std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> closer(std::exchange(handle_, nullptr), &sqlite3_close_v2);
    if ((code & 0xff) == SQLITE_CANTOPEN && code != SQLITE_CANTOPEN_SYMLINK && closer && sqlite3_system_errno(closer.get()) == ENOENT) {
      throw Error(ErrorCode::not_found, fmt::format("{} does not exist", path));
    }
    fail(code, closer.get(), path, "open the database");
  }
  harden(handle_);
  try {
    // SQLite opens a file that may not be written to for reading, and says so only at the first write.
    if (mode != OpenMode::read_only && sqlite3_db_readonly(handle_, "main") == 1) {
      if (::access(path.c_str(), W_OK) != 0 && errno == EROFS) throw_errno(EROFS, "cannot write to " + path);
      throw Error(ErrorCode::refused, fmt::format("{}: this user may not write to it", path));
    }
    execute("PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA temp_store=FILE;");
  } catch (...) {
    sqlite3_close_v2(std::exchange(handle_, nullptr));
    throw;
  }
}

Database::Database(Database&& other) noexcept : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(handle_, other.handle_);
  return *this;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

Statement Database::prepare(std::string_view sql) {
  return Statement(handle_, sql);
}

void Database::execute(const std::string& sql) {
  int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, handle_, path_, sql.substr(0, 80));
}

std::optional<std::int64_t> Database::query_int(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement.step() || statement.is_null(0)) return std::nullopt;
  return statement.integer(0);
}

std::optional<std::string> Database::query_text(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement.step() || statement.is_null(0)) return std::nullopt;
  return std::string(statement.text(0));
}

void Database::set_busy_timeout(std::chrono::milliseconds time) {
  sqlite3_busy_timeout(handle_, static_cast<int>(time.count()));
}

bool Database::writer_is_active() {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(handle_, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr || file->pMethods == nullptr)
    return false;
  int reserved = 0;
  return file->pMethods->xCheckReservedLock(file, &reserved) == SQLITE_OK && reserved != 0;
}

std::int64_t Database::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(handle_);
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle_);
}

void Database::write_without_journal() {
  // A defensive connection ignores journal_mode=OFF without a word (sqlite.org/c3ref/c_dbconfig_defensive.html).
  int ignored = 0;
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 0, &ignored);
  auto mode = query_text("PRAGMA journal_mode=OFF");
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, &ignored);
  if (mode != "off") throw Error(ErrorCode::io, fmt::format("{}: cannot turn its journal off", path_));
  execute("PRAGMA synchronous=OFF");
}

std::string Database::quick_check() {
  return check("PRAGMA quick_check", {});
}

std::string Database::integrity_check(const std::string& table) {
  return check("SELECT integrity_check FROM pragma_integrity_check(?)", table);
}

std::string Database::check(std::string_view sql, const std::string& table) {
  constexpr int enough = 5;
  std::string found;
  try {
    auto statement = prepare(sql);
    if (!table.empty()) statement.bind(1, table);
    for (int lines = 0; lines < enough && statement.step(); ++lines) {
      if (!found.empty()) found += "; ";
      found += statement.text(0);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    found = error.what();
  }
  return found;
}

namespace {

std::string file_of(sqlite3* database) {
  const char* name = sqlite3_db_filename(database, "main");
  return name != nullptr && *name != 0 ? name : "database";
}

}  // namespace

Statement::Statement(sqlite3* database, std::string_view sql) {
  int code = sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()), 0, &statement_, nullptr);
  if (code != SQLITE_OK) sqlite::fail(code, database, file_of(database), fmt::format("prepare \"{}\"", sql.substr(0, 120)));
}

Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::fail(int code) const {
  auto* database = sqlite3_db_handle(statement_);
  auto step = fmt::format("run \"{}\"", std::string_view(sqlite3_sql(statement_)).substr(0, 120));
  sqlite::fail(code, database, file_of(database), step);
}

Statement& Statement::bind(int index, std::int64_t value) {
  if (int code = sqlite3_bind_int64(statement_, index, value); code != SQLITE_OK) fail(code);
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  if (int code =
          sqlite3_bind_text64(statement_, index, text.data() != nullptr ? text.data() : "", text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      code != SQLITE_OK)
    fail(code);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  if (int code = sqlite3_bind_blob64(statement_, index, bytes.data() != nullptr ? bytes.data() : "", bytes.size(), SQLITE_TRANSIENT);
      code != SQLITE_OK)
    fail(code);
  return *this;
}

Statement& Statement::bind_borrowed(int index, std::string_view text) {
  if (int code = sqlite3_bind_text64(statement_, index, text.data() != nullptr ? text.data() : "", text.size(), SQLITE_STATIC, SQLITE_UTF8);
      code != SQLITE_OK)
    fail(code);
  return *this;
}

Statement& Statement::bind_null(int index) {
  if (int code = sqlite3_bind_null(statement_, index); code != SQLITE_OK) fail(code);
  return *this;
}

bool Statement::step() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  // Until it is reset the statement would keep its lock, and its caller may want to wait and try again.
  sqlite3_reset(statement_);
  fail(code);
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  // As a blob: a TEXT value is given as its bytes, which need not be valid UTF-8 nor free of NUL.
  const void* data = sqlite3_column_blob(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

bool Statement::is_text(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_TEXT;
}

bool Statement::is_integer(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_INTEGER;
}

Transaction::Transaction(Database& database, Kind kind) : database_(&database) {
  database.execute(kind == Kind::immediate ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  if (database_ != nullptr) sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_->execute("COMMIT");
  database_ = nullptr;
}

}  // namespace gsync::sqlite
