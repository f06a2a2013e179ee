#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "failing_calls.hpp"
#include "gsync/sync/engine.hpp"

namespace gsync::sync {
namespace {

using test::FakeNode;

class Replicate : public ::testing::Test {
 protected:
  Replicate() {
    options.lock_deadline = std::chrono::milliseconds(2'000);
    options.started_by = "pull on ph2";
  }
  Error fails() {
    try {
      replicate(source, target, options);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorCode::io, ""};
  }

  FakeNode source{"ph1", std::string(32, 'a')};
  FakeNode target{"ph2", std::string(32, 'b')};
  test::FailingCalls target_fails{target};
  Options options;
};

TEST_F(Replicate, LocksAndReadsNothingWhenTheDigestsAreEqual) {
  auto result = replicate(source, target, options);
  EXPECT_TRUE(result.plan.nothing_to_do());
  EXPECT_FALSE(result.report);
  EXPECT_EQ(source.calls, std::vector<std::string>{"describe"});
  EXPECT_EQ(target.calls, std::vector<std::string>{"describe"});
}

TEST_F(Replicate, MakesTheTargetAsTheSourceIs) {
  source.add_domain("ads.example.com");
  target.add_domain("old.example.com");
  auto result = replicate(source, target, options);
  ASSERT_TRUE(result.report);
  EXPECT_TRUE(model::diff(target.lists_now, source.lists_now).empty());
  ASSERT_EQ(target.applied.size(), 1u);
  const auto& change = target.applied[0];
  EXPECT_EQ(change.source, "ph1");
  EXPECT_EQ(change.started_by, "pull on ph2");
  EXPECT_EQ(change.expected, result.target.digests);
  EXPECT_FALSE(source.locked);
  EXPECT_FALSE(target.locked);
}

TEST_F(Replicate, FindsNothingToDoTheSecondTime) {
  source.add_domain("ads.example.com");
  replicate(source, target, options);
  auto again = replicate(source, target, options);
  EXPECT_TRUE(again.plan.nothing_to_do());
  EXPECT_EQ(target.count("apply"), 1u);
}

TEST_F(Replicate, ReadsOnlyRecordsWhenOnlyRecordsDiffer) {
  source.records_now[0] = model::RecordLines{"192.168.1.2 nas.lan"};
  replicate(source, target, options);
  EXPECT_EQ(source.count("lists"), 0u);
  EXPECT_EQ(source.count("blocklist"), 0u);
  EXPECT_EQ(target.count("lists"), 0u);
  ASSERT_EQ(target.applied.size(), 1u);
  EXPECT_EQ(target.applied[0].records[0], source.records_now[0]);
  EXPECT_FALSE(target.applied[0].records[1]) << "kinds that are equal are left alone";
}

TEST_F(Replicate, StreamsTheRowsOfAdlistsWhoseCompiledSetsDiffer) {
  source.add_adlist("https://lists.example/a", {"a.example", "b.example"});
  source.add_adlist("https://lists.example/b", {"c.example"});
  target.add_adlist("https://lists.example/a", {"a.example"});
  target.add_adlist("https://lists.example/b", {"c.example"});
  std::vector<Progress> seen;
  options.progress = [&](const Progress& p) { seen.push_back(p); };
  auto result = replicate(source, target, options);
  ASSERT_TRUE(result.report);
  ASSERT_EQ(target.applied[0].wishes.size(), 1u);
  EXPECT_EQ(target.applied[0].wishes[0].key.name, "https://lists.example/a");
  EXPECT_EQ(result.report->counts.blocklist_added, 2u);
  EXPECT_EQ(source.count("lists"), 0u) << "equal lists are read on one side only";
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().done, 2u);
  EXPECT_EQ(seen.back().total, 2u);
}

/// A target that has nothing compiled yet, of a source that has much.
class FirstCopy : public Replicate {
 protected:
  FirstCopy() {
    std::set<std::string> many;
    for (int i = 0; i < 60'000; ++i) many.insert("host" + std::to_string(i) + ".example.com");
    key = source.add_adlist("https://lists.example/many", many);
    options.copy_patience = std::chrono::hours(1);
  }
  void expect_in_step() {
    EXPECT_EQ(target.compiled, source.compiled);
    EXPECT_TRUE(model::diff(target.lists_now, source.lists_now).empty());
    EXPECT_FALSE(target.locked || source.locked);
  }
  model::RowKey key;
};

TEST_F(FirstCopy, IsOfPages) {
  replicate(source, target, options);
  ASSERT_EQ(target.applied.size(), 1u);
  EXPECT_EQ(target.applied[0].copied.size(), 1u);
  EXPECT_EQ(source.count("blocklist_rows"), 0u);
  expect_in_step();
}

TEST_F(FirstCopy, IsOfRowsOverALinkThatKeepsItWaiting) {
  options.copy_patience = std::chrono::milliseconds(1);
  source.on_row = [&](std::uint64_t) {
    if (source.count("blocklist_rows") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  };
  replicate(source, target, options);
  EXPECT_EQ(source.count("copy"), 1u);
  EXPECT_EQ(source.count("blocklist_rows"), 1u);
  EXPECT_TRUE(target.applied.at(0).copied.empty());
  expect_in_step();
}

TEST_F(FirstCopy, IsOfRowsWhereTheSchemasDiffer) {
  source.schema.bytes.fill(1);
  replicate(source, target, options);
  EXPECT_EQ(source.count("blocklist_rows"), 1u);
  EXPECT_EQ(target.count("apply"), 2u);
  expect_in_step();
}

TEST_F(FirstCopy, EndsWhereMoreThanTheCopyIsWrong) {
  target_fails.next("apply", Error(ErrorCode::no_space, "full"));
  EXPECT_EQ(fails().code(), ErrorCode::no_space);
  EXPECT_EQ(source.count("blocklist_rows"), 0u);
}

TEST_F(Replicate, LeavesOutWhatItWasNotAskedFor) {
  source.add_domain("ads.example.com");
  source.records_now[0] = model::RecordLines{"192.168.1.2 nas.lan"};
  options.components = {false, false, {true, false, false}};
  replicate(source, target, options);
  EXPECT_TRUE(target.applied[0].rows.empty());
  EXPECT_EQ(source.count("lists"), 0u);
}

TEST_F(Replicate, ChangesAndLocksNothingInADryRun) {
  source.add_domain("ads.example.com");
  options.dry_run = true;
  auto result = replicate(source, target, options);
  EXPECT_EQ(result.plan.change.rows.size(), 1u);
  EXPECT_FALSE(result.report);
  EXPECT_EQ(target.count("apply") + target.count("lock") + source.count("lock") + target.count("note"), 0u);
}

TEST_F(Replicate, RefusesTwoNodesWithOneId) {
  target.info.node_id = source.info.node_id;
  auto error = fails();
  EXPECT_EQ(error.code(), ErrorCode::refused);
  EXPECT_NE(std::string(error.what()).find("this very host"), std::string::npos) << error.what();
  EXPECT_NE(error.hint().find("state.db"), std::string::npos) << error.hint();
}

TEST_F(Replicate, NeverCopiesADamagedSource) {
  source.info.damaged = true;
  source.info.damage = "file is not a database";
  options.full = true;
  EXPECT_EQ(fails().code(), ErrorCode::corrupt);
  EXPECT_EQ(source.count("copy"), 0u);
}

TEST_F(Replicate, NamesTheWholeCopyAsTheRemedyOfADamagedTarget) {
  target.info.damaged = true;
  auto error = fails();
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
  EXPECT_NE(error.hint().find("gravity-sync pull ph1 --full"), std::string::npos) << error.hint();
  options.action = model::Action::push;
  EXPECT_NE(fails().hint().find("gravity-sync push ph2 --full"), std::string::npos);
}

TEST_F(Replicate, ReplacesADamagedDatabaseAsAWhole) {
  target.info.damaged = true;
  options.full = true;
  auto result = replicate(source, target, options);
  ASSERT_EQ(target.applied.size(), 1u);
  const auto& change = target.applied[0];
  EXPECT_TRUE(change.whole_copy);
  EXPECT_GT(change.copy_bytes, 0u);
  EXPECT_EQ(change.copy_lists, model::digest_of(source.lists_now));
  EXPECT_EQ(target.count("lists"), 0u);
  EXPECT_TRUE(result.report->counts.whole_database);
}

TEST_F(Replicate, CopiesTheWholeDatabaseEvenWhenTheDigestsAreEqual) {
  options.full = true;
  replicate(source, target, options);
  EXPECT_EQ(target.count("apply"), 1u);
}

TEST_F(Replicate, WantsListsAndBlocklistTogetherForAWholeCopy) {
  options.full = true;
  options.components.lists = false;
  EXPECT_EQ(fails().code(), ErrorCode::config);
}

TEST_F(Replicate, RefusesToWriteToAReadOnlyPeerButShowsWhatDiffers) {
  target.info.read_only = true;
  source.add_domain("ads.example.com");
  EXPECT_EQ(fails().code(), ErrorCode::refused);
  options.dry_run = true;
  EXPECT_EQ(replicate(source, target, options).plan.change.rows.size(), 1u);
}

TEST_F(Replicate, NotesAShrinkThatItRefusesAndLetsForceThrough) {
  for (int i = 0; i < 40; ++i) target.add_domain("d" + std::to_string(i) + ".example");
  auto error = fails();
  EXPECT_EQ(error.code(), ErrorCode::refused);
  EXPECT_NE(error.hint().find("--force"), std::string::npos);
  EXPECT_EQ(target.count("apply"), 0u);
  ASSERT_EQ(target.notes.size(), 1u);
  EXPECT_EQ(target.notes[0].outcome, model::Outcome::refused);
  EXPECT_EQ(target.notes[0].source, "ph1");
  EXPECT_EQ(target.notes[0].target, "ph2");
  EXPECT_FALSE(target.locked);

  options.force = true;
  replicate(source, target, options);
  EXPECT_TRUE(target.applied.back().force);
}

TEST_F(Replicate, LocksInTheOrderOfTheNodeIds) {
  std::vector<std::string> order;
  for (auto* node : {&source, &target})
    node->on_call = [&order, node](const std::string& call) {
      if (call == "lock") order.push_back(node->label());
    };
  source.add_domain("ads.example.com");
  replicate(source, target, options);
  EXPECT_EQ(order, (std::vector<std::string>{"ph1", "ph2"}));
  order.clear();
  source.info.node_id = std::string(32, 'c');
  source.add_domain("more.example.com");
  replicate(source, target, options);
  EXPECT_EQ(order, (std::vector<std::string>{"ph2", "ph1"}));
}

TEST_F(Replicate, LetsTheFirstNodeGoWhileTheSecondIsBusy) {
  source.add_domain("ads.example.com");
  target_fails.next("lock", Error(ErrorCode::busy, "another run works on ph2"));
  replicate(source, target, options);
  EXPECT_EQ(source.count("lock"), 2u);
  EXPECT_EQ(source.count("unlock"), 2u);
  EXPECT_EQ(target.count("apply"), 1u);
}

TEST_F(Replicate, HoldsTheFirstNodeForASecondAtMostWhileTheSecondIsBusy) {
  source.add_domain("ads.example.com");
  options.lock_deadline = std::chrono::minutes(1);
  target_fails.next("lock", Error(ErrorCode::busy, "another run works on ph2"));
  replicate(source, target, options);
  ASSERT_EQ(target.lock_times.size(), 2u);
  for (const auto time : target.lock_times) EXPECT_LE(time, std::chrono::seconds(1)) << "others may wait for ph1";
  EXPECT_GT(source.lock_times.back(), std::chrono::seconds(10)) << "and for the first there is all the time that was given";
}

TEST_F(Replicate, SaysBusyAtTheDeadline) {
  source.add_domain("ads.example.com");
  options.lock_deadline = std::chrono::milliseconds(0);
  target_fails.next("lock", Error(ErrorCode::busy, "another run works on ph2"));
  EXPECT_EQ(fails().code(), ErrorCode::busy);
  EXPECT_FALSE(source.locked);
}

TEST_F(Replicate, PlansAgainWhenTheTargetChangedMeanwhile) {
  source.add_domain("ads.example.com");
  target_fails.next("apply", Error(ErrorCode::conflict, "somebody edited"));
  auto result = replicate(source, target, options);
  EXPECT_TRUE(result.report);
  EXPECT_EQ(target.count("apply"), 2u);
  EXPECT_TRUE(target.notes.empty());
}

TEST_F(Replicate, GivesUpAfterThreePlansAndNotesIt) {
  source.add_domain("ads.example.com");
  for (int i = 0; i < 3; ++i) target_fails.next("apply", Error(ErrorCode::conflict, "somebody edited"));
  EXPECT_EQ(fails().code(), ErrorCode::conflict);
  EXPECT_EQ(target.count("apply"), 3u);
  EXPECT_TRUE(target.applied.empty());
  ASSERT_EQ(target.notes.size(), 1u);
  EXPECT_EQ(target.notes[0].outcome, model::Outcome::failed);
  EXPECT_EQ(target.notes[0].text, "somebody edited");
}

TEST_F(Replicate, KeepsTheErrorWhenItCannotBeNoted) {
  source.add_domain("ads.example.com");
  target_fails.next("apply", Error(ErrorCode::no_space, "ph2 is full"));
  target_fails.next("note", Error(ErrorCode::unreachable, "gone"));
  target_fails.next("unlock", Error(ErrorCode::unreachable, "gone"));
  EXPECT_EQ(fails().code(), ErrorCode::no_space);
  EXPECT_FALSE(source.locked);
}

TEST_F(Replicate, NotesAPushOnTheNodeThatStartedIt) {
  source.add_domain("ads.example.com");
  options.action = model::Action::push;
  replicate(source, target, options);
  ASSERT_EQ(source.notes.size(), 1u);
  EXPECT_EQ(source.notes[0].action, model::Action::push);
  EXPECT_EQ(source.notes[0].target, "ph2");
  EXPECT_EQ(source.notes[0].counts.rows_changed, 1u);
  EXPECT_TRUE(source.notes[0].rows.empty());

  source.add_domain("more.example.com");
  target_fails.next("apply", Error(ErrorCode::incompatible, "unknown column"));
  fails();
  ASSERT_EQ(source.notes.size(), 2u);
  EXPECT_EQ(source.notes[1].outcome, model::Outcome::failed);
}

TEST_F(Replicate, SaysWhichRecordsAreLeftAloneAndWhy) {
  target.records_now[2] = std::nullopt;
  target.info.capabilities.records_unavailable[2] = "misc.readOnly is set";
  EXPECT_FALSE(replicate(source, target, options).report) << "what cannot be synced is not a difference";
  source.add_domain("ads.example.com");
  auto result = replicate(source, target, options);
  ASSERT_EQ(result.plan.warnings.size(), 1u);
  EXPECT_EQ(result.plan.warnings[0], "dhcp records are not synced, ph2 cannot take them: misc.readOnly is set");
}

TEST_F(Replicate, IsInStepWhenOnlyRecordsDifferThatTheTargetCannotTake) {
  source.records_now[0] = model::RecordLines{"192.168.1.2 nas.lan"};
  target.info.capabilities.records_read_only[0] = "start it as root";
  auto result = replicate(source, target, options);
  EXPECT_FALSE(result.report);
  EXPECT_EQ(source.count("records") + source.count("lock"), 0u);
  EXPECT_EQ(result.plan.warnings,
            std::vector<std::string>{"dns records differ and are not synced, ph2 cannot take them: start it as root"});
  EXPECT_TRUE(replicate(target, source, options).report) << "but it can give them";
}

TEST_F(Replicate, ReadsNothingWhenOnlyRowsDifferThatOneSideCannotHold) {
  source.info.capabilities.allow_lists = true;
  target.info.capabilities.allow_lists = false;
  source.lists_now[{model::Table::adlist, model::kind::allow_list, "https://allow"}];
  auto result = replicate(source, target, options);
  EXPECT_FALSE(result.report);
  EXPECT_EQ(source.count("lists") + source.count("lock"), 0u);
  EXPECT_EQ(result.plan.warnings, std::vector<std::string>{"1 list entry of ph1 is left out, the Pi-hole of ph2 does not know allow lists; "
                                                           "`gravity-sync compare` names it"});
  result = replicate(target, source, options);
  EXPECT_FALSE(result.report) << "and it is not taken for a deletion";
  EXPECT_TRUE(result.plan.warnings.empty());
}

TEST_F(Replicate, TellsPerAdlistWhatWouldTravel) {
  source.add_adlist("https://lists.example/a", {"a.example", "b.example"});
  target.add_adlist("https://lists.example/a", {"a.example"});
  options.dry_run = true;
  auto result = replicate(source, target, options);
  ASSERT_EQ(result.blocklist.size(), 1u);
  EXPECT_EQ(result.blocklist[0].here->rows.count, 1u);
  EXPECT_EQ(result.blocklist[0].there->rows.count, 2u);
}

TEST_F(Replicate, RefusesToDropMostCompiledRowsEvenWhenOnlyListsTravel) {
  std::set<std::string> many;
  for (int i = 0; i < 100; ++i) many.insert("d" + std::to_string(i) + ".example");
  for (auto* node : {&source, &target}) {
    node->add_adlist("https://lists.example/small1", {"a.example"});
    node->add_adlist("https://lists.example/small2", {"b.example"});
  }
  target.add_adlist("https://lists.example/large", many);
  options.components = {true, false, {false, false, false}};
  EXPECT_EQ(fails().code(), ErrorCode::refused);
}

}  // namespace
}  // namespace gsync::sync
