#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace gsync::test {

using Cells = std::vector<std::optional<std::string>>;

/// One SQLite connection of a test. Failures throw std::runtime_error with SQLite's words and the statement.
class Sql {
 public:
  enum class Mode { read_only, read_write, create };
  /// `busy` is the busy handler's time; 0 has none, as FTL has none.
  explicit Sql(const std::string& path, Mode mode = Mode::read_write, std::chrono::milliseconds busy = std::chrono::seconds(5));
  ~Sql();
  Sql(const Sql&) = delete;
  Sql& operator=(const Sql&) = delete;

  /// One or more statements.
  void execute(const std::string& sql);
  /// The same, but gives SQLite's extended result code (0: ok) and leaves the text in `message()`.
  int try_execute(const std::string& sql);
  const std::string& message() const { return message_; }

  std::vector<Cells> rows(const std::string& sql);
  /// The first column of the first row. Throws when there is no row or it is NULL.
  std::string value(const std::string& sql);
  std::int64_t number(const std::string& sql);
  std::int64_t last_id() const;
  sqlite3* handle() const { return db_; }

 private:
  sqlite3* db_ = nullptr;
  std::string message_;
};

/// What SQLite takes for the time in this process is so far ahead as long as this lives: edits get the dates of a host whose clock is off.
/// One at a time, and none while another thread opens or uses a database.
class SqlDateOff {
 public:
  explicit SqlDateOff(std::chrono::seconds ahead);
  ~SqlDateOff();
  SqlDateOff(const SqlDateOff&) = delete;
  SqlDateOff& operator=(const SqlDateOff&) = delete;
};

/// A prepared statement to run many times.
class Prepared {
 public:
  Prepared(Sql& sql, const char* text);
  ~Prepared();
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  Prepared& bind(int index, std::int64_t value);
  Prepared& bind(int index, const std::string& value);
  Prepared& bind(int index, const std::optional<std::string>& value);
  /// Runs to the end and forgets the bindings.
  void run();

 private:
  Sql& sql_;
  sqlite3_stmt* statement_ = nullptr;
};

// The same on a connection of their own, for one call.
void execute(const std::string& path, const std::string& sql);
std::vector<Cells> rows(const std::string& path, const std::string& sql);
std::string value(const std::string& path, const std::string& sql);
std::int64_t number(const std::string& path, const std::string& sql);

/// (type, name, tbl_name, sql) of everything in the schema.
using Schema = std::set<std::tuple<std::string, std::string, std::string, std::string>>;
Schema dump_schema(const std::string& path);

/// Natural key to row id of one of the tables group, adlist, domainlist, client. The key is the name, or "TYPE NAME" for adlists (if they
/// have a type) and domains.
std::map<std::string, std::int64_t> row_ids(const std::string& path, const std::string& table);

/// "ok", or what PRAGMA integrity_check complains about.
std::string integrity(const std::string& path);

/// Up to `count` different names that this database blocks for the default group: from vw_gravity, neither allowed by an exact domain or
/// antigravity nor an `||x^` entry. They are spread over the whole table.
std::vector<std::string> blocked_names(const std::string& path, std::size_t count);

}  // namespace gsync::test
