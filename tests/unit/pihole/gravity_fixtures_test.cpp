#include <gmock/gmock.h>

#include "gsync/util/subprocess.hpp"
#include "support/paths.hpp"
#include "unit/pihole/gravity_files.hpp"

namespace gsync::pihole {
namespace {

struct Fixture {
  const char* name;
  std::int64_t version;
  std::size_t adlists, adlists_disabled, allow_lists;
  std::uint64_t gravity_rows, gravity_domains, antigravity_rows;
  bool address_unique;
};

void PrintTo(const Fixture& fixture, std::ostream* out) {
  *out << fixture.name;
}

/// Databases that Pi-hole's own scripts made (see the README.md beside them).
class GravityFixtures : public test::GravityFiles, public testing::WithParamInterface<Fixture> {
 protected:
  static util::CommandResult unpack(const std::string& packed, const std::string& to) {
    util::Command command;
    command.argv = {"zstd", "-d", "-q", "-f", packed, "-o", to};
    auto result = util::run(command, util::Deadline::in(std::chrono::seconds(60)));
    ::chmod(to.c_str(), 0644);  // it has the mode of the packed file
    return result;
  }
  void SetUp() override {
    const auto packed = std::string(test::paths::fixtures) + "/" + GetParam().name + ".db.zst";
    if (::access(packed.c_str(), R_OK) != 0) GTEST_SKIP() << packed << " is not there";
    try {
      const auto result = unpack(packed, file());
      ASSERT_EQ(result.exit_code, 0) << result.errors;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      GTEST_SKIP() << "the program zstd is not installed";
    }
  }
};

TEST_P(GravityFixtures, AreReadAsTheyAre) {
  const auto& expected = GetParam();
  auto database = open(file());
  const auto shape = shape_of(database);
  EXPECT_EQ(shape.version, expected.version);
  EXPECT_EQ(shape.address_unique, expected.address_unique);
  EXPECT_TRUE(shape.unknown_columns.empty());
  const auto rows = read_rows(database, shape, nullptr);
  EXPECT_NO_THROW(model::check_lists(rows.lists));

  std::map<std::pair<model::Table, int>, std::size_t> counts;
  std::map<model::Table, std::size_t> disabled, in_no_group, in_several, assignments;
  for (const auto& [key, row] : rows.lists) {
    ++counts[{key.table, key.table == model::Table::domain ? key.kind : 0}];
    disabled[key.table] += !row.enabled;
    if (key.table == model::Table::group) continue;
    in_no_group[key.table] += row.groups.empty();
    in_several[key.table] += row.groups.size() > 1;
    assignments[key.table] += row.groups.size();
  }
  using model::Table;
  EXPECT_EQ((counts[{Table::group, 0}]), 12u);
  EXPECT_EQ(disabled[Table::group], 3u);
  EXPECT_EQ((counts[{Table::adlist, 0}]), expected.adlists);
  EXPECT_EQ(disabled[Table::adlist], expected.adlists_disabled);
  EXPECT_EQ((counts[{Table::domain, 0}]), 85u);
  EXPECT_EQ((counts[{Table::domain, 1}]), 125u);
  EXPECT_EQ((counts[{Table::domain, 2}]), 22u);
  EXPECT_EQ((counts[{Table::domain, 3}]), 73u);
  EXPECT_EQ(disabled[Table::domain], 31u);
  EXPECT_EQ((counts[{Table::client, 0}]), 61u);
  EXPECT_EQ(assignments[Table::adlist], expected.adlists + 10);
  EXPECT_EQ(assignments[Table::domain], 396u);
  EXPECT_EQ(assignments[Table::client], 69u);
  EXPECT_EQ(in_no_group[Table::adlist], 1u);
  EXPECT_EQ(in_no_group[Table::domain], 33u);
  EXPECT_EQ(in_no_group[Table::client], 7u);
  EXPECT_EQ(in_several[Table::adlist], 3u);
  EXPECT_EQ(in_several[Table::domain], 46u);
  EXPECT_EQ(in_several[Table::client], 7u);
  std::size_t allow_lists = 0;
  for (const auto& [key, id] : rows.adlist_ids) allow_lists += key.kind == model::kind::allow_list;
  EXPECT_EQ(allow_lists, expected.allow_lists);
}

TEST_P(GravityFixtures, HaveTheirCompiledSetsCounted) {
  const auto& expected = GetParam();
  auto database = open(file());
  const auto shape = shape_of(database);
  const auto sets = read_compiled(database, shape);
  std::uint64_t gravity = 0, antigravity = 0;
  for (const auto& set : sets.gravity) gravity += set.rows.count;
  for (const auto& set : sets.antigravity) antigravity += set.rows.count;
  EXPECT_EQ(database.query_int("SELECT count(*) FROM gravity"), static_cast<std::int64_t>(expected.gravity_rows));
  EXPECT_EQ(gravity, expected.gravity_rows - 50) << "some stand there twice for one adlist, which means nothing";
  EXPECT_EQ(antigravity, expected.antigravity_rows);
  EXPECT_EQ(sets.rows(), gravity + antigravity);
  write_counts(database);
  EXPECT_EQ(database.query_int("SELECT value FROM info WHERE property='gravity_count'"),
            static_cast<std::int64_t>(expected.gravity_domains));
  EXPECT_EQ(database.query_int("SELECT value FROM info WHERE property='abp_domains'"), 1);
}

TEST_P(GravityFixtures, CanBeBroughtToEachOthersLists) {
  ASSERT_EQ(unpack(std::string(test::paths::fixtures) + "/gravity-v6.db.zst", file("other.db")).exit_code, 0);
  auto wished = read(file("other.db")).lists;
  auto database = open(file());
  const auto shape = shape_of(database);
  if (!shape.capabilities().allow_lists || shape.address_unique) {
    std::erase_if(wished,
                  [](const auto& row) { return row.first.table == model::Table::adlist && row.first.kind == model::kind::allow_list; });
  }
  const auto schema = schema_of(database);
  const auto ids = test::row_ids(file(), "domainlist");
  {
    sqlite::Transaction transaction(database);
    write_rows(database, shape, model::diff(read_rows(database, shape, nullptr).lists, wished),
               read_compiled(database, shape).greatest_id());
    transaction.commit();
  }
  EXPECT_TRUE(test::same_edits(read_rows(database, shape, nullptr).lists, wished));
  EXPECT_EQ(schema_of(database), schema);
  const auto after = test::row_ids(file(), "domainlist");
  for (const auto& [key, id] : ids) {
    if (after.contains(key)) {
      EXPECT_EQ(after.at(key), id);
    }
  }
  EXPECT_EQ(test::integrity(file()), "ok");
}

std::string fixture_name(const testing::TestParamInfo<Fixture>& tested) {
  std::string name = tested.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Of, GravityFixtures,
                         testing::Values(Fixture{"gravity-v5", 15, 40, 11, 0, 33'907, 31'140, 0, true},
                                         Fixture{"gravity-v6", 20, 41, 9, 3, 33'905, 31'139, 280, false},
                                         Fixture{"gravity-v6-migrated", 20, 40, 11, 0, 33'907, 31'140, 0, true}),
                         fixture_name);

}  // namespace
}  // namespace gsync::pihole
