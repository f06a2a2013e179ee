// What a LocalNode does for a sync both ways while somebody edits: the edit comes at each operation on files in turn.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "gsync/model/diff.hpp"
#include "gsync/util/error.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"
#include "support/watched_file_ops.hpp"

namespace gsync::test {
namespace {

constexpr const char* insert = "INSERT INTO domainlist (type, domain) VALUES (1, 'edited.example')";
constexpr const char* erase = "DELETE FROM domainlist WHERE domain = 'edited.example'";
const std::string peer(32, 'c');

class LocalNodeIntent : public testing::Test {
 protected:
  LocalNodeIntent() : here_({}, std::make_unique<WatchedFileOps>()) {}

  WatchedFileOps& files() { return dynamic_cast<WatchedFileOps&>(*here_.files); }
  void watch(const std::function<void(const WatchedFileOps::Call&)>& watch) { files().before = watch; }
  void watch_no_more() {
    files().before = [](const auto&) {};
  }
  /// False where the node has the database locked at the moment.
  bool edit(const char* statement) const {
    return Sql(here_.directory.gravity(), Sql::Mode::read_write, std::chrono::milliseconds(0)).try_execute(statement) == SQLITE_OK;
  }
  /// `pihole -g` with nothing new. Nobody sees it run, by the date of its file.
  void begin_gravity() const {
    const auto live = here_.directory.gravity();
    std::filesystem::copy_file(live, live + "_temp");
    std::filesystem::last_write_time(live + "_temp", std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  }
  void end_gravity() const {
    const auto live = here_.directory.gravity();
    std::filesystem::rename(live, std::filesystem::path(live).replace_filename("gravity_old.db"));
    std::filesystem::rename(live + "_temp", live);
  }
  void run_gravity() const {
    begin_gravity();
    end_gravity();
  }
  void apply(const model::Intent& planned) {
    model::Change change;
    change.action = model::Action::sync;
    change.source = "ph9";
    change.started_by = "test";
    change.pair = peer;
    const auto digests = here_.node->describe().digests;
    change.expected.lists = digests.lists;
    change.expected.blocklist = digests.blocklist;
    change.rows = planned.rows;
    here_.node->apply(change, nullptr, nullptr);
  }
  /// As a sync that finds both equal.
  void agree(const std::string& id) {
    auto planned = intent();
    planned.rows.clear();
    planned.id = id;
    here_.node->intend(peer, planned);
    here_.node->settle(peer, {id, false, "ph9", {peer, "ph9"}, {}});
  }
  void settle() { here_.node->settle(peer, {"base", false, "ph9", {peer, "ph9"}, {}}); }
  std::int64_t count_of(const char* domain) const {
    return number(here_.directory.gravity(), fmt::format("SELECT count(*) FROM domainlist WHERE domain = '{}'", domain));
  }
  model::NodeInfo lock() { return here_.node->lock(util::Deadline::in(std::chrono::seconds(5))); }
  /// Denies a name.
  model::Intent intent() {
    model::Intent intent;
    intent.id = "base";
    intent.expected = here_.node->describe().digests;
    model::Row row;
    row.groups = {model::default_group_key()};
    intent.rows.push_back({{model::Table::domain, model::kind::deny_exact, "intended.example"}, {}, row});
    return intent;
  }

  LocalFixture here_;
};

/// Else an edit in between would be in the base of this node and not in the other's, and the next merge would take it for one of the other.
TEST_F(LocalNodeIntent, RemembersNothingButWhatWasPlannedForWhenSomebodyEditsAndTakesItBack) {
  auto planned = intent();
  planned.rows.clear();
  int remembered = 0;
  int refused = 0;
  bool all = false;
  for (int first = 0; !all; ++first) {
    ASSERT_LT(first, 200);
    for (int second = first + 1; second <= first + 12; ++second) {
      int count = 0;
      lock();
      watch([&](const auto&) {
        if (count == first) edit(insert);
        if (count == second) edit(erase);
        ++count;
      });
      try {
        here_.node->intend(peer, planned);
        all = count <= first;
        watch_no_more();
        settle();
        EXPECT_EQ(here_.node->pair(peer).lists, planned.expected.lists) << first << " " << second;
        ++remembered;
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == ErrorCode::conflict || error.code() == ErrorCode::busy) << error.what();
        ++refused;
      }
      watch_no_more();
      edit(erase);
      here_.node->forget(peer, true);
      here_.node->unlock();
    }
  }
  fmt::print("{} remembered, {} refused\n", remembered, refused);
  EXPECT_GT(refused, 0);
}

/// What is still to be done of a sync that was interrupted takes nothing back that somebody does meanwhile.
TEST_F(LocalNodeIntent, IsCaughtUpWithWithoutAnEditBeingTakenBack) {
  bool all = false;
  int during = 0;
  for (int n = 0; !all; ++n) {
    ASSERT_LT(n, 500);
    lock();
    ASSERT_TRUE(edit("DELETE FROM domainlist WHERE domain = 'intended.example'"));
    ASSERT_TRUE(edit(insert));
    here_.node->intend(peer, intent());
    int count = 0;
    bool deleted = false;
    std::string where;
    watch([&](const WatchedFileOps::Call& call) {
      if (count++ < n || deleted) return;
      deleted = edit(erase);
      where = call.operation + " " + call.name;
    });
    bool done = false;
    for (int attempt = 0; !done && attempt < 5; ++attempt) {
      try {
        here_.node->catch_up(peer);
        done = true;
      } catch (const Error& error) {
        ASSERT_TRUE(error.code() == ErrorCode::conflict || error.code() == ErrorCode::busy) << error.what();
      }
    }
    watch_no_more();
    EXPECT_TRUE(done) << n;
    EXPECT_EQ(count_of("intended.example"), 1) << n;
    if (deleted) {
      ++during;
      EXPECT_EQ(count_of("edited.example"), 0) << n << ", before " << where;
    } else {
      all = true;
    }
    edit(erase);
    here_.node->forget(peer, true);
    here_.node->unlock();
  }
  EXPECT_GT(during, 10);
}

/// A row that only comes with the catching up is not in what `pihole -g` moved away before. In the base that is settled on, and not in
/// that, it would look as if somebody had deleted it.
TEST_F(LocalNodeIntent, KeepsWhatItBringsWherePiholeGCameBeforeItWasCaughtUpWith) {
  lock();
  here_.node->intend(peer, intent());
  run_gravity();
  here_.node->catch_up(peer);
  here_.node->settle(peer, {"base", true, "ph9", {peer, "ph9"}, {}});
  here_.node->unlock();
  EXPECT_EQ(count_of("intended.example"), 1);
  lock();
  here_.node->unlock();
  EXPECT_EQ(count_of("intended.example"), 1);
}

/// The same of a row that is published while `pihole -g` ends, at each operation on files.
TEST_F(LocalNodeIntent, KeepsWhatItPublishesWherePiholeGComesAtThatTime) {
  bool all = false;
  int during = 0;
  for (int n = -1; !all; ++n) {
    ASSERT_LT(n, 500);
    lock();
    auto planned = intent();
    here_.node->intend(peer, planned);
    bool ran = n < 0;
    if (ran) run_gravity();
    int count = 0;
    std::string where;
    watch([&](const WatchedFileOps::Call& call) {
      if (ran || count++ < n) return;
      ran = true;
      run_gravity();
      where = call.operation + " " + call.name;
    });
    bool done = false;
    for (int attempt = 0; !done && attempt < 5; ++attempt) {
      try {
        apply(planned);
        done = true;
      } catch (const Error& error) {
        ASSERT_TRUE(error.code() == ErrorCode::conflict || error.code() == ErrorCode::busy) << error.what();
      }
    }
    watch_no_more();
    EXPECT_TRUE(done) << n;
    settle();
    here_.node->unlock();
    EXPECT_EQ(count_of("intended.example"), 1) << n << ", before " << where;
    lock();
    EXPECT_EQ(count_of("intended.example"), 1) << n << ", before " << where;
    if (ran)
      ++during;
    else
      all = true;
    ASSERT_TRUE(edit("DELETE FROM domainlist WHERE domain = 'intended.example'"));
    here_.node->forget(peer, true);
    here_.node->unlock();
  }
  EXPECT_GT(during, 10);
}

/// Where no other Pi-hole can be reached days may pass between `pihole -g` and the next lock.
TEST_F(LocalNodeIntent, TakesNothingBackThatSomebodyDoesAfterPiholeG) {
  lock();
  agree("base");
  here_.node->unlock();
  ASSERT_TRUE(edit(insert));
  here_.node->describe();
  run_gravity();
  here_.node->describe();
  ASSERT_TRUE(edit(erase));
  lock();
  here_.node->unlock();
  EXPECT_EQ(count_of("edited.example"), 0);
}

/// What both agreed on meanwhile is no measure of what `pihole -g` had copied.
TEST_F(LocalNodeIntent, BringsBackWhatWasSyncedWhilePiholeGRan) {
  lock();
  agree("first");
  begin_gravity();
  auto planned = intent();
  here_.node->intend(peer, planned);
  apply(planned);
  settle();
  agree("next");
  end_gravity();
  here_.node->unlock();
  ASSERT_EQ(count_of("intended.example"), 0);
  lock();
  here_.node->unlock();
  EXPECT_EQ(count_of("intended.example"), 1);
}

/// The same of an edit that only the other node had to be told of.
TEST_F(LocalNodeIntent, BringsBackWhatTheOtherWasToldOfWhilePiholeGRan) {
  lock();
  agree("first");
  begin_gravity();
  ASSERT_TRUE(edit(insert));
  agree("second");
  agree("third");
  end_gravity();
  here_.node->unlock();
  ASSERT_EQ(count_of("edited.example"), 0);
  lock();
  here_.node->unlock();
  EXPECT_EQ(count_of("edited.example"), 1);
}

class LocalNodeRecords : public LocalNodeIntent {
 protected:
  static constexpr const char* edited = "10.0.0.9 edited.lan";

  void edit_records() const {
    auto settings = here_.directory.settings();
    settings.dns_hosts.emplace_back(edited);
    here_.directory.save(settings);
  }
  model::Change change() {
    model::Change change;
    change.source = "ph9";
    change.expected = lock().digests;
    change.records[0] = *here_.node->records()[0];
    change.records[0]->emplace_back("192.168.1.77 new.lan");
    change.rows = intent().rows;
    return change;
  }
  ErrorCode error_of(const model::Change& change) {
    try {
      here_.node->apply(change, nullptr, nullptr);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::cancelled;
  }
  void expect_the_edit_is_there() {
    const auto lines = here_.directory.settings().dns_hosts;
    EXPECT_TRUE(std::ranges::find(lines, edited) != lines.end());
  }
};

TEST_F(LocalNodeRecords, ThatWereEditedSinceThePlanAreNotSet) {
  const auto planned = change();
  edit_records();
  EXPECT_EQ(error_of(planned), ErrorCode::conflict);
  expect_the_edit_is_there();
  EXPECT_EQ(count_of("intended.example"), 0) << "nothing was begun";
}

TEST_F(LocalNodeRecords, ThatAreEditedWhileTheListsArePublishedAreNotSet) {
  const auto planned = change();
  int times = 0;
  watch([&](const auto& call) {
    if (call.operation == "exchange_at" && times++ == 0) edit_records();
  });
  EXPECT_EQ(error_of(planned), ErrorCode::conflict);
  EXPECT_EQ(times, 1);
  watch_no_more();
  expect_the_edit_is_there();
  EXPECT_EQ(count_of("intended.example"), 1);
  here_.node->unlock();
  // As a run does that plans again.
  auto again = change();
  again.rows.clear();
  EXPECT_EQ(error_of(again), ErrorCode::cancelled) << "it is applied";
  expect_the_edit_is_there();
}

}  // namespace
}  // namespace gsync::test
