#include "gsync/replica/publish.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>

#include "unit/replica/databases.hpp"

namespace gsync::replica {
namespace {

using namespace std::chrono_literals;
using test::build;
using test::code_of;
using test::exists;
using test::OtherProcess;
using test::word_in;
using Call = test::WatchedFileOps::Call;

constexpr auto moved = SQLITE_READONLY_DBMOVED;

class Publishing : public testing::Test {
 protected:
  Identity make_new() { return build(live_, shadow_, "new"); }
  std::unique_ptr<Publication> publish(const Identity& expected, PublishHooks hooks = {}) {
    return std::make_unique<Publication>(live_, shadow_, expected, hooks, clock_, util::Deadline::in(30s));
  }
  /// Expects an Error of publish() that leaves live and what lies beside it as it was.
  ErrorCode refused(const Identity& expected, PublishHooks hooks = {}) {
    const auto before = test::read_text(home_.live);
    const auto inode = test::inode(home_.live);
    const auto code = code_of([&] { publish(expected, std::move(hooks)); });
    EXPECT_EQ(test::inode(home_.live), inode);
    EXPECT_EQ(test::read_text(home_.live), before);
    return code;
  }
  /// As `pihole -g` does at its end: another database is renamed over live.
  void move_over_live(const std::string& word) const {
    const auto theirs = home_.root + "/gravity.db_temp";
    test::write_text(theirs, test::read_text(home_.root + "/theirs.db"));
    test::execute(theirs, "UPDATE t SET word='" + word + "'");
    ASSERT_EQ(::rename(theirs.c_str(), home_.live.c_str()), 0);
  }
  void prepare_theirs() const { test::write_text(home_.root + "/theirs.db", test::read_text(home_.live)); }

  test::LiveDirectory home_;
  test::WatchedFileOps files_;
  util::SystemClock clock_;
  LiveFile live_{home_.live, files_};
  Shadow shadow_{live_};
};

TEST_F(Publishing, MakesTheShadowLiveAndLiveTheShadow) {
  const auto old = make_new();
  const auto built = shadow_.identity();
  auto publication = publish(old);
  EXPECT_EQ(word_in(home_.live), "new");
  EXPECT_EQ(live_.identity(), built);
  EXPECT_EQ(publication->new_identity(), built);
  EXPECT_EQ(shadow_.identity(), old);
  EXPECT_EQ(publication->old_identity(), old);
  EXPECT_TRUE(publication->atomic());
  EXPECT_TRUE(publication->durable());
  EXPECT_GT(publication->held().count(), 0);
  EXPECT_TRUE(publication->wait_until_old_is_closed(util::Deadline::in(30s)));
  EXPECT_TRUE(publication->keep_old());
  publication.reset();
  EXPECT_EQ(word_in(home_.shadow), "old");
  publish(build(live_, shadow_, "newer"));
  EXPECT_EQ(word_in(home_.live), "newer") << "and again";
}

TEST_F(Publishing, LooksForPiholeUnderTheLockAndSignalsAfterTheExchange) {
  OtherProcess writer(home_.live);
  int looked = 0, signalled = 0;
  auto publication = publish(make_new(), {[&] {
                                            ++looked;
                                            EXPECT_EQ(word_in(home_.live), "old");
                                            EXPECT_EQ(writer.begin() & 0xff, SQLITE_BUSY) << "no lock is held";
                                            EXPECT_EQ(writer.read(), "old") << "readers must not notice";
                                            return false;
                                          },
                                          [&] {
                                            ++signalled;
                                            EXPECT_EQ(word_in(home_.live), "new");
                                          }});
  EXPECT_EQ(looked, 1);
  EXPECT_EQ(signalled, 1);
}

TEST_F(Publishing, BringsTheDirectoriesToTheDiskAfterTheSignal) {
  std::vector<std::string> order;
  const auto expected = make_new();
  files_.after = [&](const Call& call) {
    if (call.operation == "exchange_at" || call.operation == "sync") order.push_back(call.operation);
  };
  publish(expected, {{}, [&] { order.push_back("signal"); }});
  EXPECT_THAT(order, testing::ElementsAre("exchange_at", "signal", "sync", "sync"));
}

TEST_F(Publishing, IsAConflictWhenLiveWasEditedSince) {
  const auto expected = make_new();
  test::execute(home_.live, "UPDATE t SET word='edit' WHERE id=1");
  EXPECT_EQ(refused(expected), ErrorCode::conflict);
  EXPECT_EQ(word_in(home_.shadow), "new");
  EXPECT_EQ(refused(Identity{}), ErrorCode::conflict);
}

TEST_F(Publishing, IsAConflictWhenLiveWasReplacedSince) {
  const auto expected = make_new();
  prepare_theirs();
  move_over_live("theirs");
  EXPECT_EQ(refused(expected), ErrorCode::conflict);
  EXPECT_EQ(word_in(home_.live), "theirs");
}

TEST_F(Publishing, IsAConflictWhenLiveIsReplacedWhileTheLockIsTaken) {
  const auto expected = make_new();
  prepare_theirs();
  bool done = false;
  files_.after = [&](const Call& call) {
    if (call.operation != "open_at" || call.name != "gravity.db" || done) return;
    done = true;
    move_over_live("theirs");
  };
  EXPECT_EQ(code_of([&] { publish(expected); }), ErrorCode::conflict);
  EXPECT_TRUE(done);
  EXPECT_EQ(word_in(home_.live), "theirs");
  EXPECT_EQ(word_in(home_.shadow), "new");
}

TEST_F(Publishing, PutsTheirFileBackWhenLiveIsReplacedJustBeforeTheExchange) {
  const auto expected = make_new();
  prepare_theirs();
  bool done = false;
  files_.before = [&](const Call& call) {
    if (call.operation != "exchange_at" || done) return;
    done = true;
    move_over_live("theirs");
  };
  bool signalled = false;
  EXPECT_EQ(code_of([&] { publish(expected, {{}, [&] { signalled = true; }}); }), ErrorCode::conflict);
  EXPECT_EQ(word_in(home_.live), "theirs");
  EXPECT_EQ(word_in(home_.shadow), "new");
  EXPECT_FALSE(signalled);
  files_.before = [](const Call&) {};
  publish(build(live_, shadow_, "new"));
  EXPECT_EQ(word_in(home_.live), "new");
}

TEST_F(Publishing, LeavesTheLatestFileLiveWhenItIsReplacedTwice) {
  const auto expected = make_new();
  prepare_theirs();
  int times = 0;
  files_.before = [&](const Call& call) {
    if (call.operation != "exchange_at" || times == 2) return;
    ++times;
    move_over_live("theirs " + std::to_string(times));
  };
  EXPECT_EQ(code_of([&] { publish(expected); }), ErrorCode::conflict);
  EXPECT_EQ(times, 2);
  EXPECT_EQ(word_in(home_.live), "theirs 2");
  EXPECT_EQ(shadow_.identity(), std::nullopt);
}

TEST_F(Publishing, IsAConflictWhenLiveIsMovedAwayJustBeforeTheExchange) {
  const auto expected = make_new();
  files_.before = [&](const Call& call) {
    if (call.operation == "exchange_at") ::rename(home_.live.c_str(), (home_.root + "/gravity_old.db").c_str());
  };
  EXPECT_EQ(code_of([&] { publish(expected); }), ErrorCode::conflict);
  EXPECT_FALSE(exists(home_.live)) << "gravity.sh is about to move its own there";
  EXPECT_EQ(word_in(home_.root + "/gravity_old.db"), "old");
}

TEST_F(Publishing, IsRefusedWhereLiveIsAMountOfItsOwn) {
  const auto old = make_new();
  const auto shadow = shadow_.identity();
  // What the system's own operations make of EBUSY.
  files_.before = [](const Call& call) {
    if (call.operation == "exchange_at" || (call.operation == "rename_at" && call.name == Shadow::name))
      throw Error(ErrorCode::refused, "a mount of its own", "mount the directory");
  };
  EXPECT_EQ(refused(old), ErrorCode::refused);
  files_.before = [](const Call& call) {
    if (call.operation == "rename_at" && call.name == Shadow::name)
      throw Error(ErrorCode::refused, "a mount of its own", "mount the directory");
  };
  files_.can_exchange = false;
  EXPECT_EQ(refused(old), ErrorCode::refused);
  EXPECT_EQ(shadow_.identity(), shadow);
  EXPECT_FALSE(exists(home_.root + "/.gravity-sync/shadow.previous"));
}

TEST_F(Publishing, BacksOffFromAHotJournal) {
  const auto expected = make_new();
  {
    OtherProcess writer(home_.live);
    ASSERT_EQ(writer.begin_and_spill(), SQLITE_OK);
    writer.kill();
  }
  ASSERT_TRUE(exists(home_.journal));
  const auto journal = test::read_text(home_.journal);
  // The spilled pages have changed the file, so that either reason is a right one; with the file as it was before only the journal is.
  EXPECT_THAT(refused(expected), testing::AnyOf(ErrorCode::busy, ErrorCode::conflict));
  EXPECT_EQ(refused(identity_of(util::Fd(::open(home_.live.c_str(), O_RDONLY | O_CLOEXEC)).get())), ErrorCode::busy);
  EXPECT_EQ(test::read_text(home_.journal), journal);
  EXPECT_EQ(word_in(home_.live), "old") << "the next reader plays it back, and no lock of ours is in its way";
}

TEST_F(Publishing, TakesAJournalThatIsNotHotForWhatItIs) {
  const auto expected = make_new();
  test::write_text(home_.journal, std::string(512, '\0'));
  publish(expected);
  EXPECT_EQ(word_in(home_.live), "new");
}

TEST_F(Publishing, BacksOffFromARunningPiholeGravity) {
  EXPECT_EQ(refused(make_new(), {[] { return true; }, [] { ADD_FAILURE() << "signalled"; }}), ErrorCode::busy);
  EXPECT_EQ(word_in(home_.shadow), "new");
}

TEST_F(Publishing, LeavesNoLockWhenItBacksOff) {
  OtherProcess writer(home_.live);
  EXPECT_EQ(refused(make_new(), {[] { return true; }, {}}), ErrorCode::busy);
  EXPECT_EQ(writer.write(), SQLITE_OK);
}

TEST_F(Publishing, WaitsForAWriterUntilItsDeadline) {
  const auto expected = make_new();
  OtherProcess writer(home_.live);
  ASSERT_EQ(writer.begin(), SQLITE_OK);
  EXPECT_EQ(code_of([&] { Publication(live_, shadow_, expected, {}, clock_, util::Deadline::in(20ms)); }), ErrorCode::busy);
  EXPECT_EQ(writer.write(), SQLITE_OK);
  EXPECT_EQ(writer.commit(), SQLITE_OK);
}

TEST_F(Publishing, GoesOnWhenAWriterHasGoneWithoutAnEdit) {
  class Turns final : public util::Clock {
   public:
    explicit Turns(std::function<void()> turn) : turn_(std::move(turn)) {}
    std::int64_t unix_time() override { return 0; }
    std::chrono::steady_clock::time_point now() override { return {}; }
    void sleep(std::chrono::nanoseconds) override { turn_(); }

   private:
    std::function<void()> turn_;
  };
  const auto expected = make_new();
  OtherProcess writer(home_.live);
  ASSERT_EQ(writer.begin(), SQLITE_OK);
  int waits = 0;
  Turns turns([&] {
    if (++waits == 3) {
      EXPECT_EQ(writer.roll_back(), SQLITE_OK);
    }
  });
  Publication publication(live_, shadow_, expected, {}, turns, util::Deadline::in(60s));
  EXPECT_EQ(waits, 3);
  EXPECT_EQ(word_in(home_.live), "new");
}

TEST_F(Publishing, SeesAWriterWhoseJournalIsInMemory) {
  const auto expected = make_new();
  OtherProcess writer(home_.live);
  writer.keep_journal_in_memory();
  ASSERT_EQ(writer.begin_and_spill(), SQLITE_OK);
  EXPECT_FALSE(exists(home_.journal));
  EXPECT_EQ(code_of([&] { Publication(live_, shadow_, expected, {}, clock_, util::Deadline::in(20ms)); }), ErrorCode::busy);
  EXPECT_EQ(writer.commit(), SQLITE_OK);
  EXPECT_EQ(refused(expected), ErrorCode::conflict) << "its edit must be in the plan";
  EXPECT_EQ(word_in(home_.live), "edit");
}

TEST_F(Publishing, MakesAWriterWaitThatHasABusyTimeout) {
  const auto expected = make_new();
  OtherProcess writer(home_.live);
  // It has met our lock on the file that is live, and goes on trying on the same file.
  auto publication = publish(expected, {[&] { return writer.write_and_wait(), false; }, {}});
  EXPECT_EQ(word_in(home_.live), "new");
  EXPECT_FALSE(publication->wait_until_old_is_closed(util::Deadline::in(50ms)));
  publication->abandon_old();
  EXPECT_EQ(writer.result(), moved) << "what it wrote to the old file would be lost";
  EXPECT_EQ(word_in(home_.live), "new");
  EXPECT_FALSE(exists(home_.journal));
  EXPECT_EQ(test::integrity(home_.live), "ok");
}

TEST_F(Publishing, LetsAWriterWithABusyTimeoutWriteWhenItBacksOff) {
  const auto expected = make_new();
  OtherProcess writer(home_.live);
  EXPECT_EQ(code_of([&] { publish(expected, {[&] { return writer.write_and_wait(), true; }, {}}); }), ErrorCode::busy);
  EXPECT_EQ(writer.result(), SQLITE_OK);
  EXPECT_EQ(test::value(home_.live, "SELECT word FROM t WHERE id=1"), "edit");
  EXPECT_EQ(refused(expected), ErrorCode::conflict);
}

TEST_F(Publishing, UsesLinkAndRenameWhereNamesCannotBeExchanged) {
  files_.can_exchange = false;
  const auto old = make_new();
  const auto built = shadow_.identity();
  auto publication = publish(old);
  EXPECT_FALSE(publication->atomic());
  EXPECT_EQ(live_.identity(), built);
  EXPECT_EQ(shadow_.identity(), old);
  EXPECT_FALSE(exists(home_.ours + "/shadow.previous"));
  EXPECT_TRUE(publication->wait_until_old_is_closed(util::Deadline::in(30s)));
  EXPECT_TRUE(publication->keep_old());
}

TEST_F(Publishing, NoticesAMoveBeforeTheLinkToo) {
  files_.can_exchange = false;
  const auto expected = make_new();
  prepare_theirs();
  files_.before = [&](const Call& call) {
    if (call.operation == "link_at") move_over_live("theirs");
  };
  EXPECT_EQ(code_of([&] { publish(expected); }), ErrorCode::conflict);
  EXPECT_EQ(word_in(home_.live), "theirs");
  EXPECT_EQ(word_in(home_.shadow), "new");
  struct stat st {};
  ASSERT_EQ(::stat(home_.live.c_str(), &st), 0);
  EXPECT_EQ(st.st_nlink, 1u);
}

TEST_F(Publishing, SaysThatItMayNotBeDurable) {
  const auto expected = make_new();
  files_.before = [](const Call& call) {
    if (call.operation == "sync") throw Error(ErrorCode::io, "no");
  };
  OtherProcess reader(home_.live);
  auto publication = publish(expected, {{}, [] { throw Error(ErrorCode::io, "no signal"); }});
  EXPECT_FALSE(publication->durable());
  EXPECT_EQ(word_in(home_.live), "new");
  EXPECT_EQ(reader.write() & 0xff, SQLITE_BUSY) << "the old file's lock must not be lost by an error after the exchange";
}

class AfterTheExchange : public Publishing {
 protected:
  bool closed(std::chrono::milliseconds within) { return publication_->wait_until_old_is_closed(util::Deadline::in(within)); }

  std::unique_ptr<OtherProcess> ftl_ = std::make_unique<OtherProcess>(home_.live);
  std::unique_ptr<Publication> publication_ = publish(make_new());
};

TEST_F(AfterTheExchange, WaitsUntilNobodyHasTheOldFileOpen) {
  EXPECT_FALSE(closed(0ms));
  EXPECT_FALSE(closed(30ms));
  EXPECT_EQ(ftl_->read(), "old");
  ftl_->reopen();
  EXPECT_TRUE(closed(30s));
  EXPECT_EQ(ftl_->read(), "new");
  EXPECT_TRUE(publication_->keep_old());
}

TEST_F(AfterTheExchange, AKilledReaderHasItClosed) {
  EXPECT_FALSE(closed(0ms));
  ftl_->kill();
  EXPECT_TRUE(closed(30s));
}

TEST_F(AfterTheExchange, AskingWhoHasItOpenHoldsNobodyUp) {
  EXPECT_FALSE(closed(0ms));
  ftl_->close();
  EXPECT_TRUE(closed(30s));
  // A lease that stayed would make this open() wait for us, and us be killed by SIGIO.
  EXPECT_EQ(word_in(home_.shadow), "old");
}

TEST_F(AfterTheExchange, NobodyWritesToTheOldFile) {
  EXPECT_EQ(ftl_->write() & 0xff, SQLITE_BUSY);
  EXPECT_EQ(ftl_->begin() & 0xff, SQLITE_BUSY);
  EXPECT_FALSE(exists(home_.journal));
  OtherProcess fresh(home_.live);
  EXPECT_EQ(fresh.write(), SQLITE_OK);
  EXPECT_EQ(test::integrity(home_.live), "ok");
  ftl_->close();
  EXPECT_TRUE(closed(30s));
  EXPECT_TRUE(publication_->keep_old());
}

TEST_F(AfterTheExchange, NobodyWritesToTheOldFileWithAJournalInMemory) {
  ftl_->keep_journal_in_memory();
  EXPECT_EQ(ftl_->write() & 0xff, SQLITE_BUSY);
  EXPECT_FALSE(closed(30ms));
  EXPECT_EQ(ftl_->begin_and_spill() & 0xff, SQLITE_BUSY);
  EXPECT_EQ(ftl_->roll_back(), SQLITE_OK);
  EXPECT_EQ(ftl_->read(), "old");
  ftl_->reopen();
  ftl_->keep_journal_in_memory();
  EXPECT_EQ(ftl_->begin_and_spill(), SQLITE_OK);
  EXPECT_EQ(ftl_->commit(), SQLITE_OK);
  EXPECT_TRUE(closed(30s));
  EXPECT_TRUE(publication_->keep_old());
  EXPECT_EQ(word_in(home_.live), "edit");
  EXPECT_EQ(test::integrity(home_.live), "ok");
}

TEST_F(AfterTheExchange, AWriterOnAnAbandonedFileIsToldThatItMoved) {
  publication_->abandon_old();
  EXPECT_EQ(ftl_->write(), moved);
  EXPECT_FALSE(exists(home_.journal));
  EXPECT_EQ(word_in(home_.live), "new");
  EXPECT_EQ(test::integrity(home_.live), "ok");
}

TEST_F(AfterTheExchange, AReaderOfTheOldFileLeavesTheNewOnesJournalAlone) {
  OtherProcess writer(home_.live);
  ASSERT_EQ(writer.begin_and_spill(), SQLITE_OK);
  ASSERT_TRUE(exists(home_.journal));
  const auto journal = test::read_text(home_.journal);
  EXPECT_EQ(ftl_->read(), "old");
  EXPECT_EQ(test::read_text(home_.journal), journal);
  EXPECT_EQ(writer.commit(), SQLITE_OK);
  EXPECT_EQ(word_in(home_.live), "edit");
  EXPECT_EQ(test::integrity(home_.live), "ok");
  EXPECT_EQ(ftl_->read(), "old");
}

TEST_F(AfterTheExchange, AReaderOfTheOldFileLeavesAKilledWritersJournalAlone) {
  OtherProcess writer(home_.live);
  ASSERT_EQ(writer.begin_and_spill(), SQLITE_OK);
  writer.kill();
  EXPECT_EQ(ftl_->read(), "old");
  EXPECT_TRUE(exists(home_.journal));
  EXPECT_EQ(word_in(home_.live), "new") << "the new file's own reader plays it back";
  EXPECT_EQ(test::integrity(home_.live), "ok");
}

TEST_F(AfterTheExchange, AbandoningLeavesNoFileAndNoReaderWithoutOne) {
  publication_->abandon_old();
  EXPECT_FALSE(exists(home_.shadow));
  EXPECT_EQ(shadow_.identity(), std::nullopt);
  EXPECT_EQ(ftl_->read(), "old");
  publication_.reset();
  publish(build(live_, shadow_, "newer"));
  EXPECT_EQ(word_in(home_.live), "newer");
  EXPECT_EQ(ftl_->read(), "old");
}

TEST_F(AfterTheExchange, TellsWhenSomebodyWroteToTheOldFileAllTheSame) {
  ftl_->kill();
  {
    util::Fd fd(::open(home_.shadow.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::pwrite(fd.get(), "\0\0\7\7", 4, 24), 4);  // a change counter, as a writer leaves it that uses no locks
  }
  EXPECT_TRUE(closed(30s));
  EXPECT_FALSE(publication_->keep_old());
  EXPECT_TRUE(exists(home_.shadow)) << "what it holds must be looked at";
}

TEST_F(AfterTheExchange, DyingLeavesAReaderOfTheOldFileInPeace) {
  publication_.reset();  // the locks go, as with the process
  auto identity = build(live_, shadow_, "newer");
  EXPECT_EQ(ftl_->read(), "old");
  publish(identity);
  EXPECT_EQ(ftl_->read(), "old");
  ftl_->reopen();
  EXPECT_NE(ftl_->read(), "old");
}

class Reverting : public AfterTheExchange {
 protected:
  Reverting() : taken_back_(publication_->new_identity()), old_(publication_->old_identity()) {}
  Identity taken_back_;
  Identity old_;
};

TEST_F(Reverting, PutsTheOldFileBack) {
  publication_->revert();
  EXPECT_EQ(live_.identity(), old_);
  EXPECT_EQ(shadow_.identity(), taken_back_);
  EXPECT_EQ(ftl_->read(), "old");
  EXPECT_EQ(ftl_->write(), SQLITE_OK) << "it is live again";
  publication_.reset();
  EXPECT_EQ(test::integrity(home_.live), "ok");
}

TEST_F(Reverting, WorksWhereNamesCannotBeExchanged) {
  files_.can_exchange = false;
  publication_->revert();
  EXPECT_EQ(live_.identity(), old_);
  EXPECT_EQ(shadow_.identity(), taken_back_);
}

TEST_F(Reverting, KeepsWritersOffTheVersionThatWasTakenBack) {
  OtherProcess reader(home_.live);
  ASSERT_EQ(reader.read(), "new");
  publication_->revert();
  EXPECT_EQ(reader.write() & 0xff, SQLITE_BUSY);
  EXPECT_FALSE(closed(0ms)) << "it now asks for the one that was taken back";
  // The trap of DESIGN.md's step 6, the other way round.
  OtherProcess writer(home_.live);
  ASSERT_EQ(writer.begin_and_spill(), SQLITE_OK);
  EXPECT_EQ(reader.read(), "new");
  EXPECT_TRUE(exists(home_.journal));
  EXPECT_EQ(writer.commit(), SQLITE_OK);
  EXPECT_EQ(test::integrity(home_.live), "ok");
  reader.reopen();
  EXPECT_TRUE(closed(30s));
}

TEST_F(Reverting, BuriesNobodysEdit) {
  test::execute(home_.live, "UPDATE t SET word='edit'");
  EXPECT_EQ(code_of([&] { publication_->revert(); }), ErrorCode::conflict);
  EXPECT_EQ(word_in(home_.live), "edit");
  EXPECT_EQ(ftl_->read(), "old");
  EXPECT_EQ(ftl_->write() & 0xff, SQLITE_BUSY) << "the lock on the old file stays";
  EXPECT_FALSE(closed(0ms));
}

TEST_F(Reverting, BuriesNoFileThatWasMovedThere) {
  prepare_theirs();
  move_over_live("theirs");
  EXPECT_EQ(code_of([&] { publication_->revert(); }), ErrorCode::conflict);
  EXPECT_EQ(word_in(home_.live), "theirs");
}

TEST_F(Reverting, DoesNotLeaveAWritersJournalBesideTheOldFile) {
  OtherProcess writer(home_.live);
  ASSERT_EQ(writer.begin_and_spill(), SQLITE_OK);
  writer.kill();
  EXPECT_THAT(code_of([&] { publication_->revert(); }), testing::AnyOf(ErrorCode::busy, ErrorCode::conflict));
  EXPECT_EQ(word_in(home_.live), "new");
}

/// What DESIGN.md's step 6 is for, shown on files that were exchanged without it.
class WithoutTheLock : public Publishing {
 protected:
  WithoutTheLock() : ftl_(home_.live) {
    make_new();
    EXPECT_EQ(::renameat2(AT_FDCWD, home_.shadow.c_str(), AT_FDCWD, home_.live.c_str(), RENAME_EXCHANGE), 0);
  }
  OtherProcess ftl_;
};

TEST_F(WithoutTheLock, AReaderOfTheOldFileTakesTheNewOnesJournalAway) {
  OtherProcess writer(home_.live);
  ASSERT_EQ(writer.begin_and_spill(), SQLITE_OK);
  ASSERT_TRUE(exists(home_.journal));
  ftl_.read();
  EXPECT_FALSE(exists(home_.journal)) << "then SQLite has learnt better, and keeping the lock is not needed any more";
  writer.kill();
  EXPECT_NE(word_in(home_.live), "new") << "half a transaction stays, because nothing is there to roll it back";
}

}  // namespace
}  // namespace gsync::replica
