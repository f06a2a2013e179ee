#include "../src/pihole/check_database.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "unit/pihole/gravity_files.hpp"

// Whatever is wrong with an index, our check finds what SQLite's own finds.

namespace gsync::pihole {
namespace {

using test::Sql;

class CheckDatabase : public test::GravityFiles {
 protected:
  void SetUp() override {
    test::AdlistRow deny{"https://deny.example/list"};
    deny.entries = 500;
    test::AdlistRow allow{"https://allow.example/list"};
    allow.entries = 30;
    allow.type = 1;
    build(test::GravityBuilder().adlist(deny).adlist(allow));
  }
  /// What is found; "ok" when nothing is. SQLite's own check must find something in the same cases.
  std::string check() const {
    std::string found = "ok";
    try {
      check_database([this] { return sqlite::Database(file(), sqlite::OpenMode::read_only); });
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
      found = error.what();
    }
    EXPECT_EQ(found == "ok", sqlite_finds_nothing()) << found;
    return found;
  }
  bool sqlite_finds_nothing() const {
    try {
      return test::integrity(file()) == "ok";
    } catch (const std::exception&) {
      return false;  // it cannot even be read
    }
  }
  /// Changes rows while the schema does not know the index, so that it stays as it was.
  void behind_the_index(const std::string& index, const std::string& statements) const {
    std::string sql;
    std::string root;
    std::string table;
    {
      Sql database(file());
      const auto row = database.rows("SELECT sql, rootpage, tbl_name FROM sqlite_master WHERE name='" + index + "'").at(0);
      sql = row[0].value();
      root = row[1].value();
      table = row[2].value();
      database.execute("PRAGMA writable_schema=ON; DELETE FROM sqlite_master WHERE name='" + index + "'");
    }
    test::execute(file(), statements);
    test::execute(file(), "PRAGMA writable_schema=ON; INSERT INTO sqlite_master VALUES ('index', '" + index + "', '" + table + "', " +
                              root + ", '" + sql + "')");
  }
};

/// The quick_check of newer SQLite counts the entries of an index, and finds these cases first.
auto counts(const std::string& words) {
  return testing::AnyOf(testing::HasSubstr(words), testing::HasSubstr("wrong # of entries in index"));
}

TEST_F(CheckDatabase, FindsNothingInASoundOne) {
  EXPECT_EQ(check(), "ok");
}

TEST_F(CheckDatabase, FindsARowThatTheIndexDoesNotHave) {
  behind_the_index("idx_gravity", "INSERT INTO gravity VALUES ('only-in-the-table.example', 1)");
  EXPECT_THAT(check(), counts("500 entries, 501 rows"));
}

TEST_F(CheckDatabase, FindsAnEntryWithoutARow) {
  behind_the_index("idx_gravity", "DELETE FROM gravity WHERE rowid=(SELECT max(rowid) FROM gravity)");
  EXPECT_THAT(check(), counts("500 entries, 499 rows"));
}

TEST_F(CheckDatabase, FindsAnEntryOfAnotherDomain) {
  behind_the_index("idx_gravity", "UPDATE gravity SET domain='other.example' WHERE rowid=7");
  EXPECT_THAT(check(), testing::HasSubstr("500 entries, 500 rows"));
}

TEST_F(CheckDatabase, FindsEntriesThatPointToOneAnothersRows) {
  behind_the_index("idx_gravity",
                   "CREATE TEMP TABLE t AS SELECT domain FROM gravity WHERE rowid=7;"
                   "UPDATE gravity SET domain=(SELECT domain FROM gravity WHERE rowid=8) WHERE rowid=7;"
                   "UPDATE gravity SET domain=(SELECT domain FROM t) WHERE rowid=8");
  EXPECT_THAT(check(), testing::HasSubstr("500 entries, 500 rows"));
}

TEST_F(CheckDatabase, FindsEntriesThatNoLookupFinds) {
  test::execute(file(), "DROP INDEX idx_gravity; CREATE INDEX idx_gravity ON gravity (domain DESC, adlist_id)");
  test::execute(file(),
                "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql='CREATE INDEX idx_gravity ON gravity (domain, adlist_id)' WHERE "
                "name='idx_gravity'");
  EXPECT_THAT(check(), testing::HasSubstr("is not where it belongs in index idx_gravity"));
}

TEST_F(CheckDatabase, FindsARowTwiceUnderAUniqueIndex) {
  test::execute(file(),
                "DROP INDEX idx_gravity; INSERT INTO gravity SELECT * FROM gravity WHERE rowid=9; CREATE INDEX idx_gravity ON gravity "
                "(domain, adlist_id)");
  EXPECT_EQ(check(), "ok");
  test::execute(file(),
                "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql='CREATE UNIQUE INDEX idx_gravity ON gravity (domain, adlist_id)' "
                "WHERE name='idx_gravity'");
  EXPECT_THAT(check(), testing::HasSubstr("is not where it belongs"));
}

TEST_F(CheckDatabase, FindsTheSameInTheAllowedDomains) {
  test::execute(file(), "CREATE INDEX idx_antigravity ON antigravity (domain, adlist_id)");
  behind_the_index("idx_antigravity", "INSERT INTO antigravity VALUES ('only-in-the-table.example', 2)");
  EXPECT_THAT(check(), counts("30 entries, 31 rows"));
}

TEST_F(CheckDatabase, LeavesOddRowsAndOtherIndexesToSqlite) {
  test::execute(file(), "INSERT INTO gravity VALUES (x'00ff', 'one')");
  EXPECT_EQ(check(), "ok");
  behind_the_index("idx_gravity", "UPDATE gravity SET domain=x'00fe' WHERE rowid=7");
  EXPECT_THAT(check(), testing::HasSubstr("integrity_check"));
  test::execute(file(), "REINDEX idx_gravity");
  EXPECT_EQ(check(), "ok");
  test::execute(file(), "CREATE INDEX theirs ON gravity (adlist_id)");
  behind_the_index("theirs", "UPDATE gravity SET adlist_id=2 WHERE rowid=9");
  EXPECT_THAT(check(), testing::HasSubstr("integrity_check"));
  test::execute(file(), "REINDEX theirs; CREATE INDEX comments ON adlist (comment)");
  behind_the_index("comments", "UPDATE adlist SET comment='another'");
  EXPECT_THAT(check(), testing::HasSubstr("integrity_check"));
}

TEST_F(CheckDatabase, CountsTheDomainsOfGravityEachOnceWhereAnIndexTells) {
  const auto count = [this] { return check_database([this] { return sqlite::Database(file(), sqlite::OpenMode::read_only); }).domains; };
  EXPECT_EQ(count(), 500u);
  test::execute(file(), "INSERT INTO gravity SELECT domain, adlist_id + 1 FROM gravity ORDER BY domain LIMIT 40");
  test::execute(file(), "INSERT INTO gravity VALUES ('one-more.example', 1), ('one-more.example', 2)");
  EXPECT_EQ(count(), 501u);
  test::execute(file(), "DROP INDEX idx_gravity");
  EXPECT_EQ(count(), std::nullopt);
}

TEST_F(CheckDatabase, AddsTheCompiledSetsUpAsTheyAreReadElsewhere) {
  const auto open = [this] { return sqlite::Database(file(), sqlite::OpenMode::read_only); };
  const auto expect_as_read = [&] {
    auto database = open();
    const auto read = read_compiled(database, shape_of(database));
    const auto checked = check_database(open, AlsoRead::compiled).compiled;
    EXPECT_EQ(checked.gravity, read.gravity);
    EXPECT_EQ(checked.antigravity, read.antigravity);
    EXPECT_EQ(check_database(open).compiled.rows(), 0u);
  };
  expect_as_read();
  // On several lists, twice on one, of no list, and what no Pi-hole compiles.
  test::execute(file(), "INSERT INTO gravity SELECT domain, adlist_id + 1 FROM gravity ORDER BY domain LIMIT 40");
  test::execute(file(), "INSERT INTO gravity SELECT domain, adlist_id FROM gravity ORDER BY domain LIMIT 3");
  test::execute(file(), "INSERT INTO gravity VALUES ('of-none.example', 99), ('', 1), ('with' || char(10) || 'newline', 1)");
  expect_as_read();
  test::execute(file(), "INSERT INTO gravity VALUES (x'6162', 1), ('text.example', 'x')");
  expect_as_read();
  test::execute(file(), "DELETE FROM gravity WHERE typeof(domain) <> 'text' OR typeof(adlist_id) <> 'integer'; DROP INDEX idx_gravity");
  expect_as_read();
  test::execute(file(),
                "CREATE INDEX idx_gravity ON gravity (domain, adlist_id); CREATE INDEX idx_antigravity ON antigravity (domain, adlist_id)");
  expect_as_read();
}

TEST_F(CheckDatabase, AddsNoMoreSetsUpThanCanBeMeant) {
  Sql(file()).execute(
      "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)"
      "INSERT INTO gravity (domain, adlist_id) SELECT 'n' || i || '.example', i FROM n");
  EXPECT_EQ(check(), "ok");
  auto open = [this] { return sqlite::Database(file(), sqlite::OpenMode::read_only); };
  EXPECT_THROW(check_database(open, AlsoRead::compiled), Error);
  EXPECT_THROW(compiled(file()), Error);
}

TEST_F(CheckDatabase, TakesAnIndexOfAnyName) {
  test::execute(file(), R"(DROP INDEX idx_gravity; CREATE INDEX "a ""b"" c" ON gravity (domain, adlist_id))");
  EXPECT_EQ(check(), "ok");
  behind_the_index("a \"b\" c", "INSERT INTO gravity VALUES ('only-in-the-table.example', 1)");
  EXPECT_THAT(check(), counts("500 entries, 501 rows"));
}

TEST_F(CheckDatabase, SaysWhatToDoWhereTheSchemaCannotBeRead) {
  test::execute(file(), "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql='CREATE RUBBISH' WHERE name='idx_gravity'");
  try {
    check_database([this] { return sqlite::Database(file(), sqlite::OpenMode::read_only); });
    ADD_FAILURE() << "it passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    EXPECT_THAT(error.hint(), testing::HasSubstr("nothing was changed"));
  }
}

TEST_F(CheckDatabase, FindsADamagedPage) {
  const auto size = std::filesystem::file_size(file());
  {
    util::Fd fd(::open(file().c_str(), O_WRONLY | O_CLOEXEC));
    const std::string junk(4096, '\xff');
    ASSERT_EQ(::pwrite(fd.get(), junk.data(), junk.size(), static_cast<off_t>(size - 4096)), 4096);
  }
  EXPECT_NE(check(), "ok");
}

TEST_F(CheckDatabase, LooksOnlyAtTheListsOfWhatWasCheckedWholeWithinADay) {
  const auto look = [this](std::optional<std::int64_t> checked) {
    sqlite::Database database(file(), sqlite::OpenMode::read_only);
    return check_edited(database, checked, 1'700'000'000);
  };
  EXPECT_EQ(look(1'700'000'000 - 86'399), 1'700'000'000 - 86'399);
  EXPECT_EQ(look(1'700'000'000 - 86'400), 1'700'000'000);
  EXPECT_EQ(look(std::nullopt), 1'700'000'000);

  const auto root = Sql(file()).rows("SELECT rootpage FROM sqlite_master WHERE name='gravity'").at(0)[0].value();
  {
    util::Fd fd(::open(file().c_str(), O_WRONLY | O_CLOEXEC));
    const std::string junk(4096, '\xff');
    ASSERT_EQ(::pwrite(fd.get(), junk.data(), junk.size(), (std::stol(root) - 1) * 4096), 4096);
  }
  EXPECT_NO_THROW(look(1'700'000'000 - 86'399));
  EXPECT_THROW(look(1'700'000'000 - 86'400), Error);
  EXPECT_THROW(look(1'700'000'001), Error) << "the clock was set back";
  EXPECT_THROW(look(std::nullopt), Error);
}

TEST_F(CheckDatabase, FindsWhatIsWrongWithAListAfterAnyEdit) {
  test::execute(file(), "CREATE INDEX comments ON adlist (comment)");
  behind_the_index("comments", "UPDATE adlist SET comment='another'");
  sqlite::Database database(file(), sqlite::OpenMode::read_only);
  EXPECT_THROW(check_edited(database, 1'700'000'000, 1'700'000'000), Error);
}

}  // namespace
}  // namespace gsync::pihole
