#include "gsync/model/digest.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "gsync/model/blocklist.hpp"
#include "random_values.hpp"

namespace gsync::model {
namespace {

using testing::Random;

SetDigest set_of(const std::vector<std::string>& domains) {
  SetDigest digest;
  for (const auto& domain : domains) digest.add(domain);
  return digest;
}

TEST(BytesDigest, IsTheSameOnEveryMachine) {
  // XXH3_128bits of nothing with seed 0, as xxHash's own sanity test has it.
  EXPECT_EQ(to_string(digest_of(std::string_view())), "99aa06d3014798d86001c324468d497f");
}

TEST(ListsDigest, DoesNotDependOnTheOrderOfInsertionNorOnDates) {
  Random random;
  for (int i = 0; i < 50; ++i) {
    auto lists = random.lists();
    std::vector<std::pair<RowKey, Row>> rows(lists.begin(), lists.end());
    std::shuffle(rows.begin(), rows.end(), random.engine());
    Lists other;
    for (auto& [key, row] : rows) {
      row.added = random.number();
      row.modified = random.number();
      other[key] = row;
    }
    ASSERT_EQ(digest_of(lists), digest_of(other));
  }
}

TEST(ListsDigest, IsEqualExactlyWhenTheDiffIsEmpty) {
  Random random;
  for (int i = 0; i < 200; ++i) {
    auto a = random.lists(3);
    auto b = random.flip() ? a : random.lists(3);
    ASSERT_EQ(digest_of(a) == digest_of(b), diff(a, b).empty());
  }
}

TEST(ListsDigest, ChangesWithEveryFieldThatAPersonSets) {
  RowKey kids{Table::group, kind::named_group, "Kids"};
  RowKey ads{Table::domain, kind::deny_exact, "ads.example.com"};
  Lists lists;
  lists[default_group_key()].title = "Default";
  lists[kids];
  lists[ads];
  auto digest = digest_of(lists);

  auto changed = lists;
  changed[ads].enabled = false;
  EXPECT_NE(digest_of(changed), digest);
  changed = lists;
  changed[ads].comment = "x";
  EXPECT_NE(digest_of(changed), digest);
  changed = lists;
  changed[ads].groups = {kids};
  EXPECT_NE(digest_of(changed), digest);
  changed = lists;
  changed[default_group_key()].title = "All";
  EXPECT_NE(digest_of(changed), digest);
  changed = lists;
  changed.erase(ads);
  EXPECT_NE(digest_of(changed), digest);
  changed[{Table::domain, kind::allow_exact, "ads.example.com"}] = lists[ads];
  EXPECT_NE(digest_of(changed), digest);
}

TEST(RecordsDigest, KeepsTheOrderAndTheBordersOfLines) {
  EXPECT_EQ(digest_of(RecordLines{"a", "b"}), digest_of(RecordLines{"a", "b"}));
  EXPECT_NE(digest_of(RecordLines{"a", "b"}), digest_of(RecordLines{"b", "a"}));
  EXPECT_NE(digest_of(RecordLines{"ab"}), digest_of(RecordLines{"a", "b"}));
  EXPECT_NE(digest_of(RecordLines{}), digest_of(RecordLines{""}));
}

TEST(SetDigest, DoesNotDependOnTheOrder) {
  Random random;
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> domains;
    for (int n = 0; n < 100; ++n) domains.push_back(random.bytes());
    auto digest = set_of(domains);
    std::shuffle(domains.begin(), domains.end(), random.engine());
    ASSERT_EQ(set_of(domains), digest);
    ASSERT_EQ(digest.count, 100u);
  }
}

TEST(SetDigest, RemovingIsTheInverseOfAdding) {
  Random random;
  SetDigest digest;
  std::vector<std::string> members;
  std::vector<SetDigest> states;
  for (int n = 0; n < 1000; ++n) {
    states.push_back(digest);
    members.push_back(random.bytes());
    digest.add(members.back());
  }
  for (auto n = members.size(); n-- > 0;) {
    digest.remove(members[n]);
    ASSERT_EQ(digest, states[n]) << n;
  }
  EXPECT_EQ(digest, SetDigest{});
}

TEST(SetDigest, CarriesBetweenItsHalves) {
  // Removing from the empty set borrows out of both halves; adding carries back into them.
  SetDigest digest;
  digest.remove("example.com");
  EXPECT_NE(digest.high, 0u);
  digest.add("example.com");
  EXPECT_EQ(digest, SetDigest{});

  SetDigest near_the_top{0, ~std::uint64_t{0}, 5};
  auto one = set_of({"example.com"});
  near_the_top.add("example.com");
  EXPECT_EQ(near_the_top.low, one.low - 1);
  EXPECT_EQ(near_the_top.high, 5 + one.high + 1);
}

TEST(SetDigest, TellsSetsApart) {
  EXPECT_NE(set_of({"a"}), set_of({"b"}));
  EXPECT_NE(set_of({"a"}), set_of({"a", "b"}));
  EXPECT_NE(set_of({"ab"}), set_of({"a", "b"}));
  EXPECT_NE(set_of({""}), SetDigest{});
}

TEST(BlocklistDigest, LeavesOutStatisticsAndAdlistsWithoutRows) {
  RowKey one{Table::adlist, kind::block_list, "https://one"};
  RowKey two{Table::adlist, kind::block_list, "https://two"};
  Blocklist blocklist{{one, set_of({"a", "b"}), {}}};
  auto digest = digest_of(blocklist);
  EXPECT_EQ(digest_of(Blocklist{{one, set_of({"b", "a"}), {1700000000, 2, 3, 1, 4}}}), digest);
  EXPECT_EQ(digest_of(Blocklist{{one, set_of({"a", "b"}), {}}, {two, {}, {1700000000, 0, 0, 4, 0}}}), digest);
  EXPECT_EQ(digest_of(Blocklist{{two, {}, {}}, {one, set_of({"a", "b"}), {}}}), digest);
  EXPECT_NE(digest_of(Blocklist{{two, set_of({"a", "b"}), {}}}), digest);
  EXPECT_NE(digest_of(Blocklist{{one, set_of({"a"}), {}}}), digest);
  EXPECT_NE(digest_of(Blocklist{}), digest);
}

TEST(BlocklistDigest, TellsABlockListFromAnAllowListOfTheSameAddress) {
  RowKey block{Table::adlist, kind::block_list, "https://one"};
  RowKey allow{Table::adlist, kind::allow_list, "https://one"};
  EXPECT_NE(digest_of(Blocklist{{block, set_of({"a"}), {}}}), digest_of(Blocklist{{allow, set_of({"a"}), {}}}));
}

}  // namespace
}  // namespace gsync::model
