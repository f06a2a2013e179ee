#include <gtest/gtest.h>

#include "failing_calls.hpp"
#include "gsync/sync/engine.hpp"

namespace gsync::sync {
namespace {

using test::FakeNode;

class Restore : public ::testing::Test {
 protected:
  Restore() {
    options.action = model::Action::undo;
    options.lock_deadline = std::chrono::milliseconds(2'000);
  }
  void keep_version(std::int64_t id) {
    model::Version version;
    version.info.id = id;
    version.lists = node.lists_now;
    version.records = node.records_now;
    node.kept[id] = version;
  }
  ErrorCode fails(std::int64_t version) {
    try {
      restore(node, version, options);
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "no error";
    return ErrorCode::io;
  }
  FakeNode node{"ph2", std::string(32, 'b')};
  test::FailingCalls node_fails{node};
  Options options;
};

TEST_F(Restore, BringsTheNewestVersionBack) {
  keep_version(1);
  node.add_domain("mine.example");
  node.records_now[0] = model::RecordLines{"192.168.1.2 nas.lan"};
  keep_version(2);
  const auto wanted = node.lists_now;
  node.add_domain("pulled.example");
  node.records_now[0] = model::RecordLines{};
  auto result = restore(node, 0, options);
  ASSERT_TRUE(result.report);
  EXPECT_TRUE(model::diff(node.lists_now, wanted).empty());
  EXPECT_EQ(node.records_now[0], model::RecordLines{"192.168.1.2 nas.lan"});
  EXPECT_EQ(node.applied[0].source, "version 2");
  EXPECT_EQ(node.applied[0].action, model::Action::undo);
  EXPECT_FALSE(node.locked);
}

TEST_F(Restore, ChangesNothingInADryRun) {
  keep_version(1);
  node.add_domain("pulled.example");
  options.dry_run = true;
  auto result = restore(node, 1, options);
  EXPECT_EQ(result.plan.change.rows.size(), 1u);
  EXPECT_EQ(node.count("apply") + node.count("lock"), 0u);
}

TEST_F(Restore, FindsNothingToDoWhenTheVersionIsWhatIsThere) {
  keep_version(1);
  EXPECT_FALSE(restore(node, 1, options).report);
}

TEST_F(Restore, SaysWhichVersionIsNotThere) {
  EXPECT_EQ(fails(0), ErrorCode::not_found);
  EXPECT_EQ(fails(17), ErrorCode::not_found);
}

TEST_F(Restore, UndoesALargeChangeButAsksBeforeARestoreThatShrinks) {
  keep_version(1);
  for (int i = 0; i < 40; ++i) node.add_domain("d" + std::to_string(i) + ".example");
  options.action = model::Action::restore;
  EXPECT_EQ(fails(1), ErrorCode::refused);
  EXPECT_EQ(node.notes.size(), 1u);
  options.action = model::Action::undo;
  restore(node, 1, options);
  EXPECT_TRUE(node.applied.at(0).force);
}

TEST_F(Restore, ADryRunWarnsOfAdlistsThatMayComeBackWithoutTheirDomains) {
  node.add_adlist("https://lists.example/a", {"a.example"});
  keep_version(1);
  node.lists_now.erase({model::Table::adlist, model::kind::block_list, "https://lists.example/a"});
  options.dry_run = true;
  auto result = restore(node, 1, options);
  ASSERT_EQ(result.plan.warnings.size(), 1u);
  EXPECT_NE(result.plan.warnings[0].find("pihole -g"), std::string::npos);
  // What really came back without them is in the node's report.
  options.dry_run = false;
  EXPECT_TRUE(restore(node, 1, options).plan.warnings.empty());
}

TEST_F(Restore, PlansAgainWhenSomebodyEditsMeanwhile) {
  keep_version(1);
  node.add_domain("pulled.example");
  node_fails.next("apply", Error(ErrorCode::conflict, "somebody edited"));
  EXPECT_TRUE(restore(node, 1, options).report);
  EXPECT_EQ(node.count("apply"), 2u);
}

}  // namespace
}  // namespace gsync::sync
