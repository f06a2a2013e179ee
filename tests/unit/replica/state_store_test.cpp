#include "gsync/replica/state_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "gsync/model/lists.hpp"
#include "support/manual_clock.hpp"
#include "unit/replica/databases.hpp"

namespace gsync::replica {
namespace {

using test::code_of;

class StateStoreTest : public testing::Test {
 protected:
  StateStore open() { return StateStore(directory_.path(), clock_); }
  StateStore open(StateStore::Bounds bounds) { return StateStore(directory_.path(), clock_, bounds); }
  std::string file() const { return directory_ / "state.db"; }

  static model::HistoryEntry entry(const std::string& text, std::size_t rows = 0) {
    model::HistoryEntry entry;
    entry.action = model::Action::pull;
    entry.source = "ph1";
    entry.text = text;
    entry.counts.rows_added = rows;
    for (std::size_t i = 0; i < rows; ++i) {
      model::Row row;
      row.comment = "number " + std::to_string(i);
      entry.rows.push_back({{model::Table::domain, model::kind::deny_exact, std::to_string(i) + ".example"}, std::nullopt, row});
    }
    return entry;
  }
  static model::Lists lists(std::size_t domains) {
    model::Lists lists;
    lists[model::default_group_key()].title = "Default";
    for (std::size_t i = 0; i < domains; ++i) {
      lists[{model::Table::domain, model::kind::deny_exact, util_digits(i) + ".example"}].groups = {model::default_group_key()};
    }
    return lists;
  }
  static std::string util_digits(std::size_t i) { return std::to_string(i * 2654435761u % 4294967291u); }

  test::TempDirectory directory_;
  test::ManualClock clock_;
};

TEST_F(StateStoreTest, GivesANodeAnIdOnceAndForAll) {
  const auto id = open().node_id();
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(open().node_id(), id);
  const test::TempDirectory other;
  EXPECT_NE(StateStore(other.path(), clock_).node_id(), id);
}

TEST_F(StateStoreTest, GivesTwoProcessesThatComeFirstTheSameId) {
  for (int round = 0; round < 5; ++round) {
    const test::TempDirectory directory;
    auto opens = [&](test::Child::Side& side) {
      side.say('.');
      side.wait();
      side.say(StateStore(directory.path(), clock_).node_id()[0]);
    };
    test::Child one(opens), two(opens);
    one.hear();
    two.hear();
    one.tell();
    two.tell();
    const auto a = one.hear(), b = two.hear();
    EXPECT_EQ(a, b);
    EXPECT_EQ(StateStore(directory.path(), clock_).node_id()[0], a);
  }
}

TEST_F(StateStoreTest, IsReadableForItsOwnerOnly) {
  const auto umask = ::umask(0);
  open().set_value("x", "y");
  ::umask(umask);
  struct stat st {};
  ASSERT_EQ(::stat(file().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  if (::stat((file() + "-journal").c_str(), &st) == 0) {
    EXPECT_EQ(st.st_mode & 07777, 0600u);
  }
}

TEST_F(StateStoreTest, WritesNothingWhenOpenedAndReadAgain) {
  open().set_value("x", "y");
  const auto bytes = test::read_text(file());
  auto store = open();
  EXPECT_EQ(store.value("x"), "y");
  store.set_value("x", "y");
  store.set_value("nothing", "");
  store.history(10, true);
  store.versions();
  EXPECT_EQ(test::read_text(file()), bytes);
}

TEST_F(StateStoreTest, KeepsValuesAsBytesAndForgetsEmptyOnes) {
  const std::string bytes("a\0\xff'b", 5);
  {
    auto store = open();
    EXPECT_EQ(store.value("x"), std::nullopt);
    store.set_value("x", bytes);
    store.set_value("y", "1");
    store.set_value("y", "2");
  }
  auto store = open();
  EXPECT_EQ(store.value("x"), bytes);
  EXPECT_EQ(store.value("y"), "2");
  store.set_value("x", "");
  EXPECT_EQ(store.value("x"), std::nullopt);
}

TEST_F(StateStoreTest, GivesHistoryNewestFirst) {
  auto store = open();
  const auto first = store.add_history(entry("first", 2));
  clock_.time += 60;
  const auto second = store.add_history(entry("second"));
  EXPECT_LT(first, second);
  auto all = store.history(10, true);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].text, "second");
  EXPECT_EQ(all[0].time, clock_.time);
  EXPECT_EQ(all[1].id, first);
  ASSERT_EQ(all[1].rows.size(), 2u);
  EXPECT_EQ(all[1].rows[1].after->comment, "number 1");
  EXPECT_TRUE(store.history(10, false)[1].rows.empty());
  EXPECT_EQ(store.history(10, false)[1].counts.rows_added, 2u);
  EXPECT_EQ(store.history(1, false).size(), 1u);
  EXPECT_EQ(store.history_entry(first)->rows.size(), 2u);
  EXPECT_FALSE(store.history_entry(99));
}

TEST_F(StateStoreTest, GivesTheHistoryOfOnePeerOrSinceATime) {
  auto store = open();
  auto add = [&](const std::string& source, const std::string& target, const std::string& started_by) {
    auto one = entry(source);
    one.source = source;
    one.target = target;
    one.started_by = started_by;
    clock_.time += 60;
    return store.add_history(one);
  };
  const auto pulled = add("ph1", "ph2", "pull on ph2");
  const auto pushed = add("ph3", "ph2", "agent for ph3");
  add("version 4", "ph2", "undo on ph2");
  ASSERT_EQ(store.history(10, false, {"ph1", 0}).size(), 1u);
  EXPECT_EQ(store.history(10, true, {"ph1", 0})[0].id, pulled);
  EXPECT_EQ(store.history(10, false, {"ph3", 0})[0].id, pushed);
  EXPECT_EQ(store.history(2, false, {"ph2", 0}).size(), 2u) << "the limit is of those that match";
  EXPECT_EQ(store.history(10, false, {"", clock_.time}).size(), 1u);
  EXPECT_TRUE(store.history(10, false, {"ph9", 0}).empty());
}

TEST_F(StateStoreTest, UpdatesAnEntryInItsPlace) {
  auto store = open();
  auto changed = entry("started");
  changed.id = store.add_history(changed);
  store.add_history(entry("other"));
  changed = *store.history_entry(changed.id);
  changed.text = "done";
  changed.rows = entry("", 3).rows;
  store.update_history(changed);
  EXPECT_EQ(store.history_entry(changed.id)->text, "done");
  EXPECT_EQ(store.history_entry(changed.id)->rows.size(), 3u);
  EXPECT_EQ(store.history(10, false)[0].text, "other");
}

TEST_F(StateStoreTest, CountsTheRowsThatAnEntryIsTooShortFor) {
  auto store = open();
  const auto id = store.add_history(entry("many", model::HistoryEntry::max_rows + 7));
  EXPECT_EQ(store.history_entry(id)->rows.size(), model::HistoryEntry::max_rows);
  EXPECT_EQ(store.history_entry(id)->rows_left_out, 7u);
}

TEST_F(StateStoreTest, ForgetsTheOldestHistoryBeyondItsBounds) {
  StateStore::Bounds bounds;
  bounds.history_entries = 3;
  auto store = open(bounds);
  std::int64_t last = 0;
  for (int i = 0; i < 8; ++i) last = store.add_history(entry(std::to_string(i)));
  auto left = store.history(100, false);
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[0].text, "7");
  EXPECT_EQ(left[2].text, "5");
  EXPECT_EQ(left[0].id, last) << "ids are not given twice";
  EXPECT_EQ(last, 8);
}

TEST_F(StateStoreTest, ForgetsTheOldestVersionsBeyondItsBounds) {
  StateStore::Bounds bounds;
  bounds.versions = 4;
  auto store = open(bounds);
  for (std::size_t i = 0; i < 9; ++i) store.add_version("number " + std::to_string(i), lists(i), {});
  auto versions = store.versions();
  ASSERT_EQ(versions.size(), 4u);
  EXPECT_EQ(versions[0].reason, "number 8");
  EXPECT_EQ(versions[3].reason, "number 5");
  EXPECT_FALSE(store.version(1));
  EXPECT_EQ(store.version(versions[0].id)->lists.size(), 9u);
}

TEST_F(StateStoreTest, ForgetsVersionsBeyondTheirBytesButNeverTheNewest) {
  StateStore::Bounds bounds;
  bounds.version_bytes = 30'000;
  auto store = open(bounds);
  for (int i = 0; i < 6; ++i) store.add_version("small", lists(1'000), {});
  std::uint64_t bytes = 0;
  for (const auto& version : store.versions()) bytes += version.bytes;
  EXPECT_LE(bytes, bounds.version_bytes);
  EXPECT_GT(store.versions().size(), 1u);
  const auto big = store.add_version("bigger than all that", lists(20'000), {});
  ASSERT_EQ(store.versions().size(), 1u);
  EXPECT_EQ(store.version(big)->lists.size(), 20'001u);
}

TEST_F(StateStoreTest, GivesAVersionBackAsItWas) {
  model::Records records;
  records[0] = model::RecordLines{"192.168.1.2 nas.lan", "fd00::2 nas.lan"};
  const auto before = lists(100);
  auto store = open();
  const auto id = store.add_version("before pull from ph1", before, records);
  const auto version = open().version(id).value();
  EXPECT_EQ(version.info.reason, "before pull from ph1");
  EXPECT_EQ(version.info.time, clock_.time);
  EXPECT_EQ(version.info.list_rows, 101u);
  EXPECT_EQ(version.info.records, 2u);
  EXPECT_EQ(version.records, records);
  EXPECT_TRUE(model::diff(before, version.lists).empty());
  EXPECT_EQ(version.lists.size(), before.size());
}

TEST_F(StateStoreTest, ABatchIsAllOrNothing) {
  auto store = open();
  store.set_value("x", "before");
  {
    StateStore::Batch batch(store);
    store.set_value("x", "in it");
    store.add_history(entry("in it"));
    store.add_version("in it", lists(1), {});
    EXPECT_EQ(store.value("x"), "in it");
    EXPECT_EQ(open().value("x"), "before");
  }
  EXPECT_EQ(store.value("x"), "before");
  EXPECT_TRUE(store.history(10, false).empty());
  EXPECT_TRUE(store.versions().empty());
  {
    StateStore::Batch batch(store);
    store.set_value("x", "after");
    store.add_history(entry("after"));
    batch.commit();
    store.set_value("y", "outside");
  }
  EXPECT_EQ(open().value("x"), "after");
  EXPECT_EQ(open().value("y"), "outside");
  EXPECT_EQ(open().history(10, false).size(), 1u);
}

TEST_F(StateStoreTest, ABatchOfAKilledProcessDidNotHappen) {
  open().set_value("x", "before");
  {
    test::Child child([this](test::Child::Side& side) {
      auto store = open();
      StateStore::Batch batch(store);
      store.set_value("x", "in it");
      for (int i = 0; i < 20; ++i) store.add_version("in it", lists(2'000), {});
      side.say('.');
      side.wait();
    });
    child.hear();
  }
  auto store = open();
  EXPECT_EQ(store.value("x"), "before");
  EXPECT_TRUE(store.versions().empty());
  EXPECT_EQ(test::integrity(file()), "ok");
}

TEST_F(StateStoreTest, IsSharedByProcesses) {
  auto writes = [this](test::Child::Side& side) {
    auto store = open();
    side.say('.');
    side.wait();
    for (int i = 0; i < 20; ++i) store.add_history(entry("from " + std::to_string(::getpid())));
    side.say('.');
  };
  open();
  test::Child one(writes), two(writes);
  one.hear();
  two.hear();
  one.tell();
  two.tell();
  one.hear();
  two.hear();
  EXPECT_EQ(open().history(100, false).size(), 40u);
}

TEST_F(StateStoreTest, SaysThatAnEntryIsDamaged) {
  auto store = open();
  const auto history = store.add_history(entry("x", 3));
  const auto version = store.add_version("x", lists(3), {});
  test::execute(file(), "UPDATE history SET rows=x'00112233'; UPDATE version SET content=x''");
  EXPECT_EQ(code_of([&] { store.history_entry(history); }), ErrorCode::corrupt);
  EXPECT_EQ(code_of([&] { store.history(10, true); }), ErrorCode::corrupt);
  EXPECT_EQ(store.history(10, false).size(), 1u) << "the list does not need the rows";
  EXPECT_EQ(code_of([&] { store.version(version); }), ErrorCode::corrupt);
  test::execute(file(), "UPDATE history SET summary=x'ff'; UPDATE version SET info=x'ff'");
  EXPECT_EQ(code_of([&] { store.history(10, false); }), ErrorCode::corrupt);
  EXPECT_EQ(code_of([&] { store.versions(); }), ErrorCode::corrupt);
}

TEST_F(StateStoreTest, DoesNotUnpackABomb) {
  auto store = open();
  const auto version = store.add_version("x", lists(3), {});
  // A zstd frame whose header announces 2^40 bytes.
  test::execute(file(), "UPDATE version SET content=x'28b52ffde0000000000001000000000000'");
  EXPECT_EQ(code_of([&] { store.version(version); }), ErrorCode::corrupt);
}

TEST_F(StateStoreTest, OfANewerFormatIsIncompatible) {
  open();
  test::execute(file(), "PRAGMA user_version=2");
  EXPECT_EQ(code_of([&] { open(); }), ErrorCode::incompatible);
}

TEST_F(StateStoreTest, OfAnotherProgramThatNumbersItsFormatsIsNotWrittenTo) {
  test::Sql(file(), test::Sql::Mode::create).execute("CREATE TABLE mine (x); PRAGMA user_version=1");
  const auto before = test::read_text(file());
  EXPECT_EQ(code_of([&] { open(); }), ErrorCode::corrupt);
  EXPECT_EQ(test::read_text(file()), before);
}

/// What versions under development left: the same tables and number, and other things in them.
TEST_F(StateStoreTest, OfBeforeTheFirstReleaseIsNamedWithWhatToDoAndLeftAlone) {
  open();
  test::execute(file(), "PRAGMA application_id=0; UPDATE value SET value=x'00' WHERE name<>'node_id'");
  const auto before = test::read_text(file());
  try {
    open();
    FAIL() << "it was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::incompatible);
    EXPECT_THAT(error.what(), testing::HasSubstr("before 0.1.0"));
    EXPECT_THAT(error.hint(), testing::HasSubstr("sudo mv " + directory_.path() + "/state.db"));
  }
  EXPECT_EQ(test::read_text(file()), before);
}

TEST_F(StateStoreTest, WithoutItsIdIsCorrupt) {
  open();
  test::execute(file(), "DELETE FROM value WHERE name='node_id'");
  EXPECT_EQ(code_of([&] { open(); }), ErrorCode::corrupt);
}

TEST_F(StateStoreTest, ThatIsNoDatabaseIsCorrupt) {
  test::write_text(file(), std::string(4096, 'x'));
  EXPECT_EQ(code_of([&] { open(); }), ErrorCode::corrupt);
}

TEST_F(StateStoreTest, OfAnotherProgramIsNotWrittenTo) {
  test::Sql(file(), test::Sql::Mode::create).execute("CREATE TABLE mine (x)");
  const auto before = test::read_text(file());
  EXPECT_EQ(code_of([&] { open(); }), ErrorCode::corrupt);
  EXPECT_EQ(test::read_text(file()), before);
}

TEST_F(StateStoreTest, NeedsItsDirectory) {
  EXPECT_EQ(code_of([&] { StateStore(directory_ / "nowhere", clock_); }), ErrorCode::not_found);
}

TEST_F(StateStoreTest, IsRefusedWhereOneMayNotWrite) {
  open();
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file().c_str(), 0444), 0);
  test::Child other([this](test::Child::Side& side) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) throw std::runtime_error("setuid");
    try {
      open();
      side.say('o');
    } catch (const Error& error) {
      side.say(error.code() == ErrorCode::refused ? 'r' : '?');
    }
  });
  EXPECT_EQ(other.hear(), 'r');
}

TEST_F(StateStoreTest, OpensThroughALinkToItsDirectory) {
  const test::TempDirectory elsewhere;
  ASSERT_EQ(::symlink(directory_.path().c_str(), (elsewhere / "link").c_str()), 0);
  EXPECT_EQ(StateStore(elsewhere / "link", clock_).node_id(), open().node_id());
}

}  // namespace
}  // namespace gsync::replica
