#include "gsync/model/uncompiled.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gsync/model/node_info.hpp"

namespace gsync::model {
namespace {

RowKey adlist(const std::string& address, std::uint8_t kind = kind::block_list) {
  return {Table::adlist, kind, address};
}

class UncompiledTest : public ::testing::Test {
 protected:
  UncompiledTest() { lists_[default_group_key()].title = "Default"; }

  /// An adlist as `pihole -g` left it: status as in Pi-hole's column.
  void add(const std::string& address, std::int64_t status, std::uint64_t rows, std::int64_t number, bool enabled = true) {
    const auto key = adlist(address);
    auto& row = lists_[key];
    row.enabled = enabled;
    row.groups = {default_group_key()};
    AdlistState state{key, {}, {}};
    for (std::uint64_t i = 0; i < rows; ++i) state.rows.add(address + std::to_string(i));
    state.statistics.status = status;
    state.statistics.number = number;
    blocklist_.push_back(state);
  }
  Uncompiled found() const { return uncompiled(lists_, blocklist_); }

  Lists lists_;
  Blocklist blocklist_;
};

TEST_F(UncompiledTest, IsAnEnabledAdlistThatNobodyHasCompiled) {
  add("https://new", 0, 0, 0);
  add("https://compiled", 1, 3, 3);
  add("https://unchanged", 2, 3, 3);
  add("https://failed.with.cache", 3, 3, 3);
  add("https://failed", 4, 0, 0);
  add("https://empty.in.truth", 1, 0, 0);
  add("https://disabled", 0, 0, 0, false);
  const auto result = found();
  EXPECT_EQ(result.count, 2u);
  EXPECT_EQ(result.adlists, (std::vector<UncompiledAdlist>{{adlist("https://failed"), true}, {adlist("https://new"), false}}));
}

/// `pihole -g` left it out and its row kept the number of before.
TEST_F(UncompiledTest, IsOneThatWasDisabledWhenTheOthersWereCompiled) {
  add("https://enabled.again", 1, 0, 500);
  EXPECT_EQ(found().count, 1u);
  lists_.at(adlist("https://enabled.again")).enabled = false;
  EXPECT_TRUE(found().empty());
}

TEST_F(UncompiledTest, IsNotOneThatNoClientIsSubjectTo) {
  add("https://of.kids", 0, 0, 0);
  const RowKey kids{Table::group, kind::named_group, "Kids"};
  lists_[kids].enabled = false;
  lists_.at(adlist("https://of.kids")).groups = {kids};
  EXPECT_TRUE(found().empty());
  lists_.at(kids).enabled = true;
  EXPECT_EQ(found().count, 1u);
  lists_.at(adlist("https://of.kids")).groups.clear();
  EXPECT_TRUE(found().empty());
}

TEST_F(UncompiledTest, IsOneOfWhichTheBlocklistKnowsNothing) {
  lists_[adlist("https://unknown")].groups = {default_group_key()};
  EXPECT_TRUE(found().names(adlist("https://unknown")));
}

TEST_F(UncompiledTest, CountsAllAndNamesSome) {
  for (int i = 0; i < 200; ++i) add("https://" + std::to_string(i), 0, 0, 0);
  add("https://" + std::string(2'000, 'x'), 0, 0, 0);
  EXPECT_EQ(found().count, 201u);
  EXPECT_EQ(found().adlists.size(), Uncompiled::max_named);
}

NodeInfo node_with(const std::vector<UncompiledAdlist>& adlists, bool allow_lists = true) {
  NodeInfo info;
  info.capabilities.allow_lists = allow_lists;
  for (const auto& each : adlists) info.uncompiled.add(each);
  return info;
}

TEST(UncompiledOfTwo, IsWhatNeitherHas) {
  const auto a = node_with({{adlist("https://both"), false}, {adlist("https://only.a"), false}, {adlist("https://tried"), false}});
  const auto b = node_with({{adlist("https://both"), false}, {adlist("https://tried"), true}});
  const auto result = uncompiled(a, b);
  EXPECT_EQ(result.adlists, (std::vector<UncompiledAdlist>{{adlist("https://both"), false}, {adlist("https://tried"), true}}));
  EXPECT_EQ(result.count, 2u);
  EXPECT_EQ(uncompiled(b, a), result);
  EXPECT_TRUE(uncompiled(a, node_with({})).empty());
}

TEST(UncompiledOfTwo, IsWhatOneHasAndTheOtherCannotHold) {
  const auto a = node_with({{adlist("https://allow", kind::allow_list), false}});
  const auto v5 = node_with({}, false);
  EXPECT_EQ(uncompiled(a, v5).count, 1u);
  EXPECT_EQ(uncompiled(v5, a).count, 1u);
  EXPECT_TRUE(uncompiled(a, node_with({})).empty());
}

TEST(UncompiledOfTwo, KnowsHowManyMoreThereAreThanItNames) {
  Uncompiled many;
  for (int i = 0; i < 80; ++i) many.add({adlist("https://" + std::to_string(100 + i)), false});
  NodeInfo a, b;
  a.uncompiled = b.uncompiled = many;
  EXPECT_EQ(uncompiled(a, b), many);
}

TEST(NewlyUncompiled, IsWhatWasNotBefore) {
  Uncompiled before, now;
  before.add({adlist("https://old"), false});
  now.add({adlist("https://old"), true});
  now.add({adlist("https://new"), false});
  EXPECT_EQ(newly(before, now).adlists, (std::vector<UncompiledAdlist>{{adlist("https://new"), false}}));
  EXPECT_TRUE(newly(now, before).empty());
}

TEST(UncompiledText, TellsWhatWasNeverCompiledFromWhatCouldNotBeDownloaded) {
  Uncompiled some;
  EXPECT_EQ(to_text(some), "");
  some.add({adlist("https://a"), true});
  EXPECT_EQ(to_text(some), "1 adlist blocks nothing, its download failed: https://a");
  EXPECT_THAT(what_to_do(some), ::testing::HasSubstr("addresses are right"));
  some.add({adlist("https://b\x1b[2J"), false});
  some.add({adlist("https://c"), false});
  EXPECT_EQ(to_text(some),
            "2 adlists block nothing, no Pi-hole has compiled them: https://b\\x1b[2J, https://c; "
            "1 adlist blocks nothing, its download failed: https://a");
  EXPECT_THAT(what_to_do(some), ::testing::HasSubstr("run_gravity"));
}

TEST(UncompiledText, NamesFive) {
  Uncompiled many;
  for (int i = 0; i < 60; ++i) many.add({adlist("https://" + std::to_string(10 + i)), false});
  EXPECT_EQ(
      to_text(many),
      "60 adlists block nothing, no Pi-hole has compiled them: https://10, https://11, https://12, https://13, https://14 and 55 more");
}

}  // namespace
}  // namespace gsync::model
