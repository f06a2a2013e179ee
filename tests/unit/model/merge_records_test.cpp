#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gsync/model/merge.hpp"

namespace gsync::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Outcome {
  RecordLines lines;
  std::vector<Conflict> conflicts;
};

/// Merges as either node would, which must make no difference, and again, which must change nothing.
Outcome merge(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, bool ours_wins = true) {
  for (const auto* side : {&base, &ours, &theirs}) EXPECT_EQ(parse_records(kind, *side), *side);
  Outcome outcome;
  outcome.lines = merge_records(kind, base, ours, theirs, {"here", "there", ours_wins}, outcome.conflicts);
  EXPECT_EQ(parse_records(kind, outcome.lines), outcome.lines);
  Outcome other;
  other.lines = merge_records(kind, base, theirs, ours, {"there", "here", !ours_wins}, other.conflicts);
  EXPECT_EQ(outcome.lines, other.lines);
  EXPECT_EQ(outcome.conflicts, other.conflicts);
  return outcome;
}

struct Case {
  const char* name;
  RecordKind kind;
  RecordLines base;
  RecordLines ours;
  RecordLines theirs;
  RecordLines outcome;
  RecordLines outcome_where_theirs_win;
  std::vector<Conflict> conflicts;  ///< where ours win
};

constexpr auto dns = RecordKind::dns;
constexpr auto cname = RecordKind::cname;
constexpr auto dhcp = RecordKind::dhcp;

const std::vector<Case> cases{
    {"Unchanged", dns, {"1.1.1.1 a"}, {"1.1.1.1 a"}, {"1.1.1.1 a"}, {"1.1.1.1 a"}, {"1.1.1.1 a"}, {}},
    {"ChangedThere", dns, {"1.1.1.1 a"}, {"1.1.1.1 a"}, {"1.1.1.2 a"}, {"1.1.1.2 a"}, {"1.1.1.2 a"}, {}},
    {"DeletedThere", dns, {"1.1.1.1 a", "1.1.1.2 b"}, {"1.1.1.1 a", "1.1.1.2 b"}, {"1.1.1.2 b"}, {"1.1.1.2 b"}, {"1.1.1.2 b"}, {}},
    {"ChangedTheSame",
     dns,
     {"1.1.1.1 a"},
     {"1.1.1.2 a"},
     {"1.1.1.2 a", "1.1.1.3 b"},
     {"1.1.1.2 a", "1.1.1.3 b"},
     {"1.1.1.2 a", "1.1.1.3 b"},
     {}},
    {"ChangedDifferently",
     dns,
     {"1.1.1.1 a", "1.1.1.9 z"},
     {"1.1.1.2 a", "1.1.1.9 z"},
     {"1.1.1.3 a", "1.1.1.9 z"},
     {"1.1.1.2 a", "1.1.1.9 z"},
     {"1.1.1.3 a", "1.1.1.9 z"},
     {{"dns record a (IPv4)", "", "1.1.1.2 a", "here", "1.1.1.3 a", "there"}}},
    {"ChangedHereDeletedThere",
     dns,
     {"1.1.1.1 a", "1.1.1.9 z"},
     {"1.1.1.2 a", "1.1.1.9 z"},
     {"1.1.1.9 z"},
     {"1.1.1.2 a", "1.1.1.9 z"},
     {"1.1.1.2 a", "1.1.1.9 z"},
     {{"dns record a (IPv4)", "", "1.1.1.2 a", "here", "deleted", "there"}}},
    {"DeletedOnBoth",
     dns,
     {"1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.2 b"},
     {"1.1.1.2 b", "1.1.1.3 c"},
     {"1.1.1.2 b", "1.1.1.3 c"},
     {"1.1.1.2 b", "1.1.1.3 c"},
     {}},
    {"AddedOnBothSides", dns, {}, {"1.1.1.1 a"}, {"1.1.1.2 b"}, {"1.1.1.2 b", "1.1.1.1 a"}, {"1.1.1.1 a", "1.1.1.2 b"}, {}},
    {"AddedTheSame", dns, {}, {"1.1.1.1 a"}, {"1.1.1.1 a", "1.1.1.2 b"}, {"1.1.1.1 a", "1.1.1.2 b"}, {"1.1.1.1 a", "1.1.1.2 b"}, {}},
    {"AddedDifferently",
     dns,
     {},
     {"1.1.1.1 a"},
     {"1.1.1.2 a"},
     {"1.1.1.1 a"},
     {"1.1.1.2 a"},
     {{"dns record a (IPv4)", "", "1.1.1.1 a", "here", "1.1.1.2 a", "there"}}},
    {"ASecondAddressIsNoConflict",
     dns,
     {"1.1.1.1 a"},
     {"1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.2 a"},
     {"1.1.1.1 a", "1.1.1.2 a"},
     {"1.1.1.1 a", "1.1.1.2 a"},
     {}},
    {"TwoSecondAddressesAreOne",
     dns,
     {"1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.2 a"},
     {"1.1.1.1 a", "1.1.1.3 a"},
     {"1.1.1.1 a", "1.1.1.2 a"},
     {"1.1.1.1 a", "1.1.1.3 a"},
     {{"dns record a (IPv4)", "", "1.1.1.2 a", "here", "1.1.1.3 a", "there"}}},
    {"OneAddressDeletedOnEachSide",
     dns,
     {"1.1.1.1 a", "1.1.1.2 a", "1.1.1.3 b"},
     {"1.1.1.2 a", "1.1.1.3 b"},
     {"1.1.1.1 a", "1.1.1.3 b"},
     {"1.1.1.3 b"},
     {"1.1.1.3 b"},
     {}},
    {"Ipv4AndIpv6OfANameAreTwo", dns, {}, {"1.1.1.1 a"}, {"fe80::1 a"}, {"fe80::1 a", "1.1.1.1 a"}, {"1.1.1.1 a", "fe80::1 a"}, {}},
    {"Ipv6AddedDifferently",
     dns,
     {},
     {"fe80::1 a"},
     {"fe80::2 a"},
     {"fe80::1 a"},
     {"fe80::2 a"},
     {{"dns record a (IPv6)", "", "fe80::1 a", "here", "fe80::2 a", "there"}}},
    {"ANameOutOfALine",
     dns,
     {"1.1.1.1 a b"},
     {"1.1.1.1 a b c"},
     {"1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.1 a b c"},
     {"1.1.1.1 a", "1.1.1.2 b"},
     {{"dns record a (IPv4)", "", "1.1.1.1 a b c", "here", "1.1.1.1 a; 1.1.1.2 b", "there"}}},
    {"ALineTakenApartByBoth",
     dns,
     {"1.1.1.1 a b", "1.1.1.9 z"},
     {"1.1.1.2 a", "1.1.1.9 z"},
     {"1.1.1.3 b", "1.1.1.9 z"},
     {"1.1.1.2 a", "1.1.1.9 z"},
     {"1.1.1.3 b", "1.1.1.9 z"},
     {{"dns record a (IPv4)", "", "1.1.1.2 a", "here", "1.1.1.3 b", "there"}}},
    {"UnchangedLinesMakeNoRecordOfTwo",
     dns,
     {"1.1.1.1 a b"},
     {"1.1.1.1 a b", "1.1.1.2 a"},
     {"1.1.1.1 a b", "1.1.1.3 b"},
     {"1.1.1.1 a b", "1.1.1.3 b", "1.1.1.2 a"},
     {"1.1.1.1 a b", "1.1.1.2 a", "1.1.1.3 b"},
     {}},
    {"CommentChangedHere",
     dns,
     {"1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.1 a # żółw", "1.1.1.2 b"},
     {"1.1.1.1 a", "1.1.1.2 b c"},
     {"1.1.1.1 a # żółw", "1.1.1.2 b c"},
     {"1.1.1.1 a # żółw", "1.1.1.2 b c"},
     {}},
    {"CommentChangedDifferently",
     dns,
     {"1.1.1.1 a"},
     {"1.1.1.1 a # x"},
     {"1.1.1.1 a # b c"},
     {"1.1.1.1 a # x"},
     {"1.1.1.1 a # b c"},
     {{"dns record a (IPv4)", "", "1.1.1.1 a # x", "here", "1.1.1.1 a # b c", "there"}}},
    {"NamesInACommentAreNone",
     dns,
     {},
     {"1.1.1.1 a # b"},
     {"1.1.1.2 b # a"},
     {"1.1.1.2 b # a", "1.1.1.1 a # b"},
     {"1.1.1.1 a # b", "1.1.1.2 b # a"},
     {}},
    {"DuplicateLinesAreOne",
     dns,
     {"1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.1 a", "1.1.1.2 b"},
     {}},
    {"DuplicateLinesOfOneSideStay",
     dns,
     {"1.1.1.1 a"},
     {"1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.1 a"},
     {}},
    {"DuplicateLinesDeletedThere",
     dns,
     {"1.1.1.1 a", "1.1.1.1 a"},
     {"1.1.1.1 a", "1.1.1.1 a", "1.1.1.2 b"},
     {},
     {"1.1.1.2 b"},
     {"1.1.1.2 b"},
     {}},

    {"OrderChangedHere",
     dns,
     {"1.1.1.1 a", "1.1.1.2 b", "1.1.1.3 c"},
     {"1.1.1.3 c", "1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.1 a", "1.1.1.2 b", "1.1.1.4 d", "1.1.1.3 c"},
     {"1.1.1.3 c", "1.1.1.1 a", "1.1.1.2 b", "1.1.1.4 d"},
     {"1.1.1.3 c", "1.1.1.1 a", "1.1.1.2 b", "1.1.1.4 d"},
     {}},
    {"OrderChangedTheSame",
     dns,
     {"1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.2 b", "1.1.1.1 a"},
     {"1.1.1.2 b", "1.1.1.1 a", "1.1.1.3 c"},
     {"1.1.1.2 b", "1.1.1.1 a", "1.1.1.3 c"},
     {"1.1.1.2 b", "1.1.1.1 a", "1.1.1.3 c"},
     {}},
    {"OrderChangedDifferently",
     dns,
     {"1.1.1.1 a", "1.1.1.2 b", "1.1.1.3 c"},
     {"1.1.1.2 b", "1.1.1.1 a", "1.1.1.3 c"},
     {"1.1.1.1 a", "1.1.1.3 c", "1.1.1.2 b"},
     {"1.1.1.2 b", "1.1.1.1 a", "1.1.1.3 c"},
     {"1.1.1.1 a", "1.1.1.3 c", "1.1.1.2 b"},
     {{"dns record the order of the records", "", "1.1.1.2 b; 1.1.1.1 a; 1.1.1.3 c", "here", "1.1.1.1 a; 1.1.1.3 c; 1.1.1.2 b", "there"}}},
    {"WhatIsNewComesBehindItsNeighbour",
     dns,
     {"1.1.1.1 a", "1.1.1.2 b"},
     {"1.1.1.1 a", "1.1.1.3 x", "1.1.1.2 b"},
     {"1.1.1.4 y", "1.1.1.1 a", "1.1.1.2 b", "1.1.1.5 z"},
     {"1.1.1.4 y", "1.1.1.1 a", "1.1.1.3 x", "1.1.1.2 b", "1.1.1.5 z"},
     {"1.1.1.4 y", "1.1.1.1 a", "1.1.1.3 x", "1.1.1.2 b", "1.1.1.5 z"},
     {}},
    {"WhatWasChangedStaysInItsPlace",
     dns,
     {"1.1.1.1 a", "1.1.1.2 b", "1.1.1.3 c"},
     {"1.1.1.1 a", "1.1.1.2 b", "1.1.1.3 c", "1.1.1.4 d"},
     {"1.1.1.1 a", "1.1.1.9 b", "1.1.1.3 c"},
     {"1.1.1.1 a", "1.1.1.9 b", "1.1.1.3 c", "1.1.1.4 d"},
     {"1.1.1.1 a", "1.1.1.9 b", "1.1.1.3 c", "1.1.1.4 d"},
     {}},

    {"AliasesOfBothSides", cname, {}, {"a,x"}, {"b,x"}, {"b,x", "a,x"}, {"a,x", "b,x"}, {}},
    {"AnAliasIsOnlyOnce", cname, {}, {"a,x"}, {"a,y,60"}, {"a,x"}, {"a,y,60"}, {{"cname record a", "", "a,x", "here", "a,y,60", "there"}}},
    {"AnAliasOnALineWithOthersIsOnlyOnce",
     cname,
     {"a,b,x"},
     {"a,b,c,x"},
     {"b,y", "a,x"},
     {"a,b,c,x"},
     {"b,y", "a,x"},
     {{"cname record a", "", "a,b,c,x", "here", "b,y; a,x", "there"}}},
    {"AnAliasAddedTwiceInDifferentLines",
     cname,
     {"k,x"},
     {"k,x", "a,b,x"},
     {"k,x", "b,c,y"},
     {"k,x", "a,b,x"},
     {"k,x", "b,c,y"},
     {{"cname record a", "", "a,b,x", "here", "b,c,y", "there"}}},
    {"ATargetIsNoName", cname, {"a,x"}, {"a,x", "b,a"}, {"a,y"}, {"a,y", "b,a"}, {"a,y", "b,a"}, {}},
    {"AliasesThatLeadToEachOther",
     cname,
     {"k,x"},
     {"k,x", "a,b"},
     {"k,x", "b,a"},
     {"k,x", "a,b"},
     {"k,x", "b,a"},
     {{"cname record b", "", "a,b", "here", "b,a", "there"}}},
    {"HostsOfBothSides",
     dhcp,
     {},
     {"AA:BB:CC:DD:EE:01,10.0.0.1"},
     {"AA:BB:CC:DD:EE:02,10.0.0.2"},
     {"AA:BB:CC:DD:EE:02,10.0.0.2", "AA:BB:CC:DD:EE:01,10.0.0.1"},
     {"AA:BB:CC:DD:EE:01,10.0.0.1", "AA:BB:CC:DD:EE:02,10.0.0.2"},
     {}},
    {"AnAddressIsOnlyOnce",
     dhcp,
     {},
     {"AA:BB:CC:DD:EE:01,10.0.0.1"},
     {"AA:BB:CC:DD:EE:02,10.0.0.1,tv"},
     {"AA:BB:CC:DD:EE:01,10.0.0.1"},
     {"AA:BB:CC:DD:EE:02,10.0.0.1,tv"},
     {{"dhcp record AA:BB:CC:DD:EE:01", "", "AA:BB:CC:DD:EE:01,10.0.0.1", "here", "AA:BB:CC:DD:EE:02,10.0.0.1,tv", "there"}}},
    {"ACardIsOnlyOnce",
     dhcp,
     {"AA:BB:CC:DD:EE:01,10.0.0.1"},
     {"AA:BB:CC:DD:EE:01,10.0.0.2"},
     {"AA:BB:CC:DD:EE:01,10.0.0.3"},
     {"AA:BB:CC:DD:EE:01,10.0.0.2"},
     {"AA:BB:CC:DD:EE:01,10.0.0.3"},
     {{"dhcp record AA:BB:CC:DD:EE:01", "", "AA:BB:CC:DD:EE:01,10.0.0.2", "here", "AA:BB:CC:DD:EE:01,10.0.0.3", "there"}}},
    {"AddressesThatWereExchanged",
     dhcp,
     {"AA:BB:CC:DD:EE:01,10.0.0.1", "AA:BB:CC:DD:EE:02,10.0.0.2"},
     {"AA:BB:CC:DD:EE:01,10.0.0.2", "AA:BB:CC:DD:EE:02,10.0.0.1"},
     {"AA:BB:CC:DD:EE:01,10.0.0.1", "AA:BB:CC:DD:EE:02,10.0.0.2", "AA:BB:CC:DD:EE:03,10.0.0.3"},
     {"AA:BB:CC:DD:EE:01,10.0.0.2", "AA:BB:CC:DD:EE:02,10.0.0.1", "AA:BB:CC:DD:EE:03,10.0.0.3"},
     {"AA:BB:CC:DD:EE:01,10.0.0.2", "AA:BB:CC:DD:EE:02,10.0.0.1", "AA:BB:CC:DD:EE:03,10.0.0.3"},
     {}},
    {"ClientIdsThatAreNotLookedAtMakeNoRecordOfTwo",
     dhcp,
     {},
     {"AA:BB:CC:DD:EE:01,id:*,10.0.0.1"},
     {"AA:BB:CC:DD:EE:02,id:*,10.0.0.2"},
     {"AA:BB:CC:DD:EE:02,id:*,10.0.0.2", "AA:BB:CC:DD:EE:01,id:*,10.0.0.1"},
     {"AA:BB:CC:DD:EE:01,id:*,10.0.0.1", "AA:BB:CC:DD:EE:02,id:*,10.0.0.2"},
     {}},
    {"AClientIdIsOnlyOnce",
     dhcp,
     {},
     {"id:tv,10.0.0.1"},
     {"id:tv,10.0.0.2"},
     {"id:tv,10.0.0.1"},
     {"id:tv,10.0.0.2"},
     {{"dhcp record id:tv", "", "id:tv,10.0.0.1", "here", "id:tv,10.0.0.2", "there"}}},
    {"AHostWithNothingButANameIsOnlyOnce",
     dhcp,
     {},
     {"set:home,24h,laptop"},
     {"laptop,infinite"},
     {"set:home,24h,laptop"},
     {"laptop,infinite"},
     {{"dhcp record laptop", "", "set:home,24h,laptop", "here", "laptop,infinite", "there"}}},
    {"AHostThatIsFoundByItsNameIsOnlyOnce",
     dhcp,
     {},
     {"laptop,10.0.0.1"},
     {"laptop,10.0.0.2"},
     {"laptop,10.0.0.1"},
     {"laptop,10.0.0.2"},
     {{"dhcp record 10.0.0.1", "", "laptop,10.0.0.1", "here", "laptop,10.0.0.2", "there"}}},
    {"TagsLeasesAndNamesMakeNoRecordOfTwo",
     dhcp,
     {},
     {"AA:BB:CC:DD:EE:01,set:home,24h,tv"},
     {"AA:BB:CC:DD:EE:02,set:home,24h,tv"},
     {"AA:BB:CC:DD:EE:02,set:home,24h,tv", "AA:BB:CC:DD:EE:01,set:home,24h,tv"},
     {"AA:BB:CC:DD:EE:01,set:home,24h,tv", "AA:BB:CC:DD:EE:02,set:home,24h,tv"},
     {}},
    {"AnIpv6AddressInBrackets",
     dhcp,
     {},
     {"AA:BB:CC:DD:EE:01,[fd00::1]"},
     {"AA:BB:CC:DD:EE:02,[fd00::1]"},
     {"AA:BB:CC:DD:EE:01,[fd00::1]"},
     {"AA:BB:CC:DD:EE:02,[fd00::1]"},
     {{"dhcp record AA:BB:CC:DD:EE:01", "", "AA:BB:CC:DD:EE:01,[fd00::1]", "here", "AA:BB:CC:DD:EE:02,[fd00::1]", "there"}}},
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class MergeOfRecords : public ::testing::TestWithParam<Case> {};

TEST_P(MergeOfRecords, ComesOutAsInTheTable) {
  const auto& c = GetParam();
  const auto outcome = merge(c.kind, c.base, c.ours, c.theirs, true);
  EXPECT_EQ(outcome.lines, c.outcome);
  EXPECT_EQ(outcome.conflicts, c.conflicts);
  const auto other = merge(c.kind, c.base, c.ours, c.theirs, false);
  EXPECT_EQ(other.lines, c.outcome_where_theirs_win);
  EXPECT_THAT(other.conflicts, SizeIs(c.conflicts.size()));
  for (const auto& lines : {outcome.lines, other.lines}) {
    EXPECT_EQ(merge(c.kind, lines, lines, lines).lines, lines);
    EXPECT_EQ(merge(c.kind, c.base, lines, lines).lines, lines);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, MergeOfRecords, ::testing::ValuesIn(cases),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(MergeOfRecordsInACircle, KeepsAllThatIsNotInIt) {
  const RecordLines base{"old,x", "b,x"};
  const RecordLines ours{"old,x", "b,x", "a,b", "mine,x"};
  const RecordLines theirs{"b,c", "c,a", "yours,x"};
  auto outcome = merge(cname, base, ours, theirs, true);
  EXPECT_THAT(outcome.lines, ElementsAre("b,x", "yours,x", "a,b", "mine,x"));
  EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{"cname record b", "", "b,x; a,b", "here", "b,c", "there"},
                                             Conflict{"cname record c", "", "a,b", "here", "c,a", "there"}));
  outcome = merge(cname, base, ours, theirs, false);
  EXPECT_THAT(outcome.lines, ElementsAre("b,c", "mine,x", "c,a", "yours,x"));
  EXPECT_THAT(outcome.conflicts, ElementsAre(Conflict{"cname record a", "", "b,c; c,a", "there", "a,b", "here"}));
}

TEST(MergeOfManyRecords, LeavesTooManyToWhoeverTakesThem) {
  RecordLines ours;
  RecordLines theirs;
  for (int i = 0; i < 6'000; ++i) {
    ours.push_back("10.0.0.1 here" + std::to_string(i));
    theirs.push_back("10.0.0.1 there" + std::to_string(i));
  }
  std::vector<Conflict> conflicts;
  EXPECT_THAT(merge_records(dns, {}, ours, theirs, {"here", "there", true}, conflicts), SizeIs(12'000));
  EXPECT_THAT(conflicts, IsEmpty());
}

}  // namespace
}  // namespace gsync::model
