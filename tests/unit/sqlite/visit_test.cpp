#include "gsync/sqlite/visit.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <vector>

#include "unit/sqlite/scratch.hpp"

namespace gsync::sqlite {
namespace {

using test::Sql;

class VisitRows : public testing::Test {
 protected:
  VisitRows() {
    Sql(path_, Sql::Mode::create)
        .execute("CREATE TABLE t (x TEXT, n INTEGER); CREATE INDEX i ON t (x, n);"
                 "INSERT INTO t VALUES ('c', 3), ('a', 1), ('b', 2), (x'00ff', 4), (NULL, 'five'), (6, 7), ('', 8)");
  }
  Database open() const { return Database(path_, OpenMode::read_only); }

  test::TempDirectory directory_;
  std::string path_ = test::real_path(directory_) + "/a.db";
};

TEST_F(VisitRows, GivesEachRowAsAStatementWould) {
  auto database = open();
  auto statement = database.prepare("SELECT rowid, x, n FROM t NOT INDEXED");
  int rows = 0;
  visit_rows(database, "rowid, x, n", "t NOT INDEXED", [&](const VisitedRow& row) {
    ASSERT_TRUE(statement.step());
    ++rows;
    for (int column = 0; column < 3; ++column) {
      EXPECT_EQ(row.is_text(column), statement.is_text(column)) << rows << " " << column;
      EXPECT_EQ(row.is_integer(column), statement.is_integer(column)) << rows << " " << column;
    }
    EXPECT_EQ(row.integer(0), statement.integer(0));
    EXPECT_EQ(row.text(1), statement.text(1)) << rows;
    EXPECT_EQ(row.integer(2), statement.integer(2)) << rows;
  });
  EXPECT_EQ(rows, 7);
  EXPECT_FALSE(statement.step());
}

TEST_F(VisitRows, WalksThroughAnIndexInItsOrder) {
  auto database = open();
  std::vector<std::string> seen;
  visit_rows(database, "x", "t INDEXED BY i", [&](const VisitedRow& row) { seen.emplace_back(row.text(0)); });
  EXPECT_THAT(seen, testing::ElementsAre("", "", "6", "a", "b", "c", std::string("\0\xff", 2)));
}

TEST_F(VisitRows, VisitsNothingInAnEmptyTable) {
  auto database = open();
  visit_rows(database, "x", "t WHERE rowid > 100", [](const VisitedRow&) { ADD_FAILURE() << "there is no row"; });
}

TEST_F(VisitRows, ThrowsWhatTheVisitorThrowsAndCanBeCalledAgain) {
  auto database = open();
  int rows = 0;
  const auto visit = [&](const VisitedRow&) {
    if (++rows == 3) throw std::domain_error("the third");
  };
  try {
    visit_rows(database, "x", "t", visit);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::domain_error& error) {
    EXPECT_STREQ(error.what(), "the third");
  }
  EXPECT_EQ(rows, 3);
  visit_rows(database, "x", "t", visit);
  EXPECT_EQ(rows, 10);
}

TEST_F(VisitRows, ThrowsWhatSqliteFinds) {
  auto database = open();
  const auto visit = [](const VisitedRow&) {};
  EXPECT_THROW(visit_rows(database, "x", "nowhere", visit), Error);
  EXPECT_THROW(database.query_int("SELECT gsync_visit(x) FROM t"), Error) << "the function is gone again";
}

}  // namespace
}  // namespace gsync::sqlite
