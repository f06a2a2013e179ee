#include "gsync/model/fit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "random_values.hpp"

namespace gsync::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Random;
using testing::same_edits;

RowKey block(const std::string& name) {
  return {Table::adlist, kind::block_list, name};
}
RowKey allow(const std::string& name) {
  return {Table::adlist, kind::allow_list, name};
}

Lists household() {
  Lists lists;
  lists[default_group_key()].title = "Default";
  for (const auto& key : {block("https://both"), allow("https://both"), allow("https://allow")}) lists[key];
  return lists;
}

NodeInfo node(bool allow_lists, bool address_unique) {
  NodeInfo info;
  info.capabilities.allow_lists = allow_lists;
  info.capabilities.address_unique = address_unique;
  return info;
}

TEST(Fit, IsDecidedByTheSchemaAndIsTheNarrowerOfTwo) {
  const auto template6 = node(true, false), migrated = node(true, true), five = node(false, true);
  EXPECT_EQ(common_fit(template6, template6), Fit::everything);
  EXPECT_EQ(common_fit(template6, migrated), Fit::one_list_per_address);
  EXPECT_EQ(common_fit(five, migrated), Fit::block_lists_only);
  EXPECT_EQ(common_fit(template6, five), Fit::block_lists_only);
}

TEST(Fit, OfEverythingLeavesNothingOut) {
  Random random;
  for (int i = 0; i < 20; ++i) {
    auto lists = random.lists();
    ASSERT_TRUE(same_edits(fitted(lists, Fit::everything), lists));
    ASSERT_THAT(unfit(lists, Fit::everything), IsEmpty());
  }
}

TEST(Fit, KeepsTheBlockListOfAnAddressThatMustBeUnique) {
  const auto lists = household();
  EXPECT_THAT(unfit(lists, Fit::one_list_per_address), ElementsAre(allow("https://both")));
  EXPECT_THAT(unfit(lists, Fit::block_lists_only), ElementsAre(allow("https://allow"), allow("https://both")));
  EXPECT_EQ(fitted(lists, Fit::one_list_per_address).size(), 3u);
  EXPECT_EQ(fitted(lists, Fit::block_lists_only).size(), 2u);
}

TEST(Fit, OfABlocklistGoesByTheAdlistsInIt) {
  const Blocklist blocklist{
      {block("https://both"), {3, 1, 1}, {}}, {allow("https://both"), {4, 2, 2}, {}}, {allow("https://allow"), {5, 3, 3}, {}}};
  EXPECT_EQ(fitted(blocklist, Fit::one_list_per_address).size(), 2u);
  EXPECT_EQ(fitted(blocklist, Fit::block_lists_only).size(), 1u);
}

TEST(Fit, GivesTheDigestsThatAnOlderPiholeWouldHave) {
  const auto lists = household();
  const Blocklist blocklist{
      {block("https://both"), {3, 1, 1}, {}}, {allow("https://both"), {4, 2, 2}, {}}, {allow("https://allow"), {5, 3, 3}, {}}};
  auto info = node(true, false);
  info.digests.lists = digest_of(lists);
  info.digests.blocklist = digest_of(blocklist);
  info.fitted = fitted_digests(lists, blocklist);
  EXPECT_EQ(digests_at(info, Fit::everything), (FittedDigests{digest_of(lists), digest_of(blocklist), 0}));
  for (auto fit : {Fit::one_list_per_address, Fit::block_lists_only}) {
    const auto digests = digests_at(info, fit);
    EXPECT_EQ(digests.lists, digest_of(fitted(lists, fit)));
    EXPECT_EQ(digests.blocklist, digest_of(fitted(blocklist, fit)));
    EXPECT_EQ(digests.rows_left_out, fit == Fit::block_lists_only ? 2u : 1u);
  }
}

}  // namespace
}  // namespace gsync::model
