#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "gsync/sync/engine.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_gravity_run.hpp"
#include "support/ftl_process.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// FTL is asked for blocked names as fast as it answers while its database is published again and again.

namespace gsync::test {
namespace {

constexpr std::chrono::minutes patience{3};

/// An adlist whose compiled set the source replaces now and then; the probe does not ask for its names.
const std::string changing_list = "https://changing.example/list.txt";

GravityBuilder gravity(std::uint64_t numbering, std::size_t version = 0) {
  AdlistRow changing{changing_list};
  changing.entries = 300;
  changing.first_entry = version * 7;
  return GravityBuilder().household(small_household()).adlist(changing).numbering(numbering);
}

PiholeOptions options(std::string name, std::uint64_t numbering, bool musl = false) {
  PiholeOptions result;
  result.name = std::move(name);
  result.gravity = gravity(numbering);
  result.musl = musl;
  return result;
}

/// Names that every version blocks.
std::vector<std::string> names_to_ask(const PiholeDirectory& pihole) {
  std::set<std::string> changing;
  for (std::size_t i = 0; i < 4'000; ++i) changing.insert(generated_domain(changing_list, i));
  std::vector<std::string> names;
  for (auto& name : blocked_names(pihole.gravity(), 1'500))
    if (!changing.contains(name)) names.push_back(std::move(name));
  return names;
}

/// What changes on the source before a publish: a domain that a person denies and one that he allows again; every tenth time `pihole -g`
/// has compiled.
void change(const PiholeDirectory& source, std::size_t round) {
  if (round % 10 == 9) {
    const auto lists = rows(source.gravity(), "SELECT domain FROM domainlist WHERE domain LIKE 'fresh-%'");
    auto next = gravity(0, round);
    for (const auto& row : lists) next.domain({row[0].value()});
    next.updated(1'750'000'000 + static_cast<std::int64_t>(round)).build(source.gravity() + "_new");
    std::filesystem::rename(source.gravity() + "_new", source.gravity());
  }
  execute(source.gravity(), fmt::format("INSERT INTO domainlist (type, domain) VALUES (1, 'fresh-{}.example');"
                                        "DELETE FROM domainlist WHERE domain = 'fresh-{}.example'",
                                        round, static_cast<int>(round) - 3));
}

std::string fresh(std::size_t round) {
  return fmt::format("fresh-{}.example", round);
}

void expect_no_gap(const ProbeCounts& counts) {
  EXPECT_EQ(counts.allowed, 0U) << (counts.allowed_names.empty() ? "" : counts.allowed_names[0]);
  EXPECT_EQ(counts.lost, 0U);
  EXPECT_EQ(counts.other, 0U);
  EXPECT_GT(counts.blocked, 1'000U);
  fmt::print("asked {}, blocked {}, longest time without a blocked answer {} ms\n", counts.asked, counts.blocked,
             counts.longest_gap.count());
}

/// So that tests that run beside each other do not take each other's time: one of them asks as fast as it can.
ProbeOptions moderate() {
  ProbeOptions options;
  options.per_second = 2'000;
  return options;
}

/// `rounds` publishes through the engine and two LocalNodes, with an FTL on the target.
struct InProcess {
  explicit InProcess(bool musl = false, FtlOptions ftl_options = {})
      : source(options("ph1", 0)), target(options("ph2", 7, musl)), ftl(target.directory, ftl_options) {
    target.reopen();
  }

  void publish(std::size_t rounds, const ProbeOptions& speed = {}) {
    const auto names = names_to_ask(target.directory);
    ASSERT_GT(names.size(), 500U);
    DnsProbe probe(ftl.port(), names, speed);
    ASSERT_TRUE(probe.wait_for_answers(200, patience));
    sync::Options pull;
    pull.started_by = "test";
    for (std::size_t round = 0; round < rounds; ++round) {
      SCOPED_TRACE(round);
      change(source.directory, round);
      const auto result = sync::replicate(*source.node, *target.node, pull);
      ASSERT_TRUE(result.report);
      EXPECT_TRUE(result.report->published);
      for (const auto& warning : result.report->warnings) ADD_FAILURE() << warning;
      if (round % 20 == 0) {
        // FTL has closed the old database when a pull is done, so it serves the new one.
        EXPECT_EQ(lookup(ftl.port(), fresh(round)), "blocked");
      }
    }
    ASSERT_TRUE(probe.wait_for_answers(500, patience));
    expect_no_gap(probe.stop());
    EXPECT_EQ(lookup(ftl.port(), fresh(rounds - 1)), "blocked");
    EXPECT_EQ(lookup(ftl.port(), fresh(rounds - 5)), "allowed") << "taken off the list on the source";
    EXPECT_TRUE(same_content(source.directory, target.directory));
    EXPECT_EQ(integrity(target.directory.gravity()), "ok");
    EXPECT_EQ(ftl.stats().busy, 0U);
    EXPECT_EQ(ftl.stats().errors, 0U);
    EXPECT_EQ(ftl.stats().signals_on_dns_thread, 0U) << "such a signal can hang the real one";
  }

  LocalFixture source;
  LocalFixture target;
  FtlProcess ftl;
};

TEST(Dns, NoBlockedNameIsAllowedAndNoQueryIsLostDuringTwoHundredPublishes) {
  InProcess pair;
  pair.publish(200);
}

TEST(Dns, NorWithTheStaticBuildOfFtlWhoseSignalIsAnother) {
  InProcess pair(true);
  pair.publish(40, moderate());
  EXPECT_NE(pair.ftl.pid(), 0);
  EXPECT_GE(pair.ftl.stats().signals, 40U);
}

TEST(Dns, NorWithAnFtlThatOnlyListensToSignals) {
  FtlOptions only_signals;
  only_signals.poll = false;
  InProcess pair(false, only_signals);
  pair.publish(40, moderate());
}

TEST(Dns, NorWhereNoSignalIsPossibleAndFtlNoticesByItsOwnPoll) {
  InProcess pair;
  // As with a Pi-hole whose process is hidden from us.
  ASSERT_EQ(::unlink(pair.target.directory.pid_file().c_str()), 0);
  pair.publish(12, moderate());
  EXPECT_EQ(pair.ftl.stats().signals, 0U);
}

TEST(Dns, NorIsWhatWasPublishedOverlookedWherePiholeGHasWrittenAnEarlierDate) {
  constexpr std::int64_t in_2040 = 2'208'988'800;
  InProcess pair;
  const auto& pihole = pair.target.directory;
  ASSERT_EQ(::unlink(pihole.pid_file().c_str()), 0);
  const auto served = [&](std::int64_t updated) { return pair.ftl.wait_until([&](const FtlStats& s) { return s.updated == updated; }); };
  // `pihole -g` on a day on which the clock is wrong, which FTL takes and we see.
  auto next = gravity(7);
  next.updated(in_2040).build(pihole.gravity() + "_new");
  std::filesystem::rename(pihole.gravity() + "_new", pihole.gravity());
  ASSERT_TRUE(served(in_2040));
  pair.publish(1, moderate());
  ASSERT_EQ(lookup(pair.ftl.port(), fresh(0)), "blocked");
  // And on a day on which it is right again: FTL does not take that.
  ASSERT_EQ(run_gravity(pihole.directory()), 0);
  ASSERT_LT(number(pihole.gravity(), "SELECT value FROM info WHERE property = 'updated'"), in_2040);
  const auto before = pair.ftl.stats().updated;
  ASSERT_GT(before, in_2040);
  deny(pair.source.directory, "later.example");
  sync::Options pull;
  pull.started_by = "test";
  ASSERT_TRUE(sync::replicate(*pair.source.node, *pair.target.node, pull).report);
  EXPECT_TRUE(pair.ftl.wait_until([&](const FtlStats& s) { return s.updated > before; }));
  EXPECT_EQ(lookup(pair.ftl.port(), "later.example"), "blocked");
  EXPECT_EQ(pair.ftl.stats().signals, 0U);
}

class DnsOverSsh : public TwoNodesTest {};

TEST_F(DnsOverSsh, NoBlockedNameIsAllowedDuringTwentyPullsOfTheProgram) {
  TwoNodesOptions two;
  two.ph1 = options("ph1", 0);
  two.ph2 = options("ph2", 7);
  TwoNodes nodes(two);
  FtlProcess ftl(nodes.ph2);
  DnsProbe probe(ftl.port(), names_to_ask(nodes.ph2), moderate());
  ASSERT_TRUE(probe.wait_for_answers(200, patience));
  for (std::size_t round = 0; round < 20; ++round) {
    change(nodes.ph1, round);
    const auto pulled = nodes.run({"pull"});
    ASSERT_TRUE(succeeded(pulled)) << round;
    EXPECT_FALSE(contains(pulled.errors, "warning")) << pulled.errors;
    EXPECT_EQ(lookup(ftl.port(), fresh(round)), "blocked");
  }
  ASSERT_TRUE(probe.wait_for_answers(500, patience));
  expect_no_gap(probe.stop());
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  // A whole copy and an undo are published the same way.
  DnsProbe second(ftl.port(), names_to_ask(nodes.ph2), moderate());
  ASSERT_TRUE(second.wait_for_answers(200, patience));
  ASSERT_TRUE(succeeded(nodes.run({"pull", "--full"})));
  ASSERT_TRUE(succeeded(nodes.run({"restore", "1"})));
  ASSERT_TRUE(second.wait_for_answers(500, patience));
  // A quick machine is done before a thousand questions were asked.
  ASSERT_TRUE(second.wait_for_answers(1'100, patience));
  expect_no_gap(second.stop());
}

}  // namespace
}  // namespace gsync::test
