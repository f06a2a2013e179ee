#include "gsync/model/keep_local.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gsync/util/error.hpp"

namespace gsync::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RowKey client(const std::string& name) {
  return {Table::client, 0, name};
}
RowKey group(const std::string& name) {
  return {Table::group, kind::named_group, name};
}

std::string error_of(const std::vector<std::string>& patterns) {
  try {
    KeepLocal{patterns};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    return error.what();
  }
  return "nothing was wrong";
}

TEST(KeepLocal, KeepsNothingWithoutPatterns) {
  const KeepLocal keep;
  EXPECT_TRUE(keep.empty());
  EXPECT_FALSE(keep.keeps(client("10.0.0.1")));
  EXPECT_FALSE(keep.keeps(RecordKind::dns, "10.0.0.1 nas.lan"));
}

TEST(KeepLocal, KeepsWholeTablesAndKinds) {
  const KeepLocal keep({"clients", "cname"});
  EXPECT_TRUE(keep.keeps(client("10.0.0.1")));
  EXPECT_TRUE(keep.keeps(RecordKind::cname, "a.lan,b.lan"));
  EXPECT_FALSE(keep.keeps(RecordKind::dns, "10.0.0.1 nas.lan"));
  EXPECT_FALSE(keep.keeps(group("10.0.0.1")));
}

TEST(KeepLocal, KeepsRowsOfEveryKindByTheirNamesInAnyCase) {
  const KeepLocal keep({"group:kids", "adlist:*://intra.*", "domain:*.Example.com", "client:aa:bb:*"});
  EXPECT_TRUE(keep.keeps(group("Kids")));
  EXPECT_FALSE(keep.keeps(group("Kids 2")));
  EXPECT_TRUE(keep.keeps({Table::adlist, kind::allow_list, "https://INTRA.lan/list"}));
  for (auto type : {kind::allow_exact, kind::deny_exact, kind::allow_regex, kind::deny_regex})
    EXPECT_TRUE(keep.keeps({Table::domain, type, "ads.example.com"}));
  EXPECT_FALSE(keep.keeps({Table::domain, kind::deny_exact, "example.com"}));
  EXPECT_TRUE(keep.keeps(client("AA:BB:CC:DD:EE:01")));
}

TEST(KeepLocal, NeverKeepsTheDefaultGroup) {
  EXPECT_FALSE(KeepLocal({"groups"}).keeps(default_group_key()));
  EXPECT_FALSE(KeepLocal({"group:*"}).keeps(default_group_key()));
  EXPECT_THAT(error_of({"group:Default"}), HasSubstr("every Pi-hole has it"));
}

TEST(KeepLocal, MatchesStarsAndQuestionMarks) {
  const auto fits = [](const std::string& pattern, const std::string& name) {
    return KeepLocal({"client:" + pattern}).keeps(client(name));
  };
  EXPECT_TRUE(fits("10.0.7.*", "10.0.7.123"));
  EXPECT_FALSE(fits("10.0.7.*", "10.0.70.1"));
  EXPECT_TRUE(fits("10.0.7.?", "10.0.7.1"));
  EXPECT_FALSE(fits("10.0.7.?", "10.0.7.12"));
  EXPECT_TRUE(fits("*a*b", "aXbXab"));
  EXPECT_FALSE(fits("*a*b", "aXbXa"));
  EXPECT_TRUE(fits("**", "x"));
  EXPECT_TRUE(fits("k?che",
                   "k\xC3\xBC"
                   "che"));
  EXPECT_FALSE(fits("abc", "ab"));
  EXPECT_FALSE(fits("ab", "abc"));
}

TEST(KeepLocal, KeepsADnsRecordByAnyOfItsNamesOrItsAddressButNotByItsComment) {
  const KeepLocal keep({"dns:*.site-a.lan", "dns:fd00::*"});
  EXPECT_TRUE(keep.keeps(RecordKind::dns, "10.0.0.1 nas.lan nas.site-a.lan"));
  EXPECT_TRUE(keep.keeps(RecordKind::dns, "fd00::7 nas.lan"));
  EXPECT_FALSE(keep.keeps(RecordKind::dns, "10.0.0.1 nas.lan # was nas.site-a.lan"));
  EXPECT_FALSE(keep.keeps(RecordKind::dns, "10.0.0.1 site-a.lan"));
}

TEST(KeepLocal, KeepsACnameByAnAliasOrItsTargetButNotByItsTtl) {
  const KeepLocal keep({"cname:*.site-a.lan", "cname:60?"});
  EXPECT_TRUE(keep.keeps(RecordKind::cname, "a.lan,b.site-a.lan,nas.lan"));
  EXPECT_TRUE(keep.keeps(RecordKind::cname, "a.lan,nas.site-a.lan,600"));
  EXPECT_FALSE(keep.keeps(RecordKind::cname, "a.lan,nas.lan,600"));
  EXPECT_TRUE(keep.keeps(RecordKind::cname, "a.lan,601"));
}

TEST(KeepLocal, KeepsADhcpHostByMacAddressOrNameAndByNothingElse) {
  const std::string host = "AA:BB:CC:DD:EE:01,set:tv1,id:tv2,192.168.1.21,[fd00::21],tv,24h";
  for (const std::string pattern : {"aa:bb:*", "192.168.1.21", "fd00::21", "TV"})
    EXPECT_TRUE(KeepLocal({"dhcp:" + pattern}).keeps(RecordKind::dhcp, host)) << pattern;
  for (const std::string pattern : {"24h", "set:*", "tv?", "id:*"})
    EXPECT_FALSE(KeepLocal({"dhcp:" + pattern}).keeps(RecordKind::dhcp, host)) << pattern;
}

TEST(KeepLocal, IsTheSameInWhateverOrderItIsWritten) {
  const KeepLocal a({"group: Kids ", "clients"}), b({"clients", "group:Kids", "clients"});
  EXPECT_EQ(a, b);
  EXPECT_THAT(a.patterns(), ElementsAre("clients", "group:Kids"));
}

TEST(KeepLocal, OfTwoNodesIsWhatEitherKeeps) {
  const auto both = KeepLocal({"clients", "dns"}) | KeepLocal({"dns", "group:Kids"});
  EXPECT_THAT(both.patterns(), ElementsAre("clients", "dns", "group:Kids"));
  EXPECT_TRUE(both.keeps(group("Kids")));
  EXPECT_TRUE(both.keeps(client("x")));
}

TEST(KeepLocal, NamesTheNearestWordForOneThatItDoesNotKnow) {
  EXPECT_THAT(error_of({"client"}), HasSubstr("write \"clients\" for all of them, or \"client:NAME\" for some"));
  EXPECT_THAT(error_of({"cleints"}), HasSubstr("did you mean \"clients\"?"));
  EXPECT_THAT(error_of({"groups:Kids"}), HasSubstr("did you mean \"group:Kids\"?"));
  EXPECT_THAT(error_of({"upstreams"}), HasSubstr("it can be \"groups\", \"adlists\""));
  EXPECT_THAT(error_of({"group:"}), HasSubstr("is missing behind \"group:\""));
  EXPECT_THAT(error_of({""}), HasSubstr("it can be"));
}

TEST(KeepLocal, IsBounded) {
  EXPECT_THAT(error_of(std::vector<std::string>(65, "clients")), HasSubstr("64 at most"));
  EXPECT_THAT(error_of({"group:" + std::string(200, 'x')}), HasSubstr("longer than 200 bytes"));
}

TEST(KeepLocal, KnowsWhichPatternsFitNothing) {
  const Lists lists{{default_group_key(), {}}, {group("Kids"), {}}, {client("10.0.0.1"), {}}};
  Records records;
  records[index_of(RecordKind::dns)] = {{"10.0.0.1 nas.lan"}};
  records[index_of(RecordKind::cname)].emplace();
  const KeepLocal keep({"groups", "adlists", "group:kid?", "group:adults", "client:10.0.0.2", "domain:10.0.0.1", "dns:nas.*", "dns:tv.*",
                        "cname:nas.lan", "cname", "dhcp:tv"});
  EXPECT_THAT(keep.unused(lists, records), ElementsAre("client:10.0.0.2", "cname:nas.lan", "dns:tv.*", "domain:10.0.0.1", "group:adults"))
      << "whether a DHCP host is there is not known";
}

}  // namespace
}  // namespace gsync::model
