#include <gtest/gtest.h>
#include <sqlite3.h>

#include <random>

#include "gsync/sqlite/database.hpp"
#include "unit/sqlite/scratch.hpp"

namespace gsync::sqlite {
namespace {

using test::Sql;

class PageCopyingVfs : public testing::Test {
 protected:
  test::TempDirectory directory_;
  std::string path_ = test::real_path(directory_) + "/some.db";
};

std::string everything(Database& database) {
  return database.query_text("SELECT group_concat(id || ' ' || x, char(10)) FROM (SELECT id, x FROM t ORDER BY id)").value_or("");
}

TEST_F(PageCopyingVfs, ForgetsWithTheLockWhatItHasReadAhead) {
  // Another one's pages between the first page and this one's: nothing is read in order before its last page is looked up.
  Sql(path_, Sql::Mode::create).execute("CREATE TABLE other (x)");
  test::execute(path_, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)");
  test::execute(path_, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) INSERT INTO t SELECT i, 'old' FROM n");
  Database reader(path_, OpenMode::read_only, Vfs::page_copying);
  ASSERT_EQ(reader.query_int("SELECT count(x) FROM t"), 20'000);
  // Of a scan of all in order, the end is what was read ahead last.
  test::execute(path_, "UPDATE t SET x='new' WHERE id=20000");
  EXPECT_EQ(reader.query_text("SELECT x FROM t WHERE id=20000"), "new");
}

TEST_F(PageCopyingVfs, ReadsAFileThatHasBecomeShorter) {
  test::make_table(path_, 20'000);
  Database reader(path_, OpenMode::read_only, Vfs::page_copying);
  ASSERT_EQ(reader.query_int("SELECT count(x) FROM t"), 20'000);
  test::execute(path_, "DELETE FROM t WHERE id > 7; VACUUM");
  EXPECT_EQ(reader.query_int("SELECT count(x) FROM t"), 7);
}

/// The same statements on a file under this VFS and on one under SQLite's own, with next to no cache.
TEST_F(PageCopyingVfs, ReadsWhatItHasWritten) {
  Database copying(path_, OpenMode::create, Vfs::page_copying);
  Database plain(path_ + ".plain", OpenMode::create);
  auto both = [&](const std::string& sql) {
    copying.execute(sql);
    plain.execute(sql);
  };
  copying.execute("PRAGMA locking_mode=EXCLUSIVE");
  plain.execute("PRAGMA synchronous=OFF");
  copying.write_without_journal();
  both("PRAGMA cache_size=4; CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); CREATE INDEX i ON t (x)");
  std::mt19937 random(7);
  auto number = [&](int below) { return std::to_string(std::uniform_int_distribution<int>(0, below - 1)(random)); };
  for (int round = 0; round < 16; ++round) {
    both("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300) INSERT INTO t (x) SELECT printf('%d-%.*c', i, " +
         number(400) + ", 'y') FROM n");
    both("UPDATE t SET x='r" + number(1000) + "' || substr(x, 3) WHERE id % 5 = " + number(5));
    both("DELETE FROM t WHERE id % 11 = " + number(11));
    if (round % 4 == 3) {
      ASSERT_EQ(everything(copying), everything(plain)) << "round " << round;
    }
  }
  EXPECT_EQ(copying.integrity_check("t"), "ok");
}

}  // namespace
}  // namespace gsync::sqlite
