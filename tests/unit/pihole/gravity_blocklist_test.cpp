#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "support/sanitizer.hpp"
#include "unit/model/random_values.hpp"
#include "unit/pihole/gravity_files.hpp"

namespace gsync::pihole {
namespace {

using model::BlocklistAnswer;
using model::BlocklistWish;
using test::code_of;
using test::GravityBuilder;
using test::MemoryBlocklist;
using test::Sets;
using Line = MemoryBlocklist::Line;

constexpr std::size_t stretch = 4096;  // the merge takes the table in pieces of so many rows

std::string name(std::size_t i) {
  return "d" + std::to_string(1'000'000 + i) + ".example";
}

/// Some adlists that are wished for, and what a source sends of them.
class Transfer {
 public:
  void whole(std::int64_t id, const std::set<std::string>& domains, std::uint8_t kind = model::kind::block_list) {
    const auto wish = add(id, kind, false, {}, test::digest_of(domains));
    for (const auto& domain : domains) lines_.push_back({domain, wish, false});
  }
  void delta(std::int64_t id, const std::set<std::string>& from, const std::set<std::string>& to,
             std::uint8_t kind = model::kind::block_list) {
    auto wish = add(id, kind, true, test::digest_of(from), test::digest_of(to));
    for (const auto& domain : from) {
      if (!to.contains(domain)) lines_.push_back({domain, wish, true});
    }
    for (const auto& domain : to) {
      if (!from.contains(domain)) lines_.push_back({domain, wish, false});
    }
  }
  std::vector<Line>& lines() { return lines_; }
  std::vector<BlocklistAnswer>& answers() { return answers_; }

  BlocklistWritten write(const std::string& path) {
    std::sort(lines_.begin(), lines_.end());
    return write_as_it_is(path);
  }
  BlocklistWritten write_as_it_is(const std::string& path) {
    sqlite::Database database(path, sqlite::OpenMode::read_write);
    database.execute("PRAGMA synchronous=OFF");
    MemoryBlocklist reader(answers_, lines_);
    sqlite::Transaction transaction(database);
    auto written = write_blocklist(database, shape_of(database), ids_, wishes_, reader);
    transaction.commit();
    return written;
  }

 private:
  std::uint32_t add(std::int64_t id, std::uint8_t kind, bool delta, model::SetDigest have, model::SetDigest digest) {
    ids_.push_back(id);
    wishes_.push_back({{model::Table::adlist, kind, "https://" + std::to_string(id)}, delta ? std::optional(have) : std::nullopt});
    answers_.push_back({delta, digest, {1'760'000'000 + id, static_cast<std::int64_t>(digest.count), 3, 2, 1}});
    return static_cast<std::uint32_t>(ids_.size() - 1);
  }
  std::vector<std::int64_t> ids_;
  std::vector<BlocklistWish> wishes_;
  std::vector<BlocklistAnswer> answers_;
  std::vector<Line> lines_;
};

class GravityBlocklist : public test::GravityFiles {
 protected:
  /// Adlists 1 to 4 for blocking and 5 and 6 for allowing, with these rows in gravity and antigravity.
  void make(const Sets& gravity, const Sets& antigravity = {}, bool index = true) {
    GravityBuilder builder(test::Shape::v6_template);
    for (int i = 1; i <= 6; ++i) builder.adlist({.address = "https://" + std::to_string(i), .type = i > 4 ? 1 : 0});
    build(builder.index(index));
    test::Sql sql(file());
    sql.execute("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF; BEGIN");
    for (const auto& [table, sets] : {std::pair("gravity", &gravity), std::pair("antigravity", &antigravity)}) {
      test::Prepared insert(sql, (std::string("INSERT INTO ") + table + " VALUES (?1, ?2)").c_str());
      for (const auto& [id, domains] : *sets) {
        for (const auto& domain : domains) insert.bind(1, domain).bind(2, id).run();
      }
    }
    sql.execute("COMMIT");
  }
  Sets gravity() const { return test::sets_in(file(), "gravity"); }
  static std::set<std::string> schema_in(const std::string& path) {
    sqlite::Database database(path, sqlite::OpenMode::read_only);
    return schema_of(database);
  }
  std::int64_t count(const std::string& table) const { return test::number(file(), "SELECT count(*) FROM " + table); }
  static std::set<std::string> names(std::size_t from, std::size_t to, std::size_t step = 1) {
    std::set<std::string> result;
    for (auto i = from; i < to; i += step) result.insert(name(i));
    return result;
  }
  static std::set<std::string> without(std::set<std::string> set, const std::set<std::string>& gone) {
    for (const auto& domain : gone) set.erase(domain);
    return set;
  }
};

TEST_F(GravityBlocklist, BecomesTheSetThatWasWished) {
  make({{1, names(0, 100)}, {2, names(50, 150)}, {3, names(0, 10)}});
  Transfer transfer;
  transfer.whole(2, names(100, 200));
  transfer.whole(1, names(0, 100, 2));
  const auto written = transfer.write(file());
  EXPECT_EQ(gravity(), (Sets{{1, names(0, 100, 2)}, {2, names(100, 200)}, {3, names(0, 10)}}));
  EXPECT_EQ(written.added, 50u);
  EXPECT_EQ(written.removed, 100u);
  EXPECT_EQ(written.sets.at(1), test::digest_of(names(0, 100, 2)));
  EXPECT_EQ(written.sets.at(2), test::digest_of(names(100, 200)));
  EXPECT_EQ(test::rows(file(), "SELECT date_updated, number, invalid_domains, status, abp_entries FROM adlist WHERE id=2"),
            (std::vector<test::Cells>{{"1760000002", "100", "3", "2", "1"}}));
  EXPECT_EQ(test::integrity(file()), "ok");
}

TEST_F(GravityBlocklist, WritesNothingWhereItIsEqual) {
  make({{1, names(0, 10'000)}, {2, names(5'000, 15'000)}});
  Transfer transfer;
  transfer.whole(1, names(0, 10'000));
  transfer.whole(2, names(5'000, 15'000));
  const auto written = transfer.write(file());
  EXPECT_EQ(written.added + written.removed, 0u);
}

TEST_F(GravityBlocklist, FillsAnEmptyTable) {
  for (std::size_t size : {std::size_t{1}, stretch - 1, stretch, stretch + 1, 3 * stretch}) {
    make({});
    const auto schema = schema_in(file());
    Transfer transfer;
    transfer.whole(1, names(0, size));
    EXPECT_EQ(transfer.write(file()).added, size);
    EXPECT_EQ(gravity(), (Sets{{1, names(0, size)}}));
    EXPECT_EQ(schema_in(file()), schema) << "of " << size;
    EXPECT_EQ(test::integrity(file()), "ok") << "of " << size;
  }
}

TEST_F(GravityBlocklist, GrowsToManyTimesItsSize) {
  make({{1, names(0, 100)}, {2, names(0, 50)}});
  const auto schema = schema_in(file());
  Transfer transfer;
  transfer.whole(1, names(50, 3 * stretch));
  transfer.delta(2, names(0, 50), names(1, 51));
  const auto written = transfer.write(file());
  EXPECT_EQ(written.added, 3 * stretch - 100 + 1);
  EXPECT_EQ(written.removed, 50u + 1u);
  EXPECT_EQ(gravity(), (Sets{{1, names(50, 3 * stretch)}, {2, names(1, 51)}}));
  EXPECT_EQ(schema_in(file()), schema);
  EXPECT_EQ(test::integrity(file()), "ok");
}

TEST_F(GravityBlocklist, OfABigTableWithoutAnIndexIsMergedInOnePass) {
  // A look through the whole table for each stretch or each row of a delta would take minutes here.
  make({}, {{5, names(0, 60'000)}, {6, names(0, 60'000)}});
  Transfer transfer;
  transfer.whole(5, names(1, 60'001), model::kind::allow_list);
  transfer.delta(6, names(0, 60'000), names(30'000, 90'000), model::kind::allow_list);
  const auto written = transfer.write(file());
  EXPECT_EQ(written.added, 30'001u);
  EXPECT_EQ(written.removed, 30'001u);
  EXPECT_EQ(test::sets_in(file(), "antigravity"), (Sets{{5, names(1, 60'001)}, {6, names(30'000, 90'000)}}));
}

TEST_F(GravityBlocklist, EmptiesASet) {
  for (std::size_t size : {std::size_t{1}, stretch - 1, stretch, stretch + 1, 3 * stretch}) {
    make({{1, names(0, size)}, {2, names(0, 3)}});
    Transfer transfer;
    transfer.whole(1, {});
    EXPECT_EQ(transfer.write(file()).removed, size);
    EXPECT_EQ(gravity(), (Sets{{2, names(0, 3)}}));
  }
}

TEST_F(GravityBlocklist, IsRightAtTheEdgesOfAStretch) {
  // A change at each place around the edge, in a table whose rows are all of the wished list, or of several.
  for (std::size_t lists : {std::size_t{1}, std::size_t{3}}) {
    Sets before;
    for (std::size_t i = 1; i <= lists; ++i) before[static_cast<std::int64_t>(i)] = names(0, stretch / lists + 50);
    make(before);
    for (std::size_t at = stretch / lists - 1; at <= stretch / lists + 1; ++at) {
      Transfer transfer;
      auto wished = before[1];
      wished.erase(name(at));
      wished.insert(name(at) + "x");
      transfer.whole(1, wished);
      const auto written = transfer.write(file());
      EXPECT_EQ(written.added, at == stretch / lists - 1 ? 1u : 2u) << "of " << lists << " at " << at;
      auto expected = before;
      expected[1] = wished;
      ASSERT_EQ(gravity(), expected) << "of " << lists << " at " << at;
    }
  }
}

TEST_F(GravityBlocklist, RemovesRowsThatAreThereTwice) {
  make({{1, names(0, 5'000)}});
  test::execute(file(), "INSERT INTO gravity SELECT * FROM gravity");
  Transfer transfer;
  transfer.whole(1, names(0, 5'000));
  EXPECT_EQ(transfer.write(file()).removed, 5'000u);
  EXPECT_EQ(count("gravity"), 5'000);
}

TEST_F(GravityBlocklist, LeavesWhatDoesNotCountWhereItIs) {
  make({{1, names(0, 10)}});
  const std::string junk = "INSERT INTO gravity VALUES ('', 1), ('line' || char(10), 1), (x'6162', 1), ('x.example', 'text')";
  test::execute(file(), junk);
  Transfer transfer;
  transfer.whole(1, names(5, 15));
  transfer.write(file());
  EXPECT_EQ(count("gravity"), 10 + 4);
}

TEST_F(GravityBlocklist, ComesToAnEndWithBlobsAmongTheDomains) {
  make({{1, names(0, stretch)}});
  test::execute(file(), "INSERT INTO gravity SELECT CAST(domain AS BLOB), adlist_id FROM gravity");
  Transfer transfer;
  transfer.whole(1, names(0, 10));
  transfer.write(file());
  EXPECT_EQ(test::number(file(), "SELECT count(*) FROM gravity WHERE typeof(domain)='text'"), 10);
  EXPECT_EQ(compiled(file()).gravity.at(0).rows.count, 10u);
}

TEST_F(GravityBlocklist, KeepsAntigravityApart) {
  make({{1, names(0, 100)}}, {{5, names(0, 100)}});
  Transfer transfer;
  transfer.whole(5, names(50, 150), model::kind::allow_list);
  transfer.whole(2, names(0, 100));
  transfer.whole(6, {"@@||x.example^"}, model::kind::allow_list);
  transfer.write(file());
  EXPECT_EQ(gravity(), (Sets{{1, names(0, 100)}, {2, names(0, 100)}}));
  EXPECT_EQ(test::sets_in(file(), "antigravity"), (Sets{{5, names(50, 150)}, {6, {"@@||x.example^"}}}));
}

TEST_F(GravityBlocklist, OfAnAllowListIsRefusedWhereThereAreNone) {
  build(GravityBuilder(test::Shape::v5).adlist({.address = "https://1"}));
  Transfer transfer;
  transfer.whole(1, names(0, 1), model::kind::allow_list);
  EXPECT_EQ(code_of([&] { transfer.write(file()); }), ErrorCode::incompatible);
}

TEST_F(GravityBlocklist, AppliesADelta) {
  make({{1, names(0, 5'000)}, {2, names(0, 100)}});
  Transfer transfer;
  const auto to = without(names(0, 5'010), names(0, 5'000, 100));
  transfer.delta(1, names(0, 5'000), to);
  const auto written = transfer.write(file());
  EXPECT_EQ(written.added, 10u);
  EXPECT_EQ(written.removed, 50u);
  EXPECT_EQ(gravity(), (Sets{{1, to}, {2, names(0, 100)}}));
}

TEST_F(GravityBlocklist, OfADeltaThatDoesNotFitIsCorrupt) {
  make({{1, names(0, 100)}});
  Transfer removes;
  removes.delta(1, names(0, 101), names(0, 100));
  EXPECT_EQ(code_of([&] { removes.write(file()); }), ErrorCode::corrupt);
  Transfer adds;
  adds.delta(1, names(0, 99), names(0, 100));
  EXPECT_EQ(code_of([&] { adds.write(file()); }), ErrorCode::corrupt);
  EXPECT_EQ(gravity(), (Sets{{1, names(0, 100)}}));
}

TEST_F(GravityBlocklist, ThatIsNotWhatWasAnnouncedIsCorrupt) {
  make({{1, names(0, 100)}, {2, names(0, 100)}});
  for (int lie = 0; lie < 4; ++lie) {
    Transfer transfer;
    transfer.whole(1, names(0, 50));
    transfer.delta(2, names(0, 100), names(0, 101));
    switch (lie) {
      case 0:
        transfer.lines().pop_back();
        break;
      case 1:
        transfer.lines().push_back({"zzz.example", 0, false});
        break;
      case 2:
        ++transfer.answers()[0].rows.count;
        break;
      default:
        ++transfer.answers()[1].rows.low;
    }
    EXPECT_EQ(code_of([&] { transfer.write(file()); }), ErrorCode::corrupt) << lie;
  }
  EXPECT_EQ(gravity(), (Sets{{1, names(0, 100)}, {2, names(0, 100)}}));
}

TEST_F(GravityBlocklist, OfALyingSourceIsAProtocolError) {
  make({{1, names(0, 100)}});
  Transfer unknown;
  unknown.whole(1, names(0, 50));
  unknown.lines().push_back({"zzz.example", 7, false});
  EXPECT_EQ(code_of([&] { unknown.write(file()); }), ErrorCode::protocol);
  Transfer removed;
  removed.whole(1, names(0, 50));
  removed.lines().push_back({"zzz.example", 0, true});
  EXPECT_EQ(code_of([&] { removed.write(file()); }), ErrorCode::protocol);
  Transfer answers;
  answers.whole(1, names(0, 50));
  answers.answers().clear();
  EXPECT_EQ(code_of([&] { answers.write(file()); }), ErrorCode::protocol);
  for (const auto& bad : {std::string(), std::string("a\nb"), std::string(2'000, 'a')}) {
    Transfer junk;
    junk.whole(1, {bad});
    EXPECT_EQ(code_of([&] { junk.write(file()); }), ErrorCode::protocol);
  }
}

TEST_F(GravityBlocklist, OutOfOrderIsAProtocolError) {
  make({{1, names(0, 100)}, {2, names(0, 100)}});
  for (int disorder = 0; disorder < 3; ++disorder) {
    Transfer transfer;
    transfer.whole(1, names(0, 50));
    transfer.whole(2, names(0, 50));
    auto& lines = transfer.lines();
    std::sort(lines.begin(), lines.end());
    switch (disorder) {
      case 0:
        std::reverse(lines.begin(), lines.end());
        break;
      case 1:
        std::swap(lines[0], lines[1]);  // two adlists of one domain
        break;
      default:
        lines.insert(lines.begin(), lines.front());
    }
    EXPECT_EQ(code_of([&] { transfer.write_as_it_is(file()); }), ErrorCode::protocol) << disorder;
  }
  EXPECT_EQ(gravity(), (Sets{{1, names(0, 100)}, {2, names(0, 100)}}));
}

TEST_F(GravityBlocklist, BecomesAnyWishFromAnything) {
  model::testing::Random random;
  for (int round = 0; round < 20; ++round) {
    // Few names and many adlists, or the other way round; some lists big enough for several stretches.
    const std::size_t space = random.below(4) == 0 ? 9'000 : 1 + random.below(300);
    auto set = [&] {
      std::set<std::string> domains;
      const auto density = 1 + random.below(6);
      for (std::size_t i = 0; i < space; ++i) {
        if (random.below(density) == 0) domains.insert(name(i));
      }
      return random.below(6) == 0 ? std::set<std::string>() : domains;
    };
    Sets block, allow;
    for (std::int64_t id = 1; id <= 4; ++id) block[id] = set();
    allow[5] = set();
    make(block, allow, random.below(3) != 0);
    if (random.flip()) test::execute(file(), "INSERT INTO gravity SELECT * FROM gravity WHERE rowid % 7 = 0");
    block[77] = {"orphan.example"};
    test::execute(file(), "PRAGMA foreign_keys=OFF; INSERT INTO gravity VALUES ('orphan.example', 77)");
    Transfer transfer;
    std::vector<std::int64_t> ids{4, 2, 1, 5};
    std::shuffle(ids.begin(), ids.end(), random.engine());
    for (auto id : ids) {
      if (random.below(5) == 0) continue;
      auto& now = id == 5 ? allow[id] : block[id];
      const auto wished = set();
      const auto kind = id == 5 ? model::kind::allow_list : model::kind::block_list;
      if (random.below(3) == 0) {
        transfer.delta(id, now, wished, kind);
      } else {
        transfer.whole(id, wished, kind);
      }
      now = wished;
    }
    const auto written = transfer.write(file());
    std::erase_if(block, [](const auto& s) { return s.second.empty(); });
    std::erase_if(allow, [](const auto& s) { return s.second.empty(); });
    ASSERT_EQ(gravity(), block) << "round " << round;
    ASSERT_EQ(test::sets_in(file(), "antigravity"), allow) << "round " << round;
    const auto recount = compiled(file());
    for (const auto* sets : {&recount.gravity, &recount.antigravity}) {
      for (const auto& [id, digest] : *sets) {
        if (written.sets.contains(id)) {
          ASSERT_EQ(written.sets.at(id), digest) << "round " << round;
        }
      }
    }
    ASSERT_EQ(test::integrity(file()), "ok");
  }
}

TEST_F(GravityBlocklist, IsRemovedWithItsAdlists) {
  make({{1, names(0, 100)}, {2, names(0, 50)}, {3, names(0, 10)}}, {{5, names(0, 7)}});
  auto database = open(file());
  EXPECT_EQ(remove_compiled(database, shape_of(database), {1, 3, 5, 99}), 117u);
  EXPECT_EQ(remove_compiled(database, shape_of(database), {}), 0u);
  EXPECT_EQ(gravity(), (Sets{{2, names(0, 50)}}));
  EXPECT_EQ(count("antigravity"), 0);
}

/// A source with any number of rows and no memory of them.
class EndlessRows final : public model::BlocklistReader {
 public:
  EndlessRows(std::size_t rows, std::size_t shift) : rows_(rows), shift_(shift) {
    model::SetDigest digest;
    for (std::size_t i = 0; i < rows; ++i) digest.add(name(i + shift));
    answers_.push_back({false, digest, {}});
  }
  const std::vector<BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override {
    if (at_ == rows_) return std::nullopt;
    domain_ = name(at_++ + shift_);
    return model::BlocklistRow{domain_, 0, false};
  }

 private:
  std::vector<BlocklistAnswer> answers_;
  std::size_t rows_, shift_, at_ = 0;
  std::string domain_;
};

TEST_F(GravityBlocklist, TakesNoMoreRowsThanWereAnnounced) {
  make({});
  auto database = open(file());
  sqlite::Transaction transaction(database);
  class Flood final : public model::BlocklistReader {
   public:
    const std::vector<BlocklistAnswer>& answers() const override { return answers_; }
    std::optional<model::BlocklistRow> next() override {
      domain_ = name(given++);
      return given == 1'000 ? std::nullopt : std::optional(model::BlocklistRow{domain_, 0, false});
    }
    std::size_t given = 0;

   private:
    std::vector<BlocklistAnswer> answers_{{false, test::digest_of({name(0), name(1)}), {}}};
    std::string domain_;
  } flood;
  EXPECT_EQ(code_of([&] {
              write_blocklist(database, shape_of(database), {1}, {{{model::Table::adlist, 0, "https://1"}, std::nullopt}}, flood);
            }),
            ErrorCode::corrupt);
  EXPECT_EQ(flood.given, 3u) << "it could fill the disk";
}

TEST_F(GravityBlocklist, TakesNoMoreMemoryForMoreRows) {
  if (test::sanitized) GTEST_SKIP() << "the sanitizer keeps freed memory";
  auto resident = [] {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // KiB, the highest so far
  };
  auto fill = [&](std::size_t rows, std::size_t shift) {
    auto database = open(file());
    database.write_without_journal();
    sqlite::Transaction transaction(database);
    EndlessRows source(rows, shift);
    const auto written =
        write_blocklist(database, shape_of(database), {1}, {{{model::Table::adlist, 0, "https://1"}, std::nullopt}}, source);
    transaction.commit();
    read_compiled(database, shape_of(database));
    return written;
  };
  make({});
  fill(20'000, 0);
  const auto small = resident();
  const auto written = fill(500'000, 10'000);
  EXPECT_EQ(written.added, 490'000u);
  EXPECT_EQ(written.removed, 10'000u);
  EXPECT_LT(resident() - small, 20'000) << "KiB; the rows alone are 10 MB, the file 50";
  EXPECT_EQ(count("gravity"), 500'000);
}

}  // namespace
}  // namespace gsync::pihole
