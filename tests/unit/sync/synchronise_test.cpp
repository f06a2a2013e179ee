#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "failing_calls.hpp"
#include "gsync/sync/engine.hpp"
#include "support/fake_node.hpp"

namespace gsync::sync {
namespace {

using test::FailingCalls;
using test::FakeNode;

const model::RowKey ads{model::Table::domain, model::kind::deny_exact, "ads.example.com"};

class Synchronise : public ::testing::Test {
 protected:
  TwoWayResult sync() { return synchronise(a, b, options()); }
  static TwoWayOptions options() {
    TwoWayOptions options;
    options.action = model::Action::sync;
    options.started_by = "sync on a";
    options.lock_deadline = std::chrono::milliseconds(1'000);
    return options;
  }
  void expect_same() {
    EXPECT_TRUE(model::diff(a.lists_now, b.lists_now).empty());
    EXPECT_EQ(a.records_now, b.records_now);
    EXPECT_EQ(a.describe().digests, b.describe().digests);
  }
  void expect_refused(const std::string& words, const TwoWayOptions& with) {
    try {
      synchronise(a, b, with);
      FAIL() << "it was not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::refused);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
  /// Both have been synced once, with an entry of their own each.
  void begin_in_step() {
    a.add_domain("ads.example.com");
    a.add_domain("only.a.example");
    b.add_domain("only.b.example");
    auto unite = options();
    unite.unite = true;
    synchronise(a, b, unite);
  }

  FakeNode a{"a", std::string(32, '1')};
  FakeNode b{"b", std::string(32, '2')};
};

TEST_F(Synchronise, TwoThatHaveNoCommonPastIsRefusedAndChangesNothing) {
  a.add_domain("only.a.example");
  b.add_domain("only.b.example");
  const auto before = a.lists_now;
  expect_refused("no common past", options());
  EXPECT_TRUE(model::diff(a.lists_now, before).empty());
  EXPECT_TRUE(a.applied.empty());
  EXPECT_TRUE(b.applied.empty());
}

TEST_F(Synchronise, UnionKeepsWhatEitherHas) {
  begin_in_step();
  expect_same();
  EXPECT_EQ(a.lists_now.size(), 4U);
}

TEST_F(Synchronise, AFreshPiholeTakesEverythingOfTheOther) {
  a.add_domain("only.a.example");
  a.records_now[0] = model::RecordLines{"192.168.1.5 nas"};
  sync();
  expect_same();
  EXPECT_EQ(b.lists_now.size(), 2U);
}

TEST_F(Synchronise, GivesEachTheEditsOfTheOther) {
  begin_in_step();
  a.add_domain("new.a.example");
  b.lists_now.erase(ads);
  b.records_now[0] = model::RecordLines{"192.168.1.5 nas"};
  const auto result = sync();
  expect_same();
  EXPECT_FALSE(a.lists_now.contains(ads)) << "a deletion is an edit";
  EXPECT_TRUE(result.conflicts.empty());
  EXPECT_TRUE(sync().nothing_to_do());
}

TEST_F(Synchronise, FindsNothingToDoWithoutReadingOrLocking) {
  begin_in_step();
  a.calls.clear();
  b.calls.clear();
  EXPECT_TRUE(sync().nothing_to_do());
  EXPECT_EQ(a.calls, (std::vector<std::string>{"describe", "pair"}));
  EXPECT_EQ(b.calls, (std::vector<std::string>{"describe"}));
}

TEST_F(Synchronise, WritesWhatLostIntoBothHistories) {
  begin_in_step();
  a.lists_now[ads].comment = "of a";
  b.lists_now[ads].comment = "of b";
  auto by_name = options();
  by_name.prefer = Prefer::there;
  const auto result = synchronise(a, b, by_name);
  expect_same();
  EXPECT_EQ(a.lists_now.at(ads).comment, "of b");
  ASSERT_EQ(result.conflicts.size(), 1U);
  EXPECT_EQ(result.conflicts[0].kept, "of b");
  EXPECT_EQ(result.conflicts[0].lost, "of a");
  EXPECT_EQ(a.applied.back().conflicts, result.conflicts);
  ASSERT_FALSE(b.notes.empty()) << "nothing was applied there";
  EXPECT_EQ(b.notes.back().conflicts, result.conflicts);
}

TEST_F(Synchronise, TakesTheNewerCompileOfEachAdlist) {
  begin_in_step();
  const auto list = a.add_adlist("https://example.com/list", {"one.example", "two.example"});
  sync();
  EXPECT_EQ(b.compiled.at(list), a.compiled.at(list));
  b.recompile(list, {"three.example"}, {"one.example"});
  sync();
  EXPECT_EQ(a.compiled.at(list), (std::set<std::string>{"three.example", "two.example"}));
  EXPECT_TRUE(sync().nothing_to_do());
}

/// After a failure at each call of either node, the next run brings both to the same, with the edits of both and without what was deleted.
TEST_F(Synchronise, GoesOnAfterAFailureAtAnyCall) {
  for (bool at_a : {true, false}) {
    for (int stop = 1;; ++stop) {
      SCOPED_TRACE((at_a ? "a " : "b ") + std::to_string(stop));
      a = FakeNode("a", std::string(32, '1'));
      b = FakeNode("b", std::string(32, '2'));
      begin_in_step();
      a.add_domain("new.a.example");
      a.records_now[0] = model::RecordLines{"192.168.1.5 nas"};
      b.lists_now.erase(ads);
      b.records_now[1] = model::RecordLines{"www,nas"};
      int calls = 0;
      (at_a ? a : b).on_call = [&](const std::string& call) {
        if (call != "unlock" && ++calls == stop) throw Error(ErrorCode::unreachable, "gone at " + call);
      };
      bool failed = false;
      try {
        sync();
      } catch (const Error&) {
        failed = true;
      }
      a.on_call = b.on_call = {};
      // Somebody edits meanwhile, also what the first run has brought.
      a.add_domain("later.a.example");
      b.add_domain("later.b.example");
      b.lists_now.erase({model::Table::domain, model::kind::deny_exact, "only.a.example"});
      sync();
      expect_same();
      EXPECT_FALSE(a.lists_now.contains(ads));
      EXPECT_FALSE(a.lists_now.contains({model::Table::domain, model::kind::deny_exact, "only.a.example"}));
      for (const char* domain : {"new.a.example", "later.a.example", "later.b.example", "only.b.example"})
        EXPECT_TRUE(a.lists_now.contains({model::Table::domain, model::kind::deny_exact, domain})) << domain;
      EXPECT_EQ(*a.records_now[0], model::RecordLines{"192.168.1.5 nas"});
      EXPECT_EQ(*a.records_now[1], model::RecordLines{"www,nas"});
      EXPECT_TRUE(sync().nothing_to_do());
      if (HasFailure()) return;
      if (!failed) break;
      ASSERT_LT(stop, 100);
    }
  }
}

TEST_F(Synchronise, MergesAgainWhenSomebodyEditsInTheMiddle) {
  begin_in_step();
  a.add_domain("new.a.example");
  int edits = 0;
  b.on_call = [&](const std::string& call) {
    if (call == "apply" && edits++ == 0) b.add_domain("middle.b.example");
  };
  sync();
  expect_same();
  EXPECT_GT(edits, 0);
}

/// Else it would be given to the other, and be in one of the two bases only: deleted at once, and back with the next sync.
/// For one call, as a card that has bad moments does it.
TEST_F(Synchronise, RecordsThatCannotBeReadForAMomentAreNotTakenForDeleted) {
  for (auto* node : {&a, &b}) node->records_now[0] = model::RecordLines{"192.168.1.2 nas.lan", "192.168.1.3 printer.lan"};
  begin_in_step();
  for (auto* bad : {&a, &b}) {
    SCOPED_TRACE(bad->label());
    auto& other = bad == &a ? b : a;
    other.records_now[0]->push_back("192.168.1.4 camera" + bad->label() + ".lan");
    const auto wanted = other.records_now;
    std::optional<model::Records> hidden;
    bool done = false;
    bad->on_call = [&](const std::string& call) {
      if (hidden) bad->records_now = *std::exchange(hidden, std::nullopt);
      if (call != "records" || std::exchange(done, true)) return;
      hidden = bad->records_now;
      bad->records_now[0].reset();
    };
    sync();
    bad->on_call = {};
    EXPECT_TRUE(done);
    EXPECT_EQ(a.records_now, wanted);
    EXPECT_EQ(b.records_now, wanted);
  }
}

TEST_F(Synchronise, AnInterruptedOneIsNotSettledWhileRecordsCannotBeRead) {
  for (auto* node : {&a, &b}) node->records_now[0] = model::RecordLines{"192.168.1.2 nas.lan"};
  begin_in_step();
  a.records_now[0]->push_back("192.168.1.3 printer.lan");
  const auto wanted = a.records_now;
  b.on_call = [](const std::string& call) {
    if (call == "publish") throw Error(ErrorCode::unreachable, "cut");
  };
  EXPECT_THROW(sync(), Error);
  const auto hidden = std::exchange(b.records_now, model::Records{});
  b.on_call = {};
  EXPECT_THROW(sync(), Error);
  b.records_now = hidden;
  sync();
  EXPECT_EQ(a.records_now, wanted);
  EXPECT_EQ(b.records_now, wanted);
}

TEST_F(Synchronise, DoesNotGiveAwayAnEditThatIsTakenBackAtOnce) {
  begin_in_step();
  b.add_domain("new.b.example");
  const auto before = a.lists_now;
  bool edited = false;
  a.on_call = [&](const std::string& call) {
    if (call == "lists" && !edited) {
      a.add_domain("not.for.long.example");
      edited = true;
    } else if (call == "intend") {
      a.lists_now = before;
    }
  };
  sync();
  a.on_call = nullptr;
  EXPECT_TRUE(edited);
  EXPECT_FALSE(b.lists_now.contains({model::Table::domain, model::kind::deny_exact, "not.for.long.example"}));
  sync();
  expect_same();
  EXPECT_FALSE(a.lists_now.contains({model::Table::domain, model::kind::deny_exact, "not.for.long.example"}));
}

TEST_F(Synchronise, OfANodeThatLostItsBooksDerivesNoDeletion) {
  begin_in_step();
  b.books.clear();
  a.add_domain("new.a.example");
  expect_refused("no common past", options());
  auto unite = options();
  unite.unite = true;
  synchronise(a, b, unite);
  expect_same();
  EXPECT_TRUE(b.lists_now.contains(ads));
}

/// It comes by the same content from the same base again, and the other has that as its base already.
TEST_F(Synchronise, OfANodeThatWasPutBackToABackupIsNotTakenForTheOneBefore) {
  begin_in_step();
  const auto lists = b.lists_now;
  const auto books = b.books;
  a.add_domain("later.example");
  sync();
  b.lists_now = lists;
  b.books = books;
  auto unite = options();
  unite.unite = true;
  a.on_call = [](const std::string& call) {
    if (call == "intend") throw Error(ErrorCode::unreachable, "the line is cut");
  };
  EXPECT_THROW(synchronise(b, a, unite), Error);
  a.on_call = {};
  synchronise(b, a, unite);
  expect_same();
  EXPECT_TRUE(a.lists_now.contains({model::Table::domain, model::kind::deny_exact, "later.example"}));
}

TEST_F(Synchronise, BeginsAnewFromAPullThatTheUserSaid) {
  a.add_domain("only.a.example");
  b.add_domain("only.b.example");
  Options pull;
  pull.agree = true;
  replicate(b, a, pull);
  expect_same();
  b.add_domain("new.b.example");
  a.lists_now.erase({model::Table::domain, model::kind::deny_exact, "only.b.example"});
  sync();
  expect_same();
  EXPECT_EQ(a.lists_now.size(), 2U);
}

TEST_F(Synchronise, APullInBetweenMakesANewBase) {
  begin_in_step();
  b.add_domain("new.b.example");
  a.lists_now.erase(ads);
  replicate(b, a, {});
  EXPECT_TRUE(a.lists_now.contains(ads)) << "a pull takes everything of the peer";
  a.lists_now.erase({model::Table::domain, model::kind::deny_exact, "new.b.example"});
  sync();
  expect_same();
  EXPECT_FALSE(b.lists_now.contains({model::Table::domain, model::kind::deny_exact, "new.b.example"}))
      << "and what is deleted after it stays so";
}

/// The one that is pulled to has forgotten all of it, and the other one remembers the rest.
TEST_F(Synchronise, APullOfAPartInBetweenLeavesNoBaseThatOnlyOneOfThemHas) {
  a.records_now[0] = model::RecordLines{"192.168.1.5 nas"};
  begin_in_step();
  b.records_now[0] = model::RecordLines{};
  a.add_domain("new.a.example");
  Options pull;
  pull.components.records.fill(false);
  replicate(a, b, pull);
  EXPECT_TRUE(b.lists_now.contains({model::Table::domain, model::kind::deny_exact, "new.a.example"}));
  for (auto* first : {&a, &b}) {
    try {
      synchronise(*first, first == &a ? b : a, options());
      ADD_FAILURE() << "what was deleted on b comes back, or goes on a, by who begins";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("no common past"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(b.records_now[0], model::RecordLines{});
}

TEST_F(Synchronise, WhatOneCouldNotHoldIsNotTakenForDeletedThereOnceItCan) {
  const model::RowKey allowed{model::Table::adlist, model::kind::allow_list, "https://allowed.example/"};
  a.info.capabilities.allow_lists = false;
  begin_in_step();
  b.lists_now[allowed].groups = {model::default_group_key()};
  sync();
  b.records_now[0] = model::RecordLines{"192.168.1.5 nas"};
  sync();
  EXPECT_EQ(a.records_now[0], b.records_now[0]);
  a.info.capabilities.allow_lists = true;
  synchronise(b, a, options());
  expect_same();
  EXPECT_TRUE(b.lists_now.contains(allowed));
}

TEST_F(Synchronise, BringsBackWhatPiholeGSwallowed) {
  begin_in_step();
  const auto copied = b.lists_now;
  a.add_domain("new.a.example");
  sync();
  b.add_domain("new.b.example");
  b.lists_now.erase(ads);
  b.swap_in(copied);
  sync();
  expect_same();
  EXPECT_FALSE(a.lists_now.contains(ads));
  EXPECT_TRUE(a.lists_now.contains({model::Table::domain, model::kind::deny_exact, "new.a.example"}));
  EXPECT_TRUE(a.lists_now.contains({model::Table::domain, model::kind::deny_exact, "new.b.example"}));
}

TEST_F(Synchronise, ARingIsRefusedWithTheNamesInIt) {
  FakeNode c{"c", std::string(32, '3')};
  a.add_domain("ads.example.com");
  sync();
  synchronise(b, c, options());
  // Only b knows both; a hears of c from it.
  a.add_domain("more.example.com");
  sync();
  try {
    synchronise(c, a, options());
    FAIL() << "a ring";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_NE(std::string(error.what()).find("by way of"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find('b'), std::string::npos) << error.what();
  }
}

TEST_F(Synchronise, ANodeIdThatAnotherPeerHadIsRefused) {
  begin_in_step();
  FakeNode copy{"b2", std::string(32, '2')};
  copy.add_domain("copied.example.com");
  try {
    synchronise(a, copy, options());
    FAIL() << "a cloned card";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_NE(std::string(error.what()).find("copying"), std::string::npos) << error.what();
  }
}

TEST_F(Synchronise, DryRunChangesNothing) {
  begin_in_step();
  a.add_domain("new.a.example");
  const auto books = a.books;
  auto dry = options();
  dry.dry_run = true;
  const auto result = synchronise(a, b, dry);
  EXPECT_EQ(result.there.plan.change.rows.size(), 1U);
  EXPECT_EQ(a.books, books);
  EXPECT_EQ(b.lists_now.size(), 4U);
}

TEST_F(Synchronise, RefusesToEmptyANodeUnlessForced) {
  begin_in_step();
  for (int i = 0; i < 20; ++i) a.add_domain("many" + std::to_string(i) + ".example");
  sync();
  for (int i = 0; i < 20; ++i) a.lists_now.erase({model::Table::domain, model::kind::deny_exact, "many" + std::to_string(i) + ".example"});
  expect_refused("would go", options());
  auto force = options();
  force.force = true;
  synchronise(a, b, force);
  expect_same();
}

}  // namespace
}  // namespace gsync::sync
