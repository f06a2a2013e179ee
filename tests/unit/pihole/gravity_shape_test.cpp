#include <gmock/gmock.h>

#include "unit/pihole/gravity_files.hpp"

namespace gsync::pihole {
namespace {

using test::code_of;
using test::GravityBuilder;

class GravityShape : public test::GravityFiles, public testing::WithParamInterface<test::Shape> {
 protected:
  Shape shape() const {
    auto database = open(file());
    return shape_of(database);
  }
  /// What shape_of() says after `sql`.
  ErrorCode after(const std::string& sql) {
    build(GravityBuilder(GetParam()));
    test::execute(file(), "PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON; " + sql);
    return code_of([&] { shape(); });
  }
};

TEST_P(GravityShape, IsFoundByLooking) {
  build(GravityBuilder(GetParam()).household(test::realistic(1, {}, test::traits(GetParam()).has_type)));
  const auto& expected = test::traits(GetParam());
  const auto found = shape();
  EXPECT_EQ(found.version, expected.version);
  EXPECT_EQ(found.adlist_type, expected.has_type);
  EXPECT_EQ(found.antigravity, expected.has_type);
  EXPECT_EQ(found.abp_entries, expected.has_abp);
  EXPECT_EQ(found.address_unique, !expected.unique_with_type);
  EXPECT_TRUE(found.unknown_columns.empty());
  EXPECT_EQ(found.capabilities().allow_lists, expected.has_type);
  EXPECT_EQ(found.capabilities().address_unique, !expected.unique_with_type);
}

TEST_P(GravityShape, NamesColumnsThatItDoesNotKnow) {
  build(GravityBuilder(GetParam()));
  test::execute(file(), "ALTER TABLE adlist ADD COLUMN colour TEXT; ALTER TABLE \"group\" ADD COLUMN \"x y\" TEXT");
  EXPECT_THAT(shape().unknown_columns, testing::UnorderedElementsAre("adlist.colour", "group.x y"));
}

TEST_P(GravityShape, WithoutAVersionIsRefused) {
  EXPECT_EQ(after("DELETE FROM info WHERE property='version'"), ErrorCode::incompatible);
}

TEST_P(GravityShape, OfBeforePiholeFiveIsRefused) {
  EXPECT_EQ(after("UPDATE info SET value='14' WHERE property='version'"), ErrorCode::incompatible);
}

TEST_P(GravityShape, WithAVersionThatIsNoNumberIsRefused) {
  EXPECT_EQ(after("UPDATE info SET value='twenty' WHERE property='version'"), ErrorCode::incompatible);
}

TEST_P(GravityShape, WithAMissingTableIsRefused) {
  for (const char* table :
       {"adlist", "\"group\"", "client", "domainlist", "adlist_by_group", "domainlist_by_group", "client_by_group", "gravity", "info"}) {
    EXPECT_EQ(after("ALTER TABLE " + std::string(table) + " RENAME TO away"), ErrorCode::incompatible) << table;
  }
}

TEST_P(GravityShape, WithAMissingColumnIsRefused) {
  EXPECT_EQ(after("DROP TABLE client; CREATE TABLE client (id INTEGER PRIMARY KEY, ip TEXT, date_added, comment)"),
            ErrorCode::incompatible);
  EXPECT_EQ(after("DROP TABLE gravity; CREATE TABLE gravity (domain TEXT)"), ErrorCode::incompatible);
  EXPECT_EQ(after("DROP TABLE adlist_by_group; CREATE TABLE adlist_by_group (adlist_id INTEGER)"), ErrorCode::incompatible);
}

TEST_P(GravityShape, WithAViewInATablesPlaceIsRefused) {
  EXPECT_EQ(after("ALTER TABLE adlist RENAME TO real; CREATE VIEW adlist AS SELECT * FROM real"), ErrorCode::incompatible);
  EXPECT_EQ(after("DROP TABLE gravity; CREATE VIEW gravity AS SELECT 'a' AS domain, 1 AS adlist_id"), ErrorCode::incompatible);
}

TEST_P(GravityShape, WithAVirtualTableIsRefused) {
  build(GravityBuilder(GetParam()));
  test::execute(file(), "PRAGMA legacy_alter_table=ON; DROP TABLE client");
  if (test::Sql sql(file()); sql.try_execute("CREATE VIRTUAL TABLE client USING fts5(id, ip, date_added, date_modified, comment)") != 0) {
    GTEST_SKIP() << "this SQLite has no fts5: " << sql.message();
  }
  EXPECT_EQ(code_of([&] { shape(); }), ErrorCode::incompatible);
}

TEST_P(GravityShape, WithAComputedColumnIsRefused) {
  EXPECT_EQ(after("DROP TABLE gravity; CREATE TABLE gravity (adlist_id INTEGER, domain TEXT AS (hex(zeroblob(1000000))))"),
            ErrorCode::incompatible);
}

TEST_P(GravityShape, SchemaTellsEveryDifferenceInBehaviour) {
  build(GravityBuilder(GetParam()));
  auto schema = [&] {
    auto database = open(file());
    return schema_of(database);
  };
  const auto before = schema();
  EXPECT_GT(before.size(), 20u);
  test::execute(file(), "ANALYZE");
  EXPECT_EQ(schema(), before) << "statistics do nothing";
  auto seen = before;
  for (const char* sql : {"CREATE TRIGGER evil AFTER INSERT ON adlist BEGIN DELETE FROM gravity; END", "CREATE VIEW evil_view AS SELECT 1",
                          "CREATE INDEX evil_index ON client (comment)", "CREATE TABLE evil_table (x)", "DROP VIEW vw_gravity"}) {
    test::execute(file(), sql);
    EXPECT_NE(schema(), seen) << sql;
    seen = schema();
  }
}

TEST_P(GravityShape, WithoutRowidsWhereTheyAreNeededIsRefused) {
  for (const std::string table : {"gravity", "antigravity"}) {
    EXPECT_EQ(after("DROP TABLE IF EXISTS " + table + "; CREATE TABLE " + table +
                    " (domain TEXT NOT NULL, adlist_id INTEGER NOT NULL, PRIMARY KEY (domain, adlist_id)) WITHOUT ROWID"),
              ErrorCode::incompatible)
        << table;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, GravityShape, testing::ValuesIn(test::all_shapes), test::shape_name);

class OddGravity : public test::GravityFiles {};

TEST_F(OddGravity, InAnotherEncodingIsRefused) {
  test::Sql(file(), test::Sql::Mode::create).execute("PRAGMA encoding='UTF-16le'; " + test::schema_sql(test::Shape::v6_template));
  auto database = open(file());
  EXPECT_EQ(code_of([&] { shape_of(database); }), ErrorCode::incompatible);
}

TEST_F(OddGravity, ThatIsEmptyOrNoDatabaseIsNotTakenForOne) {
  test::write_text(file(), "");
  EXPECT_EQ(code_of([&] {
              auto database = open(file());
              shape_of(database);
            }),
            ErrorCode::incompatible);
  test::write_text(file(), std::string(10'000, 'x'));
  EXPECT_EQ(code_of([&] {
              auto database = open(file());
              shape_of(database);
            }),
            ErrorCode::corrupt);
}

}  // namespace
}  // namespace gsync::pihole
