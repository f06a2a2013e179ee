// A first copy of a large blocklist, which travels as the pages of the source's database.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <span>

#include "gsync/sync/engine.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

/// The same household on both, with ids of each one's own; the target has compiled nothing yet.
Household household(std::size_t gravity) {
  HouseholdSize size;
  size.gravity = gravity;
  auto result = realistic(1, size);
  for (auto& adlist : result.adlists)
    if (gravity == 0) adlist.entries = 0, adlist.content.clear();
  return result;
}

PiholeOptions pihole(const std::string& name, std::uint64_t numbering, Household household) {
  PiholeOptions options;
  options.name = name;
  options.gravity = GravityBuilder().household(std::move(household)).numbering(numbering);
  return options;
}

class FirstCopy : public ::testing::Test {
 protected:
  std::string live(const LocalFixture& node) const { return node.directory.gravity(); }
  sync::Result pull() { return pull_to(target); }
  sync::Result pull_to(LocalFixture& node) {
    sync::Options options;
    options.started_by = "test";
    options.force = true;
    options.copy_patience = std::chrono::hours(1);
    options.progress = [this](const sync::Progress& p) { bytes = bytes || p.bytes, rows = rows || (p.total > 0 && !p.bytes); };
    return sync::replicate(*source.node, *node.node, options);
  }
  /// A change of the target, without what it is to change. Both are locked.
  model::Change begin_change() {
    const auto deadline = [] { return util::Deadline::in(std::chrono::seconds(20)); };
    source.node->lock(deadline());
    model::Change change;
    change.source = "ph1";
    change.expected = target.node->lock(deadline()).digests;
    return change;
  }
  void expect_in_step() {
    EXPECT_EQ(target.node->describe().digests, source.node->describe().digests);
    EXPECT_EQ(integrity(live(target)), "ok");
    EXPECT_EQ(value(live(target), "SELECT value FROM info WHERE property='gravity_count'"),
              value(live(source), "SELECT count(DISTINCT domain) FROM gravity"));
    // Counted anew from the tables, by a node that remembers nothing.
    std::filesystem::remove(target.directory.state() + "/state.db");
    target.reopen();
    EXPECT_EQ(target.node->describe().digests, source.node->describe().digests);
  }

  LocalFixture source{pihole("ph1", 3, household(80'000))};
  LocalFixture target{pihole("ph2", 7, household(0))};
  bool bytes = false;
  bool rows = false;
};

TEST_F(FirstCopy, IsOfPagesAndLeavesBothInStep) {
  ASSERT_LT(number(live(target), "SELECT count(*) FROM gravity"), 100);
  const auto result = pull();
  ASSERT_TRUE(result.report && result.report->published);
  EXPECT_TRUE(bytes);
  EXPECT_EQ(row_ids(live(target), "adlist"), row_ids(live(source), "adlist"));
  EXPECT_FALSE(result.report->counts.whole_database);
  EXPECT_GT(result.report->counts.blocklist_added, 79'000u);
  expect_in_step();
  EXPECT_TRUE(pull().plan.nothing_to_do());
}

/// The source's shadow, which is what travels, was made before its lists were edited.
TEST_F(FirstCopy, BringsTheListsAsTheyAreNow) {
  source.node->describe();
  execute(live(source), "INSERT INTO domainlist (type, domain) VALUES (1, 'new.example.com')");
  execute(live(source), "DELETE FROM client");
  execute(live(source), "INSERT INTO adlist (address) VALUES ('https://new.example/list')");
  execute(live(source), "UPDATE adlist SET enabled=0 WHERE id=(SELECT min(id) FROM adlist)");
  execute(live(target), "INSERT INTO domainlist (type, domain) VALUES (1, 'only-on-the-target.example.com')");
  const auto pauses = source.clock.pauses.load();
  const auto result = pull();
  ASSERT_TRUE(result.report);
  EXPECT_TRUE(bytes);
  EXPECT_GE(result.report->counts.rows_removed, 2u);
  EXPECT_LT(source.clock.pauses - pauses, 50) << "live is not copied again";
  expect_in_step();
}

TEST_F(FirstCopy, IsOfRowsWhereTheTargetsSchemaIsAnother) {
  execute(live(target), "CREATE TRIGGER theirs AFTER INSERT ON client BEGIN SELECT 1; END");
  ASSERT_TRUE(pull().report);
  EXPECT_TRUE(rows);
  EXPECT_EQ(number(live(target), "SELECT count(*) FROM sqlite_master WHERE name='theirs'"), 1);
  EXPECT_NE(row_ids(live(target), "adlist"), row_ids(live(source), "adlist"));
  expect_in_step();
}

TEST_F(FirstCopy, IsOfRowsWhereItWouldReplaceWhatIsTheTargetsOwn) {
  for (auto* node : {&source, &target}) execute(live(*node), "CREATE TABLE notes (text TEXT)");
  execute(live(target), "INSERT INTO notes VALUES ('mine')");
  ASSERT_TRUE(pull().report);
  EXPECT_TRUE(rows);
  EXPECT_EQ(value(live(target), "SELECT text FROM notes"), "mine");
  expect_in_step();
}

TEST_F(FirstCopy, IsOfRowsWhereTheTargetsRowsHaveMoreThanIsSynced) {
  for (auto* node : {&source, &target}) execute(live(*node), "ALTER TABLE adlist ADD COLUMN colour TEXT");
  execute(live(target), "UPDATE adlist SET colour='green'");
  ASSERT_TRUE(pull().report);
  EXPECT_TRUE(rows);
  EXPECT_EQ(number(live(target), "SELECT count(*) FROM adlist WHERE colour='green'"), number(live(target), "SELECT count(*) FROM adlist"));
  expect_in_step();
}

TEST_F(FirstCopy, IsRefusedWhereItIsNotWhatWasAnnounced) {
  auto change = begin_change();
  change.force = true;
  for (const auto& adlist : source.node->blocklist()) {
    change.wishes.push_back({adlist.key, std::nullopt});
    change.copied.push_back({false, adlist.rows, adlist.statistics});
  }
  const auto before = read_text(live(target));
  const auto error_of = [&] {
    auto copy = source.node->copy(model::CopyOf::compiled_sets);
    change.copy_bytes = copy.bytes;
    change.copy_schema = copy.schema;
    try {
      target.node->apply(change, nullptr, copy.reader.get());
    } catch (const Error& error) {
      EXPECT_EQ(read_text(live(target)), before);
      return error.code();
    }
    return ErrorCode::cancelled;
  };
  ++change.copied.front().rows.low;
  EXPECT_EQ(error_of(), ErrorCode::conflict);
  --change.copied.front().rows.low;
  change.wishes.push_back({{model::Table::adlist, model::kind::block_list, "https://nowhere.example/"}, std::nullopt});
  change.copied.emplace_back();
  EXPECT_EQ(error_of(), ErrorCode::protocol);
  change.wishes.pop_back();
  change.copied.pop_back();
  EXPECT_EQ(error_of(), ErrorCode::cancelled) << "it is applied";
  EXPECT_EQ(target.node->describe().digests.blocklist, source.node->describe().digests.blocklist);
}

/// The first `bytes` of another one.
class Cut final : public util::ByteReader {
 public:
  Cut(util::ByteReader& whole, std::uint64_t bytes) : whole_(whole), left_(bytes) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const auto n = whole_.read(buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left_))));
    left_ -= n;
    return n;
  }

 private:
  util::ByteReader& whole_;
  std::uint64_t left_;
};

TEST_F(FirstCopy, IsRefusedWhereItHasFewerOrMoreBytesThanAnnounced) {
  auto change = begin_change();
  change.whole_copy = true;
  const auto before = read_text(live(target));
  const auto error_of = [&](std::int64_t announced_more, std::uint64_t sent_less) {
    auto copy = source.node->copy(model::CopyOf::live);
    change.copy_bytes = copy.bytes + static_cast<std::uint64_t>(announced_more);
    Cut cut(*copy.reader, copy.bytes - sent_less);
    try {
      target.node->apply(change, nullptr, &cut);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::protocol);
      EXPECT_EQ(read_text(live(target)), before);
      return std::string(error.what());
    }
    return std::string("it is applied");
  };
  EXPECT_NE(error_of(0, 4'096).find("announced"), std::string::npos);
  EXPECT_NE(error_of(4'096, 0).find("announced"), std::string::npos);
  EXPECT_NE(error_of(-4'096, 0).find("more than it announced"), std::string::npos);
}

/// As `pihole -g` does when it has run while a copy was on its way.
class Mending final : public util::ByteReader {
 public:
  Mending(util::ByteReader& whole, std::function<void()> mend) : whole_(whole), mend_(std::move(mend)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const auto n = whole_.read(buffer);
    if (n == 0) mend_();
    return n;
  }

 private:
  util::ByteReader& whole_;
  std::function<void()> mend_;
};

TEST_F(FirstCopy, DoesNotReplaceADatabaseThatWasMendedMeanwhile) {
  auto options = pihole("ph3", 9, household(0));
  options.backups = true;
  LocalFixture fixture(options);
  const auto path = live(fixture);
  const auto healthy = read_text(path);
  for (const bool there : {true, false}) {
    SCOPED_TRACE(there ? "it was damaged" : "it was missing");
    ASSERT_EQ(there ? ::truncate(path.c_str(), 20 * 4096) : ::unlink(path.c_str()), 0);
    fixture.reopen();
    source.node->lock(util::Deadline::in(std::chrono::seconds(20)));
    fixture.node->lock(util::Deadline::in(std::chrono::seconds(20)));
    const auto copy = source.node->copy(model::CopyOf::live);
    const auto digests = source.node->describe().digests;
    model::Change change;
    change.source = "ph1";
    change.whole_copy = true;
    change.copy_bytes = copy.bytes;
    change.copy_lists = digests.lists;
    change.copy_blocklist = digests.blocklist;
    Mending mending(*copy.reader, [&] {
      write_text(path + ".new", healthy);
      std::filesystem::rename(path + ".new", path);
    });
    try {
      fixture.node->apply(change, nullptr, &mending);
      ADD_FAILURE() << "it is replaced";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::conflict) << error.what();
    }
    EXPECT_TRUE(read_text(path) == healthy);
    source.node->unlock();
    fixture.node->unlock();
  }
}

TEST_F(FirstCopy, IsNotBegunWhereThereIsNoRoomForIt) {
  auto change = begin_change();
  change.whole_copy = true;
  change.copy_bytes = std::uint64_t{1} << 52;
  class Unread final : public util::ByteReader {
    std::size_t read(std::span<std::byte>) override {
      ADD_FAILURE() << "so that nobody else on that disk is disturbed";
      return 0;
    }
  } copy;
  try {
    target.node->apply(change, nullptr, &copy);
    ADD_FAILURE() << "it is applied";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_space) << error.what();
  }
}

/// As it was installed: with a compiled adlist that the source does not have, and one that it has.
TEST_F(FirstCopy, IsOfPagesForAPiholeAsItWasInstalled) {
  AdlistRow own{"https://own.example/list"};
  own.entries = 3'000;
  Household installed;
  const auto adlists = household(80'000).adlists;
  installed.adlists = {own, *std::ranges::min_element(adlists, {}, &AdlistRow::entries)};
  LocalFixture fresh(pihole("ph3", 1, installed));
  ASSERT_TRUE(pull_to(fresh).report);
  EXPECT_TRUE(bytes);
  EXPECT_FALSE(rows);
  EXPECT_EQ(fresh.node->describe().digests, source.node->describe().digests);
  EXPECT_EQ(integrity(live(fresh)), "ok");
  EXPECT_EQ(value(live(fresh), "SELECT count(*) FROM gravity"), value(live(source), "SELECT count(*) FROM gravity"));
}

TEST_F(FirstCopy, CanBeUndone) {
  const auto before = target.node->lists();
  ASSERT_TRUE(pull().report);
  const auto versions = target.node->versions();
  ASSERT_FALSE(versions.empty());
  EXPECT_TRUE(model::diff(target.node->version(versions.front().id).lists, before).empty());
}

}  // namespace
}  // namespace gsync::test
