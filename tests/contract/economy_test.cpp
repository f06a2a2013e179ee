// Work grows with the change: what is sent after a `pihole -g`, and what a second publish reads.

#include <gtest/gtest.h>
#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "gsync/model/node.hpp"
#include "gsync/sqlite/database.hpp"
#include "gsync/sync/engine.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

PiholeOptions pihole(const std::string& name, std::uint64_t numbering) {
  PiholeOptions options;
  options.name = name;
  options.gravity = GravityBuilder().household(realistic(1)).numbering(numbering);
  return options;
}

sync::Options pull() {
  sync::Options options;
  options.started_by = "test";
  return options;
}

/// What `pihole -g` does to the files: a new database beside the live one, compiled with other rows, moved over it.
void compile(const LocalFixture& node, int changed) {
  auto live = node.directory.gravity();
  auto temp = live + "_temp";
  std::filesystem::copy_file(live, temp);
  execute(temp, "DELETE FROM gravity WHERE rowid IN (SELECT rowid FROM gravity ORDER BY rowid LIMIT " + std::to_string(changed) + ")");
  execute(temp, "INSERT INTO gravity SELECT 'fresh-' || domain, adlist_id FROM gravity WHERE domain NOT LIKE '||%' ORDER BY rowid LIMIT " +
                    std::to_string(changed));
  execute(temp, "UPDATE info SET value = value + 60 WHERE property = 'updated'");
  ASSERT_EQ(::rename(temp.c_str(), live.c_str()), 0);
}

util::Deadline soon() {
  return util::Deadline::in(std::chrono::seconds(20));
}

/// What who has `have` wishes for.
std::vector<model::BlocklistWish> differing(const model::Blocklist& have, const model::Blocklist& now) {
  std::vector<model::BlocklistWish> wishes;
  for (const auto& adlist : now) {
    for (const auto& old : have) {
      if (old.key == adlist.key && old.rows != adlist.rows) wishes.push_back({adlist.key, old.rows});
    }
  }
  return wishes;
}

/// Whether the source answers all that the target wishes for with what has changed.
bool tells_changes(const LocalFixture& source, const LocalFixture& target) {
  source.node->lock(soon());
  const auto wishes = differing(target.node->blocklist(), source.node->blocklist());
  const auto rows = source.node->blocklist_rows(wishes);
  const bool all = !wishes.empty() && std::ranges::all_of(rows->answers(), &model::BlocklistAnswer::delta);
  source.node->unlock();
  return all;
}

TEST(Economy, SendsOnlyWhatAPiholeGChangedToATargetThatWasInStep) {
  LocalFixture source(pihole("ph1", 3));
  LocalFixture target(pihole("ph2", 7));
  sync::replicate(*source.node, *target.node, pull());  // equal but for ids; makes both shadows
  source.node->describe();
  compile(source, 50);

  source.node->lock(soon());
  const auto wishes = differing(target.node->blocklist(), source.node->blocklist());
  ASSERT_FALSE(wishes.empty());
  auto rows = source.node->blocklist_rows(wishes);
  std::size_t sent = 0;
  for (const auto& answer : rows->answers()) EXPECT_TRUE(answer.delta);
  while (rows->next()) ++sent;
  EXPECT_EQ(sent, 100u);
  rows.reset();
  source.node->unlock();

  auto result = sync::replicate(*source.node, *target.node, pull());
  ASSERT_TRUE(result.report);
  EXPECT_EQ(result.report->counts.blocklist_added, 50u);
  EXPECT_EQ(result.report->counts.blocklist_removed, 50u);
  EXPECT_EQ(value(target.directory.gravity(), "SELECT value FROM info WHERE property='gravity_count'"),
            value(source.directory.gravity(), "SELECT count(DISTINCT domain) FROM gravity"));
  EXPECT_EQ(integrity(target.directory.gravity()), "ok");
  // Counted anew from the tables, by a node that remembers nothing.
  std::filesystem::remove(target.directory.state() + "/state.db");
  target.reopen();
  EXPECT_EQ(target.node->describe().digests.blocklist, source.node->describe().digests.blocklist);
}

TEST(Economy, SendsWhatSeveralCompilesChangedTogether) {
  LocalFixture source(pihole("ph1", 3));
  LocalFixture target(pihole("ph2", 7));
  sync::replicate(*source.node, *target.node, pull());
  for (const int changed : {50, 20, 30}) {
    source.node->describe();
    compile(source, changed);
  }
  EXPECT_TRUE(tells_changes(source, target));
  auto result = sync::replicate(*source.node, *target.node, pull());
  ASSERT_TRUE(result.report);
  EXPECT_EQ(target.node->describe().digests.blocklist, source.node->describe().digests.blocklist);
  EXPECT_EQ(integrity(target.directory.gravity()), "ok");
}

/// Bits rot, and what was kept is believed for weeks.
TEST(Economy, SendsWholeSetsWhereWhatWasKeptDoesNotFit) {
  for (const bool two_ways : {false, true}) {
    SCOPED_TRACE(two_ways);
    LocalFixture source(pihole("ph1", 3));
    LocalFixture target(pihole("ph2", 7));
    auto sync = [&] {
      if (two_ways)
        sync::synchronise(*target.node, *source.node, {});
      else
        sync::replicate(*source.node, *target.node, pull());
    };
    sync();
    source.node->describe();
    compile(source, 50);
    source.node->describe();
    const auto kept = std::filesystem::path(source.directory.gravity()).parent_path() / ".gravity-sync/delta.db";
    execute(kept, "UPDATE change SET domain = 'zz-rotten.example' WHERE domain = (SELECT max(domain) FROM change WHERE removed = 0)");
    ASSERT_TRUE(tells_changes(source, target));
    sync();
    EXPECT_EQ(target.node->describe().digests.blocklist, source.node->describe().digests.blocklist);
    EXPECT_EQ(integrity(target.directory.gravity()), "ok");
  }
}

/// A change without a row, from what the peer says to be there.
class NoRows final : public model::BlocklistReader {
 public:
  explicit NoRows(model::BlocklistAnswer answer) : answers_{std::move(answer)} {}
  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override { return std::nullopt; }

 private:
  std::vector<model::BlocklistAnswer> answers_;
};

TEST(Economy, DoesNotBelieveAPeerWhatIsThere) {
  LocalFixture target(pihole("ph2", 7));
  const auto before = target.node->describe();
  target.node->lock(soon());
  const auto blocklist = target.node->blocklist();
  const auto adlist = std::ranges::find_if(blocklist, [](const auto& a) { return a.rows.count > 0; });
  ASSERT_NE(adlist, blocklist.end());
  auto claimed = adlist->rows;
  claimed.add("only-there.example");
  model::Change change;
  change.expected.lists = before.digests.lists;
  change.expected.blocklist = before.digests.blocklist;
  change.wishes = {{adlist->key, claimed}};
  NoRows rows({true, claimed, adlist->statistics});
  try {
    target.node->apply(change, &rows, nullptr);
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::conflict) << error.what();
  }
  target.node->unlock();
  EXPECT_EQ(target.node->describe().digests, before.digests);
}

TEST(Economy, SendsWholeSetsToATargetThatMissedMoreThanWasKept) {
  LocalFixture source(pihole("ph1", 3));
  LocalFixture target(pihole("ph2", 7));
  sync::replicate(*source.node, *target.node, pull());
  source.node->describe();
  compile(source, 50);
  source.node->describe();
  std::filesystem::remove(std::filesystem::path(source.directory.gravity()).parent_path() / ".gravity-sync/delta.db");
  compile(source, 20);
  EXPECT_FALSE(tells_changes(source, target));
  auto result = sync::replicate(*source.node, *target.node, pull());
  ASSERT_TRUE(result.report);
  EXPECT_EQ(target.node->describe().digests.blocklist, source.node->describe().digests.blocklist);
  EXPECT_EQ(result.report->counts.blocklist_removed, 70u);
}

/// By this process, from files and whatever else, whether they came from the disk or not.
std::uint64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::uint64_t value = 0;
  io >> name >> value;
  EXPECT_EQ(name, "rchar:");
  return value;
}

TEST(Economy, ASecondPublishMakesTheFirstOnesChangeAgainInsteadOfReadingLive) {
  LocalFixture source(pihole("ph1", 3));
  LocalFixture target(pihole("ph2", 7));
  for (int i = 1; i <= 4; ++i) {
    execute(source.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'n" + std::to_string(i) + ".example.com')");
    execute(source.directory.gravity(), "UPDATE adlist SET comment='" + std::to_string(i) + "' WHERE id=(SELECT min(id) FROM adlist)");
    source.node->describe();
    target.node->describe();
    const int before = target.clock.pauses;
    const auto read_before = bytes_read();
    auto result = sync::replicate(*source.node, *target.node, pull());
    ASSERT_TRUE(result.report && result.report->published);
    // Reading live is paced; a replay does not touch it, and what was checked whole is not again.
    if (i > 2) {
      EXPECT_EQ(target.clock.pauses, before) << i;
      EXPECT_LT(bytes_read() - read_before, std::filesystem::file_size(target.directory.gravity()) / 2) << i;
    }
    EXPECT_EQ(target.node->describe().digests, source.node->describe().digests);
    EXPECT_EQ(integrity(target.directory.gravity()), "ok");
  }
  // A web edit on the target in between: what was published is not what live is, and the backup API must copy it.
  execute(target.directory.gravity(), "INSERT INTO client (ip) VALUES ('192.0.2.200')");
  auto result = sync::replicate(*source.node, *target.node, pull());
  ASSERT_TRUE(result.report && result.report->published);
  EXPECT_EQ(result.report->counts.rows_removed, 1u);
  EXPECT_EQ(target.node->describe().digests, source.node->describe().digests);
  EXPECT_EQ(integrity(target.directory.gravity()), "ok");
}

TEST(Economy, ACompileIsMadeAgainInTheShadowInsteadOfReadingLive) {
  LocalFixture source(pihole("ph1", 3));
  LocalFixture target(pihole("ph2", 7));
  sync::replicate(*source.node, *target.node, pull());
  source.node->describe();
  auto replicated = [&] {
    source.node->describe();
    target.node->describe();
    const int before = target.clock.pauses;
    auto result = sync::replicate(*source.node, *target.node, pull());
    EXPECT_TRUE(result.report && result.report->published);
    EXPECT_EQ(target.node->describe().digests, source.node->describe().digests);
    EXPECT_EQ(integrity(target.directory.gravity()), "ok");
    return target.clock.pauses - before;
  };
  compile(source, 20);
  EXPECT_GT(replicated(), 0) << "what live is was not made by a change";
  compile(source, 10);
  EXPECT_EQ(replicated(), 0) << "of compiled sets";
  execute(source.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'one.example.com')");
  EXPECT_EQ(replicated(), 0) << "of compiled sets, before rows";
  compile(source, 15);
  EXPECT_EQ(replicated(), 0) << "of rows, before compiled sets";

  // What was kept has gone: live is copied.
  std::filesystem::remove(std::filesystem::path(target.directory.gravity()).parent_path() / ".gravity-sync/delta.db");
  execute(source.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'two.example.com')");
  EXPECT_GT(replicated(), 0);
  // Most of it has changed: to copy is cheaper.
  compile(source, 200);
  replicated();
  execute(source.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'three.example.com')");
  EXPECT_GT(replicated(), 0);

  // A node that remembers nothing counts it anew.
  std::filesystem::remove(target.directory.state() + "/state.db");
  target.reopen();
  EXPECT_EQ(target.node->describe().digests.blocklist, source.node->describe().digests.blocklist);
}

TEST(Economy, ATargetTellsItsOwnTargetsOfAChangeAsItWasTold) {
  LocalFixture source(pihole("ph1", 3));
  LocalFixture middle(pihole("ph2", 7));
  LocalFixture last(pihole("ph3", 5));
  sync::replicate(*source.node, *middle.node, pull());
  sync::replicate(*middle.node, *last.node, pull());
  source.node->describe();
  compile(source, 50);
  sync::replicate(*source.node, *middle.node, pull());

  EXPECT_TRUE(tells_changes(middle, last));
  auto result = sync::replicate(*middle.node, *last.node, pull());
  ASSERT_TRUE(result.report);
  EXPECT_EQ(result.report->counts.blocklist_added, 50u);
  EXPECT_EQ(result.report->counts.blocklist_removed, 50u);
  EXPECT_EQ(last.node->describe().digests.blocklist, source.node->describe().digests.blocklist);
}

TEST(Economy, AnUnchangedDatabaseIsNotWrittenAgainByTheBackup) {
  LocalFixture source(pihole("ph1", 3));
  source.node->describe();  // makes the shadow
  source.node->lock(soon());
  auto before = sqlite::bytes_written();
  auto copy = source.node->copy(model::CopyOf::live);
  EXPECT_GT(copy.bytes, 1'000'000u);
  EXPECT_LE(sqlite::bytes_written() - before, 4096u);
}

}  // namespace
}  // namespace gsync::test
