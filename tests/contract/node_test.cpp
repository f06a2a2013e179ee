// What every Node promises, shown on a Pi-hole here, on the same Pi-hole behind RemoteNode and Agent, and on what a peer sees of it.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <thread>

#include "gsync/model/shared_node.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

using model::Node;

enum class Where { here, far, shared, far_shared };

bool is_far(Where where) {
  return where == Where::far || where == Where::far_shared;
}
bool is_shared(Where where) {
  return where == Where::shared || where == Where::far_shared;
}

/// What a shared one keeps: a whole table, some rows of another one, and a record among others.
const std::vector<std::string> patterns{"clients", "domain:kept.*", "adlist:*kept*", "dns:*.kept.lan"};

/// Runs with the node itself, with its image at the other end of a stream, or with either of what it shares.
class Nodes {
 public:
  explicit Nodes(Where where, PiholeOptions options = {}, bool read_only = false)
      : local(with_what_is_kept(std::move(options), where)), where_(where), read_only_(read_only) {
    if (is_shared(where)) shared_ = share(*local.node, *local.state);
    if (is_far(where)) connect(std::string(32, 'c'));
  }
  /// The other end of a pair with this one: here, and sharing as much.
  static Where beside(Where where) { return is_shared(where) ? Where::shared : Where::here; }
  /// The one that asks is that node.
  void meet(const Nodes& other) {
    if (is_far(where_)) connect(other.local.state->node_id());
  }
  Node& operator*() { return remote_ ? remote_->node() : near(); }
  Node* operator->() { return &**this; }

  /// As another process on that host would describe it.
  model::NodeInfo described_by_another() const {
    const auto another = local.another();
    return is_shared(where_) ? share(*another, *local.state)->describe() : another->describe();
  }

  LocalFixture local;

 private:
  static PiholeOptions with_what_is_kept(PiholeOptions options, Where where) {
    if (!is_shared(where)) return options;
    options.gravity.domain({.domain = "kept.example", .comment = "of " + options.name});
    options.gravity.adlist({.address = "https://kept.example/" + options.name, .entries = 40});
    options.dns_hosts.insert(options.dns_hosts.begin() + 1, "192.168.1.99 " + options.name + ".kept.lan");
    return options;
  }
  static std::unique_ptr<model::SharedNode> share(Node& node, replica::StateStore& state) {
    const model::SharedNode::Memory memory{[&state] { return state.value("shared"); },
                                           [&state](const std::string& bytes) { state.set_value("shared", bytes); }};
    auto shared = std::make_unique<model::SharedNode>(node, model::ShrinkLimits{}, memory);
    shared->keep(model::KeepLocal(patterns));
    return shared;
  }
  Node& near() { return shared_ ? static_cast<Node&>(*shared_) : *local.node; }
  void connect(const std::string& client) {
    remote_.reset();
    protocol::AgentOptions agent;
    agent.hello = {protocol::protocol_version, "0.1.0", local.state->node_id(), local.config.node.name};
    agent.peer = "tester";
    agent.read_only = read_only_;
    remote_ = std::make_unique<RemoteFixture>(near(), agent, client);
  }

  Where where_;
  bool read_only_;
  std::unique_ptr<model::SharedNode> shared_;
  std::unique_ptr<RemoteFixture> remote_;
};

std::string name_of(const ::testing::TestParamInfo<Where>& where) {
  constexpr std::array names{"Here", "Far", "Shared", "FarShared"};
  return names.at(static_cast<std::size_t>(where.param));
}

class NodeContract : public ::testing::TestWithParam<Where> {};
INSTANTIATE_TEST_SUITE_P(, NodeContract, ::testing::Values(Where::here, Where::far, Where::shared, Where::far_shared), name_of);

/// A node that keeps something has no whole copy.
class WholeNodeContract : public ::testing::TestWithParam<Where> {};
INSTANTIATE_TEST_SUITE_P(, WholeNodeContract, ::testing::Values(Where::here, Where::far), name_of);

class SharedNodeContract : public ::testing::TestWithParam<Where> {};
INSTANTIATE_TEST_SUITE_P(, SharedNodeContract, ::testing::Values(Where::shared, Where::far_shared), name_of);

util::Deadline soon() {
  return util::Deadline::in(std::chrono::seconds(20));
}

PiholeOptions pihole(std::string name, std::uint64_t seed, std::uint64_t numbering) {
  PiholeOptions options;
  options.name = std::move(name);
  options.gravity = GravityBuilder().household(realistic(seed)).numbering(numbering);
  return options;
}

sync::Options pull() {
  sync::Options options;
  options.started_by = "test";
  return options;
}

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::cancelled;
}

TEST_P(NodeContract, DescribesItselfWithTheDigestsOfWhatItHolds) {
  Nodes node(GetParam());
  auto info = node->describe();
  EXPECT_FALSE(info.damaged) << info.damage;
  EXPECT_EQ(info.node_id.size(), 32u);
  EXPECT_EQ(info.schema, 20);
  EXPECT_TRUE(info.capabilities.allow_lists);
  EXPECT_EQ(info.digests.lists, model::digest_of(node->lists()));
  EXPECT_EQ(info.digests.blocklist, model::digest_of(node->blocklist()));
  auto records = node->records();
  for (auto kind : model::record_kinds) {
    auto i = model::index_of(kind);
    ASSERT_TRUE(records[i]) << info.capabilities.records_unavailable[i];
    EXPECT_EQ(info.digests.records[i], model::digest_of(*records[i]));
  }
}

TEST_P(NodeContract, ReadsNoDatabaseWhenNothingChanged) {
  Nodes node(GetParam());
  auto first = node->describe();
  // Nobody could read it now: an exclusive lock that is held throughout.
  Sql writer(node.local.directory.gravity());
  writer.execute("BEGIN EXCLUSIVE");
  auto second = node.described_by_another();
  EXPECT_EQ(second.digests, first.digests);
  writer.execute("ROLLBACK");
}

TEST_P(NodeContract, NoticesAnEditAtOnce) {
  Nodes node(GetParam());
  auto before = node->describe();
  execute(node.local.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'new.example.com')");
  auto after = node->describe();
  EXPECT_NE(after.digests.lists, before.digests.lists);
  EXPECT_EQ(after.digests.blocklist, before.digests.blocklist);
  EXPECT_TRUE(node->lists().contains({model::Table::domain, model::kind::deny_exact, "new.example.com"}));
}

TEST_P(NodeContract, IsLockedByOneAtATime) {
  Nodes node(GetParam());
  node->lock(soon());
  auto other = node.local.another();
  EXPECT_EQ(code_of([&] { other->lock(util::Deadline::in(std::chrono::milliseconds(50))); }), ErrorCode::busy);
  node->unlock();
  EXPECT_NO_THROW(other->lock(soon()));
}

TEST_P(NodeContract, StreamsExactlyTheRowsOfTheAdlistsWishedFor) {
  Nodes node(GetParam());
  node->lock(soon());
  auto blocklist = node->blocklist();
  std::vector<model::BlocklistWish> wishes;
  for (const auto& adlist : blocklist) {
    if (adlist.rows.count > 0 && wishes.size() < 3) wishes.push_back({adlist.key, std::nullopt});
  }
  ASSERT_EQ(wishes.size(), 3u);
  auto rows = node->blocklist_rows(wishes);
  std::vector<model::SetDigest> got(wishes.size());
  std::string last;
  while (auto row = rows->next()) {
    EXPECT_LE(last, row->domain);
    last = row->domain;
    got.at(row->adlist).add(row->domain);
  }
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    EXPECT_EQ(got[i], rows->answers()[i].rows);
    auto state = std::find_if(blocklist.begin(), blocklist.end(), [&](const auto& s) { return s.key == wishes[i].key; });
    EXPECT_EQ(got[i], state->rows);
  }
}

TEST_P(NodeContract, MakesATargetEqualAndKeepsItsIdsAndSchema) {
  Nodes source(Nodes::beside(GetParam()), pihole("ph1", 1, 3));
  Nodes target(GetParam(), pihole("ph2", 2, 7));
  target.meet(source);
  auto path = target.local.directory.gravity();
  auto schema = dump_schema(path);
  auto ids = row_ids(path, "domainlist");
  auto updated = number(path, "SELECT value FROM info WHERE property='updated'");

  auto result = sync::replicate(*source, *target, [] {
    auto o = pull();
    o.force = true;  // two unrelated households: nearly all rows go
    return o;
  }());
  ASSERT_TRUE(result.report);
  EXPECT_TRUE(result.report->published);
  for (const auto& warning : result.report->warnings) ADD_FAILURE() << warning;

  EXPECT_EQ(target->describe().digests, source->describe().digests);
  EXPECT_EQ(source->lists().size(), target->lists().size());
  EXPECT_EQ(integrity(path), "ok");
  EXPECT_EQ(dump_schema(path), schema);
  EXPECT_GT(number(path, "SELECT value FROM info WHERE property='updated'"), updated);
  for (const auto& [key, id] : row_ids(path, "domainlist")) {
    if (ids.contains(key)) {
      EXPECT_EQ(ids[key], id) << key;
    }
  }
  auto again = sync::replicate(*source, *target, pull());
  EXPECT_FALSE(again.report);
  EXPECT_TRUE(again.plan.nothing_to_do());
}

TEST_P(WholeNodeContract, TakesAWholeDatabase) {
  Nodes source(Nodes::beside(GetParam()), pihole("ph1", 1, 3));
  Nodes target(GetParam(), pihole("ph2", 2, 7));
  target.meet(source);
  auto options = pull();
  options.full = true;
  options.force = true;
  auto result = sync::replicate(*source, *target, options);
  ASSERT_TRUE(result.report);
  EXPECT_TRUE(result.report->counts.whole_database);
  EXPECT_EQ(target->describe().digests, source->describe().digests);
  EXPECT_EQ(integrity(target.local.directory.gravity()), "ok");
  EXPECT_EQ(row_ids(target.local.directory.gravity(), "adlist"), row_ids(source.local.directory.gravity(), "adlist"));
}

sync::TwoWayOptions both_ways() {
  sync::TwoWayOptions options;
  options.action = model::Action::sync;
  options.started_by = "test";
  return options;
}

TEST_P(NodeContract, IsSyncedBothWays) {
  Nodes here(Nodes::beside(GetParam()), pihole("ph1", 1, 3));
  Nodes there(GetParam(), pihole("ph2", 2, 7));
  there.meet(here);
  auto first = both_ways();
  first.unite = true;
  sync::synchronise(*here, *there, first);
  EXPECT_EQ(here->describe().digests, there->describe().digests);
  execute(here.local.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'here.example.com')");
  execute(there.local.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'there.example.com')");
  const auto result = sync::synchronise(*here, *there, both_ways());
  ASSERT_TRUE(result.here.report);
  ASSERT_TRUE(result.there.report);
  EXPECT_EQ(here->describe().digests, there->describe().digests);
  for (auto* node : {&here, &there}) {
    EXPECT_EQ(integrity(node->local.directory.gravity()), "ok");
    EXPECT_EQ(number(node->local.directory.gravity(), "SELECT count(*) FROM domainlist WHERE domain LIKE '%here.example.com'"), 2);
  }
  EXPECT_TRUE(sync::synchronise(*here, *there, both_ways()).nothing_to_do());
  const auto id = here.local.state->node_id();
  EXPECT_EQ(there->base(id).lists.size(), there->lists().size());
  EXPECT_EQ(there->pair(id).base, here->pair(there.local.state->node_id()).base);
}

TEST_P(NodeContract, FinishesAnIntentThatOnlyTheOtherHasCarriedOut) {
  Nodes node(GetParam());
  const std::string peer(32, 'c');
  auto info = node->lock(soon());
  model::Intent intent;
  intent.id = "some sync";
  intent.rows = {{{model::Table::domain, model::kind::deny_exact, "intended.example.com"}, std::nullopt, model::Row{}}};
  EXPECT_EQ(code_of([&] { node->intend(peer, intent); }), ErrorCode::conflict) << "for another version";
  intent.expected = info.digests;
  node->intend(peer, intent);
  EXPECT_EQ(node->pair(peer).intent, "some sync");
  execute(node.local.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'edited.example.com')");
  node->catch_up(peer);
  EXPECT_EQ(number(node.local.directory.gravity(),
                   "SELECT count(*) FROM domainlist WHERE domain IN ('intended.example.com', 'edited.example.com')"),
            2);
  const auto published = node.local.state->versions().size();
  node->catch_up(peer);
  EXPECT_EQ(node.local.state->versions().size(), published) << "once";
  EXPECT_EQ(code_of([&] { node->settle(peer, {"another sync", true, {}, {peer, "client"}, {}}); }), ErrorCode::conflict);
  node->settle(peer, {"some sync", true, {}, {peer, "client"}, {}});
  EXPECT_EQ(node->pair(peer).base, "some sync");
  EXPECT_TRUE(node->pair(peer).intent.empty());
  node->forget(peer, true);
  EXPECT_TRUE(node->pair(peer).base.empty());
}

TEST_P(NodeContract, RefusesAChangeThatWasMadeForAnotherVersion) {
  Nodes node(GetParam());
  auto info = node->lock(soon());
  model::Change change;
  change.source = "ph1";
  change.expected = info.digests;
  change.rows = {{{model::Table::domain, model::kind::deny_exact, "a.example.com"}, std::nullopt, model::Row{}}};
  execute(node.local.directory.gravity(), "INSERT INTO domainlist (type, domain) VALUES (1, 'b.example.com')");
  EXPECT_EQ(code_of([&] { node->apply(change, nullptr, nullptr); }), ErrorCode::conflict);
  EXPECT_EQ(number(node.local.directory.gravity(), "SELECT count(*) FROM domainlist WHERE domain='a.example.com'"), 0);
}

TEST_P(NodeContract, RefusesToLoseMostOfItsListsUnlessForced) {
  Nodes node(GetParam());
  auto info = node->lock(soon());
  model::Change change;
  change.source = "ph1";
  change.expected = info.digests;
  for (const auto& [key, row] : node->lists()) {
    if (key.table == model::Table::adlist) change.rows.push_back({key, row, std::nullopt});
  }
  auto size = change.rows.size();
  EXPECT_EQ(code_of([&] { node->apply(change, nullptr, nullptr); }), ErrorCode::refused);
  EXPECT_EQ(number(node.local.directory.gravity(), "SELECT count(*) FROM adlist WHERE address NOT LIKE '%kept%'"),
            static_cast<std::int64_t>(size));
  change.force = true;
  auto report = node->apply(change, nullptr, nullptr);
  EXPECT_EQ(report.counts.rows_removed, size);
  EXPECT_EQ(number(node.local.directory.gravity(),
                   "SELECT count(*) FROM gravity WHERE adlist_id NOT IN (SELECT id FROM adlist WHERE address LIKE '%kept%')"),
            0);
}

TEST_P(NodeContract, KeepsWhatWasThereAndBringsItBackWithItsCompiledRows) {
  Nodes node(GetParam());
  auto path = node.local.directory.gravity();
  auto before = node->describe();
  auto rows = number(path, "SELECT count(*) FROM gravity");
  auto info = node->lock(soon());
  model::Change change;
  change.source = "ph1";
  change.expected = info.digests;
  for (const auto& adlist : node->blocklist()) {
    if (adlist.rows.count > 0 && change.rows.empty()) change.rows.push_back({adlist.key, node->lists().at(adlist.key), std::nullopt});
  }
  ASSERT_EQ(change.rows.size(), 1u);
  auto report = node->apply(change, nullptr, nullptr);
  node->unlock();
  EXPECT_LT(number(path, "SELECT count(*) FROM gravity"), rows);
  auto kept = node->version(report.version);
  EXPECT_EQ(model::digest_of(kept.lists), before.digests.lists);
  EXPECT_EQ(node->versions().front().id, report.version);

  auto options = pull();
  options.action = model::Action::undo;
  auto undone = sync::restore(*node, 0, options);
  ASSERT_TRUE(undone.report);
  for (const auto& warning : undone.report->warnings) ADD_FAILURE() << warning;
  EXPECT_EQ(node->describe().digests, before.digests);
  EXPECT_EQ(number(path, "SELECT count(*) FROM gravity"), rows);
}

TEST_P(NodeContract, SetsRecordsOnlyWhenTheyDiffer) {
  Nodes node(GetParam());
  auto info = node->lock(soon());
  model::Change change;
  change.source = "ph1";
  change.expected = info.digests;
  change.records[0] = *node->records()[0];
  change.records[0]->push_back("192.168.1.77 new.lan");
  auto gravity = node.local.directory.gravity();
  auto updated = number(gravity, "SELECT value FROM info WHERE property='updated'");
  auto report = node->apply(change, nullptr, nullptr);
  EXPECT_FALSE(report.published);
  EXPECT_FALSE(report.dns_paused);
  EXPECT_EQ(report.counts.records_added, 1u);
  EXPECT_EQ(node->records()[0]->back(), "192.168.1.77 new.lan");
  EXPECT_EQ(number(gravity, "SELECT value FROM info WHERE property='updated'"), updated);
}

TEST_P(NodeContract, RefusesARecordWithANewlineBeforeAnythingIsDone) {
  Nodes node(GetParam());
  auto info = node->lock(soon());
  model::Change change;
  change.source = "ph1";
  change.expected = info.digests;
  change.rows = {{{model::Table::domain, model::kind::deny_exact, "a.example.com"}, std::nullopt, model::Row{}}};
  change.records[1] = model::RecordLines{"a.lan,b.lan\ndhcp-script=/tmp/x"};
  EXPECT_EQ(code_of([&] { node->apply(change, nullptr, nullptr); }), ErrorCode::refused);
  EXPECT_EQ(number(node.local.directory.gravity(), "SELECT count(*) FROM domainlist WHERE domain='a.example.com'"), 0);
}

TEST_P(NodeContract, WritesHistoryOfWhatWentAndFromWhere) {
  Nodes node(GetParam());
  auto info = node->lock(soon());
  model::Change change;
  change.source = "ph1";
  change.started_by = "test";
  change.expected = info.digests;
  auto lists = node->lists();
  auto domain = std::find_if(lists.begin(), lists.end(), [](const auto& row) { return row.first.table == model::Table::domain; });
  ASSERT_NE(domain, lists.end());
  change.rows = {{domain->first, domain->second, std::nullopt}};
  node->apply(change, nullptr, nullptr);
  auto history = node.local.state->history(5, true);
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].source, "ph1");
  EXPECT_EQ(history[0].outcome, model::Outcome::done);
  EXPECT_EQ(history[0].counts.rows_removed, 1u);
  ASSERT_EQ(history[0].rows.size(), 1u);
  EXPECT_EQ(history[0].rows[0].key, domain->first);
  EXPECT_EQ(history[0].started_by, !is_far(GetParam()) ? "test" : "agent for tester");
}

void break_database(const std::string& path, std::string_view how) {
  if (how == "empty") {
    EXPECT_EQ(::truncate(path.c_str(), 0), 0);
  }
  if (how == "truncated") {
    EXPECT_EQ(::truncate(path.c_str(), 100 * 4096), 0);
  }
  if (how == "text") write_text(path, std::string(8192, 'x'));
  if (how == "missing") {
    EXPECT_EQ(::unlink(path.c_str()), 0);
  }
}

TEST_P(WholeNodeContract, SaysThatItIsDamagedAndIsMendedByAWholeCopy) {
  for (const char* damage : {"empty", "truncated", "text", "missing"}) {
    SCOPED_TRACE(damage);
    Nodes source(Nodes::beside(GetParam()), pihole("ph1", 1, 3));
    auto options = pihole("ph2", 1, 3);
    options.backups = true;
    Nodes target(GetParam(), options);
    target.meet(source);
    auto path = target.local.directory.gravity();
    break_database(path, damage);
    auto info = target->describe();
    EXPECT_TRUE(info.damaged);
    EXPECT_EQ(code_of([&] { sync::replicate(*source, *target, pull()); }), ErrorCode::corrupt);
    auto full = pull();
    full.full = true;
    auto result = sync::replicate(*source, *target, full);
    ASSERT_TRUE(result.report);
    EXPECT_EQ(target->describe().digests, source->describe().digests);
    EXPECT_EQ(integrity(path), "ok");
  }
}

TEST_P(WholeNodeContract, IsNotMendedWhereNothingTellsItsSchema) {
  Nodes source(Nodes::beside(GetParam()), pihole("ph1", 1, 3));
  Nodes target(GetParam(), pihole("ph2", 1, 3));
  target.meet(source);
  const auto path = target.local.directory.gravity();
  break_database(path, "text");
  const auto damaged = read_text(path);
  auto full = pull();
  full.full = true;
  EXPECT_EQ(code_of([&] { sync::replicate(*source, *target, full); }), ErrorCode::refused);
  EXPECT_EQ(read_text(path), damaged);
}

TEST_P(WholeNodeContract, RefusesAWholeCopyWithATriggerThatThisPiholeDoesNotHave) {
  Nodes source(Nodes::beside(GetParam()), pihole("ph1", 1, 3));
  execute(source.local.directory.gravity(), "CREATE TRIGGER evil AFTER INSERT ON domainlist BEGIN DELETE FROM gravity; END");
  Nodes target(GetParam(), pihole("ph2", 2, 7));
  target.meet(source);
  auto before = target->describe();
  auto options = pull();
  options.full = options.force = true;
  EXPECT_EQ(code_of([&] { sync::replicate(*source, *target, options); }), ErrorCode::incompatible);
  EXPECT_EQ(target.local.another()->describe().live_identity, before.live_identity);
}

/// The rows and records that stay on `node`, with their ids, and where the records stand among the others.
std::string kept_on(const Nodes& node) {
  std::string text;
  for (const char* query : {"SELECT * FROM client ORDER BY 1", "SELECT * FROM client_by_group ORDER BY 1, 2",
                            "SELECT * FROM domainlist WHERE domain LIKE 'kept.%'", "SELECT * FROM adlist WHERE address LIKE '%kept%'",
                            "SELECT domain FROM gravity g JOIN adlist a ON a.id = g.adlist_id WHERE address LIKE '%kept%' ORDER BY 1"})
    for (const auto& row : Sql(node.local.directory.gravity(), Sql::Mode::read_only).rows(query)) {
      for (const auto& cell : row) text += cell.value_or("NULL") + "|";
      text += '\n';
    }
  const auto records = *node.local.node->records()[0];
  for (std::size_t i = 0; i < records.size(); ++i)
    if (records[i].find(".kept.lan") != std::string::npos) text += std::to_string(i) + " " + records[i];
  return text;
}

model::Version node_version(Nodes& node) {
  return node->version(node->versions().front().id);
}

TEST_P(SharedNodeContract, GivesNothingOfWhatItKeeps) {
  Nodes node(GetParam());
  node->lock(soon());
  const model::KeepLocal keep(patterns);
  ASSERT_GT(node.local.node->lists().size(), node->lists().size());
  for (const auto& [key, row] : node->lists()) EXPECT_FALSE(keep.keeps(key)) << model::describe(key);
  std::optional<model::RowKey> adlist;
  for (const auto& state : node.local.node->blocklist())
    if (keep.keeps(state.key)) adlist = state.key;
  ASSERT_TRUE(adlist);
  for (const auto& state : node->blocklist()) EXPECT_NE(state.key, *adlist);
  const auto records = node->records();
  for (const auto& line : *records[0]) EXPECT_EQ(line.find(".kept.lan"), std::string::npos) << line;
  EXPECT_EQ(code_of([&] { node->blocklist_rows({{*adlist, std::nullopt}}); }), ErrorCode::refused);
  const auto info = node->describe();
  EXPECT_EQ(info.kept_local, keep.patterns());
  EXPECT_EQ(info.list_rows, node->lists().size());
  EXPECT_EQ(info.list_rows + info.entries_kept, node.local.node->lists().size() + 1) << "and one record";
}

TEST_P(SharedNodeContract, IsMadeAsItsSourceAroundWhatItKeeps) {
  Nodes source(Where::shared, pihole("ph1", 1, 3));
  auto drifted = pihole("ph2", 1, 7);
  auto household = realistic(1);
  drift(household, 5, 30);
  drifted.gravity = GravityBuilder().household(household).numbering(7);
  Nodes target(GetParam(), drifted);
  target.meet(source);
  const auto theirs = kept_on(source);
  const auto ours = kept_on(target);
  EXPECT_NE(ours, theirs);
  auto options = pull();
  options.force = true;
  ASSERT_TRUE(sync::replicate(*source, *target, options).report);
  EXPECT_EQ(target->describe().digests, source->describe().digests);
  EXPECT_EQ(kept_on(target), ours);
  EXPECT_EQ(kept_on(source), theirs);
  EXPECT_EQ(integrity(target.local.directory.gravity()), "ok");
  EXPECT_EQ(target.described_by_another().digests, source->describe().digests);
  const auto version = node_version(target);
  for (const auto& [key, row] : version.lists) EXPECT_FALSE(model::KeepLocal(patterns).keeps(key)) << model::describe(key);
}

TEST_P(SharedNodeContract, LeavesWhatItKeepsOutOfABase) {
  Nodes here(Where::shared, pihole("ph1", 1, 3));
  Nodes there(GetParam(), pihole("ph2", 1, 7));
  there.meet(here);
  const auto kept = kept_on(there);
  auto first = both_ways();
  first.unite = true;
  sync::synchronise(*here, *there, first);
  EXPECT_EQ(kept_on(there), kept);
  // Nor is it in the books themselves, which others may read by other patterns one day.
  const auto base = there.local.node->base(here.local.state->node_id());
  for (const auto& [key, row] : base.lists) EXPECT_FALSE(model::KeepLocal(patterns).keeps(key)) << model::describe(key);
  EXPECT_EQ(base.lists.size(), there->lists().size());
  for (const auto& line : *base.records[0]) EXPECT_EQ(line.find(".kept.lan"), std::string::npos) << line;
}

TEST_P(SharedNodeContract, HasNoWholeCopyAndTakesNone) {
  Nodes node(GetParam());
  const auto info = node->lock(soon());
  EXPECT_EQ(code_of([&] { node->copy(model::CopyOf::live); }), ErrorCode::refused);
  const auto before = node->describe();
  Nodes other(Where::here, pihole("ph2", 2, 7));
  other->lock(soon());
  auto copy = other->copy(model::CopyOf::live);
  model::Change change;
  change.source = "ph2";
  change.expected = info.digests;
  change.force = change.whole_copy = true;
  change.copy_bytes = copy.bytes;
  EXPECT_EQ(code_of([&] { node->apply(change, nullptr, copy.reader.get()); }), ErrorCode::refused);
  EXPECT_EQ(node.described_by_another().live_identity, before.live_identity);
}

TEST(ReadOnlyAgent, GivesButDoesNotTake) {
  Nodes node(Where::far, {}, true);
  auto info = node->lock(soon());
  EXPECT_TRUE(info.read_only);
  EXPECT_NO_THROW(node->lists());
  model::Change change;
  change.expected = info.digests;
  EXPECT_EQ(code_of([&] { node->apply(change, nullptr, nullptr); }), ErrorCode::refused);
}

/// A writer that takes no locks, as on a filesystem that has none: it began before the publish and commits into the file that was replaced.
class LocklessWriter {
 public:
  explicit LocklessWriter(const std::string& path) {
    if (::sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE, "unix-none") != SQLITE_OK) throw std::runtime_error("cannot open");
    execute("PRAGMA journal_mode=OFF");
    execute("BEGIN IMMEDIATE");
  }
  ~LocklessWriter() { ::sqlite3_close(db_); }
  LocklessWriter(const LocklessWriter&) = delete;
  LocklessWriter& operator=(const LocklessWriter&) = delete;
  void execute(const std::string& sql) {
    if (::sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) throw std::runtime_error(::sqlite3_errmsg(db_));
  }

 private:
  sqlite3* db_ = nullptr;
};

ino_t inode_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

TEST_P(NodeContract, MakesEditsAgainThatWereMadeOnTheOldVersionWhileItWasReplaced) {
  auto household = realistic(1);
  drift(household, 5, 20);
  auto options = pihole("ph1", 1, 0);
  options.gravity = GravityBuilder().household(household);
  Nodes source(Nodes::beside(GetParam()), options);
  Nodes target(GetParam(), pihole("ph2", 1, 7));
  target.meet(source);
  const auto live = target.local.directory.gravity();
  const auto old = inode_of(live);
  auto writer = std::make_unique<LocklessWriter>(live);
  writer->execute("INSERT INTO domainlist (type, domain, comment) VALUES (1, 'late.example', 'typed just now')");
  std::thread commits([&] {
    const auto deadline = soon();
    while (inode_of(live) == old && !deadline.passed()) std::this_thread::yield();
    writer->execute("COMMIT");
    writer.reset();
  });
  sync::Result result;
  EXPECT_NO_THROW(result = sync::replicate(*source, *target, pull()));
  commits.join();
  ASSERT_TRUE(result.report);
  EXPECT_TRUE(std::any_of(result.report->warnings.begin(), result.report->warnings.end(), [](const std::string& warning) {
    return warning.find("late.example") != std::string::npos;
  })) << result.report->warnings.size();
  EXPECT_EQ(value(live, "SELECT comment FROM domainlist WHERE domain='late.example'"), "typed just now");
  EXPECT_EQ(integrity(live), "ok");
  // Everything else came from the source.
  auto rows = model::diff(source->lists(), target->lists());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key.name, "late.example");
}

}  // namespace
}  // namespace gsync::test
