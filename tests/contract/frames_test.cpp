// Two Pi-holes, and a network that cuts, delays, swallows or doubles any frame of a run. SSH lets nothing come twice; that such a frame is
// not taken for another one is ours to show.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <thread>

#include "gsync/protocol/remote_node.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd_stream.hpp"
#include "support/campaign.hpp"
#include "support/frame_relay.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"
#include "support/two_nodes.hpp"

namespace gsync::test {
namespace {

using namespace std::chrono_literals;

enum class Operation : unsigned char { pull, push, full_pull, sync };

struct Case {
  std::string name;
  Operation run;
  FrameEvent event;
  bool of_agent;
};

void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

Household household() {
  HouseholdSize size;
  size.groups = 3;
  size.adlists = 3;
  size.domains = 14;
  size.clients = 4;
  size.gravity = 300;
  return realistic(5, size);
}

PiholeOptions pihole(const std::string& name, std::uint64_t numbering) {
  PiholeOptions options;
  options.name = name;
  options.gravity = GravityBuilder().household(household()).numbering(numbering);
  return options;
}

class Frames : public testing::TestWithParam<Case> {
 protected:
  static constexpr const char* agent_name = "ph1";

  static void SetUpTestSuite() { ::signal(SIGPIPE, SIG_IGN); }

  struct Ending {
    std::optional<Error> error;
    bool happened = false;
    std::array<int, 2> frames{};
  };

  /// Silence is noticed soon where there is some.
  static protocol::Limits limits(FrameEvent event) {
    protocol::Limits limits;
    if (event == FrameEvent::never) limits.idle = limits.quiet = limits.locked = limits.connect = 400ms;
    return limits;
  }

  Ending run(Operation which, const FrameFault& fault) {
    Ending ending;
    FrameRelay relay(fault);
    there_.reopen();
    here_.reopen();
    std::thread agent([&, fd = relay.take_agent()]() mutable {
      try {
        util::FdStream stream(std::move(fd));
        protocol::AgentOptions options;
        options.hello = hello_of(there_, "ph1");
        options.peer = "ph2";
        options.limits = limits(fault.event);
        protocol::serve(*there_.node, stream, options);
      } catch (const Error&) {
        // The client's error is what is looked at.
      }
    });
    try {
      protocol::RemoteNode peer(std::make_unique<util::FdStream>(relay.take_client()), agent_name, hello_of(here_, "ph2"),
                                limits(fault.event));
      sync::TwoWayOptions options;
      options.started_by = "a test";
      options.lock_deadline = 5s;
      options.full = which == Operation::full_pull;
      options.action = which == Operation::sync   ? model::Action::sync
                       : which == Operation::push ? model::Action::push
                                                  : model::Action::pull;
      if (which == Operation::sync)
        sync::synchronise(*here_.node, peer, options);
      else if (which == Operation::push)
        sync::replicate(*here_.node, peer, options);
      else
        sync::replicate(peer, *here_.node, options);
    } catch (const Error& error) {
      ending.error = error;
    }
    agent.join();
    ending.happened = relay.happened();
    ending.frames = {relay.frames(false), relay.frames(true)};
    return ending;
  }

  static protocol::Hello hello_of(const LocalFixture& node, const std::string& name) {
    return {protocol::protocol_version, "0.1.0", node.state->node_id(), name};
  }

  /// People edit, and every other time `pihole -g` has compiled.
  void edit(const LocalFixture& node) {
    const auto number = ++edits_;
    const auto& gravity = node.directory.gravity();
    const auto rows = fmt::format(
        "DELETE FROM domainlist WHERE domain LIKE 'edit-{0}-%' AND rowid % 3 = 0; INSERT INTO domainlist (type, domain) VALUES (1, "
        "'edit-{0}-{1}.example'); UPDATE client SET comment = '{0} {1}' "
        "WHERE id = (SELECT min(id) FROM client)",
        node.directory.options().name, number);
    if (number % 2 == 0) return execute(gravity, rows);
    const auto temporary = gravity + "_temp";
    std::filesystem::copy_file(gravity, temporary);
    execute(temporary, rows + fmt::format("; INSERT INTO gravity SELECT 'compiled-{}.example', min(adlist_id) FROM gravity; UPDATE info "
                                          "SET value = value + 60 WHERE property = 'updated'",
                                          number));
    std::filesystem::rename(temporary, gravity);
  }
  void edit_for(Operation which) {
    if (which != Operation::push) edit(there_);
    if (which == Operation::push || which == Operation::sync) edit(here_);
  }

  std::array<std::string, 2> contents() const { return {content_of(here_.directory.gravity()), content_of(there_.directory.gravity())}; }

  void run_whole(Operation which) {
    const auto ending = run(which, {});
    ASSERT_FALSE(ending.error) << ending.error->what();
  }

  /// False when the run was over before.
  bool fail_at(int at) {
    const auto& tested = GetParam();
    edit_for(tested.run);
    const auto before = contents();
    const auto ending = run(tested.run, {tested.event, tested.of_agent, at});
    SCOPED_TRACE(fmt::format("at frame {}: {}", at, ending.error ? ending.error->what() : "done"));
    const auto after = contents();
    EXPECT_TRUE(ending.happened || !ending.error);
    for (const auto* node : {&here_, &there_}) EXPECT_EQ(integrity(node->directory.gravity()), "ok");
    if (tested.event == FrameEvent::late) {
      EXPECT_FALSE(ending.error);
    }
    if (ending.error) ++refused_;
    const auto heal = run(tested.run == Operation::full_pull ? Operation::pull : tested.run, {});
    EXPECT_FALSE(heal.error) << "the next run: " << heal.error->what();
    const auto healed = contents();
    EXPECT_TRUE(healed[0] == healed[1]);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(after[i] == before[i] || after[i] == healed[i]) << (i == 0 ? "here" : "there") << " is neither old nor new";
      if (!ending.error) {
        EXPECT_TRUE(after[i] == healed[i]) << "it says that it is done";
      }
    }
    if (tested.run == Operation::push) {
      EXPECT_TRUE(before[0] == healed[0]) << "the source was changed";
    }
    if (tested.run == Operation::pull || tested.run == Operation::full_pull) {
      EXPECT_TRUE(before[1] == healed[1]) << "the source was changed";
    }
    for (const auto* node : {&here_, &there_}) {
      for (const auto& name : own_files(node->directory))
        EXPECT_TRUE(name == "lock" || name == "shadow.db" || name == "delta.db") << node->directory.options().name << " keeps " << name;
    }
    return ending.happened;
  }
  LocalFixture here_{pihole("ph2", 7)};
  LocalFixture there_{pihole("ph1", 0)};
  int edits_ = 0;
  int refused_ = 0;
};

TEST_P(Frames, LeaveBothPiholesOldOrNewAndTheNextRunHeals) {
  const auto& tested = GetParam();
  const auto seed = campaign_seed();
  SCOPED_TRACE(fmt::format("GSYNC_SEED={}", seed));
  ASSERT_NO_FATAL_FAILURE(run_whole(Operation::pull));
  if (tested.run == Operation::sync) {
    ASSERT_NO_FATAL_FAILURE(run_whole(Operation::sync));
  }
  int all = 0;
  for (int i = 0; i < 2; ++i) {
    edit_for(tested.run);
    const auto counted = run(tested.run, {});
    ASSERT_FALSE(counted.error) << counted.error->what();
    all = std::max(all, counted.frames[tested.of_agent ? 1 : 0]);
  }
  ASSERT_GT(all, 4) << "the relay does not see the frames";
  const int step = campaign() ? 1 : 6;
  const int first = static_cast<int>(Random(seed).below(static_cast<std::size_t>(std::min(step, all / 2))));
  int happened = 0;
  for (int at = first; at < all && (campaign() || !HasFailure()); at += step) happened += fail_at(at) ? 1 : 0;
  fmt::print("GSYNC_SEED={}: of {} frames every {} was tried, {} faults happened, {} runs ended with an error\n", seed, all, step, happened,
             refused_);
  // Half of the runs have less to say, because only rows have changed.
  EXPECT_GE(happened, all / step / 2);
}

std::vector<Case> cases() {
  const std::vector<std::pair<std::string, Operation>> runs{
      {"Pull", Operation::pull}, {"Push", Operation::push}, {"FullPull", Operation::full_pull}, {"Sync", Operation::sync}};
  const std::vector<std::pair<std::string, FrameEvent>> events{{"CutBefore", FrameEvent::cut_before}, {"CutWithin", FrameEvent::cut_within},
                                                               {"CutAfter", FrameEvent::cut_after},   {"Late", FrameEvent::late},
                                                               {"Never", FrameEvent::never},          {"Twice", FrameEvent::twice}};
  std::vector<Case> all;
  for (const auto& [run_name, run] : runs)
    for (const bool of_agent : {false, true})
      for (const auto& [event_name, event] : events)
        all.push_back({run_name + (of_agent ? "Agent" : "Client") + event_name, run, event, of_agent});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Of, Frames, testing::ValuesIn(cases()), [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace gsync::test
