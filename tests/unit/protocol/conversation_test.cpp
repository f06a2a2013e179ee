#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "served.hpp"

namespace gsync::test {
namespace {

using protocol::RemoteNode;
using testing::ElementsAre;
using testing::HasSubstr;

util::Deadline soon() {
  return util::Deadline::in(std::chrono::seconds(60));
}

class Conversation : public testing::Test {
 protected:
  Conversation() { furnish(node_); }
  RemoteNode& remote() {
    if (!remote_) {
      served_.emplace(node_, options_);
      remote_ = served_->connect();
    }
    return *remote_;
  }
  /// Ends it and makes the node ours again.
  std::optional<Error> end() {
    remote_.reset();
    return served_->finish();
  }
  model::Change change_for(const FakeNode& target) {
    auto now = FakeNode(target).describe();
    model::Change change;
    change.action = model::Action::push;
    change.source = "ph2";
    change.started_by = "root, honestly";
    change.expected = now.digests;
    return change;
  }

  FakeNode node_{"ph1"};
  protocol::AgentOptions options_ = agent_options();
  std::optional<Served> served_;
  std::unique_ptr<RemoteNode> remote_;
};

TEST_F(Conversation, EveryAnswerIsWhatTheNodeSaid) {
  auto info = remote().describe();
  auto lists = remote().lists();
  auto records = remote().records();
  auto blocklist = remote().blocklist();
  EXPECT_FALSE(end());
  EXPECT_TRUE(alike(info, FakeNode(node_).describe()));
  EXPECT_TRUE(alike(lists, node_.lists_now));
  EXPECT_EQ(records, node_.records_now);
  EXPECT_TRUE(alike(blocklist, FakeNode(node_).blocklist()));
  EXPECT_THAT(node_.calls, ElementsAre("describe", "lists", "records", "blocklist"));
}

TEST_F(Conversation, MayBeginWithTheQuestionForADescription) {
  served_.emplace(node_, options_);
  remote_ = served_->connect({}, client_hello(), protocol::Opening::describe);
  const auto info = remote().describe();
  remote().describe();
  EXPECT_FALSE(end());
  EXPECT_TRUE(alike(info, FakeNode(node_).describe()));
  EXPECT_THAT(node_.calls, ElementsAre("describe", "describe"));
}

TEST_F(Conversation, LetsTheAnswerOfItsOpeningGoWhenItGoesOnWithSomethingElse) {
  served_.emplace(node_, options_);
  remote_ = served_->connect({}, client_hello(), protocol::Opening::describe);
  EXPECT_TRUE(alike(remote().lists(), node_.lists_now));
  EXPECT_EQ(remote().describe().name, "ph1");
  EXPECT_FALSE(end());
  EXPECT_THAT(node_.calls, ElementsAre("describe", "lists", "describe"));
}

TEST_F(Conversation, DoesNotWaitForTheAnswerToAnUnlock) {
  for (int i = 0; i < 3; ++i) {
    remote().lock(soon());
    remote().unlock();
  }
  EXPECT_EQ(remote().wait(-1, util::Deadline::in(std::chrono::milliseconds(10))), RemoteNode::Woken::deadline);
  EXPECT_EQ(remote().describe().name, "ph1");
  EXPECT_FALSE(end());
  EXPECT_FALSE(node_.locked);
}

TEST_F(Conversation, OfListsThatTheClientHasNearlyOnlyWhatDiffersTravels) {
  for (int i = 0; i < 2'000; ++i) node_.add_domain("host" + std::to_string(i * 7919 % 1'000'003) + ".example.com");
  auto known = node_.lists_now;
  node_.add_domain("new.example.com", "added since");
  node_.lists_now.erase(std::prev(node_.lists_now.end()));
  const auto before = remote().bytes_sent() + remote().bytes_received();
  EXPECT_TRUE(alike(remote().lists_beside(known), node_.lists_now));
  const auto little = remote().bytes_sent() + remote().bytes_received() - before;
  EXPECT_TRUE(alike(remote().lists(), node_.lists_now));
  const auto all = remote().bytes_sent() + remote().bytes_received() - before - little;
  EXPECT_LT(little * 5, all);
}

TEST_F(Conversation, ListsComeOutWhateverTheClientHas) {
  FakeNode other("ph2");
  other.add_domain("other.example");
  EXPECT_TRUE(alike(remote().lists_beside(other.lists_now), node_.lists_now));
  EXPECT_TRUE(alike(remote().lists_beside(node_.lists_now), node_.lists_now));
  EXPECT_TRUE(alike(remote().lists_beside({}), node_.lists_now));
}

TEST_F(Conversation, CarriesWhatIsOnlyInADamagedNodesDescription) {
  node_.info.damaged = true;
  node_.info.damage = "*** in database main ***\nPage 7: btreeInitPage() returns error code 11";
  node_.info.notes.assign(100, std::string(10'000, 'x'));
  auto info = remote().describe();
  EXPECT_TRUE(info.damaged);
  EXPECT_THAT(info.damage, HasSubstr("\\x0aPage 7"));
  EXPECT_EQ(info.notes.size(), 64u);
}

TEST_F(Conversation, StreamsTheRowsThatWereWishedFor) {
  remote().lock(soon());
  std::vector<std::string> seen;
  {
    auto reader = remote().blocklist_rows(wishes_for(node_));
    EXPECT_EQ(reader->answers().size(), 2u);
    EXPECT_EQ(reader->answers()[0].rows.count, 3u);
    while (auto row = reader->next())
      seen.push_back(std::string(row->domain) + " " + std::to_string(row->adlist) + (row->removed ? "-" : "+"));
    EXPECT_FALSE(reader->next());
  }
  EXPECT_THAT(seen, ElementsAre("a.example 0+", "b.example 0+", "common.example 0+", "common.example 1+", "z.example 1+"));
  remote().unlock();
  EXPECT_FALSE(end());
  EXPECT_FALSE(node_.locked);
}

TEST_F(Conversation, StreamsDifferences) {
  auto key = node_.compiled.begin()->first;
  model::BlocklistWish wish{key, node_.digest_of_set(key)};
  node_.recompile(key, {"new.example"}, {"b.example"});
  remote().lock(soon());
  auto reader = remote().blocklist_rows({wish});
  EXPECT_TRUE(reader->answers()[0].delta);
  auto first = reader->next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->domain, "b.example");
  EXPECT_TRUE(first->removed);
  auto second = reader->next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->domain, "new.example");
  EXPECT_FALSE(second->removed);
  EXPECT_FALSE(reader->next());
}

TEST_F(Conversation, GoesOnAfterAReaderWasDroppedHalfway) {
  std::set<std::string> many;
  for (int i = 0; i < 60'000; ++i) many.insert("host" + std::to_string(i * 7919 % 1'000'003) + ".example.com");
  auto key = node_.add_adlist("https://lists.example/many.txt", many);
  remote().lock(soon());
  for (int rows : {0, 1, 20'000, 60'000}) {
    auto reader = remote().blocklist_rows({{key, std::nullopt}});
    for (int i = 0; i < rows; ++i) ASSERT_TRUE(reader->next());
    reader.reset();
    EXPECT_EQ(remote().versions().size(), 0u);
  }
  {
    auto copy = remote().copy(model::CopyOf::live);
    std::array<std::byte, 100> some{};
    EXPECT_GT(copy.reader->read(some), 0u);
  }
  EXPECT_EQ(remote().describe().name, "ph1");
  EXPECT_FALSE(end());
}

TEST_F(Conversation, CopiesEveryByte) {
  std::string local;
  {
    auto copy = FakeNode(node_).copy(model::CopyOf::live);
    std::array<std::byte, 10'000> buffer{};
    while (auto n = copy.reader->read(buffer)) local.append(reinterpret_cast<const char*>(buffer.data()), n);
  }
  remote().lock(soon());
  auto copy = remote().copy(model::CopyOf::live);
  EXPECT_EQ(copy.bytes, local.size());
  std::string there;
  std::array<std::byte, 7> buffer{};
  while (auto n = copy.reader->read(buffer)) there.append(reinterpret_cast<const char*>(buffer.data()), n);
  EXPECT_EQ(there, local);
  copy.reader.reset();
}

/// Megabytes, so that the sender may begin new frames for compressing less.
std::set<std::string> many_domains() {
  std::set<std::string> many;
  for (int i = 0; i < 150'000; ++i) many.insert("host" + std::to_string(i * 7919 % 1'000'003) + ".example.com");
  return many;
}

TEST_F(Conversation, GoesOnAfterALargeCopy) {
  node_.add_adlist("https://lists.example/many.txt", many_domains());
  remote().lock(soon());
  for (int i = 0; i < 3; ++i) {
    auto copy = remote().copy(model::CopyOf::compiled_sets);
    EXPECT_GT(copy.bytes, 3'000'000u);
    std::array<std::byte, 65536> buffer{};
    std::uint64_t size = 0;
    while (auto n = copy.reader->read(buffer)) size += n;
    EXPECT_EQ(size, copy.bytes);
    copy.reader.reset();
    EXPECT_EQ(remote().describe().name, "ph1");
  }
  EXPECT_FALSE(end());
}

TEST_F(Conversation, AppliesACopyThatAnswersTheWishes) {
  FakeNode source("ph2");
  source.schema.bytes.fill(7);
  const auto key = source.add_adlist("https://lists.example/many.txt", many_domains());
  source.statistics[key].number = 150'000;
  auto change = change_for(node_);
  change.rows = model::diff(node_.lists_now, source.lists_now);
  change.wishes = {{key, std::nullopt}};
  change.copied = source.blocklist_rows(change.wishes)->answers();
  auto copy = source.copy(model::CopyOf::compiled_sets);
  change.copy_bytes = copy.bytes;
  change.copy_schema = copy.schema;
  remote().lock(soon());
  EXPECT_EQ(error_from([&] { remote().apply(change, nullptr, copy.reader.get()); }).code(), ErrorCode::incompatible);
  node_.schema = source.schema;
  auto again = source.copy(model::CopyOf::compiled_sets);
  EXPECT_EQ(remote().apply(change, nullptr, again.reader.get()).counts.blocklist_added, 150'000u);
  EXPECT_FALSE(end());
  EXPECT_EQ(node_.compiled, source.compiled);
  EXPECT_EQ(node_.statistics[key].number, 150'000);
}

TEST_F(Conversation, AppliesRowsAndBlocklistInOnePiece) {
  FakeNode source("ph2");
  furnish(source);
  source.add_domain("new.example.com", "added");
  auto key = source.compiled.begin()->first;
  source.recompile(key, {"n.example"}, {"a.example"});
  auto change = change_for(node_);
  change.rows = model::diff(node_.lists_now, source.lists_now);
  change.wishes = {{key, std::nullopt}};
  change.records[0] = model::RecordLines{"10.0.0.1 router.lan"};
  node_.warnings = {"FTL\nwas slow"};

  remote().lock(soon());
  auto rows = source.blocklist_rows(change.wishes);
  auto report = remote().apply(change, rows.get(), nullptr);
  EXPECT_FALSE(end());
  EXPECT_TRUE(report.published);
  EXPECT_EQ(report.version, 1);
  EXPECT_EQ(report.counts.blocklist_added, 3u);
  EXPECT_THAT(report.warnings, ElementsAre("FTL\\x0awas slow"));
  EXPECT_EQ(node_.compiled[key], source.compiled[key]);
  EXPECT_TRUE(alike(node_.lists_now, source.lists_now));
  EXPECT_EQ(node_.records_now[0], change.records[0]);
  ASSERT_EQ(node_.applied.size(), 1u);
  EXPECT_EQ(node_.applied[0].source, "ph2");
  EXPECT_EQ(node_.applied[0].started_by, "agent for ph2") << "the agent's word, not the peer's";
}

TEST_F(Conversation, AppliesAChangeWithoutAStream) {
  auto change = change_for(node_);
  change.records[0] = model::RecordLines{"10.0.0.1 router.lan"};
  remote().lock(soon());
  auto report = remote().apply(change, nullptr, nullptr);
  EXPECT_FALSE(report.published);
  end();
  EXPECT_EQ(node_.records_now[0], change.records[0]);
}

TEST_F(Conversation, AppliesAWholeCopy) {
  FakeNode source("ph2");
  source.add_adlist("https://lists.example/only.txt", {"only.example"});
  auto change = change_for(node_);
  auto copy = source.copy(model::CopyOf::live);
  change.whole_copy = true;
  change.copy_bytes = copy.bytes;
  change.copy_lists = model::digest_of(source.lists_now);
  remote().lock(soon());
  auto report = remote().apply(change, nullptr, copy.reader.get());
  EXPECT_TRUE(report.counts.whole_database);
  end();
  EXPECT_EQ(node_.compiled, source.compiled);
}

TEST_F(Conversation, BringsVersionsAndTakesNotes) {
  node_.kept[3] = {{3, 1'700'000'000, "before pull from ph2\n", 3, 1, 100}, node_.lists_now, node_.records_now};
  auto versions = remote().versions();
  ASSERT_EQ(versions.size(), 1u);
  EXPECT_EQ(versions[0].reason, "before pull from ph2\\x0a");
  auto version = remote().version(3);
  EXPECT_TRUE(alike(version.lists, node_.lists_now));
  EXPECT_EQ(version.records, node_.records_now);

  model::HistoryEntry entry;
  entry.source = "ph2";
  entry.target = "ph1";
  entry.started_by = "push on ph2";
  entry.text = "refused:\nit would empty the lists";
  entry.rows = model::diff({}, node_.lists_now);
  entry.records = {{model::RecordKind::dns, "10.0.0.1 x", true}};
  remote().note(entry);
  end();
  ASSERT_EQ(node_.notes.size(), 1u);
  EXPECT_EQ(node_.notes[0].text, "refused:\\x0ait would empty the lists");
  EXPECT_EQ(node_.notes[0].started_by, "agent for ph2");
  EXPECT_TRUE(alike(node_.notes[0].rows, entry.rows));
}

TEST_F(Conversation, AnErrorOfTheNodeKeepsItsCodeAndHintAndTheConnectionGoesOn) {
  auto error = error_from([&] { remote().version(77); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_STREQ(error.what(), "ph1: there is no version 77");
  EXPECT_EQ(error.hint(), "gravity-sync history lists them");
  EXPECT_EQ(remote().describe().name, "ph1");
}

TEST_F(Conversation, ErrorsAreMadeHarmlessOnTheWay) {
  node_.on_call = [](const std::string& call) {
    if (call == "lists") throw Error(ErrorCode::busy, "\x1b[31mfake\nlog line", std::string(100'000, 'h'));
    if (call == "records") throw std::runtime_error("not one of ours");
  };
  auto error = error_from([&] { remote().lists(); });
  EXPECT_EQ(error.code(), ErrorCode::busy);
  EXPECT_STREQ(error.what(), "ph1: \\x1b[31mfake\\x0alog line");
  EXPECT_EQ(error.hint().size(), 4096u);
  EXPECT_THAT(error_from([&] { remote().records(); }).what(), HasSubstr("not one of ours"));
  EXPECT_EQ(remote().describe().name, "ph1");
}

TEST_F(Conversation, TheLockEndsWithTheConnection) {
  remote().lock(soon());
  EXPECT_FALSE(end());
  EXPECT_FALSE(node_.locked);
  EXPECT_THAT(node_.calls, ElementsAre("lock", "unlock"));
}

TEST_F(Conversation, WhatNeedsTheLockIsRefusedWithoutIt) {
  EXPECT_EQ(error_from([&] { remote().copy(model::CopyOf::live); }).code(), ErrorCode::refused);
  EXPECT_EQ(error_from([&] { remote().blocklist_rows(wishes_for(node_)); }).code(), ErrorCode::refused);
  auto change = change_for(node_);
  change.wishes = wishes_for(node_);
  auto source = node_;
  auto rows = source.blocklist_rows(change.wishes);
  EXPECT_EQ(error_from([&] { remote().apply(change, rows.get(), nullptr); }).code(), ErrorCode::refused);
  remote().lock(soon());
  EXPECT_EQ(error_from([&] { remote().lock(soon()); }).code(), ErrorCode::refused);
  EXPECT_EQ(remote().describe().name, "ph1");
  end();
  EXPECT_THAT(node_.calls, ElementsAre("lock", "describe", "unlock"));
}

TEST_F(Conversation, AReadOnlyAgentGivesAndTakesNothing) {
  options_.read_only = true;
  EXPECT_TRUE(remote().describe().read_only);
  EXPECT_TRUE(remote().lock(soon()).read_only);
  auto change = change_for(node_);
  change.records[0] = model::RecordLines{};
  auto error = error_from([&] { remote().apply(change, nullptr, nullptr); });
  EXPECT_EQ(error.code(), ErrorCode::refused);
  EXPECT_THAT(error.what(), HasSubstr("read-only"));
  EXPECT_THAT(error.hint(), HasSubstr("--read-only"));
  remote().note({});
  auto reader = remote().blocklist_rows(wishes_for(node_));
  EXPECT_TRUE(reader->next());
  reader.reset();
  EXPECT_FALSE(end());
  EXPECT_TRUE(node_.applied.empty());
  EXPECT_TRUE(node_.notes.empty());
}

TEST_F(Conversation, AReadOnlyAgentRefusesANoteFromAClientThatDidNotAskFirst) {
  options_.read_only = true;
  EXPECT_EQ(error_from([&] { remote().note({}); }).code(), ErrorCode::refused);
  end();
  EXPECT_TRUE(node_.notes.empty());
}

TEST_F(Conversation, NothingIsSaidTwiceOnTheWireWhenNothingChanged) {
  remote().describe();
  auto sent = remote().bytes_sent();
  auto received = remote().bytes_received();
  remote().describe();
  EXPECT_LT(remote().bytes_sent() - sent, 20u);
  EXPECT_LT(remote().bytes_received() - received, 60u) << "the compressor remembers the first description";
}

TEST_F(Conversation, WorksByteByByte) {
  Faults slow;
  slow.one_by_one = true;
  served_.emplace(node_, options_, slow, slow);
  remote_ = served_->connect();
  remote().lock(soon());
  EXPECT_TRUE(alike(remote().lists(), node_.lists_now));
  auto reader = remote().blocklist_rows(wishes_for(node_));
  int rows = 0;
  while (reader->next()) ++rows;
  EXPECT_EQ(rows, 5);
}

TEST_F(Conversation, ListsLargerThanAFrameArriveWhole) {
  for (int i = 0; i < 300; ++i) {
    std::string comment;
    for (int j = 0; j < 4000; ++j) comment.push_back(static_cast<char>('a' + (i * 31 + j * j * 7 + j / 13) % 26));
    node_.add_domain("d" + std::to_string(i) + ".example", comment);
  }
  EXPECT_TRUE(alike(remote().lists(), node_.lists_now));
}

}  // namespace
}  // namespace gsync::test
