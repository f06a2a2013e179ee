#include <gtest/gtest.h>

#include "gsync/sync/engine.hpp"
#include "support/fake_node.hpp"

namespace gsync::sync {
namespace {

using test::FakeNode;

class Compare : public ::testing::Test {
 protected:
  FakeNode here{"ph2", std::string(32, 'b')};
  FakeNode there{"ph1", std::string(32, 'a')};
  model::Components all;
};

TEST_F(Compare, ReadsNothingWhenTheDigestsAreEqual) {
  EXPECT_TRUE(compare(here, there, all).equal());
  EXPECT_EQ(here.calls, std::vector<std::string>{"describe"});
}

TEST_F(Compare, TakesNoLock) {
  here.add_domain("ads.example.com");
  compare(here, there, all);
  EXPECT_EQ(here.count("lock") + there.count("lock"), 0u);
}

TEST_F(Compare, NamesRowsAndRecordsOfBothSides) {
  here.add_domain("only.here.example");
  there.add_domain("only.there.example");
  here.add_domain("both.example", "one comment");
  there.add_domain("both.example", "another");
  there.records_now[1] = model::RecordLines{"www.lan,nas.lan"};
  auto result = compare(here, there, all);
  ASSERT_EQ(result.rows.size(), 3u);
  EXPECT_EQ(result.rows[0].key.name, "both.example");
  EXPECT_EQ(result.rows[0].before->comment, "one comment");
  EXPECT_FALSE(result.rows[1].after);
  EXPECT_FALSE(result.rows[2].before);
  ASSERT_EQ(result.records.size(), 1u);
  EXPECT_TRUE(result.records[0].added);
  EXPECT_FALSE(result.equal());
}

TEST_F(Compare, NamesWhatOneSideCannotHoldAndCountsItForNoDifference) {
  const model::RowKey allow{model::Table::adlist, model::kind::allow_list, "https://allow"};
  here.info.capabilities.allow_lists = true;
  there.info.capabilities.allow_lists = false;
  here.lists_now[allow];
  auto result = compare(here, there, all);
  EXPECT_TRUE(result.equal());
  ASSERT_EQ(result.unfit.size(), 1u);
  EXPECT_EQ(result.unfit[0].key, allow);
  EXPECT_TRUE(result.unfit[0].here);
  there.add_domain("only.there.example");
  result = compare(here, there, all);
  EXPECT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.unfit.size(), 1u);
}

TEST_F(Compare, ShowsCompiledSetsOnlyOfAdlistsThatBothHave) {
  here.add_adlist("https://lists.example/a", {"a.example"});
  there.add_adlist("https://lists.example/a", {"a.example", "b.example"});
  there.add_adlist("https://lists.example/only-there", {"c.example"});
  auto result = compare(here, there, all);
  ASSERT_EQ(result.blocklist.size(), 1u);
  EXPECT_EQ(result.blocklist[0].key.name, "https://lists.example/a");
  EXPECT_EQ(result.blocklist[0].here->rows.count, 1u);
  EXPECT_EQ(result.blocklist[0].there->rows.count, 2u);
}

TEST_F(Compare, ShowsABlocklistThatDiffersUnderEqualLists) {
  here.add_adlist("https://lists.example/a", {"a.example"});
  there.add_adlist("https://lists.example/a", {"b.example"});
  auto result = compare(here, there, all);
  EXPECT_TRUE(result.rows.empty());
  EXPECT_EQ(result.blocklist.size(), 1u);
  EXPECT_EQ(here.count("lists"), 0u);
}

TEST_F(Compare, LooksOnlyAtWhatWasAskedFor) {
  here.add_domain("only.here.example");
  here.add_adlist("https://lists.example/a", {"a.example"});
  there.records_now[0] = model::RecordLines{"192.168.1.2 nas.lan"};
  auto result = compare(here, there, {false, false, {true, false, false}});
  EXPECT_TRUE(result.rows.empty());
  EXPECT_TRUE(result.blocklist.empty());
  EXPECT_EQ(result.records.size(), 1u);
}

TEST_F(Compare, PassesOverRecordsThatOneSideCannotGive) {
  there.records_now[2] = std::nullopt;
  here.records_now[2] = model::RecordLines{"aa:bb:cc:dd:ee:ff,192.168.1.9"};
  EXPECT_TRUE(compare(here, there, all).equal());
}

TEST_F(Compare, RefusesADamagedSideByName) {
  there.info.damaged = true;
  try {
    compare(here, there, all);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    EXPECT_NE(std::string(error.what()).find("ph1"), std::string::npos);
  }
}

TEST_F(Compare, RefusesToCompareANodeWithItself) {
  there.info.node_id = here.info.node_id;
  EXPECT_THROW(compare(here, there, all), Error);
}

}  // namespace
}  // namespace gsync::sync
