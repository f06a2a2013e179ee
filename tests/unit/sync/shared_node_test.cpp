#include "gsync/model/shared_node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gsync/sync/engine.hpp"
#include "support/fake_node.hpp"

namespace gsync::sync {
namespace {

using model::SharedNode;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const model::RowKey kids{model::Table::group, model::kind::named_group, "Kids"};

model::RowKey client(const std::string& name) {
  return {model::Table::client, 0, name};
}
model::RowKey deny(const std::string& name) {
  return {model::Table::domain, model::kind::deny_exact, name};
}

/// Two nodes, each as the other sees it.
class Shared : public ::testing::Test {
 protected:
  Shared() {
    options.lock_deadline = std::chrono::milliseconds(2'000);
    for (auto* node : {&source_whole, &target_whole}) {
      node->add_group("Kids");
      node->add_domain("common.example");
    }
    source_whole.lists_now[client("10.0.0.1")].comment = "of ph1";
    target_whole.lists_now[client("10.0.0.2")].comment = "of ph2";
    target_whole.lists_now[deny("common.example")].groups.insert(kids);
    keep({"clients", "group:Kids"});
  }
  void keep(const std::vector<std::string>& patterns) {
    source.keep(model::KeepLocal(patterns));
    target.keep(model::KeepLocal(patterns));
  }
  Result run() { return replicate(source, target, options); }
  static SharedNode::Memory memory_of(std::optional<std::string>& kept) {
    return {[&kept] { return kept; }, [&kept](const std::string& bytes) { kept = bytes; }};
  }

  std::optional<std::string> source_memory, target_memory;
  test::FakeNode source_whole{"ph1", std::string(32, 'a')};
  test::FakeNode target_whole{"ph2", std::string(32, 'b')};
  SharedNode source{source_whole, {}, memory_of(source_memory)};
  SharedNode target{target_whole, {}, memory_of(target_memory)};
  Options options;
};

TEST_F(Shared, NodesThatDifferOnlyInWhatTheyKeepAreInStep) {
  EXPECT_TRUE(run().plan.nothing_to_do());
  EXPECT_THAT(target_whole.applied, IsEmpty());
  EXPECT_TRUE(compare(source, target, {}).equal());
}

TEST_F(Shared, SettingsTravelThatBothNameAndNothingElseIsReadForThem) {
  const auto i = model::index_of(model::RecordKind::setting);
  source_whole.records_now[i] = model::RecordLines{"dns.blockTTL = 7", "dns.dnssec = true", "dns.upstreams = [\"1.1.1.1\"]"};
  target_whole.records_now[i] = model::RecordLines{"dns.blockTTL = 2", "dns.blocking.mode = \"NX\"", "dns.dnssec = false"};
  const auto both = model::KeepLocal().but_settings({"dns.blockTTL", "dns.upstreams"}) |
                    model::KeepLocal().but_settings({"dns.blockTTL", "dns.blocking.mode", "dns.dnssec"});
  source.keep(both);
  target.keep(both);
  EXPECT_THAT(*source.records()[i], ElementsAre("dns.blockTTL = 7"));
  run();
  EXPECT_THAT(*target_whole.records_now[i], ElementsAre("dns.blockTTL = 7", "dns.blocking.mode = \"NX\"", "dns.dnssec = false"));
  EXPECT_THAT(*source_whole.records_now[i], testing::SizeIs(3));
  EXPECT_TRUE(compare(source, target, {}).equal());
  EXPECT_EQ(target.describe().entries_kept, 0u) << "they are not what [sync] keep_local keeps";
  const auto asked = target_whole.calls.size();
  SharedNode next(target_whole, {}, memory_of(target_memory));
  next.keep(both);
  next.describe();
  EXPECT_THAT(std::vector(target_whole.calls.begin() + static_cast<std::ptrdiff_t>(asked), target_whole.calls.end()),
              ElementsAre("describe"));

  TwoWayOptions two_way;
  two_way.unite = true;
  synchronise(source, target, two_way);
  target_whole.records_now[i]->front() = "dns.blockTTL = 9";
  source_whole.records_now[i]->at(1) = "dns.dnssec = false";
  synchronise(source, target, two_way);
  EXPECT_EQ(source_whole.records_now[i]->front(), "dns.blockTTL = 9");
  EXPECT_EQ(target_whole.records_now[i]->at(1), "dns.blocking.mode = \"NX\"");
  EXPECT_THAT(*source_whole.base(std::string(32, 'b')).records[i], ElementsAre("dns.blockTTL = 9")) << "what one does not give is no base";
}

TEST_F(Shared, WhatTheyShareTravelsAroundWhatTheyKeep) {
  source_whole.lists_now[deny("common.example")].comment = "new";
  source_whole.add_domain("ads.example");
  source_whole.records_now[0] = model::RecordLines{"10.0.0.9 nas.lan"};
  target_whole.records_now[0] = model::RecordLines{"10.0.0.3 printer.own"};
  keep({"clients", "group:Kids", "dns:*.own"});
  ASSERT_TRUE(run().report);
  const auto& lists = target_whole.lists_now;
  EXPECT_EQ(lists.at(client("10.0.0.2")).comment, "of ph2");
  EXPECT_FALSE(lists.contains(client("10.0.0.1")));
  EXPECT_TRUE(lists.contains(deny("ads.example")));
  EXPECT_EQ(lists.at(deny("common.example")).comment, "new");
  EXPECT_THAT(lists.at(deny("common.example")).groups, Contains(kids));
  EXPECT_THAT(*target_whole.records_now[0], ElementsAre("10.0.0.3 printer.own", "10.0.0.9 nas.lan"));
  EXPECT_TRUE(run().plan.nothing_to_do());
}

TEST_F(Shared, ARunThatFindsNothingReadsNothingInThisProcessOrTheNext) {
  source_whole.add_domain("ads.example");
  ASSERT_TRUE(run().report);
  source_whole.calls.clear();
  target_whole.calls.clear();
  EXPECT_TRUE(run().plan.nothing_to_do());
  SharedNode next(target_whole, {}, memory_of(target_memory));
  next.keep(target.kept_by());
  EXPECT_EQ(next.describe().digests, target.describe().digests);
  EXPECT_THAT(source_whole.calls, ElementsAre("describe"));
  EXPECT_THAT(target_whole.calls, ElementsAre("describe", "describe", "describe"));
}

TEST_F(Shared, WhereOnlyRecordsChangedTheListsAreNotReadAgain) {
  target.describe();
  target_whole.records_now[0] = model::RecordLines{"10.0.0.9 nas.lan"};
  target_whole.calls.clear();
  target.describe();
  EXPECT_THAT(target_whole.calls, ElementsAre("describe", "records"));
}

TEST_F(Shared, OneOfSeveralFiltersDoesNotDriveTheOthersOutOfTheMemory) {
  target.describe();
  const auto first = target.kept_by();
  keep({"dns"});
  target.describe();
  target_whole.calls.clear();
  target.keep(first);
  target.describe();
  EXPECT_THAT(target_whole.calls, ElementsAre("describe"));
}

TEST_F(Shared, WhatItKeepsIsSaidInNumbersOnly) {
  target_whole.records_now[0] = model::RecordLines{"10.0.0.3 printer.own", "10.0.0.9 nas.lan"};
  keep({"clients", "group:Kids", "dns:*.own"});
  const auto info = target.describe();
  EXPECT_THAT(info.kept_local, ElementsAre("clients", "dns:*.own", "group:Kids"));
  EXPECT_EQ(info.entries_kept, 3u);
  EXPECT_EQ(info.list_rows, 2u);
  EXPECT_EQ(target.kept().rows.size(), 2u);
}

TEST_F(Shared, AChangeThatSlipsInBetweenIsAConflict) {
  source_whole.add_domain("ads.example");
  int edits = 0;
  target_whole.on_call = [&](const std::string& call) {
    if (call == "apply" && edits++ == 0) target_whole.lists_now[client("10.0.0.9")];
  };
  ASSERT_TRUE(run().report) << "planned again";
  EXPECT_TRUE(target_whole.lists_now.contains(client("10.0.0.9")));
  EXPECT_TRUE(target_whole.lists_now.contains(deny("ads.example")));
}

TEST_F(Shared, WhatIsKeptDoesNotMakeALossLookSmall) {
  for (int i = 0; i < 100; ++i) target_whole.lists_now[deny("own" + std::to_string(i) + ".own")];
  for (int i = 0; i < 10; ++i) target_whole.add_domain("d" + std::to_string(i) + ".example");
  keep({"clients", "group:Kids", "domain:*.own"});
  model::Change change;
  const auto lists = target.lists();
  change.expected = target.describe().digests;
  auto wanted = lists;
  std::erase_if(wanted, [](const auto& row) { return row.first.table == model::Table::domain; });
  change.rows = model::diff(lists, wanted);
  target.lock(util::Deadline::in(std::chrono::seconds(1)));
  try {
    target.apply(change, nullptr, nullptr);
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_THAT(error.what(), HasSubstr("all 11 domains would go"));
  }
}

TEST_F(Shared, AWholeCopyIsRefusedBeforeAnythingIsLocked) {
  options.full = true;
  try {
    run();
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_THAT(error.what(), HasSubstr("clients, group:Kids"));
    EXPECT_THAT(error.hint(), HasSubstr("--full"));
  }
  EXPECT_THAT(target_whole.calls, Not(Contains("lock")));
  EXPECT_THROW(source.copy(model::CopyOf::live), Error);
}

TEST_F(Shared, AKeptAdlistIsNotGivenEvenToWhoAsksForIt) {
  const auto adlist = source_whole.add_adlist("https://own/list", {"a.example"});
  keep({"adlist:*/own/*"});
  EXPECT_THAT(source.blocklist(), IsEmpty());
  EXPECT_THROW(source.blocklist_rows({{adlist, std::nullopt}}), Error);
}

TEST_F(Shared, ASyncOfBothWaysLeavesWhatIsKeptAndHasNothingToDoTheSecondTime) {
  TwoWayOptions both;
  both.unite = true;
  source_whole.add_domain("of-ph1.example");
  target_whole.add_domain("of-ph2.example");
  synchronise(source, target, both);
  EXPECT_TRUE(source_whole.lists_now.contains(deny("of-ph2.example")));
  EXPECT_TRUE(target_whole.lists_now.contains(deny("of-ph1.example")));
  EXPECT_THAT(target_whole.lists_now.at(deny("common.example")).groups, Contains(kids));
  EXPECT_FALSE(target_whole.lists_now.contains(client("10.0.0.1")));

  source_whole.lists_now[client("10.0.0.1")].comment = "edited";
  const auto again = synchronise(source, target, {});
  EXPECT_TRUE(again.nothing_to_do());
  EXPECT_TRUE(agreed(source, source.describe(), target.describe(), {}));
}

TEST_F(Shared, WhatIsNotKeptAnyMoreIsNewToTheOtherAndNotDeletedByIt) {
  TwoWayOptions both;
  both.unite = true;
  synchronise(source, target, both);
  keep({"group:Kids"});
  synchronise(source, target, {});
  for (const auto* node : {&source_whole, &target_whole}) {
    EXPECT_TRUE(node->lists_now.contains(client("10.0.0.1"))) << node->label();
    EXPECT_TRUE(node->lists_now.contains(client("10.0.0.2"))) << node->label();
  }
  keep({"clients", "group:Kids"});
  source_whole.lists_now.erase(client("10.0.0.2"));
  EXPECT_TRUE(synchronise(source, target, {}).nothing_to_do());
  EXPECT_TRUE(target_whole.lists_now.contains(client("10.0.0.2")));
}

TEST_F(Shared, VersionsAreShownAsTheListsAre) {
  model::Version version;
  version.lists = target_whole.lists_now;
  target_whole.kept[1] = version;
  EXPECT_FALSE(target.version(1).lists.contains(client("10.0.0.2")));
}

}  // namespace
}  // namespace gsync::sync
