// A run is stopped before and after every operation on files, database and connection, on either side, in every way in which such an
// operation fails.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <list>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "fault/witness.hpp"
#include "support/sanitizer.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

struct Case {
  std::string name;
  Scenario scenario;
  Side side;
  Event event;
  unsigned kinds;
  int one_in;           ///< how many operations are tried by default
  std::uint64_t lucks;  ///< how often the power goes at each, where everything is tried: what survives is a matter of luck
};

void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

/// GSYNC_FAULTS=all tries every operation in every way, which takes an hour; else some ways are tried at a sample (a smaller
/// one under a sanitizer). GSYNC_SEED chooses another sample, GSYNC_FAULT_AT=N tries one operation alone.
bool everything() {
  const char* faults = std::getenv("GSYNC_FAULTS");
  return faults != nullptr && std::string_view(faults) == "all";
}
std::uint64_t seed() {
  const char* given = std::getenv("GSYNC_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

std::string told(const Ending& ending) {
  return ending.killed ? "killed" : ending.error ? ending.what : ending.trouble.empty() ? "done" : ending.trouble;
}

class Sweep : public testing::TestWithParam<Case> {
 protected:
  /// The Pi-holes as before the run, and those that look at them and keep what was there. For the counted run, too, whose operations are
  /// others where nobody does.
  static std::list<Witness> begin(Pair& pair) {
    pair.reset();
    std::list<Witness> witnesses;
    for (const auto& node : pair.changed()) witnesses.emplace_back(pair, node);
    return witnesses;
  }

  /// Of a run without a fault. Nobody looks on any more afterwards: an FTL that cannot read a pihole.toml, because the pair is being reset,
  /// writes its own.
  static std::array<int, most_threads> count(Pair& pair) {
    const auto witnesses = begin(pair);
    return pair.run(GetParam().side, {Event::none, GetParam().kinds}).operations;
  }

  /// False when the run was over before operation `at` of the thread.
  static bool stop_at(Pair& pair, int thread, int at, std::uint64_t luck = 0) {
    const auto& tested = GetParam();
    auto witnesses = begin(pair);
    const auto result = pair.run(tested.side, {tested.event, tested.kinds, at, thread});
    SCOPED_TRACE(fmt::format("at operation {} of thread {} (luck {}): {}\n  initiator: {}\n  agent: {}", at, thread, luck, result.operation,
                             told(result.initiator), told(result.agent)));
    if (!result.happened) {
      EXPECT_TRUE(result.initiator.ok());
      return false;
    }
    if (tested.event == Event::lose_power) {
      Random random(seed() + 1'000 * luck + static_cast<std::uint64_t>(at));
      for (auto& witness : witnesses) witness.host_went_down();
      pair.lose_power(random);
      for (auto& witness : witnesses) witness.host_is_up();
    }
    for (auto& witness : witnesses) witness.after_fault(result, tested.event);
    const auto next = pair.run();
    for (auto& witness : witnesses) witness.after_next_run(next);
    const auto third = pair.look();
    for (auto& witness : witnesses) witness.after_third_run(third);
    return true;
  }

  static void sweep(Pair& pair, int thread, int operations) {
    const auto& tested = GetParam();
    if (const char* only = std::getenv("GSYNC_FAULT_AT")) {
      stop_at(pair, thread, std::atoi(only));
      return;
    }
    const int step = everything() ? 1 : std::min(operations, sanitized ? 8 * tested.one_in : tested.one_in);
    int at = static_cast<int>(Random(seed() + std::hash<std::string>()(tested.name)).below(static_cast<std::size_t>(step)));
    fmt::print("{} operations of thread {}, every {} of them is tried, GSYNC_SEED={}\n", operations, thread, step, seed());
    int tried = 0;
    int missed = 0;
    // Until a run is over before the fault, so that none is left out.
    while (missed < 3) {
      if (stop_at(pair, thread, at)) {
        ++tried;
        for (std::uint64_t luck = 1; tested.event == Event::lose_power && everything() && luck < tested.lucks; ++luck)
          stop_at(pair, thread, at, luck);
        at += step;
        missed = 0;
      } else if (at >= operations) {
        break;
      } else {
        ++missed;
      }
    }
    EXPECT_LT(missed, 3) << "operation " << at << " of " << operations << " of thread " << thread << " was not reached";
    EXPECT_GE(tried, operations / step);
  }
};

TEST_P(Sweep, LeavesTheOldOrTheNewVersionAndTheNextRunConverges) {
  const auto& tested = GetParam();
  Pair pair(tested.scenario);
  const auto operations = count(pair);
  EXPECT_GT(operations[0], 10) << "the sweep does not see the operations";
  EXPECT_EQ(operations.back(), 0) << "more threads than are told apart";
  for (int thread = 0; thread < most_threads; ++thread)
    if (const int all = operations[static_cast<std::size_t>(thread)]; all > 0) sweep(pair, thread, all);
}

std::vector<Case> cases() {
  std::vector<Case> result;
  struct Run {
    std::string name;
    Scenario scenario;
    int rarer = 1;  ///< so much smaller is the sample
    std::uint64_t lucks = 8;
  };
  const std::vector<Run> scenarios{
      {"FirstPull", {}},
      {"FirstCopy", {.uncompiled = true}, 2},
      {"FirstCopyPush", {.operation = Operation::push, .uncompiled = true}, 3},
      {"Pull", {.again = true, .records = true}},
      {"Push", {.operation = Operation::push, .again = true}},
      {"RecordsPull", {.again = true, .only_records = true}},
      {"FullPull", {.operation = Operation::full_pull}},
      {"FullPush", {.operation = Operation::full_push, .again = true}},
      {"Undo", {.operation = Operation::undo, .again = true}},
      {"RepairingPull", {.operation = Operation::full_pull, .again = true, .damaged = true}},
      {"Sync", {.operation = Operation::sync, .again = true, .records = true}},
      {"ContradictingSync", {.operation = Operation::sync, .again = true, .records = true, .contradicting = true}, 60, 2},
      {"PullWithoutExchange", {.again = true, .filesystem = {.exchange = false, .leases = false}}},
  };
  constexpr unsigned changes = Kind::change | Kind::stream | Kind::child;
  struct Way {
    std::string name;
    Event event;
    unsigned kinds;
    int one_in;
  };
  const std::vector<Way> ways{
      {"Killed", Event::die, changes, 1},
      {"KilledWithin", Event::die_within, changes, 6},
      {"Failing", Event::fail, changes, 1},
      {"FailingAfter", Event::fail_after, changes, 6},
      {"WithoutLock", Event::fail, Kind::lock, 16},
      {"Unreadable", Event::fail, Kind::look, 24},
      {"DiskFull", Event::disk_full, Kind::room, 6},
      {"ReadOnly", Event::read_only, Kind::change, 6},
      {"Short", Event::shorten, changes, 12},
      {"PowerCut", Event::lose_power, changes, 4},
  };
  for (const auto& [scenario_name, scenario, rarer, lucks] : scenarios) {
    for (const auto side : {Side::initiator, Side::agent}) {
      if (scenario.operation == Operation::undo && side == Side::agent) continue;
      for (const auto& way : ways) {
        result.push_back({scenario_name + (side == Side::initiator ? "" : "Agent") + way.name, scenario, side, way.event, way.kinds,
                          way.one_in * rarer, lucks});
      }
    }
  }
  return result;
}

/// Which gives the target the source's row ids, as rows would not.
TEST(FirstCopy, IsOfPages) {
  for (const auto operation : {Operation::pull, Operation::push}) {
    Pair pair({.operation = operation, .uncompiled = true});
    const auto ids = [](const PiholeDirectory& pihole) {
      return value(pihole.gravity(), "SELECT group_concat(id) FROM (SELECT id FROM adlist ORDER BY id)");
    };
    pair.reset();
    EXPECT_NE(ids(pair.source()), ids(pair.target()));
    EXPECT_TRUE(pair.run().initiator.ok());
    EXPECT_EQ(ids(pair.source()), ids(pair.target()));
  }
}

/// What the runs of ContradictingSync are about. ph1 has the lower node id.
TEST(ContradictingSync, IsDecidedByTheRulesAndWhatIsLostIsTold) {
  const Pair pair({.operation = Operation::sync, .again = true, .records = true, .contradicting = true});
  std::vector<std::string> told;
  for (const auto& each : pair.conflicts()) {
    EXPECT_NE(each.kept_from, each.lost_from);
    told.push_back(fmt::format("{}, {}: {} of {}, not {}", each.subject, each.field, each.kept, each.kept_from, each.lost));
  }
  EXPECT_EQ(told,
            (std::vector<std::string>{
                "client  fd00:0:0::/48, comment: the new phone of ph1, not the old phone",
                "cname record alias.lan, : alias.lan,only-on-ph1.lan of ph1, not alias.lan,only-on-ph2.lan",
                "deny  contested.example, comment: of ph1 of ph1, not of ph2",
                "deny  edited-here.example, : enabled, comment 'of ph2', groups Default of ph2, not deleted",
                "deny  edited-there.example, : enabled, comment 'of ph1', groups Default of ph1, not deleted",
                "dhcp record AA:BB:CC:DD:EE:30, : AA:BB:CC:DD:EE:30,192.168.2.1,clash of ph1, not AA:BB:CC:DD:EE:30,192.168.2.2,clash",
                "dns record clash.lan (IPv4), : 192.168.2.1 clash.lan of ph1, not 192.168.2.2 clash.lan",
                "group  used here, : enabled, with deny  contested.example in it of ph2, not deleted",
                "group  used there, : enabled, with deny  contested.example in it of ph1, not deleted",
                "setting dns.blockTTL, : 10 of ph1, not 20",
            }));
  EXPECT_EQ(pair.changed().at(0).new_content, pair.changed().at(1).new_content);
  EXPECT_EQ(pair.changed().at(0).new_records, pair.changed().at(1).new_records);
}

INSTANTIATE_TEST_SUITE_P(Of, Sweep, testing::ValuesIn(cases()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace gsync::test
