#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "gsync/util/clock.hpp"
#include "gsync/util/deadline.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace gsync::sqlite {

class Statement;

enum class OpenMode : unsigned char { read_only, read_write, create };

/// Which file operations lie under a connection.
enum class Vfs : unsigned char {
  system,
  page_copying,  ///< for both sides of a copy: pages in order are read many at a time, and one that is on disk already is not written (see page_copying_vfs.cpp)
};

/// One connection. Hardened as sqlite.org/security.html advises for a file that somebody else may have made: no trusted schema, no triggers, no views, no double-quoted strings,
/// DEFENSIVE, cell sizes checked, no mmap; foreign keys off. So every row that appears or goes is one that we named. Errors are gsync::Error: busy (also a hot journal that a
/// read-only connection may not play), corrupt (also "not a database"), no_space, io, not_found, refused. One thread at a time.
class Database {
 public:
  Database(const std::string& path, OpenMode mode, Vfs vfs = Vfs::system);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  Statement prepare(std::string_view sql);
  /// Runs one or more statements and drops their rows.
  void execute(const std::string& sql);
  /// The first column of the first row; nullopt when there is no row or it is NULL.
  std::optional<std::int64_t> query_int(std::string_view sql);
  std::optional<std::string> query_text(std::string_view sql);

  /// Waits for locks of other connections for up to `time` (default: not at all).
  void set_busy_timeout(std::chrono::milliseconds time);
  /// Whether another connection is between its first change and its commit (SQLite's RESERVED lock). To be asked without a transaction of our own.
  bool writer_is_active();
  std::int64_t last_insert_rowid() const;
  std::int64_t changes() const;
  const std::string& path() const { return path_; }

  /// No journal and no fsync from here on: after a crash, a rollback or any error the file is damaged and must be removed. For a file that nobody else knows yet.
  void write_without_journal();

  /// "ok", or the first lines of what is wrong: everything but that indexes and tables agree.
  std::string quick_check();
  /// The same and that they do, of one table.
  std::string integrity_check(const std::string& table);

  sqlite3* handle() const { return handle_; }

 private:
  std::string check(std::string_view sql, const std::string& table);

  std::string path_;
  sqlite3* handle_ = nullptr;
};

/// A prepared statement. Reset by its destructor's finalize; text is bytes (embedded NUL kept).
class Statement {
 public:
  Statement(sqlite3* database, std::string_view sql);
  Statement(Statement&&) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);
  /// Without a copy: the bytes must live until the next reset() or run() has ended.
  Statement& bind_borrowed(int index, std::string_view text);

  /// True: there is a row.
  bool step();
  /// Ends a running read (and its lock) and keeps the bindings.
  void reset();
  /// Steps to the end and resets.
  void run();

  std::int64_t integer(int column) const;
  std::string_view text(int column) const;  ///< valid until the next step; empty for NULL
  bool is_null(int column) const;
  bool is_text(int column) const;
  bool is_integer(int column) const;

 private:
  [[noreturn]] void fail(int code) const;
  sqlite3_stmt* statement_ = nullptr;
};

/// BEGIN … COMMIT; the destructor rolls back unless committed.
class Transaction {
 public:
  enum class Kind : unsigned char { deferred, immediate };
  explicit Transaction(Database& database, Kind kind = Kind::immediate);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database* database_;
};

/// How hard a live database may be read: FTL has no busy handler, so a reader at the wrong moment makes an edit in the web page fail (PIHOLE.md §3).
struct Pace {
  std::chrono::microseconds step{1'000};  ///< a SHARED lock is held no longer than about this
  unsigned share = 10;                    ///< and no more than one part in so many of the time
};

/// Measures steps and pauses between them.
class Pacer {
 public:
  Pacer(const Pace& pace, util::Clock& clock) : pace_(pace), clock_(clock), start_(clock.now()) {}
  void begin() { start_ = clock_.now(); }
  /// The same, but lets a writer finish first, for at most 50 ms: a reader that comes in between its first change and its commit makes the commit of a writer without a busy
  /// handler fail. FTL writes one edit as several commits, less than a millisecond apart, so it is not done before it has been quiet for 10 ms.
  void begin_after_writers(Database& database);
  bool step_is_over() const { return clock_.now() - start_ >= pace_.step; }
  std::chrono::nanoseconds elapsed() const { return clock_.now() - start_; }
  /// To be called without any lock.
  void pause() { pause_since(elapsed()); }
  /// The same where something else was done since the locks were given back, `locked` after begin(): that time is part of the pause.
  void pause_since(std::chrono::nanoseconds locked);

 private:
  Pace pace_;
  util::Clock& clock_;
  std::chrono::steady_clock::time_point start_;
};

/// Copies the whole of `source` into `destination` with the online backup API, in paced steps. SQLite starts over when another process writes to the source in between; after a
/// few of those it is Error{busy}. `progress` gets pages done and in all.
void backup(Database& source, Database& destination, const Pace& pace, util::Clock& clock, util::Deadline deadline,
            const std::function<void(int, int)>& progress = {});

/// Bytes that all connections with Vfs::page_copying of this process have really written so far, for measurements.
std::uint64_t bytes_written();

}  // namespace gsync::sqlite
