// Edits on Pi-holes whose daemons follow each other, and what those who ask for names see of it.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>

#include "e2e/fleet.hpp"
#include "gsync/util/fd.hpp"
#include "support/ftl_gravity_run.hpp"
#include "support/gravity_editor.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class DaemonEdits : public TwoNodesTest {};

/// So many edits of a person on the first node, each served by all before the next.
void edit(Fleet& fleet, const std::string& words, int count) {
  std::vector<std::chrono::milliseconds> times;
  for (int i = 0; i < count; ++i) {
    const auto domain = fmt::format("{}{}.example", words.substr(0, words.find(' ')), i);
    const auto time = time_until_served(fleet, fleet[0], domain);
    ASSERT_TRUE(time) << domain << " is not served everywhere\n" << fleet.logs();
    times.push_back(*time);
    // One at a time: what comes right behind another is served by the same run.
    if (campaign()) std::this_thread::sleep_for(std::chrono::milliseconds(1000 + 7 * i));
  }
  figure("{}: {} edits, each served by {} nodes after p50 {} ms, p95 {} ms, at most {} ms", words, count, fleet.size(),
         percentile(times, 50).count(), percentile(times, 95).count(), percentile(times, 100).count());
}

void expect_edits_served(std::size_t nodes) {
  Fleet fleet(nodes);
  fleet.follow_the_first();
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step());
  FleetProbe probe(fleet);
  edit(fleet, fmt::format("among{} nodes", nodes), campaign() ? 50 : 6);
  EXPECT_TRUE(probe.right());
  ASSERT_TRUE(fleet.in_step());
  EXPECT_TRUE(fleet.same());
}

TEST_F(DaemonEdits, AreServedByTheOtherNodeAndNoLookupIsAnsweredWronglyMeanwhile) {
  expect_edits_served(2);
}

TEST_F(DaemonEdits, AreServedByFourOtherNodesAndNoLookupIsAnsweredWronglyMeanwhile) {
  expect_edits_served(5);
}

/// Takes no connection and no packet: its queue is full.
class BlackHole {
 public:
  BlackHole() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    EXPECT_EQ(::getsockname(listener_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
    for (auto& fd : queue_) {
      fd = util::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(fd.get(), generic, size);
    }
  }
  std::uint16_t port() const { return port_; }

 private:
  util::Fd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::array<util::Fd, 4> queue_;
  std::uint16_t port_ = 0;
};

TEST_F(DaemonEdits, ArriveAsBeforeWhenOtherPeersAreBroken) {
  const int count = campaign() ? 50 : 4;
  Fleet fleet(2);
  fleet.follow_the_first();
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step());
  edit(fleet, "alone", count);

  // One that packets vanish on the way to, one that refuses, one whose agent never answers.
  BlackHole hole;
  Sshd other;
  auto& node = fleet[1];
  auto peers = node.peers;
  peers.push_back(fmt::format("[[peer]]\nname = \"hole\"\nhost = \"127.0.0.1\"\nport = {}\nconnect_timeout_seconds = 2\n", hole.port()));
  peers.emplace_back("[[peer]]\nname = \"off\"\nhost = \"127.0.0.1\"\nport = 1\n");
  peers.push_back(
      fmt::format("[[peer]]\nname = \"silent\"\nhost = \"127.0.0.1\"\nport = {}\nuser = {}\nidentity = {}\nconnect_timeout_seconds = 2\n"
                  "remote_command = \"sleep 600\"\n",
                  other.port(), toml_string(other.user()), toml_string(other.client_key())));
  const auto known = node.pihole.state() + "/known_hosts";
  write_text(known, read_text(known) + other.known_hosts_line(), 0600);
  node.pihole.set_peers(peers);
  node.daemon->signal(SIGHUP);
  for (const std::string name : {"hole", "off", "silent"})
    ASSERT_TRUE(node.daemon->wait_for([](const auto& peer) { return peer.failure.has_value(); }, name));
  ASSERT_TRUE(fleet.in_step());
  const auto failures = [&](const std::string& name) { return node.daemon->peer(name).failures; };
  const auto before = failures("hole");
  FleetProbe probe(fleet);
  edit(fleet, "beside broken peers", count);
  EXPECT_TRUE(probe.right());
  ASSERT_TRUE(DaemonProcess::poll([&] { return failures("hole") > before; })) << "it is tried all the time";
  ASSERT_TRUE(fleet.in_step());
  EXPECT_TRUE(fleet.same());
}

/// What `pihole -g` does to the files: the lists as they are at its start, compiled anew, moved to the place of live at its end.
class GravityRun {
 public:
  GravityRun(const PiholeDirectory& pihole, const std::string& domain) : live_(pihole.gravity()), temporary_(live_ + "_temp") {
    execute(live_, fmt::format("VACUUM INTO '{}'", temporary_));
    execute(temporary_, fmt::format("INSERT INTO gravity SELECT '{}', min(adlist_id) FROM gravity", domain));
    execute(temporary_, "UPDATE info SET value = value + 60 WHERE property = 'updated'");
  }
  /// It still writes.
  void go_on() const { std::filesystem::last_write_time(temporary_, std::filesystem::file_time_type::clock::now()); }
  void end() const { swap_gravity(std::filesystem::path(live_).parent_path(), temporary_); }

 private:
  std::string live_;
  std::string temporary_;
};

TEST_F(DaemonEdits, GoOnWhileGravityIsCompiledAndSwappedOnBothNodes) {
  Fleet fleet(2);
  fleet.follow_the_first();
  fleet.start_ftls();
  fleet.start_daemons();
  ASSERT_TRUE(fleet.in_step());
  FleetProbe probe(fleet);
  GravityEditor editor(fleet[0].pihole.gravity(), 5);
  const auto await_edits = [&](std::uint64_t more) {
    const auto now = editor.counts().edits;
    return DaemonProcess::poll([&] { return editor.counts().edits >= now + more; });
  };
  for (int round = 0; round < (campaign() ? 20 : 2); ++round) {
    ASSERT_TRUE(await_edits(5));
    GravityRun of_target(fleet[1].pihole, fmt::format("target-compiled-{}.example", round));
    GravityRun of_source(fleet[0].pihole, fmt::format("source-compiled-{}.example", round));
    ASSERT_TRUE(DaemonProcess::poll([&] {
      of_target.go_on();
      of_source.go_on();
      return fleet[0].daemon->status().gravity_running && fleet[1].daemon->status().gravity_running;
    }));
    ASSERT_TRUE(await_edits(10));
    const auto& first = round % 2 == 0 ? of_target : of_source;
    const auto& second = round % 2 == 0 ? of_source : of_target;
    first.end();
    second.go_on();
    ASSERT_TRUE(await_edits(5));
    second.end();
  }
  editor.stop();
  ASSERT_TRUE(time_until_served(fleet, fleet[0], "after.example")) << fleet.logs();
  EXPECT_TRUE(probe.right());
  ASSERT_TRUE(fleet.in_step());
  EXPECT_TRUE(fleet.same());
  EXPECT_TRUE(fleet[1].serves("source-compiled-1.example"));
}

TEST_F(DaemonEdits, ThatEachOfSeveralGravityRunsLosesComeBackWhileThePeerIsAway) {
  const auto fleet = star(2);
  auto &middle = (*fleet)[0], &away = (*fleet)[1];
  ASSERT_TRUE(fleet->in_step());
  const auto peers = away.peers;
  away.pihole.set_peers({"[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\nport = 1\nmode = \"sync\"\n"});
  away.daemon->signal(SIGHUP);
  ASSERT_TRUE(away.daemon->wait_for([](const auto& peer) { return peer.failure.has_value(); }, "ph1"));

  for (int run = 1; run <= 2; ++run) {
    const auto domain = fmt::format("edited-in-run{}.example", run);
    const GravityRun gravity(away.pihole, fmt::format("compiled{}.example", run));
    execute(away.pihole.gravity(), fmt::format("INSERT INTO domainlist (type, domain) VALUES (1, '{}')", domain));
    gravity.end();
    // FTL may serve what was moved away for a moment yet.
    const auto there = fmt::format("SELECT count(*) FROM domainlist WHERE domain='{}'", domain);
    ASSERT_TRUE(DaemonProcess::poll([&] { return number(away.pihole.gravity(), there) == 1; })) << domain << "\n" << away.daemon->log();
  }

  away.pihole.set_peers(peers);
  away.daemon->signal(SIGHUP);
  ASSERT_TRUE(DaemonProcess::poll([&] { return middle.serves("edited-in-run1.example") && middle.serves("edited-in-run2.example"); }))
      << fleet->logs();
  ASSERT_TRUE(fleet->in_step());
  EXPECT_TRUE(fleet->same());
}

}  // namespace
}  // namespace gsync::test
