#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "unit/pihole/gravity_files.hpp"
#include "unit/sqlite/child.hpp"

namespace gsync::pihole {
namespace {

using test::code_of;
using test::GravityBuilder;

/// Every look at it takes 100 µs, and sleeping is remembered.
class SteppingClock final : public util::Clock {
 public:
  std::int64_t unix_time() override { return 0; }
  std::chrono::steady_clock::time_point now() override { return time_ += std::chrono::microseconds(100); }
  void sleep(std::chrono::nanoseconds) override {
    ++pauses;
    if (in_pause) in_pause();
  }
  int pauses = 0;
  std::function<void()> in_pause;

 private:
  std::chrono::steady_clock::time_point time_{};
};

class GravityRead : public test::GravityFiles, public testing::WithParamInterface<test::Shape> {
 protected:
  static test::Household household() { return test::realistic(7, {}, test::traits(GetParam()).has_type); }
};

TEST_P(GravityRead, GivesWhatPeopleEdit) {
  const auto h = household();
  build(GravityBuilder(GetParam()).household(h).numbering(3));
  const auto found = read(file());
  std::size_t rows = 1 + h.groups.size() + h.adlists.size() + h.domains.size() + h.clients.size();
  EXPECT_EQ(found.lists.size(), rows);
  auto groups_of = [&](const std::vector<std::string>& names) {
    std::set<model::RowKey> keys;
    for (const auto& name : names) {
      keys.insert(name == test::default_group ? model::default_group_key()
                                              : model::RowKey{model::Table::group, model::kind::named_group, name});
    }
    return keys;
  };
  auto expect_row = [&](const model::RowKey& key, const auto& row, bool enabled) {
    ASSERT_TRUE(found.lists.contains(key)) << model::describe(key);
    const auto& got = found.lists.at(key);
    EXPECT_EQ(got.enabled, enabled);
    EXPECT_EQ(got.added, row.added);
    EXPECT_EQ(got.modified, row.modified);
  };
  for (const auto& row : h.groups) {
    const model::RowKey key{model::Table::group, model::kind::named_group, row.name};
    expect_row(key, row, row.enabled);
    EXPECT_EQ(found.lists.at(key).comment, row.description.value_or(""));
  }
  for (const auto& row : h.adlists) {
    const model::RowKey key{model::Table::adlist, static_cast<std::uint8_t>(row.type), row.address};
    expect_row(key, row, row.enabled);
    EXPECT_EQ(found.lists.at(key).comment, row.comment.value_or(""));
    EXPECT_EQ(found.lists.at(key).groups, groups_of(row.groups));
    EXPECT_EQ(found.statistics.at(key).number, static_cast<std::int64_t>(row.content.size() + row.entries));
  }
  for (const auto& row : h.domains) {
    const model::RowKey key{model::Table::domain, static_cast<std::uint8_t>(row.type), row.domain};
    expect_row(key, row, row.enabled);
    EXPECT_EQ(found.lists.at(key).groups, groups_of(row.groups));
  }
  for (const auto& row : h.clients) {
    const model::RowKey key{model::Table::client, 0, row.ip};
    expect_row(key, row, true);
    EXPECT_EQ(found.lists.at(key).comment, row.comment.value_or(""));
    EXPECT_EQ(found.lists.at(key).groups, groups_of(row.groups));
  }
  EXPECT_EQ(found.lists.at(model::default_group_key()).title, "Default");
  EXPECT_NO_THROW(model::check_lists(found.lists));
  const auto ids = test::row_ids(file(), "adlist");
  for (const auto& [key, id] : found.adlist_ids) {
    EXPECT_EQ(ids.at((test::traits(GetParam()).has_type ? std::to_string(key.kind) + " " : "") + key.name), id);
  }
}

TEST_P(GravityRead, InStepsIsTheSameAsInOneGo) {
  build(GravityBuilder(GetParam()).household(household()));
  auto database = open(file());
  const auto shape = shape_of(database);
  const auto whole = read_rows(database, shape, nullptr);
  SteppingClock clock;
  sqlite::Pacer pacer({}, clock);
  const auto steps = read_rows(database, shape, &pacer);
  EXPECT_GT(clock.pauses, 30);
  EXPECT_TRUE(test::same_edits(whole.lists, steps.lists));
  EXPECT_EQ(whole.adlist_ids, steps.adlist_ids);
  EXPECT_EQ(whole.statistics, steps.statistics);
  EXPECT_EQ(whole.mark, steps.mark);
}

TEST_P(GravityRead, InStepsHoldsNoLockInItsPauses) {
  build(GravityBuilder(GetParam()).household(household()));
  test::Child editor([this](test::Child::Side& side) {
    test::Sql sql(file(), test::Sql::Mode::read_write, std::chrono::milliseconds(0));
    while (side.wait() == 'l') side.say(sql.try_execute("BEGIN EXCLUSIVE; ROLLBACK") == 0 ? 'y' : 'n');
  });
  auto database = open(file());
  SteppingClock clock;
  int refused = 0;
  clock.in_pause = [&] { refused += editor.ask('l') != 'y'; };
  sqlite::Pacer pacer({}, clock);
  read_rows(database, shape_of(database), &pacer);
  EXPECT_EQ(refused, 0);
}

TEST_P(GravityRead, InStepsIsAConflictWhenSomebodyEditsInBetween) {
  build(GravityBuilder(GetParam()).household(household()));
  test::Child editor([this](test::Child::Side& side) {
    test::Sql sql(file());
    side.wait();
    sql.execute("UPDATE client SET comment='edited' WHERE id=(SELECT min(id) FROM client)");
    side.say('.');
    side.wait();
  });
  auto database = open(file());
  SteppingClock clock;
  clock.in_pause = [&] {
    if (clock.pauses == 10) editor.ask();
  };
  sqlite::Pacer pacer({}, clock);
  EXPECT_EQ(code_of([&] { read_rows(database, shape_of(database), &pacer); }), ErrorCode::conflict);
}

TEST_P(GravityRead, IgnoresAssignmentsOfWhatIsNotThere) {
  build(GravityBuilder(GetParam()).household(household()));
  const auto before = read(file()).lists;
  test::execute(
      file(),
      "PRAGMA foreign_keys=OFF; INSERT INTO adlist_by_group VALUES (99999, 0); INSERT INTO client_by_group SELECT id, 99999 FROM client;"
      "INSERT INTO domainlist_by_group VALUES (-5, -5)");
  EXPECT_TRUE(test::same_edits(read(file()).lists, before));
}

TEST_P(GravityRead, ComesToAnEndWhateverStandsInAnIdsPlace) {
  build(GravityBuilder(GetParam()).household(household()));
  const auto before = read(file()).lists;
  test::execute(file(),
                "PRAGMA foreign_keys=OFF; INSERT INTO adlist_by_group VALUES ('text', 0), ('text', 1), (1.5, 0), (x'00', 0), (1, 'text')");
  auto database = open(file());
  SteppingClock clock;
  sqlite::Pacer pacer({}, clock);
  EXPECT_TRUE(test::same_edits(read_rows(database, shape_of(database), &pacer).lists, before));
}

TEST_P(GravityRead, IgnoresDomainsOfNoKnownType) {
  build(GravityBuilder(GetParam()).household(household()));
  const auto before = read(file()).lists;
  test::execute(file(), "INSERT INTO domainlist (type, domain) VALUES (4, 'x'), (-1, 'x'), (256, 'x')");
  EXPECT_TRUE(test::same_edits(read(file()).lists, before));
}

TEST_P(GravityRead, WithoutADefaultGroupIsCorrupt) {
  build(GravityBuilder(GetParam()));
  test::execute(file(), "PRAGMA foreign_keys=OFF; DROP TRIGGER tr_group_zero; DELETE FROM \"group\"");
  EXPECT_EQ(code_of([&] { read(file()); }), ErrorCode::corrupt);
}

TEST_P(GravityRead, MarkChangesWithACompileAndNotWithAnEdit) {
  build(GravityBuilder(GetParam()).household(household()));
  const auto before = read(file()).mark;
  EXPECT_GT(before.last_gravity, 0);
  test::execute(file(), "INSERT INTO domainlist (type, domain) VALUES (1, 'edit.example')");
  EXPECT_EQ(read(file()).mark, before);
  test::execute(file(), "UPDATE info SET value=value+1 WHERE property='updated'");
  EXPECT_NE(read(file()).mark, before);
}

TEST_P(GravityRead, CompiledSetsAreThoseOfThePlainTables) {
  build(GravityBuilder(GetParam()).household(household()).numbering(5));
  test::execute(file(),
                "PRAGMA foreign_keys=OFF; INSERT INTO gravity SELECT domain, adlist_id FROM gravity LIMIT 500; INSERT INTO gravity VALUES "
                "('orphan.example', 777), ('', 777),"
                "('line\nbreak', 777), (x'6162', 777), ('text.example', 'not a number')");
  const auto found = compiled(file());
  const std::string those_that_count =
      "gravity WHERE typeof(domain)='text' AND typeof(adlist_id)='integer' AND domain!='' AND instr(domain, char(10))=0";
  auto expected = test::sets_in(file(), those_that_count);
  ASSERT_EQ(found.gravity.size(), expected.size());
  for (const auto& set : found.gravity) EXPECT_EQ(set.rows, test::digest_of(expected.at(set.id))) << set.id;
  EXPECT_TRUE(std::is_sorted(found.gravity.begin(), found.gravity.end()));
  EXPECT_EQ(found.greatest_id(), 777);
  if (test::traits(GetParam()).has_type) {
    expected = test::sets_in(file(), "antigravity");
    ASSERT_EQ(found.antigravity.size(), expected.size());
    for (const auto& set : found.antigravity) EXPECT_EQ(set.rows, test::digest_of(expected.at(set.id)));
  }
  const auto rows = read(file());
  const auto blocklist = blocklist_of(rows, found);
  EXPECT_EQ(blocklist.size(), rows.adlist_ids.size());
  for (const auto& adlist : blocklist) {
    const auto set = test::sets_in(
        file(), adlist.key.kind == model::kind::allow_list ? "antigravity" : those_that_count)[rows.adlist_ids.at(adlist.key)];
    EXPECT_EQ(adlist.rows, test::digest_of(set)) << adlist.key.name;
  }
}

TEST_P(GravityRead, StreamsTheRowsOfTheAdlistsThatAreWished) {
  const bool typed = test::traits(GetParam()).has_type;
  build(GravityBuilder(GetParam()).household(household()).numbering(5));
  test::execute(file(), "INSERT INTO gravity SELECT domain, adlist_id FROM gravity LIMIT 500");
  if (typed)
    test::execute(file(),
                  "INSERT INTO antigravity SELECT g.domain, a.adlist_id FROM gravity g, (SELECT min(adlist_id) AS adlist_id FROM "
                  "antigravity) a LIMIT 300");
  const auto rows = read(file());
  std::vector<model::RowKey> keys;
  std::vector<std::int64_t> ids;
  std::vector<model::BlocklistAnswer> answers;
  // The order of wishes is another than that of the ids, and one is not wished for.
  for (auto at = rows.adlist_ids.rbegin(); at != rows.adlist_ids.rend(); ++at) {
    if (at == std::next(rows.adlist_ids.rbegin())) continue;
    keys.push_back(at->first);
    ids.push_back(at->second);
    answers.push_back({false, {}, rows.statistics.at(at->first)});
  }
  std::vector<WholeSet> wished;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    wished.push_back({ids[i], keys[i].kind == model::kind::allow_list, static_cast<std::uint32_t>(i)});
  }
  auto database = open(file());
  const auto shape = shape_of(database);
  auto reader = read_blocklist(std::move(database), shape, wished, answers);
  EXPECT_EQ(reader->answers().size(), keys.size());
  std::pair<std::string, std::int64_t> last{"", -1};
  std::vector<std::set<std::string>> got(keys.size());
  while (auto row = reader->next()) {
    std::pair<std::string, std::int64_t> here(row->domain, row->adlist);
    ASSERT_LT(last, here);
    last = here;
    EXPECT_FALSE(row->removed);
    got.at(row->adlist).insert(std::string(row->domain));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(got[i], test::sets_in(file(), keys[i].kind == model::kind::allow_list ? "antigravity" : "gravity")[ids[i]]) << keys[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, GravityRead, testing::ValuesIn(test::all_shapes), test::shape_name);

TEST(CanTravel, IsWhatPiholeCompiles) {
  EXPECT_TRUE(can_travel("ads.example.com"));
  EXPECT_TRUE(can_travel("||ads.example.com^"));
  EXPECT_TRUE(can_travel(std::string(1024, 'a')));
  EXPECT_FALSE(can_travel(std::string(1025, 'a')));
  for (const char* bad : {"", "a\nb", "a\tb", "\x7f"}) EXPECT_FALSE(can_travel(bad));
  EXPECT_FALSE(can_travel(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace gsync::pihole
