#pragma once
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "gsync/replica/live_file.hpp"
#include "gsync/replica/publish.hpp"
#include "gsync/replica/shadow.hpp"
#include "support/watched_file_ops.hpp"
#include "unit/sqlite/child.hpp"
#include "unit/sqlite/scratch.hpp"

namespace gsync::test {

/// A live database in a directory of its own; every row says 'old' until a version is published in which every row says something else.
struct LiveDirectory {
  explicit LiveDirectory(int rows = 60) {
    Sql sql(live, Sql::Mode::create);
    sql.execute("PRAGMA synchronous=OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, filler TEXT)");
    sql.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" + std::to_string(rows) +
                ") INSERT INTO t SELECT i, 'old', printf('%.*c', 500, 'x') FROM n");
  }
  TempDirectory directory;
  std::string root = real_path(directory);
  std::string live = root + "/gravity.db";
  std::string journal = live + "-journal";
  std::string ours = root + "/.gravity-sync";
  std::string shadow = ours + "/shadow.db";
};

inline bool exists(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}
inline ino_t inode(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}
/// The one word that all rows have; "mixed" when they differ. On a connection that may play back a journal.
inline std::string word_in(const std::string& path) {
  Sql sql(path);
  return sql.number("SELECT count(DISTINCT word) FROM t") == 1 ? sql.value("SELECT word FROM t LIMIT 1") : "mixed";
}

/// Brings the shadow up to live and makes every row say `word`. Gives live's identity, for Publication.
inline replica::Identity build(replica::LiveFile& live, replica::Shadow& shadow, const std::string& word) {
  util::SystemClock clock;
  auto identity = live.identity().value();
  struct stat like {};
  ::stat(live.path().c_str(), &like);
  shadow.begin();
  try {
    auto building = shadow.open_building();
    sqlite::backup(*live.open_reader(sqlite::Vfs::page_copying), building, {}, clock, util::Deadline::in(std::chrono::seconds(60)));
    sqlite::Transaction transaction(building);
    building.prepare("UPDATE t SET word=?").bind(1, word).run();
    transaction.commit();
  } catch (...) {
    shadow.discard();
    throw;
  }
  shadow.finish(like);
  return identity;
}

/// Another process with a connection to live, as FTL or a web page has one: no busy handler, opened for reading and writing.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& path) : child_([path](Child::Side& side) { serve(side, path); }) { child_.hear(); }

  /// The word in the first row; "busy" or "error" when it cannot be read.
  std::string read() {
    switch (child_.ask('r')) {
      case 'o':
        return "old";
      case 'n':
        return "new";
      case 'b':
        return "busy";
      case '?':
        return "other";
      default:
        return "error";
    }
  }
  /// SQLite's extended result code; DBMOVED is told from other READONLYs.
  int write() { return run('w'); }
  int begin() { return run('b'); }
  int commit() { return run('c'); }
  int roll_back() { return run('x'); }
  /// Begins to write and changes so many pages that they reach the file and the journal.
  int begin_and_spill() { return run('s'); }
  /// Keeps its journal in memory: nothing beside the database shows what it does, and SQLite does not look whether the file has moved.
  void keep_journal_in_memory() { child_.ask('m'); }
  /// Writes with a busy handler that tries for a minute; comes back when it has met a lock. `result()` waits for how the write ended.
  void write_and_wait() { child_.ask('t'); }
  int result() { return hear_code(); }
  void reopen() { child_.ask('o'); }
  void close() { child_.ask('q'); }
  void kill() { child_.kill(); }

 private:
  int run(char command) {
    child_.tell(command);
    return hear_code();
  }
  int hear_code() {
    auto low = static_cast<unsigned char>(child_.hear());
    auto high = static_cast<unsigned char>(child_.hear());
    return low | high << 8;
  }
  static int try_again(void* side, int times) {
    if (times == 0) static_cast<Child::Side*>(side)->say('.');
    ::usleep(1'000);
    return times < 60'000;
  }
  static void serve(Child::Side& side, const std::string& path) {
    auto open = [&] { return std::make_unique<Sql>(path, Sql::Mode::read_write, std::chrono::milliseconds(0)); };
    auto sql = open();
    sql->rows("SELECT word FROM t LIMIT 1");
    side.say('.');
    for (;;) {
      const char command = side.wait();
      if (command == 'r') {
        try {
          auto word = sql->value("SELECT word FROM t LIMIT 1");
          side.say(word == "old" ? 'o' : word == "new" ? 'n' : '?');
        } catch (const std::exception&) {
          side.say((sqlite3_errcode(sql->handle()) & 0xff) == SQLITE_BUSY ? 'b' : 'e');
        }
      } else if (command == 'o') {
        sql = open();
        side.say('.');
      } else if (command == 'q') {
        sql.reset();
        side.say('.');
      } else if (command == 'm') {
        sql->execute("PRAGMA journal_mode=MEMORY");
        side.say('.');
      } else {
        if (command == 't') sqlite3_busy_handler(sql->handle(), &try_again, &side);
        const int code = sql->try_execute(command == 'w' || command == 't' ? "UPDATE t SET word='edit' WHERE id=1"
                                          : command == 'b'                 ? "BEGIN IMMEDIATE"
                                          : command == 'c'                 ? "COMMIT"
                                          : command == 'x'                 ? "ROLLBACK"
                                                                           : "PRAGMA cache_size=1; BEGIN; UPDATE t SET word='edit'");
        side.say(static_cast<char>(code & 0xff));
        side.say(static_cast<char>(code >> 8 & 0xff));
      }
    }
  }

  Child child_;
};

}  // namespace gsync::test
