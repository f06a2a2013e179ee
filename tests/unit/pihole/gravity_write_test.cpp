#include <gmock/gmock.h>

#include <limits>

#include "unit/model/random_values.hpp"
#include "unit/pihole/gravity_files.hpp"

namespace gsync::pihole {
namespace {

using model::RowKey;
using model::Table;
using test::code_of;
using test::GravityBuilder;

RowKey group(const std::string& name) {
  return {Table::group, model::kind::named_group, name};
}
RowKey adlist(const std::string& address, std::uint8_t kind = 0) {
  return {Table::adlist, kind, address};
}
RowKey domain(const std::string& name, std::uint8_t kind = model::kind::deny_exact) {
  return {Table::domain, kind, name};
}
RowKey client(const std::string& ip) {
  return {Table::client, 0, ip};
}

class GravityWrite : public test::GravityFiles, public testing::WithParamInterface<test::Shape> {
 protected:
  static bool typed() { return test::traits(GetParam()).has_type; }

  /// Brings the lists in the file to what `edit` makes of them.
  template <class Edit>
  RowsWritten change(Edit edit, std::int64_t greatest_compiled_id = 0) {
    auto lists = read(file()).lists;
    edit(lists);
    return bring_to(lists, greatest_compiled_id);
  }
  RowsWritten bring_to(const model::Lists& wished, std::int64_t greatest_compiled_id = 0) {
    auto written = write(file(), model::diff(read(file()).lists, wished), greatest_compiled_id);
    auto there = read(file()).lists;
    EXPECT_TRUE(test::same_edits(there, wished));
    EXPECT_EQ(test::integrity(file()), "ok");
    for (const char* table : {"adlist_by_group", "domainlist_by_group", "client_by_group"}) {
      EXPECT_TRUE(test::rows(file(), std::string("PRAGMA foreign_key_check(") + table + ")").empty()) << table;
    }
    return written;
  }
  static RowsWritten write(const std::string& path, const std::vector<model::RowChange>& changes, std::int64_t greatest_compiled_id = 0) {
    auto database = open(path);
    database.execute("PRAGMA synchronous=OFF");
    sqlite::Transaction transaction(database);
    auto written = write_rows(database, shape_of(database), changes, greatest_compiled_id);
    transaction.commit();
    return written;
  }
  static std::map<std::string, std::map<std::string, std::int64_t>> ids(const std::string& path) {
    std::map<std::string, std::map<std::string, std::int64_t>> ids;
    for (const char* table : {"group", "adlist", "domainlist", "client"}) ids[table] = test::row_ids(path, table);
    return ids;
  }
};

TEST_P(GravityWrite, AddsRowsOfEveryTable) {
  build(GravityBuilder(GetParam()));
  model::Row row;
  row.comment = "it's \"new\"\n🐢";
  row.added = 1'600'000'000;
  row.modified = 1'600'000'001;
  change([&](model::Lists& lists) {
    lists[group("Kids")] = row;
    row.groups = {group("Kids"), model::default_group_key()};
    row.enabled = false;
    lists[adlist("https://a.example/list")] = row;
    for (std::uint8_t kind = 0; kind < 4; ++kind) lists[domain("x.example", kind)] = row;
    row.enabled = true;
    row.groups = {};
    lists[client("10.0.0.0/8")] = row;
  });
  for (const auto& [key, there] : read(file()).lists) {
    if (key == model::default_group_key()) continue;
    EXPECT_EQ(there.added, 1'600'000'000) << model::describe(key);
    EXPECT_EQ(there.modified, 1'600'000'001) << model::describe(key);
  }
  EXPECT_EQ(test::number(file(), "SELECT count(*) FROM client_by_group"), 0) << "no trigger has put it into group 0";
}

TEST_P(GravityWrite, KeepsIdsAndDateAddedOfWhatItChangesAndCarriesDateModified) {
  build(GravityBuilder(GetParam()).household(test::realistic(1, {}, typed())).numbering(9));
  const auto before = ids(file());
  const auto lists_before = read(file()).lists;
  change([](model::Lists& lists) {
    for (auto& [key, row] : lists) {
      row.comment += " changed";
      if (key.table != Table::client) row.enabled = !row.enabled;
      row.modified = 1'234'567'890;
      row.added = 1;
    }
  });
  EXPECT_EQ(ids(file()), before);
  for (const auto& [key, row] : read(file()).lists) {
    EXPECT_EQ(row.modified, 1'234'567'890) << model::describe(key);
    EXPECT_EQ(row.added, lists_before.at(key).added) << model::describe(key);
  }
}

TEST_P(GravityWrite, TouchesNoTwinOfADomain) {
  build(GravityBuilder(GetParam()).domain({.domain = "both.example", .type = 0}).domain({.domain = "both.example", .type = 1}));
  change([](model::Lists& lists) {
    lists[domain("both.example")].comment = "x";
    lists[domain("both.example")].modified = 42;
  });
  EXPECT_EQ(read(file()).lists.at(domain("both.example")).modified, 42);
  EXPECT_EQ(read(file()).lists.at(domain("both.example", model::kind::allow_exact)).modified, test::default_date);
}

TEST_P(GravityWrite, RemovesRowsWithTheirAssignments) {
  build(GravityBuilder(GetParam()).household(test::realistic(2, {}, typed())));
  auto removed = change([](model::Lists& lists) { std::erase_if(lists, [](const auto& row) { return row.first.table != Table::group; }); });
  EXPECT_EQ(removed.removed_adlists.size(), 12u);
  for (const char* table : {"adlist", "domainlist", "client", "adlist_by_group", "domainlist_by_group", "client_by_group"}) {
    EXPECT_EQ(test::number(file(), std::string("SELECT count(*) FROM ") + table), 0) << table;
  }
}

TEST_P(GravityWrite, RemovesAGroupFromWhatWasInIt) {
  build(GravityBuilder(GetParam()).household(test::realistic(2, {}, typed())));
  change([](model::Lists& lists) {
    for (auto& [key, row] : lists) row.groups.erase(group("Kids"));
    lists.erase(group("Kids"));
  });
  EXPECT_EQ(test::number(file(), "SELECT count(*) FROM \"group\" WHERE name='Kids'"), 0);
}

TEST_P(GravityWrite, RenamesAGroupWithAllThatIsInIt) {
  build(GravityBuilder(GetParam()).household(test::realistic(2, {}, typed())));
  change([](model::Lists& lists) {
    lists[group("Children")] = lists.at(group("Kids"));
    lists.erase(group("Kids"));
    for (auto& [key, row] : lists) {
      if (row.groups.erase(group("Kids")) != 0) row.groups.insert(group("Children"));
    }
  });
}

TEST_P(GravityWrite, RenamesTheDefaultGroupAndKeepsItsAssignments) {
  build(GravityBuilder(GetParam()).household(test::realistic(2, {}, typed())));
  change([](model::Lists& lists) { lists[model::default_group_key()].title = "Everybody"; });
  EXPECT_EQ(test::value(file(), "SELECT name FROM \"group\" WHERE id=0"), "Everybody");
  EXPECT_GT(test::number(file(), "SELECT count(*) FROM domainlist_by_group WHERE group_id=0"), 0);
}

TEST_P(GravityWrite, LetsTheDefaultGroupAndAnotherSwapTheirNames) {
  build(GravityBuilder(GetParam()).group({.name = "Kids"}).domain({.domain = "x.example", .groups = {"Kids"}}));
  change([](model::Lists& lists) {
    lists[model::default_group_key()].title = "Kids";
    lists[group("Default")] = lists.at(group("Kids"));
    lists.erase(group("Kids"));
    lists[domain("x.example")].groups = {group("Default")};
  });
  EXPECT_EQ(test::value(file(), "SELECT name FROM \"group\" WHERE id=0"), "Kids");
}

TEST_P(GravityWrite, NeverRemovesTheDefaultGroup) {
  build(GravityBuilder(GetParam()));
  EXPECT_EQ(code_of([&] { write(file(), {{model::default_group_key(), model::Row{}, std::nullopt}}); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { write(file(), {{model::default_group_key(), std::nullopt, model::Row{}}}); }), ErrorCode::conflict);
  EXPECT_EQ(test::number(file(), "SELECT count(*) FROM \"group\" WHERE id=0"), 1);
}

TEST_P(GravityWrite, IsAConflictWhereWhatItChangesIsNotThere) {
  build(GravityBuilder(GetParam()));
  model::Row row;
  for (const auto& key : {group("x"), adlist("x"), domain("x"), client("x")}) {
    EXPECT_EQ(code_of([&] { write(file(), {{key, row, std::nullopt}}); }), ErrorCode::conflict);
    EXPECT_EQ(code_of([&] { write(file(), {{key, row, row}}); }), ErrorCode::conflict);
  }
  row.groups = {group("x")};
  EXPECT_EQ(code_of([&] { write(file(), {{domain("y"), std::nullopt, row}}); }), ErrorCode::conflict);
  EXPECT_EQ(test::number(file(), "SELECT count(*) FROM domainlist"), 0);
}

TEST_P(GravityWrite, IsAConflictWhereWhatItAddsIsThereAlready) {
  build(GravityBuilder(GetParam()).domain({.domain = "x"}).client({.ip = "x"}).group({.name = "x"}).adlist({.address = "x"}));
  for (const auto& key : {group("x"), adlist("x"), domain("x"), client("x")}) {
    EXPECT_EQ(code_of([&] { write(file(), {{key, std::nullopt, model::Row{}}}); }), ErrorCode::conflict) << model::describe(key);
  }
}

TEST_P(GravityWrite, GivesANewAdlistAnIdThatNoRowOfGravityNames) {
  build(GravityBuilder(GetParam()).adlist({.address = "https://a.example"}));
  test::execute(file(), "PRAGMA foreign_keys=OFF; INSERT INTO gravity VALUES ('orphan.example', 5000)");
  auto written = change([](model::Lists& lists) { lists[adlist("https://b.example")] = lists[adlist("https://c.example")] = model::Row{}; },
                        compiled(file()).greatest_id());
  EXPECT_THAT(written.added_adlists, testing::ElementsAre(5001, 5002));
  EXPECT_EQ(blocklist_of(read(file()), compiled(file()))[1].rows.count, 0u);
}

TEST_P(GravityWrite, GivesANewAdlistNoIdThatWasGivenBefore) {
  build(GravityBuilder(GetParam()).adlist({.address = "https://a.example"}));
  change([](model::Lists& lists) { lists[adlist("https://b.example")] = {}; });
  auto removed = change([](model::Lists& lists) { lists.erase(adlist("https://b.example")); });
  auto added = change([](model::Lists& lists) { lists[adlist("https://c.example")] = {}; });
  ASSERT_EQ(removed.removed_adlists.size(), 1u);
  EXPECT_GT(added.added_adlists.at(0), removed.removed_adlists.at(0)) << "the id names the files of Pi-hole's list cache";
}

TEST_P(GravityWrite, HasNoIdBehindTheLast) {
  build(GravityBuilder(GetParam()));
  EXPECT_EQ(code_of([&] {
              write(file(), {{adlist("x"), std::nullopt, model::Row{}}}, std::numeric_limits<std::int64_t>::max());
            }),
            ErrorCode::corrupt);
}

TEST_P(GravityWrite, MakesNoBlockListOfAnAllowList) {
  build(GravityBuilder(GetParam()).adlist({.address = "https://a.example"}));
  const std::vector<model::RowChange> added{{adlist("https://b.example", model::kind::allow_list), std::nullopt, model::Row{}}};
  const std::vector<model::RowChange> removed{{adlist("https://a.example", model::kind::allow_list), model::Row{}, std::nullopt}};
  if (typed()) {
    write(file(), added);
    EXPECT_EQ(test::number(file(), "SELECT type FROM adlist WHERE address='https://b.example'"), 1);
  } else {
    EXPECT_EQ(code_of([&] { write(file(), added); }), ErrorCode::incompatible);
  }
  EXPECT_EQ(code_of([&] { write(file(), removed); }), typed() ? ErrorCode::conflict : ErrorCode::incompatible);
  EXPECT_EQ(test::number(file(), "SELECT count(*) FROM adlist WHERE address='https://a.example'"), 1);
}

TEST_P(GravityWrite, HoldsOneAddressAsBlockAndAllowListWhereTheShapeDoes) {
  build(GravityBuilder(GetParam()).adlist({.address = "https://a.example"}));
  const std::vector<model::RowChange> twin{{adlist("https://a.example", model::kind::allow_list), std::nullopt, model::Row{}}};
  if (!typed()) {
    EXPECT_EQ(code_of([&] { write(file(), twin); }), ErrorCode::incompatible);
  } else if (!test::traits(GetParam()).unique_with_type) {
    EXPECT_EQ(code_of([&] { write(file(), twin); }), ErrorCode::conflict);
  } else {
    write(file(), twin);
    EXPECT_EQ(test::number(file(), "SELECT count(*) FROM adlist"), 2);
  }
}

TEST_P(GravityWrite, BringsAnyListsToAnyOthers) {
  model::testing::Random random;
  for (int round = 0; round < 25; ++round) {
    auto wished = [&] {
      auto lists = random.lists(25);
      // What check_lists() and the shape let through.
      std::set<std::string> addresses;
      for (auto at = lists.begin(); at != lists.end();) {
        auto& [key, row] = *at;
        std::erase(row.comment, '\0');
        const bool cannot =
            key.table == Table::adlist && ((key.kind == model::kind::allow_list && !typed()) ||
                                           (!test::traits(GetParam()).unique_with_type && !addresses.insert(key.name).second));
        at = cannot ? lists.erase(at) : std::next(at);
      }
      model::check_lists(lists);
      return lists;
    };
    build(GravityBuilder(GetParam()).numbering(static_cast<std::uint64_t>(round)));
    const auto schema = test::dump_schema(file());
    const auto a = wished();
    bring_to(a);
    const auto before = ids(file());
    const auto b = wished();
    bring_to(b);
    EXPECT_EQ(test::dump_schema(file()), schema);
    const auto after = ids(file());
    for (const auto& [table, rows] : before) {
      for (const auto& [key, id] : rows) {
        const auto kept = after.at(table).find(key);
        if (kept == after.at(table).end()) continue;
        // The default group may be called now as another group was, and the other way round.
        if (table == "group" && (id == 0 || kept->second == 0)) continue;
        EXPECT_EQ(kept->second, id) << table << " " << key;
      }
    }
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

TEST_P(GravityWrite, RaisesUpdatedAboveWhatItWas) {
  build(GravityBuilder(GetParam()).updated(1'750'000'000));
  auto database = open(file());
  EXPECT_EQ(read_updated(database), 1'750'000'000);
  raise_updated(database, 1'750'000'000, 0);
  EXPECT_EQ(read_updated(database), 1'750'000'001);
  raise_updated(database, 1'750'000'001, 1'760'000'000);
  EXPECT_EQ(read_updated(database), 1'760'000'000) << "the source's time where it is later";
  EXPECT_EQ(test::value(file(), "SELECT typeof(value) FROM info WHERE property='updated'"), "text");
}

TEST_P(GravityWrite, MakesUpdatedWhereItIsMissing) {
  build(GravityBuilder(GetParam()).updated(std::nullopt));
  auto database = open(file());
  EXPECT_EQ(read_updated(database), 0);
  raise_updated(database, 0, 0);
  EXPECT_EQ(read_updated(database), 1);
}

TEST_P(GravityWrite, LeavesRoomToRaiseUpdatedAgain) {
  constexpr auto last = std::numeric_limits<std::int64_t>::max();
  build(GravityBuilder(GetParam()));
  auto database = open(file());
  raise_updated(database, 100, last);
  EXPECT_EQ(read_updated(database), 101) << "a peer's made-up date";
  raise_updated(database, last, 0);
  EXPECT_EQ(read_updated(database), last);
}

TEST_P(GravityWrite, CountsWhatGravityWouldCount) {
  build(GravityBuilder(GetParam())
            .adlist({.address = "https://a.example", .content = {"a.example", "b.example"}})
            .adlist({.address = "https://b.example", .content = {"b.example"}}));
  auto database = open(file());
  auto counts = [&](const std::string& sql) {
    test::execute(file(), sql);
    write_counts(database);
    return std::pair(*database.query_int("SELECT value FROM info WHERE property='gravity_count'"),
                     *database.query_int("SELECT value FROM info WHERE property='abp_domains'"));
  };
  EXPECT_EQ(counts("SELECT 1"), std::pair(std::int64_t{2}, std::int64_t{0}));
  EXPECT_EQ(counts("INSERT INTO gravity VALUES ('|not', 1), ('||~x^', 1)"), std::pair(std::int64_t{4}, std::int64_t{1}));
  EXPECT_EQ(counts("DELETE FROM gravity WHERE domain LIKE '||%'; DELETE FROM info WHERE property IN ('gravity_count', 'abp_domains')"),
            std::pair(std::int64_t{3}, std::int64_t{0}));
  if (typed()) {
    EXPECT_EQ(counts("INSERT INTO antigravity VALUES ('allowed.example', 1)").second, 0);
    EXPECT_EQ(counts("INSERT INTO antigravity VALUES ('@@||allowed.example^', 1)").second, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(To, GravityWrite, testing::ValuesIn(test::all_shapes), test::shape_name);

}  // namespace
}  // namespace gsync::pihole
