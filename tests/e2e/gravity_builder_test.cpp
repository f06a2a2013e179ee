#include "support/gravity_builder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "gsync/util/subprocess.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {
namespace {

class EveryShape : public testing::TestWithParam<Shape> {
 protected:
  Household household() const {
    HouseholdSize size;
    size.gravity = 3'000;
    return realistic(1, size, traits(GetParam()).has_type);
  }
};

INSTANTIATE_TEST_SUITE_P(Shapes, EveryShape, testing::ValuesIn(all_shapes),
                         [](const auto& test) { return std::string(traits(test.param).name); });

TEST_P(EveryShape, IsSoundAndHasWhatWasAskedFor) {
  TempDirectory directory;
  const auto path = directory / "gravity.db";
  const auto rows_wanted = household();
  GravityBuilder(GetParam()).household(rows_wanted).numbering(9).build(path);

  EXPECT_EQ(integrity(path), "ok");
  EXPECT_TRUE(rows(path, "PRAGMA foreign_key_check").empty());
  EXPECT_EQ(value(path, "PRAGMA page_size"), "4096");
  EXPECT_EQ(value(path, "PRAGMA journal_mode"), "delete");
  EXPECT_EQ(value(path, "SELECT value FROM info WHERE property = 'version'"), std::to_string(traits(GetParam()).version));
  EXPECT_EQ(number(path, "SELECT count(*) FROM gravity"), 3'000);
  EXPECT_EQ(value(path, "SELECT value FROM info WHERE property = 'gravity_count'"),
            value(path, "SELECT count(DISTINCT domain) FROM gravity"));
  EXPECT_EQ(number(path, "SELECT count(*) FROM domainlist"), static_cast<std::int64_t>(rows_wanted.domains.size()));
  EXPECT_EQ(number(path, "SELECT count(DISTINCT type) FROM domainlist"), 4);
  EXPECT_GT(number(path, "SELECT count(*) FROM domainlist WHERE id NOT IN (SELECT domainlist_id FROM domainlist_by_group)"), 0);
  EXPECT_GT(number(path, "SELECT count(*) FROM (SELECT 1 FROM domainlist_by_group GROUP BY domainlist_id HAVING count(*) > 1)"), 0);
  EXPECT_GT(number(path, "SELECT count(*) FROM domainlist WHERE comment IS NULL"), 0);
  EXPECT_GT(number(path, "SELECT count(*) FROM domainlist WHERE comment = ''"), 0);
  EXPECT_EQ(blocked_names(path, 100).size(), 100U);
}

TEST_P(EveryShape, TheSameRowsHaveOtherIdsUnderAnotherNumbering) {
  TempDirectory directory;
  const auto a = directory / "a.db";
  const auto b = directory / "b.db";
  GravityBuilder(GetParam()).household(household()).numbering(1).build(a);
  GravityBuilder(GetParam()).household(household()).numbering(2).build(b);
  for (const char* table : {"group", "adlist", "domainlist", "client"}) {
    const auto in_a = row_ids(a, table);
    const auto in_b = row_ids(b, table);
    EXPECT_NE(in_a, in_b) << table;
    EXPECT_TRUE(std::equal(in_a.begin(), in_a.end(), in_b.begin(), in_b.end(), [](const auto& x, const auto& y) {
      return x.first == y.first;
    })) << table;
  }
  const char* assignments =
      "SELECT d.type, d.domain, g.name, d.comment, d.date_modified FROM domainlist d LEFT JOIN domainlist_by_group b ON b.domainlist_id = "
      "d.id "
      "LEFT JOIN \"group\" g ON g.id = b.group_id ORDER BY 1, 2, 3";
  EXPECT_EQ(rows(a, assignments), rows(b, assignments));
  const char* blocklist = "SELECT a.address, g.domain FROM gravity g JOIN adlist a ON a.id = g.adlist_id ORDER BY 1, 2";
  EXPECT_EQ(rows(a, blocklist), rows(b, blocklist));
}

TEST_P(EveryShape, TriggersBehaveAsPiholesDo) {
  TempDirectory directory;
  const auto path = directory / "gravity.db";
  GravityBuilder(GetParam()).group({"Kids"}).domain({"a.example", 0}).domain({"a.example", 1}).build(path);
  Sql sql(path);

  sql.execute("INSERT INTO client (ip) VALUES ('10.0.0.1')");
  EXPECT_EQ(sql.value("SELECT group_id FROM client_by_group"), "0") << "a new item is in group 0";

  sql.execute("UPDATE domainlist SET enabled = 0 WHERE type = 1");
  const auto dates = sql.rows("SELECT date_modified FROM domainlist ORDER BY type");
  EXPECT_GT(std::stoll(dates[1][0].value()), default_date);
  if (!traits(GetParam()).without_rowid) {
    EXPECT_GT(std::stoll(dates[0][0].value()), default_date) << "until 21 the twin is touched too";
  }

  sql.execute("DELETE FROM client");
  EXPECT_EQ(sql.number("SELECT count(*) FROM client_by_group"), 0);
  sql.execute("PRAGMA foreign_keys = OFF; DELETE FROM \"group\" WHERE id = 0");
  EXPECT_EQ(sql.value("SELECT name FROM \"group\" WHERE id = 0"), "Default");

  sql.execute("INSERT INTO adlist (address) VALUES ('https://twice.example')");
  if (traits(GetParam()).has_type) {
    const int rc = sql.try_execute("INSERT INTO adlist (address, type) VALUES ('https://twice.example', 1)");
    EXPECT_EQ(rc == 0, traits(GetParam()).unique_with_type);
  }
}

TEST(GravityBuilder, CascadesAsTheTemplateOf20Does) {
  TempDirectory directory;
  const auto path = directory / "gravity.db";
  GravityBuilder(Shape::v6_template).domain({"a.example"}).build(path);
  execute(path, "PRAGMA foreign_keys = ON; DELETE FROM \"group\" WHERE id = 0");
  EXPECT_EQ(number(path, "SELECT count(*) FROM domainlist_by_group"), 0);
}

TEST(GravityBuilder, MovingAListsFirstEntryChangesThatManyRows) {
  TempDirectory directory;
  AdlistRow list{"https://list.example"};
  list.entries = 1'000;
  GravityBuilder().adlist(list).build(directory / "a.db");
  list.first_entry = 10;
  GravityBuilder().adlist(list).build(directory / "b.db");
  Sql sql(directory / "a.db");
  sql.execute("ATTACH '" + directory / "b.db" + "' AS b");
  EXPECT_EQ(sql.number("SELECT count(*) FROM (SELECT domain FROM gravity EXCEPT SELECT domain FROM b.gravity)"), 10);
  EXPECT_EQ(sql.number("SELECT count(*) FROM (SELECT domain FROM b.gravity EXCEPT SELECT domain FROM gravity)"), 10);
}

struct Fixture {
  const char* file;
  Shape shape;
};

class RealDatabase : public testing::TestWithParam<Fixture> {};

INSTANTIATE_TEST_SUITE_P(Fixtures, RealDatabase,
                         testing::Values(Fixture{"gravity-v5.db.zst", Shape::v5}, Fixture{"gravity-v6.db.zst", Shape::v6_template},
                                         Fixture{"gravity-v6-migrated.db.zst", Shape::v6_migrated}),
                         [](const auto& test) { return std::string(traits(test.param.shape).name); });

TEST_P(RealDatabase, HasTheTablesColumnsTriggersAndViewsThatWeMake) {
  const std::string packed = std::string(paths::fixtures) + "/" + GetParam().file;
  if (!std::filesystem::exists(packed)) GTEST_SKIP() << "no " << packed;
  TempDirectory directory;
  const auto real = directory / "real.db";
  const auto ours = directory / "ours.db";
  util::Command unpack;
  unpack.argv = {"zstd", "-dq", packed, "-o", real};
  try {
    ASSERT_EQ(util::run(unpack, util::Deadline::in(std::chrono::seconds(60))).exit_code, 0);
  } catch (const std::exception& e) {
    GTEST_SKIP() << e.what();
  }
  GravityBuilder(GetParam().shape).household(realistic(1, {}, traits(GetParam().shape).has_type)).build(ours);

  const char* objects = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2";
  EXPECT_EQ(rows(ours, objects), rows(real, objects));
  const char* columns =
      "SELECT m.name, c.cid, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_master m, pragma_table_info(m.name) c "
      "WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2";
  EXPECT_EQ(rows(ours, columns), rows(real, columns));
  const char* keys =
      "SELECT m.name, k.\"table\", k.\"from\", k.\"to\", k.on_delete FROM sqlite_master m, pragma_foreign_key_list(m.name) k WHERE m.type "
      "= 'table' ORDER BY 1, 2, 3";
  EXPECT_EQ(rows(ours, keys), rows(real, keys));
}

}  // namespace
}  // namespace gsync::test
