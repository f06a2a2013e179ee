// A run is stopped before and after every operation on files, database and connection, on either side, in every way in which such an
// operation fails.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "fault/witness.hpp"
#include "support/sanitizer.hpp"

namespace gsync::test {
namespace {

struct Case {
  std::string name;
  Scenario scenario;
  Side side;
  Event event;
  unsigned kinds;
  int one_in;  ///< how many operations are tried by default
};

void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

/// GSYNC_FAULTS=all tries every operation in every way, which takes a quarter of an hour; else some ways are tried at a sample (a smaller
/// one under a sanitizer). GSYNC_SEED chooses another sample.
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
  /// False when the run was over before operation `at` of the thread.
  static bool stop_at(Pair& pair, int thread, int at, std::uint64_t luck = 0) {
    const auto& tested = GetParam();
    pair.reset();
    Witness witness(pair);
    const auto result = pair.run(tested.side, {tested.event, tested.kinds, at, thread});
    SCOPED_TRACE(fmt::format("at operation {} of thread {} (luck {}): {}\n  initiator: {}\n  agent: {}", at, thread, luck, result.operation,
                             told(result.initiator), told(result.agent)));
    if (!result.happened) {
      EXPECT_TRUE(result.initiator.ok());
      return false;
    }
    if (tested.event == Event::lose_power) {
      Random random(seed() + 1'000 * luck + static_cast<std::uint64_t>(at));
      witness.host_went_down();
      pair.lose_power(random);
      witness.host_is_up();
    }
    witness.after_fault(result, tested.event);
    witness.after_next_run(pair.run());
    witness.after_third_run(pair.look());
    return true;
  }

  static void sweep(Pair& pair, int thread, int operations) {
    const auto& tested = GetParam();
    const int step = everything() ? 1 : std::min(operations, sanitized ? 8 * tested.one_in : tested.one_in);
    int at = static_cast<int>(Random(seed() + std::hash<std::string>()(tested.name)).below(static_cast<std::size_t>(step)));
    fmt::print("{} operations of thread {}, every {} of them is tried, GSYNC_SEED={}\n", operations, thread, step, seed());
    int tried = 0;
    int missed = 0;
    // Until a run is over before the fault, so that none is left out.
    while (missed < 3) {
      if (stop_at(pair, thread, at)) {
        ++tried;
        // What survives is a matter of luck.
        for (std::uint64_t luck = 1; tested.event == Event::lose_power && everything() && luck < 8; ++luck) stop_at(pair, thread, at, luck);
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
  pair.reset();
  const auto operations = pair.run(tested.side, {Event::none, tested.kinds}).operations;
  EXPECT_GT(operations[0], 10) << "the sweep does not see the operations";
  EXPECT_EQ(operations.back(), 0) << "more threads than are told apart";
  for (int thread = 0; thread < most_threads; ++thread)
    if (const int all = operations[static_cast<std::size_t>(thread)]; all > 0) sweep(pair, thread, all);
}

std::vector<Case> cases() {
  std::vector<Case> result;
  const std::vector<std::pair<std::string, Scenario>> scenarios{
      {"FirstPull", {}},
      {"Pull", {.again = true, .records = true}},
      {"Push", {.operation = Operation::push, .again = true}},
      {"RecordsPull", {.again = true, .only_records = true}},
      {"FullPull", {.operation = Operation::full_pull}},
      {"FullPush", {.operation = Operation::full_push, .again = true}},
      {"Undo", {.operation = Operation::undo, .again = true}},
      {"RepairingPull", {.operation = Operation::full_pull, .again = true, .damaged = true}},
      {"Sync", {.operation = Operation::sync, .again = true, .records = true}},
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
  for (const auto& [scenario_name, scenario] : scenarios) {
    for (const auto side : {Side::initiator, Side::agent}) {
      if (scenario.operation == Operation::undo && side == Side::agent) continue;
      for (const auto& way : ways) {
        result.push_back(
            {scenario_name + (side == Side::initiator ? "" : "Agent") + way.name, scenario, side, way.event, way.kinds, way.one_in});
      }
    }
  }
  return result;
}

INSTANTIATE_TEST_SUITE_P(Of, Sweep, testing::ValuesIn(cases()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace gsync::test
