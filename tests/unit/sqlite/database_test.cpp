#include "gsync/sqlite/database.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "unit/sqlite/child.hpp"
#include "unit/sqlite/scratch.hpp"

namespace gsync::sqlite {
namespace {

using test::Child;
using test::code_of;
using test::Sql;

class DatabaseTest : public testing::Test {
 protected:
  void make(const std::string& sql) { Sql(path_, Sql::Mode::create).execute(sql); }
  Database open(OpenMode mode = OpenMode::read_write) const { return Database(path_, mode); }

  test::TempDirectory directory_;
  std::string path_ = test::real_path(directory_) + "/a.db";
};

using Hardened = DatabaseTest;

TEST_F(Hardened, RunsNoTrigger) {
  make(
      "CREATE TABLE t (x); CREATE TABLE hit (y); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO hit VALUES (NEW.x); END;"
      "CREATE TRIGGER tu AFTER UPDATE ON t BEGIN INSERT INTO hit VALUES (NEW.x); END; CREATE TRIGGER td BEFORE DELETE ON t BEGIN INSERT "
      "INTO hit VALUES (1); END");
  auto database = open();
  database.execute("INSERT INTO t VALUES (1); UPDATE t SET x=2; DELETE FROM t");
  EXPECT_EQ(database.query_int("SELECT count(*) FROM hit"), 0);
}

TEST_F(Hardened, UsesNoView) {
  make("CREATE TABLE t (x); CREATE VIEW v AS SELECT * FROM t");
  auto database = open();
  EXPECT_THROW(database.query_int("SELECT count(*) FROM v"), Error);
}

TEST_F(Hardened, CallsNoFunctionThatTheSchemaNames) {
  static int calls = 0;
  calls = 0;
  auto hostile = [](sqlite3_context* context, int, sqlite3_value**) {
    ++calls;
    sqlite3_result_int(context, 1);
  };
  {
    Sql sql(path_, Sql::Mode::create);
    ASSERT_EQ(sqlite3_create_function(sql.handle(), "hostile", 0, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, hostile, nullptr, nullptr),
              SQLITE_OK);
    sql.execute(
        "CREATE TABLE checked (x CHECK (hostile())); CREATE TABLE filled (x, y DEFAULT (hostile())); CREATE TABLE made (x, y AS "
        "(hostile()));"
        "CREATE TABLE indexed (x); CREATE INDEX i ON indexed (x) WHERE hostile()");
    sql.execute("INSERT INTO made VALUES (1)");
  }
  calls = 0;
  auto database = open();
  // As dangerous ones would be that are built in or loaded: not marked innocuous.
  ASSERT_EQ(
      sqlite3_create_function(database.handle(), "hostile", 0, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, hostile, nullptr, nullptr),
      SQLITE_OK);
  EXPECT_THROW(database.execute("INSERT INTO checked VALUES (1)"), Error);
  EXPECT_THROW(database.execute("INSERT INTO filled (x) VALUES (1)"), Error);
  EXPECT_THROW(database.query_int("SELECT y FROM made"), Error);
  EXPECT_THROW(database.execute("INSERT INTO indexed VALUES (1)"), Error);
  EXPECT_EQ(calls, 0);
}

TEST_F(Hardened, ReachesNoOtherFileNorTheSchemaItself) {
  make("CREATE TABLE t (x)");
  auto database = open();
  EXPECT_THROW(database.execute("ATTACH '" + path_ + "2' AS b"), Error);
  EXPECT_NE(::access((path_ + "2").c_str(), F_OK), 0);
  EXPECT_THROW(database.execute("PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql='x'"), Error);
  EXPECT_THROW(database.query_int("SELECT load_extension('x')"), Error);
  EXPECT_EQ(database.query_int("PRAGMA mmap_size").value_or(0), 0);
}

TEST_F(Hardened, TakesNoDoubleQuotedStrings) {
  make("CREATE TABLE t (x)");
  EXPECT_THROW(open().query_text("SELECT \"no column\" FROM t"), Error);
}

TEST_F(Hardened, LeavesForeignKeysToUs) {
  make(
      "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id) ON DELETE CASCADE); INSERT INTO p VALUES (1); INSERT "
      "INTO c VALUES (1)");
  auto database = open();
  database.execute("DELETE FROM p");
  EXPECT_EQ(database.query_int("SELECT count(*) FROM c"), 1);
}

TEST_F(Hardened, FollowsNoLink) {
  make("CREATE TABLE t (x)");
  ASSERT_EQ(::symlink(path_.c_str(), (path_ + "-link").c_str()), 0);
  EXPECT_EQ(code_of([&] { Database(path_ + "-link", OpenMode::read_only); }), ErrorCode::refused);
}

TEST_F(Hardened, StaysSoWithoutAJournal) {
  test::make_table(path_, 10);
  auto database = open();
  database.write_without_journal();
  EXPECT_EQ(database.query_text("PRAGMA journal_mode"), "off");
  Transaction transaction(database);
  database.execute("UPDATE t SET x='a'");
  EXPECT_NE(::access((path_ + "-journal").c_str(), F_OK), 0);
  EXPECT_THROW(database.execute("PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql='x'"), Error);
}

using DatabaseError = DatabaseTest;

TEST_F(DatabaseError, IsNotFoundForAMissingFile) {
  EXPECT_EQ(code_of([&] { open(OpenMode::read_only).query_int("SELECT count(*) FROM sqlite_master"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { open(OpenMode::read_write); }), ErrorCode::not_found);
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_F(DatabaseError, IsBusyWhileSomebodyHoldsTheFile) {
  make("CREATE TABLE t (x)");
  Child writer([this](Child::Side& side) {
    Sql sql(path_);
    sql.execute("BEGIN EXCLUSIVE");
    side.say('.');
    side.wait();
  });
  ASSERT_EQ(writer.hear(), '.');
  auto database = open();
  EXPECT_EQ(code_of([&] { database.query_int("SELECT count(*) FROM t"); }), ErrorCode::busy);
  EXPECT_EQ(code_of([&] { Transaction transaction(database); }), ErrorCode::busy);
  writer.kill();
  EXPECT_EQ(database.query_int("SELECT count(*) FROM t"), 0) << "a failed statement must not stay in the way";
}

TEST_F(DatabaseError, WaitsForALockOnlyAsLongAsItWasTold) {
  make("CREATE TABLE t (x)");
  Child writer([this](Child::Side& side) {
    Sql sql(path_);
    sql.execute("BEGIN EXCLUSIVE");
    side.say('.');
    side.wait();
    sql.execute("COMMIT");
  });
  ASSERT_EQ(writer.hear(), '.');
  auto database = open();
  database.set_busy_timeout(std::chrono::seconds(60));
  writer.tell();
  EXPECT_EQ(database.query_int("SELECT count(*) FROM t"), 0);
}

TEST_F(DatabaseError, IsCorruptForADamagedFile) {
  test::make_table(path_, 500);
  {
    util::Fd fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    const std::string junk(4096, '\xff');
    for (off_t page = 1; page < 8; ++page) ASSERT_EQ(::pwrite(fd.get(), junk.data(), junk.size(), page * 4096), 4096);
  }
  auto database = open(OpenMode::read_only);
  EXPECT_EQ(code_of([&] { database.query_int("SELECT sum(length(x)) FROM t"); }), ErrorCode::corrupt);
  EXPECT_NE(database.quick_check(), "ok");
}

TEST_F(DatabaseError, IsCorruptForAFileThatIsNoDatabase) {
  test::write_text(path_, std::string(5000, 'x'));
  EXPECT_EQ(code_of([&] { open(OpenMode::read_only).query_int("SELECT count(*) FROM sqlite_master"); }), ErrorCode::corrupt);
  EXPECT_NE(open(OpenMode::read_only).integrity_check("t"), "ok");
}

TEST_F(DatabaseError, IsCorruptForATruncatedFile) {
  test::make_table(path_, 500);
  ASSERT_EQ(::truncate(path_.c_str(), 3 * 4096 + 100), 0);
  EXPECT_EQ(code_of([&] { open(OpenMode::read_only).query_int("SELECT sum(length(x)) FROM t"); }), ErrorCode::corrupt);
}

TEST_F(DatabaseError, IsBusyWhereAReaderFindsAHotJournal) {
  test::make_table(path_, 500);
  {
    Child writer([this](Child::Side& side) {
      Sql sql(path_);
      sql.execute("PRAGMA cache_size=1; BEGIN; UPDATE t SET x='half'");
      side.say('.');
      side.wait();
    });
    ASSERT_EQ(writer.hear(), '.');
  }
  const auto journal = test::read_text(path_ + "-journal");
  EXPECT_EQ(code_of([&] { open(OpenMode::read_only).query_int("SELECT count(*) FROM t"); }), ErrorCode::busy);
  EXPECT_EQ(test::read_text(path_ + "-journal"), journal) << "a read-only connection must not play it back";
  EXPECT_EQ(open().query_int("SELECT count(*) FROM t WHERE x='half'"), 0);
}

TEST_F(DatabaseError, IsAConflictWhenARowIsThereAlready) {
  make("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)");
  auto database = open();
  EXPECT_EQ(code_of([&] { database.execute("INSERT INTO t VALUES (1)"); }), ErrorCode::conflict);
}

TEST_F(DatabaseError, IsNoSpaceWhenTheFileMayNotGrow) {
  test::make_table(path_, 10);
  auto database = open();
  database.execute("PRAGMA max_page_count=3");
  EXPECT_EQ(code_of([&] { database.execute("INSERT INTO t (x) SELECT zeroblob(100000)"); }), ErrorCode::no_space);
}

TEST_F(DatabaseError, IsRefusedWhereOneMayNotWrite) {
  make("CREATE TABLE t (x)");
  ASSERT_EQ(::chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  Child other([this](Child::Side& side) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) throw std::runtime_error("setuid");
    try {
      open(OpenMode::read_write);
      side.say('w');
    } catch (const Error& error) {
      side.say(error.code() == ErrorCode::refused ? 'r' : '?');
    }
    side.say(open(OpenMode::read_only).query_int("SELECT count(*) FROM t") == 0 ? 'y' : 'n');
  });
  EXPECT_EQ(other.hear(), 'r');
  EXPECT_EQ(other.hear(), 'y');
}

TEST_F(DatabaseError, IsAConflictOnAFileThatWasReplaced) {
  make("CREATE TABLE t (x)");
  auto database = open();
  database.query_int("SELECT count(*) FROM t");
  ASSERT_EQ(::rename(path_.c_str(), (path_ + ".old").c_str()), 0);
  make("CREATE TABLE t (x)");
  EXPECT_EQ(code_of([&] { database.execute("INSERT INTO t VALUES (1)"); }), ErrorCode::conflict);
}

TEST_F(DatabaseError, NamesFileAndStatement) {
  make("CREATE TABLE t (x)");
  try {
    open().query_int("SELECT y FROM t");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                testing::AllOf(testing::HasSubstr(path_), testing::HasSubstr("SELECT y FROM t"), testing::HasSubstr("no such column")));
  }
}

using StatementTest = DatabaseTest;

TEST_F(StatementTest, KeepsBytesAsTheyAre) {
  make("CREATE TABLE t (x TEXT)");
  auto database = open();
  for (const std::string& bytes :
       {std::string("a\0b", 3), std::string(), std::string("\xff\xfe\x80"), std::string("'; DROP TABLE t;--"), std::string(100'000, 'z')}) {
    database.execute("DELETE FROM t");
    database.prepare("INSERT INTO t VALUES (?)").bind(1, bytes).run();
    auto read = database.prepare("SELECT x, typeof(x) FROM t WHERE x=?");
    read.bind(1, bytes);
    ASSERT_TRUE(read.step());
    EXPECT_EQ(read.text(0), bytes);
    EXPECT_EQ(read.text(1), "text");
    EXPECT_FALSE(read.is_null(0));
    EXPECT_FALSE(read.step());
  }
}

TEST_F(StatementTest, TellsNullFromEmpty) {
  make("CREATE TABLE t (x)");
  auto database = open();
  auto insert = database.prepare("INSERT INTO t VALUES (?)");
  insert.bind_null(1).run();
  insert.bind_blob(1, {}).run();
  insert.bind(1, std::string_view{}).run();
  insert.bind(1, std::int64_t{-5}).run();
  EXPECT_EQ(database.query_text("SELECT group_concat(typeof(x)) FROM t"), "null,blob,text,integer");
  EXPECT_EQ(database.query_text("SELECT x FROM t WHERE x IS NULL"), std::nullopt);
  EXPECT_EQ(database.query_int("SELECT x FROM t WHERE rowid=9"), std::nullopt);
  EXPECT_EQ(database.query_text("SELECT x FROM t WHERE typeof(x)='text'"), "");
}

TEST_F(StatementTest, LetsGoOfTheFileWhenReset) {
  test::make_table(path_, 100);
  Child writer([this](Child::Side& side) {
    Sql sql(path_, Sql::Mode::read_write, std::chrono::milliseconds(0));
    while (side.wait() == 'w') side.say(sql.try_execute("UPDATE t SET x='w' WHERE id=1") == SQLITE_OK ? 'y' : 'n');
  });
  auto database = open(OpenMode::read_only);
  auto read = database.prepare("SELECT x FROM t WHERE id >= ?");
  read.bind(1, std::int64_t{1});
  ASSERT_TRUE(read.step());
  EXPECT_EQ(writer.ask('w'), 'n') << "a running read holds SHARED";
  read.reset();
  EXPECT_EQ(writer.ask('w'), 'y');
  ASSERT_TRUE(read.step()) << "the bindings stay";
  EXPECT_EQ(read.text(0), "w");
}

TEST_F(StatementTest, OutlivesAMoveOfItsDatabase) {
  make("CREATE TABLE t (x); INSERT INTO t VALUES (7)");
  auto first = open();
  auto statement = first.prepare("SELECT x FROM t");
  auto second = std::move(first);
  ASSERT_TRUE(statement.step());
  EXPECT_EQ(statement.integer(0), 7);
  auto moved = std::move(statement);
  EXPECT_EQ(moved.integer(0), 7);
}

using TransactionTest = DatabaseTest;

TEST_F(TransactionTest, IsUndoneUnlessCommitted) {
  make("CREATE TABLE t (x)");
  auto database = open();
  {
    Transaction transaction(database);
    database.execute("INSERT INTO t VALUES (1)");
  }
  EXPECT_EQ(database.query_int("SELECT count(*) FROM t"), 0);
  EXPECT_THROW(
      {
        Transaction transaction(database);
        database.execute("INSERT INTO t VALUES (1)");
        database.execute("nonsense");
      },
      Error);
  EXPECT_EQ(database.query_int("SELECT count(*) FROM t"), 0);
  Transaction transaction(database);
  database.execute("INSERT INTO t VALUES (1)");
  transaction.commit();
  EXPECT_EQ(test::number(path_, "SELECT count(*) FROM t"), 1);
}

TEST_F(TransactionTest, IsUndoneWhenItsCommitFails) {
  make("CREATE TABLE t (x)");
  Child reader([this](Child::Side& side) {
    Sql sql(path_);
    sql.execute("BEGIN; SELECT count(*) FROM t");
    side.say('.');
    side.wait();
  });
  ASSERT_EQ(reader.hear(), '.');
  auto database = open();
  {
    Transaction transaction(database);
    database.execute("INSERT INTO t VALUES (1)");
    EXPECT_EQ(code_of([&] { transaction.commit(); }), ErrorCode::busy);
  }
  reader.kill();
  EXPECT_EQ(database.query_int("SELECT count(*) FROM t"), 0);
  Transaction again(database);
  again.commit();
}

TEST_F(TransactionTest, DeferredDoesNotKeepWritersOff) {
  make("CREATE TABLE t (x)");
  Child writer([this](Child::Side& side) {
    Sql sql(path_, Sql::Mode::read_write, std::chrono::milliseconds(0));
    while (side.wait() == 'w') side.say(sql.try_execute("INSERT INTO t VALUES (1)") == SQLITE_OK ? 'y' : 'n');
  });
  auto database = open();
  {
    Transaction deferred(database, Transaction::Kind::deferred);
    EXPECT_EQ(writer.ask('w'), 'y');
  }
  Transaction immediate(database);
  EXPECT_EQ(writer.ask('w'), 'n');
}

TEST_F(DatabaseTest, IntegrityCheckSeesAnEntryOfAnotherRowAndQuickCheckDoesNot) {
  make("CREATE TABLE t (x); CREATE INDEX i ON t (x); INSERT INTO t VALUES ('a'), ('b')");
  std::string index;
  {
    Sql sql(path_);
    index = sql.value("SELECT rootpage FROM sqlite_master WHERE name='i'");
    sql.execute("PRAGMA writable_schema=ON; DELETE FROM sqlite_master WHERE name='i'");
  }
  test::execute(path_, "UPDATE t SET x='c' WHERE x='a'");
  test::execute(
      path_, "PRAGMA writable_schema=ON; INSERT INTO sqlite_master VALUES ('index', 'i', 't', " + index + ", 'CREATE INDEX i ON t (x)')");
  auto database = open(OpenMode::read_only);
  EXPECT_EQ(database.quick_check(), "ok");
  EXPECT_NE(database.integrity_check("t"), "ok");
}

TEST_F(DatabaseTest, CountsChangesAndIds) {
  make("CREATE TABLE t (id INTEGER PRIMARY KEY, x)");
  auto database = open();
  database.execute("INSERT INTO t VALUES (41, 0), (42, 0)");
  EXPECT_EQ(database.last_insert_rowid(), 42);
  database.execute("UPDATE t SET x=1");
  EXPECT_EQ(database.changes(), 2);
}

}  // namespace
}  // namespace gsync::sqlite
