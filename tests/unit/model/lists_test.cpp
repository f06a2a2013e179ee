#include "gsync/model/lists.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "gsync/util/error.hpp"
#include "random_values.hpp"

namespace gsync::model {
namespace {

const RowKey kids{Table::group, kind::named_group, "Kids"};
const RowKey ads{Table::domain, kind::deny_exact, "ads.example.com"};

Lists small_lists() {
  Lists lists;
  lists[default_group_key()].title = "Default";
  lists[kids];
  lists[ads].groups = {default_group_key(), kids};
  lists[{Table::adlist, kind::block_list, "https://example.com/list"}].comment = "a list";
  lists[{Table::client, 0, "192.168.1.9"}].groups = {kids};
  return lists;
}

std::string complaint(const Lists& lists) {
  try {
    check_lists(lists);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::protocol);
    return error.what();
  }
  return "";
}

TEST(CheckLists, AcceptsOrdinaryLists) {
  EXPECT_EQ(complaint(small_lists()), "");
}

TEST(CheckLists, AcceptsRandomValidLists) {
  testing::Random random;
  for (int i = 0; i < 50; ++i) {
    auto lists = random.lists();
    for (auto& [key, row] : lists)
      while (row.comment.find('\0') != std::string::npos) row.comment.erase(row.comment.find('\0'), 1);
    ASSERT_EQ(complaint(lists), "");
  }
}

TEST(CheckLists, RefusesWhatAPeerMustNotSayAndNamesTheRow) {
  struct Case {
    const char* what;
    std::function<void(Lists&)> spoil;
    const char* row;
    const char* why;
  };
  const std::string nul("a\0b", 3);
  const std::vector<Case> cases{
      {"no default group", [](Lists& l) { l.erase(default_group_key()); }, "default group", "missing"},
      {"no rows at all", [](Lists& l) { l.clear(); }, "default group", "missing"},
      {"a default group with a name in its key",
       [](Lists& l) {
         l[{Table::group, kind::default_group, "x"}];
       },
       "group  x", "name in its key"},
      {"a default group without a title", [](Lists& l) { l[default_group_key()].title = ""; }, "group  Default (id 0)", "empty"},
      {"two groups with one name", [](Lists& l) { l[default_group_key()].title = "Kids"; }, "group  Default (id 0)", "same name"},
      {"a title with NUL", [&](Lists& l) { l[default_group_key()].title = nul; }, "group  Default (id 0)", "NUL"},
      {"a title elsewhere", [](Lists& l) { l[kids].title = "x"; }, "group  Kids", "title"},
      {"an unknown kind of group",
       [](Lists& l) {
         l[{Table::group, 2, "x"}];
       },
       "group  x", "unknown kind 2"},
      {"an unknown kind of adlist",
       [](Lists& l) {
         l[{Table::adlist, 2, "x"}];
       },
       "adlist  x", "unknown kind 2"},
      {"an unknown kind of domain",
       [](Lists& l) {
         l[{Table::domain, 4, "x"}];
       },
       "domain  x", "unknown kind 4"},
      {"an unknown kind of client",
       [](Lists& l) {
         l[{Table::client, 1, "x"}];
       },
       "client  x", "unknown kind 1"},
      {"an unknown table",
       [](Lists& l) {
         l[{static_cast<Table>(9), 0, "x"}];
       },
       "row  x", "unknown kind"},
      {"an empty name",
       [](Lists& l) {
         l[{Table::domain, kind::allow_exact, ""}];
       },
       "allow  ", "empty"},
      {"an empty group name",
       [](Lists& l) {
         l[{Table::group, kind::named_group, ""}];
       },
       "group  ", "empty"},
      {"a name with NUL",
       [&](Lists& l) {
         l[{Table::client, 0, nul}];
       },
       "client  a\\x00b", "NUL"},
      {"a comment with NUL", [&](Lists& l) { l[ads].comment = nul; }, "deny  ads.example.com", "NUL"},
      {"a long comment", [](Lists& l) { l[ads].comment.assign(64 * 1024 + 1, 'x'); }, "deny  ads.example.com", "64 KiB"},
      {"a long name",
       [](Lists& l) {
         l[{Table::domain, kind::deny_regex, std::string(64 * 1024 + 1, 'x')}];
       },
       "deny regex  xxx", "64 KiB"},
      {"a group in a group", [](Lists& l) { l[kids].groups = {default_group_key()}; }, "group  Kids", "in groups"},
      {"a domain in a domain", [](Lists& l) { l[ads].groups = {ads}; }, "deny  ads.example.com", "not a group"},
      {"a group that is not there", [](Lists& l) { l.erase(kids); }, "deny  ads.example.com", "not there"},
      {"a disabled client",
       [](Lists& l) {
         l[{Table::client, 0, "192.168.1.9"}].enabled = false;
       },
       "client  192.168.1.9", "disabled"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.what);
    auto lists = small_lists();
    test.spoil(lists);
    auto said = complaint(lists);
    EXPECT_NE(said.find(test.row), std::string::npos) << said;
    EXPECT_NE(said.find(test.why), std::string::npos) << said;
    EXPECT_LT(said.size(), 400u) << "a long name must be cut";
  }
}

TEST(CheckLists, AcceptsTextOfExactlyTheLimit) {
  auto lists = small_lists();
  lists[ads].comment.assign(64 * 1024, 'x');
  EXPECT_EQ(complaint(lists), "");
}

TEST(DescribeRow, UsesTheWordsOfPiHole) {
  EXPECT_EQ(describe(default_group_key()), "group  Default (id 0)");
  EXPECT_EQ(describe(kids), "group  Kids");
  EXPECT_EQ(describe({Table::adlist, kind::block_list, "https://a/b"}), "adlist  https://a/b");
  EXPECT_EQ(describe({Table::adlist, kind::allow_list, "https://a/b"}), "allow adlist  https://a/b");
  EXPECT_EQ(describe({Table::domain, kind::allow_exact, "a.b"}), "allow  a.b");
  EXPECT_EQ(describe(ads), "deny  ads.example.com");
  EXPECT_EQ(describe({Table::domain, kind::allow_regex, "^a"}), "allow regex  ^a");
  EXPECT_EQ(describe({Table::domain, kind::deny_regex, "(^|\\.)a$"}), "deny regex  (^|\\.)a$");
  EXPECT_EQ(describe({Table::client, 0, ":eth0"}), "client  :eth0");
}

TEST(DescribeRow, ShowsNoControlCharacters) {
  auto shown = describe({Table::domain, kind::deny_exact, "a\x1b[2Jb\nc\x7f"});
  for (char c : shown) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << shown;
}

TEST(RowKeys, SortByTableThenKindThenName) {
  EXPECT_LT(default_group_key(), kids);
  EXPECT_LT(kids, (RowKey{Table::adlist, 0, "a"}));
  EXPECT_LT((RowKey{Table::adlist, 0, "z"}), (RowKey{Table::adlist, 1, "a"}));
  EXPECT_LT((RowKey{Table::domain, 0, "a"}), (RowKey{Table::domain, 0, "b"}));
}

}  // namespace
}  // namespace gsync::model
