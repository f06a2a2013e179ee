#include <fmt/format.h>

#include "support/gravity_editor.hpp"
#include "support/sanitizer.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// A person in the web page of the source, whose edits fail at once when they meet a reader (PIHOLE.md §3).

namespace gsync::test {
namespace {

constexpr int busy = 75;

// A reader's steps last a millisecond, by the clock; a sanitizer makes what one of them does at least several times as long, and how many
// edits meet one is then a figure of the sanitizer's. It is printed, and what must hold at any speed is looked at.
constexpr std::uint64_t one_in = 50;
constexpr std::uint64_t enough_edits = sanitized ? 200 : 2'000;

class Writers : public TwoNodesTest {};

void report(const std::string& what, const EditorCounts& edits, int good, int later) {
  fmt::print("{}: {} edits, {} failed ({:.2f} %) {}; {} pulls done, {} busy\n", what, edits.edits, edits.failed,
             100.0 * static_cast<double>(edits.failed) / static_cast<double>(edits.edits), edits.last_error, good, later);
}

TEST_F(Writers, FewerThanOneEditInFiftyFailsWhileFiftyPullsReadTheSource) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  GravityEditor editor(nodes.ph1.gravity(), 20);
  int good = 0;
  int later = 0;
  int changed = 0;
  // Fifty pulls, and so many more that the share of failed edits is not a matter of luck.
  int pulls = 0;
  const auto end = util::Deadline::in(std::chrono::minutes(3));
  for (; pulls < 50 || (editor.counts().edits < enough_edits && !end.passed()); ++pulls) {
    const auto result = nodes.run({"pull"});
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == busy) << result.exit_code << result.errors;
    if (result.exit_code == 0) ++good;
    if (result.exit_code == busy) {
      ++later;
      fmt::print("busy: {}", result.errors.substr(result.errors.find("error: ")));
    }
    if (contains(result.output, "is now as")) ++changed;
  }
  const auto edits = editor.stop();
  report("pulls of rows", edits, good, later);
  EXPECT_GT(changed, 0);
  if (!sanitized) {
    EXPECT_LT(edits.failed * one_in, edits.edits);
    EXPECT_GE(good * 50, 45 * pulls);
    EXPECT_GT(changed * 50, 30 * pulls) << "there was always something new to read";
  }
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  for (const auto& [domain, comment] : editor.committed())
    EXPECT_EQ(value(nodes.ph1.gravity(), fmt::format("SELECT comment FROM domainlist WHERE type = 1 AND domain = '{}'", domain)), comment);
}

/// With an edit every 50 ms a copy seldom comes to its end, and says so; what it does to the edits is what counts here.
TEST_F(Writers, WholeCopiesGiveWayToEdits) {
  TwoNodesOptions options;
  HouseholdSize size;
  size.gravity = 20'000;
  options.ph1 = small_pihole("ph1", 0, realistic(1, size));
  options.ph2 = small_pihole("ph2", 7, realistic(1, size));
  TwoNodes nodes(options);
  GravityEditor editor(nodes.ph1.gravity(), 20);
  int good = 0;
  int later = 0;
  for (int i = 0; i < 10; ++i) {
    const auto result = nodes.run({"pull", "--full"});
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == busy) << result.exit_code << result.errors;
    if (result.exit_code == 0) ++good;
    if (result.exit_code == busy) ++later;
  }
  const auto edits = editor.stop();
  report("whole copies", edits, good, later);
  // An edit is three commits, each of which fails when it meets one of the reader's steps.
  if (!sanitized) {
    EXPECT_LT(edits.failed * one_in / 5, edits.edits);
  }
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--full"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

/// On the target an edit that meets a publish may fail, or make the run plan again; what succeeded is never lost without a trace.
TEST_F(Writers, AnEditOnTheTargetIsEitherRefusedKeptOrInTheHistory) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  GravityEditor editor(nodes.ph2.gravity(), 20);
  for (int i = 0; i < 15; ++i) {
    deny(nodes.ph1, fmt::format("from-ph1-{}.example", i));
    const auto result = nodes.run({"pull"});
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == busy) << result.exit_code << result.errors;
    EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  }
  const auto edits = editor.stop();
  report("edits on the target", edits, 0, 0);
  std::string history;
  for (int id = 1; id <= 17; ++id) history += nodes.run({"history", "--id", std::to_string(id)}).output;
  for (const auto& [domain, comment] : editor.committed())
    EXPECT_TRUE(denies(nodes.ph2, domain) || contains(history, domain)) << domain << " is gone without a word";
}

}  // namespace
}  // namespace gsync::test
