// Hosts whose clocks are hours apart, and are set forward and back by people, by NTP and by empty batteries, while everybody edits.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "e2e/fleet.hpp"
#include "gsync/util/text.hpp"
#include "support/paths.hpp"
#include "support/resident.hpp"
#include "support/simulated_clock_test.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t hour = 3'600;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t year = 365 * day;
constexpr std::int64_t end_of_32_bits = 2'147'483'647;  // on 2038-01-19

/// A Pi-hole with a clock of its own, and somebody who lives there.
struct Host {
  Host(FleetNode& its_node, std::uint64_t seed) : node(its_node), resident("resident-of-" + node.name(), seed) {}

  std::string id() const { return value(node.pihole.state() + "/state.db", "SELECT value FROM value WHERE name = 'node_id'"); }

  FleetNode& node;
  SimulatedClock clock;
  Resident resident;
};

class ClockJumps : public SimulatedClockTest {
 protected:
  void start() {
    // Each is hours off the others from its daemon's first moment on.
    constexpr std::array<std::int64_t, 3> ahead{0, 5 * hour, -7 * hour};
    fleet_ = star(ahead.size(), false, [&](FleetNode& node) {
      auto& host = *hosts_.emplace_back(std::make_unique<Host>(node, seed_ + 1 + hosts_.size()));
      host.clock.set_date(host.clock.date() + ahead.at(hosts_.size() - 1));
      node.through = host.clock.through();
    });
    ASSERT_TRUE(fleet_->in_step());
    probe_ = std::make_unique<FleetProbe>(*fleet_, 0);
  }

  // --- time

  /// So much time for everybody, as fast as all sides can say that they are still there.
  void pass(std::chrono::milliseconds time, std::chrono::milliseconds step = 1s) {
    for (auto left = time; left > 0ms; left -= step) {
      for (auto& host : hosts_) host->clock.pass(std::min(left, step));
      std::this_thread::sleep_for(10ms);
    }
  }
  void set_date(Host& host, std::int64_t date) {
    host.clock.set_date(date);
    told_ += fmt::format("{}: it is {}\n", host.node.name(), util::human_time(date));
    ++jumps_;
  }
  std::int64_t some_date(const Host& host) {
    const auto now = host.clock.date();
    const auto some = [&](std::int64_t most) { return static_cast<std::int64_t>(random_.below(static_cast<std::size_t>(most))); };
    switch (random_.below(6)) {
      case 0:
        return now + hour + some(3 * day);
      case 1:
        return std::max(now - day - some(30 * day), hour);
      case 2:
        return 10 + some(2 * hour);
      case 3:
        return end_of_32_bits - 30 + some(60);
      case 4:
        return end_of_32_bits + 1 + some(7 * year);
      default:
        return std::time(nullptr) - 12 * hour + some(day);
    }
  }
  void jump() {
    auto& host = somebody();
    set_date(host, some_date(host));
  }

  // --- people

  Host& somebody() { return *hosts_[random_.below(hosts_.size())]; }
  std::size_t number_of(const Host& host) const {
    return static_cast<std::size_t>(std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& each) { return each.get() == &host; }) -
                                    hosts_.begin());
  }
  /// The rows and the file get the dates of that host.
  void edit(Host& host, const std::function<void()>& commit) {
    told_ += fmt::format("{}: an edit\n", host.node.name());
    const SqlDateOff dates(host.clock.ahead());
    probe_->spare(number_of(host), commit);
    const std::array<timespec, 2> times{timespec{host.clock.date(), 0}, timespec{host.clock.date(), 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, host.node.pihole.gravity().c_str(), times.data(), 0), 0);
    ++edits_;
  }
  void edit(Host& host) {
    edit(host, [&] { host.resident.edit(host.node.pihole.gravity()); });
  }
  void edit(Host& host, const std::string& sql) {
    edit(host, [&] {
      for (const auto deadline = util::Deadline::in(1min); !deadline.passed();) {
        Sql database(host.node.pihole.gravity(), Sql::Mode::read_write, 0ms);
        if (database.try_execute("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; " + sql + "; COMMIT") == 0) return;
      }
      ADD_FAILURE() << sql;
    });
  }
  /// No run may be under way: who sets records and who saves in the web page would undo each other's work.
  void save(Host& host, const std::function<void(std::vector<std::string>&)>& change) {
    auto settings = host.node.pihole.settings();
    change(settings.dns_hosts);
    host.node.pihole.save(settings);
    ++edits_;
  }
  void run_gravity() {
    auto& host = somebody();
    told_ += fmt::format("{}: pihole -g\n", host.node.name());
    pass(2s);  // what was edited before and what is edited after it never have one date
    auto argv = host.node.through;
    argv.insert(argv.end(), {host.node.pihole.pihole_command(), "-g"});
    const auto result = util::run({.argv = argv}, util::Deadline::in(1min));
    ASSERT_EQ(result.exit_code, 0) << result.errors;
  }
  CommandResult run(const Host& host, const std::vector<std::string>& arguments) {
    auto result = run_here(host.node, arguments);
    EXPECT_EQ(result.exit_code, 0) << fmt::format("gravity-sync {} on {}: {}", fmt::join(arguments, " "), host.node.name(), result.errors);
    return result;
  }
  void act() {
    switch (random_.below(8)) {
      case 0:
      case 1:
        return jump();
      case 2:
        return pass(std::chrono::seconds(1 + random_.below(20)));
      case 3:
        return random_.one_in(3) ? run_gravity() : edit(somebody());
      default:
        return edit(somebody());
    }
  }

  // --- what must be true

  /// Whatever was edited has arrived, on clocks that go five times as fast. An agent that served before its daemon was there tells nobody
  /// of edits; these are noticed at the interval.
  void settle() {
    std::chrono::milliseconds passed{0};
    const auto arrived = [&] {
      const bool late = passed > 30s;
      const std::chrono::milliseconds time = late ? 5s : 500ms;
      pass(time, late ? 200ms : 50ms);
      passed += time;
      return same_records() && static_cast<bool>(fleet_->same());
    };
    ASSERT_TRUE(DaemonProcess::poll(arrived)) << passed.count() << " ms have passed\n" << fleet_->same() << all_told();
    ASSERT_TRUE(fleet_->in_step()) << all_told();
    for (const auto& host : hosts_) {
      for (const auto& other : hosts_) ASSERT_EQ(other->resident.wrong(host->node.pihole.gravity()), "") << host->node.name() << all_told();
      ASSERT_EQ(integrity(host->node.pihole.state() + "/state.db"), "ok");
    }
  }
  bool same_records() const {
    return std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& host) {
      return host->node.pihole.settings().dns_hosts == hosts_.front()->node.pihole.settings().dns_hosts;
    });
  }
  std::string all_told() const {
    auto text = "\n" + told_ + fleet_->logs();
    for (const auto& host : hosts_) text += run_here(host->node, {"history", "--rows", "--limit", "12"}).output;
    return text;
  }
  bool all_deny(const std::string& domain) const {
    return std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& host) { return denies(host->node.pihole, domain); });
  }

  /// What somebody adds is blocked on the others, whose FTL has to take what was published.
  void expect_edits_to_be_served() {
    auto& host = somebody();
    const auto domain = fmt::format("served{}.example", edits_);
    edit(host, denial(domain));
    ASSERT_NO_FATAL_FAILURE(settle());
    for (const auto& other : hosts_) {
      if (other.get() != &host) {
        EXPECT_TRUE(DaemonProcess::poll([&] { return other->node.serves(domain); })) << other->node.name() << all_told();
      }
    }
  }
  static std::string denial(const std::string& domain) {
    return fmt::format("INSERT INTO domainlist (type, domain, comment) VALUES (1, '{}', 'before')", domain);
  }

  /// The same rows and the same record edited on two hosts that do not hear of each other meanwhile.
  void contradict() {
    auto& first = *hosts_.front();
    auto& second = *hosts_[1 + random_.below(hosts_.size() - 1)];
    const auto number = edits_;
    const auto both = fmt::format("both{}.example", number);
    const auto gone = fmt::format("gone{}.example", number);
    const auto record = [&](const std::string& network) { return fmt::format("{}.{} clash{}.lan", network, number % 250 + 1, number); };
    edit(somebody(), denial(both) + ";" + denial(gone));
    ASSERT_NO_FATAL_FAILURE(settle());
    for (std::size_t i = 1; i < hosts_.size(); ++i) run(*hosts_[i], {"pause", first.node.name()});
    const auto edit_of = [&](const Host& host) { return fmt::format("edit {} of {}", number, host.node.name()); };
    const auto change = [&](const Host& host, const std::string& domain) {
      return fmt::format("UPDATE domainlist SET comment = '{}' WHERE domain = '{}'", edit_of(host), domain);
    };
    // Who comes first, and by which clock, says nothing.
    const bool turned = random_.one_in(2);
    auto& one = turned ? second : first;
    auto& other = turned ? first : second;
    edit(one, change(one, both) + ";" + change(one, gone));
    jump();
    edit(other, fmt::format("{}; DELETE FROM domainlist_by_group WHERE domainlist_id = (SELECT id FROM domainlist WHERE domain = '{}'); "
                            "DELETE FROM domainlist WHERE domain = '{}'",
                            change(other, both), gone, gone));
    jump();
    save(first, [&](auto& hosts) { hosts.push_back(record("10.1.0")); });
    save(second, [&](auto& hosts) { hosts.push_back(record("10.2.0")); });
    for (std::size_t i = 1; i < hosts_.size(); ++i) run(*hosts_[i], {"resume", first.node.name()});
    ASSERT_NO_FATAL_FAILURE(settle());
    // No date decides: the edit of the node with the lower id stays, and an edit beats a deletion.
    const auto& winner = first.id() < second.id() ? first : second;
    const auto& loser = &winner == &first ? second : first;
    const std::string kept = &winner == &first ? record("10.1.0") : record("10.2.0");
    const std::string lost = &winner == &first ? record("10.2.0") : record("10.1.0");
    for (const auto& host : hosts_) {
      const auto comment = [&](const std::string& domain) {
        return value(host->node.pihole.gravity(), fmt::format("SELECT comment FROM domainlist WHERE domain = '{}'", domain));
      };
      EXPECT_EQ(comment(both), edit_of(winner)) << host->node.name();
      EXPECT_EQ(comment(gone), edit_of(one)) << host->node.name();
      const auto lines = host->node.pihole.settings().dns_hosts;
      EXPECT_EQ(std::count(lines.begin(), lines.end(), kept), 1) << host->node.name();
      EXPECT_EQ(std::count(lines.begin(), lines.end(), lost), 0) << host->node.name();
    }
    for (const auto* host : {&first, &second}) {
      expect_conflict(*host, both, edit_of(loser));
      expect_conflict(*host, gone, "deleted");
      expect_conflict(*host, fmt::format("clash{}.lan", number), lost);
    }
    contradictions_ += 3;
  }
  void expect_conflict(const Host& host, const std::string& subject, const std::string& lost) {
    int found = 0;
    for (const auto& run : history_of(host.node, {"--conflicts"}))
      for (const auto& conflict : run.at("conflicts")) {
        if (!contains(conflict.at("subject").get<std::string>(), subject)) continue;
        EXPECT_EQ(conflict.at("lost"), lost) << subject << " on " << host.node.name();
        ++found;
      }
    EXPECT_EQ(found, 1) << subject << " on " << host.node.name();
  }

  /// A change that has come from elsewhere is undone, and brought back, each after the clock was set back.
  void undo() {
    auto& host = somebody();
    auto& other = *hosts_[(number_of(host) + 1) % hosts_.size()];
    const auto domain = fmt::format("undone{}.example", edits_);
    edit(other, denial(domain));
    ASSERT_NO_FATAL_FAILURE(settle());
    set_date(host, std::max(host.clock.date() - 10 * day, hour));
    run(host, {"undo"});
    EXPECT_FALSE(denies(host.node.pihole, domain)) << "the last change was another one";
    ASSERT_NO_FATAL_FAILURE(settle());
    EXPECT_TRUE(std::none_of(hosts_.begin(), hosts_.end(), [&](const auto& each) { return denies(each->node.pihole, domain); }));
    const auto versions = nlohmann::json::parse(run(host, {"restore", "--json"}).output).at("versions");
    std::vector<std::int64_t> ids;
    for (const auto& version : versions) ids.push_back(version.at("id").get<std::int64_t>());
    EXPECT_TRUE(std::is_sorted(ids.rbegin(), ids.rend())) << versions.dump();
    set_date(host, std::max(host.clock.date() - day, hour));
    run(host, {"restore", std::to_string(ids.at(0))});
    ASSERT_NO_FATAL_FAILURE(settle());
    EXPECT_TRUE(all_deny(domain));
  }

  /// The middle does not answer. However the clocks are set meanwhile, the others go on trying, and not too often.
  void lose_the_middle() {
    auto& middle = *hosts_.front();
    const auto failures = [&] {
      std::vector<std::uint64_t> counts;
      for (std::size_t i = 1; i < hosts_.size(); ++i) counts.push_back(hosts_[i]->node.daemon->peer(middle.node.name()).failures);
      return counts;
    };
    const auto before = failures();
    middle.node.sshd.stop();
    for (std::size_t i = 1; i < hosts_.size(); ++i)
      ASSERT_TRUE(hosts_[i]->node.daemon->wait_for([&](const auto& peer) { return peer.failures > before[i - 1]; })) << all_told();
    edit(*hosts_[1]);
    for (int i = 0; i < 5; ++i) {
      for (auto& host : hosts_) set_date(*host, some_date(*host));
      pass(2min);
    }
    const auto after = failures();
    for (std::size_t i = 0; i < after.size(); ++i) {
      // From one second on twice as long each time, and from five minutes on as long as that, and half of it by chance.
      EXPECT_GE(after[i] - before[i], 3u) << "it waits for ever" << all_told();
      EXPECT_LE(after[i] - before[i], 30u) << "it does not wait" << all_told();
    }
    middle.node.sshd.start_again();
    // What takes a moment takes seconds of theirs.
    const auto connected = [&] {
      return std::all_of(hosts_.begin() + 1, hosts_.end(),
                         [&](const auto& host) { return host->node.daemon->peer(middle.node.name()).connected_since != 0; });
    };
    for (int seconds = 0; seconds < 310 && !connected(); ++seconds) pass(1s, 200ms);
    EXPECT_TRUE(connected()) << "five minutes have passed" << all_told();
    ASSERT_NO_FATAL_FAILURE(settle());
  }

  /// A computer without a battery starts in 1970 until it has asked for the time.
  void reboot() {
    auto& host = somebody();
    host.node.daemon->signal(random_.one_in(2) ? SIGTERM : SIGKILL);
    ASSERT_TRUE(host.node.daemon->ended());
    edit(*hosts_[(number_of(host) + 1) % hosts_.size()]);
    set_date(host, 10 + static_cast<std::int64_t>(random_.below(60)));
    host.node.daemon->start();
    edit(host);
    if (random_.one_in(2)) {
      ASSERT_NO_FATAL_FAILURE(settle());
    }
    set_date(host, std::time(nullptr));
    ASSERT_NO_FATAL_FAILURE(settle());
  }

  /// Nobody edits: each peer is looked at once for each interval, whatever the clocks do, and that is all.
  void be_quiet() {
    struct Counts {
      std::vector<std::uint64_t> checks;
      std::uint64_t others = 0;  // syncs and failures
      std::chrono::nanoseconds cpu{0};
    };
    const auto look = [&] {
      Counts counts;
      for (std::size_t i = 0; i < hosts_.size(); ++i) {
        const auto& daemon = *hosts_[i]->node.daemon;
        counts.cpu += daemon.cpu_time();
        if (i == 0) continue;
        const auto peer = daemon.peer(hosts_.front()->node.name());
        counts.checks.push_back(peer.checks);
        counts.others += peer.syncs + peer.failures;
      }
      return counts;
    };
    constexpr auto interval = 5min;
    // What the last publishes have set off is over.
    pass(1min);
    const auto before = look();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i) {
      jump();
      pass(interval / 2);
    }
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
    const auto after = look();
    for (std::size_t i = 0; i < after.checks.size(); ++i) {
      EXPECT_GE(after.checks[i] - before.checks[i], 1u) << "nobody looks" << all_told();
      EXPECT_LE(after.checks[i] - before.checks[i], 4u) << all_told();
    }
    EXPECT_EQ(after.others, before.others) << all_told();
    // Most of it is the simulation's own, which looks at its clock 200 times a second in each of nine processes.
    const auto share = std::chrono::duration<double>(after.cpu - before.cpu) / took;
    most_busy_ = std::max(most_busy_, share);
    EXPECT_LT(share, 0.5) << all_told();
  }

  /// Lines of other times stand between each other, and a question about a time gets those of it.
  void expect_history_to_answer(const Host& host) {
    const auto all = history_of(host.node);
    ASSERT_FALSE(all.empty());
    const auto time_of = [](const nlohmann::json& run) { return run.at("time").get<std::int64_t>(); };
    for (std::size_t i = 1; i < all.size(); ++i) EXPECT_GT(all[i - 1].at("id"), all[i].at("id"));
    const auto ids_since = [&](std::int64_t since) {
      std::set<std::int64_t> ids;
      for (const auto& run : all)
        if (time_of(run) >= since) ids.insert(run.at("id").get<std::int64_t>());
      return ids;
    };
    const auto answer = [&](const std::string& since) {
      std::set<std::int64_t> ids;
      for (const auto& run : history_of(host.node, {"--since", since})) ids.insert(run.at("id").get<std::int64_t>());
      return ids;
    };
    for (const auto since : {time_of(all[random_.below(all.size())]), std::int64_t{day}, end_of_32_bits + 1})
      EXPECT_EQ(answer(util::human_time(since)), ids_since(since)) << host.node.name() << " since " << util::human_time(since);
    for (const std::int64_t hours : {2, 48}) {
      const auto most = ids_since(host.clock.date() - hours * hour);
      const auto told = answer(fmt::format("{}h", hours));
      const auto least = ids_since(host.clock.date() - hours * hour);
      EXPECT_TRUE(std::includes(most.begin(), most.end(), told.begin(), told.end())) << host.node.name() << " since " << hours;
      EXPECT_TRUE(std::includes(told.begin(), told.end(), least.begin(), least.end())) << host.node.name() << " since " << hours;
    }
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"history"}, {"restore"}, {"status"}, {"compare"}}) {
      if (arguments.front() != "compare" || &host != hosts_.front().get()) run(host, arguments);
    }
  }

  /// Nothing was a contradiction but what was made to be one.
  void expect_no_other_conflict() {
    const std::vector<std::string> made{"both", "gone", "clash"};
    for (const auto& host : hosts_)
      for (const auto& run : history_of(host->node, {"--conflicts"}))
        for (const auto& conflict : run.at("conflicts")) {
          const auto subject = conflict.at("subject").get<std::string>();
          EXPECT_TRUE(std::any_of(made.begin(), made.end(), [&](const auto& word) { return contains(subject, word); }))
              << host->node.name() << ": " << conflict.dump() << all_told();
        }
  }

  std::unique_ptr<Fleet> fleet_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::unique_ptr<FleetProbe> probe_;
  std::string told_;
  std::uint64_t edits_ = 0;
  int jumps_ = 0;
  int contradictions_ = 0;
  double most_busy_ = 0;
};

TEST_F(ClockJumps, OnHostsThatAllEditNothingIsLostAndNothingGetsStuck) {
  SCOPED_TRACE(fmt::format("GSYNC_SEED={}", seed_));
  ASSERT_NO_FATAL_FAILURE(start());
  const auto begin = std::chrono::steady_clock::now();
  const std::array<std::function<void()>, 5> steps{[this] { contradict(); }, [this] { undo(); }, [this] { reboot(); },
                                                   [this] { lose_the_middle(); }, [this] { be_quiet(); }};
  const int rounds = campaign() ? 60 : static_cast<int>(steps.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t left = 3 + random_.below(6); left > 0; --left) {
      ASSERT_NO_FATAL_FAILURE(act());
      // The moment is what is random; nothing is waited for.
      std::this_thread::sleep_for(std::chrono::milliseconds(random_.below(campaign() ? 400 : 100)));
    }
    ASSERT_NO_FATAL_FAILURE(settle());
    told_ = fmt::format("round {}\n", round);
    ASSERT_NO_FATAL_FAILURE(steps.at(static_cast<std::size_t>(round) % steps.size())());
    expect_history_to_answer(somebody());
    if (HasFailure()) FAIL() << all_told();
    if (campaign() && (round + 1) % 10 == 0) fmt::print("{} rounds: {} edits, {} jumps\n", round + 1, edits_, jumps_);
  }
  ASSERT_NO_FATAL_FAILURE(expect_edits_to_be_served());
  for (const auto& host : hosts_) expect_history_to_answer(*host);
  expect_no_other_conflict();
  EXPECT_TRUE(probe_->right());
  figure(
      "seed {}: {} jumps of three clocks during {} edits, {} contradictions, {} questions in {} s; the daemons took at most {:.1f} % of "
      "a core while nobody edited",
      seed_, jumps_, edits_, contradictions_, probe_->asked(),
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count(), most_busy_ * 100);
}

}  // namespace
}  // namespace gsync::test
