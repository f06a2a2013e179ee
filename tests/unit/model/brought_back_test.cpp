// What `pihole -g` lost is brought back, and what was edited since stays.

#include <gtest/gtest.h>

#include "gsync/model/diff.hpp"
#include "gsync/model/pair.hpp"

namespace gsync::model {
namespace {

const RowKey first{Table::domain, kind::deny_exact, "first.example"};
const RowKey second{Table::domain, kind::deny_exact, "second.example"};

Row row(const std::string& comment, std::int64_t modified = 100) {
  Row row;
  row.comment = comment;
  row.groups = {default_group_key()};
  row.modified = modified;
  return row;
}

class BroughtBack : public testing::Test {
 protected:
  /// Each with the default group.
  Lists bring(Lists before, Lists copied, Lists now, Lists replaced) {
    for (auto* lists : {&before, &copied, &now, &replaced}) lists->emplace(default_group_key(), Row{});
    return brought_back({before}, copied, now, replaced, conflicts_, Fit::everything).value_or(now);
  }
  static std::string comment(const Lists& lists, const RowKey& key) {
    const auto at = lists.find(key);
    return at == lists.end() ? "gone" : at->second.comment;
  }
  std::vector<Conflict> conflicts_;
};

TEST_F(BroughtBack, IsNothingWhereNothingWasLost) {
  const Lists lists{{default_group_key(), {}}, {first, row("a")}};
  EXPECT_FALSE(brought_back({lists}, lists, lists, lists, conflicts_, Fit::everything));
  EXPECT_FALSE(brought_back({}, lists, lists, {{second, row("b")}}, conflicts_, Fit::everything)) << "nothing is known of before";
}

TEST_F(BroughtBack, IsWhatWasAddedChangedAndDeletedWhileItRan) {
  const Lists before{{first, row("a")}, {second, row("b")}};
  EXPECT_EQ(comment(bring(before, before, before, {{first, row("edited", 200)}, {second, row("b")}}), first), "edited");
  EXPECT_EQ(comment(bring(before, before, before, {{first, row("a")}}), second), "gone");
  EXPECT_EQ(comment(bring({{first, row("a")}}, {{first, row("a")}}, {{first, row("a")}}, before), second), "b");
  EXPECT_TRUE(conflicts_.empty());
}

/// Days may pass before another Pi-hole can be reached and it is brought back.
TEST_F(BroughtBack, TakesNothingBackThatWasDoneSince) {
  const Lists before;
  const Lists copied{{first, row("made", 100)}};
  const Lists replaced{{first, row("edited while it ran", 150)}};
  EXPECT_EQ(comment(bring(before, copied, copied, replaced), first), "edited while it ran");
  EXPECT_EQ(comment(bring(before, copied, {{first, row("edited since", 300)}}, replaced), first), "edited since");
  EXPECT_EQ(comment(bring(before, copied, {}, copied), first), "gone") << "deleted since";
  EXPECT_EQ(comment(bring(before, copied, {{first, row("edited since", 300)}}, copied), first), "edited since");
  const Lists both{{first, row("made", 100)}, {second, row("added while it ran", 150)}};
  const auto lists = bring(before, copied, {{first, row("edited since", 300)}}, both);
  EXPECT_EQ(comment(lists, first), "edited since");
  EXPECT_EQ(comment(lists, second), "added while it ran");
}

/// Somebody edits between the end of `pihole -g` and our first look.
TEST_F(BroughtBack, KeepsTheLaterEditOfARowThatNothingBeforeTellsOf) {
  const Lists before{{second, row("b")}};
  const auto of = [&](const Row& copy, const Row& replaced) {
    const Lists seen{{first, copy}, {second, row("b")}};
    return comment(bring(before, seen, seen, {{first, replaced}, {second, row("b")}}), first);
  };
  EXPECT_EQ(of(row("edited when it was done", 300), row("made", 100)), "edited when it was done");
  EXPECT_EQ(of(row("made", 100), row("edited while it ran", 150)), "edited while it ran");
  EXPECT_EQ(conflicts_.size(), 1u) << "of the one that was edited while it ran";
  EXPECT_EQ(of(row("made", 100), row("edited as soon as it ran", 100)), "edited as soon as it ran");
}

}  // namespace
}  // namespace gsync::model
