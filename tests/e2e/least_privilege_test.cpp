// What a peer, another user of the host or somebody who looks at the wrong moment does not get.

#include <fmt/format.h>
#include <grp.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "../src/daemon/sockets.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/util/fd_stream.hpp"
#include "support/daemon_process.hpp"
#include "support/ftl_process.hpp"
#include "support/in_child.hpp"
#include "support/paths.hpp"
#include "support/sanitizer.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

constexpr uid_t owner = 54'331;
constexpr uid_t other_user = 54'341;

class LeastPrivilege : public TwoNodesTest {};

// --- an agent that may only read

/// The program itself as an agent, and a client that can be told to send anything.
class Agent {
 public:
  explicit Agent(const PiholeDirectory& pihole) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no socket pair");
    ours_ = util::Fd(ends[0]);
    const util::Fd theirs(ends[1]);
    std::vector<std::string> words{paths::binary, "--config", pihole.config(), "agent", "--peer", "ph2", "--read-only"};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
    const int failed = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("the agent cannot be started");
    const protocol::Hello hello{protocol::protocol_version, "0.1.0", std::string(32, 'c'), "ph2"};
    client.emplace(std::make_unique<util::FdStream>(std::move(ours_)), "ph1", hello, protocol::Limits{});
  }
  ~Agent() {
    client.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  std::optional<protocol::RemoteNode> client;

 private:
  util::Fd ours_;
  pid_t pid_ = -1;
};

/// Every file with its times and all its bytes.
std::string everything_below(const std::string& directory) {
  std::string all;
  for (const auto& line : files_below({directory})) all += line + "\n";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) all += entry.path().string() + "\n" + read_text(entry.path()) + "\n";
  return all;
}

struct Attempt {
  std::string name;
  std::function<void(model::Node&)> send;
};

/// Each message that changes something, as a client sends it that has not asked before what it may.
std::vector<Attempt> attempts(const model::Digests& digests) {
  const auto denied = [](const std::string& domain) {
    model::RowChange row;
    row.key = {model::Table::domain, model::kind::deny_exact, domain};
    row.after.emplace();
    row.after->groups = {model::default_group_key()};
    return row;
  };
  model::Change rows;
  rows.source = "ph2";
  rows.expected = digests;
  rows.force = true;
  rows.rows = {denied("stolen.example")};
  model::Change records = rows;
  records.rows = {};
  records.records[model::index_of(model::RecordKind::dns)] = {{"192.0.2.1 bank.example"}};
  model::Change compiled = rows;
  compiled.action = model::Action::push;
  model::Intent intent;
  intent.id = std::string(32, 'd');
  intent.expected = digests;
  intent.rows = rows.rows;
  model::Settlement settlement;
  settlement.id = intent.id;
  settlement.peer = {std::string(32, 'c'), "ph2"};
  const std::string pair(32, 'c');
  return {
      {"rows", [=](model::Node& node) { node.apply(rows, nullptr, nullptr); }},
      {"a push", [=](model::Node& node) { node.apply(compiled, nullptr, nullptr); }},
      {"records", [=](model::Node& node) { node.apply(records, nullptr, nullptr); }},
      {"a note", [](model::Node& node) { node.note({}); }},
      {"an intent", [=](model::Node& node) { node.intend(pair, intent); }},
      {"catching up", [=](model::Node& node) { node.catch_up(pair); }},
      {"a settlement", [=](model::Node& node) { node.settle(pair, settlement); }},
      {"forgetting an intent", [=](model::Node& node) { node.forget(pair, false); }},
      {"forgetting all", [=](model::Node& node) { node.forget(pair, true); }},
  };
}

TEST_F(LeastPrivilege, AnAgentThatMayOnlyReadChangesNotOneByteWhateverItIsSent) {
  PiholeDirectory pihole(small_pihole("ph1", 0, small_household()));
  model::Digests digests;
  {
    // What a node that is read from keeps for itself, its lock and its shadow, is there afterwards.
    Agent first(pihole);
    digests = first.client->lock(util::Deadline::in(std::chrono::seconds(60))).digests;
    first.client->blocklist();
  }
  const auto before = everything_below(pihole.root());
  for (const bool locked : {false, true}) {
    for (const auto& attempt : attempts(digests)) {
      SCOPED_TRACE(attempt.name + (locked ? " under the lock" : ""));
      Agent agent(pihole);
      // lock() tells the client that it may not write; from then on it keeps its notes to itself.
      if (locked && attempt.name != "a note") agent.client->lock(util::Deadline::in(std::chrono::seconds(60)));
      try {
        attempt.send(*agent.client);
        ADD_FAILURE() << "it was taken";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::refused) << error.what();
        EXPECT_TRUE(contains(error.what(), "read-only")) << error.what();
      }
    }
  }
  {
    Agent agent(pihole);
    model::Change whole;
    whole.source = "ph2";
    whole.expected = digests;
    whole.force = whole.whole_copy = true;
    whole.copy_bytes = 4096;
    class Zeros final : public util::ByteReader {
     public:
      std::size_t read(std::span<std::byte> buffer) override {
        const auto n = std::min(buffer.size(), left_);
        std::fill_n(buffer.begin(), n, std::byte{0});
        left_ -= n;
        return n;
      }

     private:
      std::size_t left_ = 4096;
    };
    Zeros zeros;
    EXPECT_THROW(agent.client->apply(whole, nullptr, &zeros), Error) << "a whole database";
  }
  EXPECT_TRUE(everything_below(pihole.root()) == before);
}

// --- what is made is never open to others

struct Creation {
  unsigned mode = 0;
  std::string path;
};

std::vector<Creation> creations_in(const std::string& log) {
  std::vector<Creation> all;
  std::istringstream lines(read_text(log));
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.find(' ');
    all.push_back({static_cast<unsigned>(std::stoul(line.substr(0, space), nullptr, 8)), line.substr(space + 1)});
  }
  return all;
}

TEST_F(LeastPrivilege, NoFileIsOpenToOthersForAMomentBeforeItsModeIsRight) {
  if (sanitized) GTEST_SKIP() << "a sanitizer wants to be loaded before all others";
  TempDirectory directory;
  const auto log = directory / "creations";
  write_text(log, "", 0666);
  TwoNodesOptions options;
  options.sshd.environment = {{"LD_PRELOAD", paths::creations}, {"GSYNC_CREATIONS", log}};
  TwoNodes nodes(options);
  std::filesystem::remove(nodes.known_hosts());
  PeerOptions peer;
  peer.remote_command = "umask 0; exec " + nodes.agent_command();
  nodes.set_peer(peer);
  const auto run = [&](const std::string& words) {
    util::Command command{.argv = {"/bin/sh", "-c", "umask 0; exec \"$0\" --config \"$1\" " + words, paths::binary, nodes.ph2.config()}};
    command.environment = {{"PATH", nodes.ph2.path_variable()}, {"LD_PRELOAD", paths::creations}, {"GSYNC_CREATIONS", log}};
    return util::run(command, util::Deadline::in(std::chrono::seconds(120)));
  };
  EXPECT_TRUE(succeeded(run("key")));
  const auto shown = run("trust ph1 --json");
  const auto at = shown.output.find("SHA256:");
  ASSERT_NE(at, std::string::npos) << shown.output << shown.errors;
  EXPECT_TRUE(succeeded(run("trust ph1 --fingerprint " + shown.output.substr(at, shown.output.find('"', at) - at))));
  EXPECT_TRUE(succeeded(run("pull")));
  deny(nodes.ph1, "more.example");
  EXPECT_TRUE(succeeded(run("pull ph1 --full --force")));
  EXPECT_TRUE(succeeded(run("undo")));
  EXPECT_TRUE(succeeded(run("push")));
  EXPECT_TRUE(succeeded(run("sync --union")));
  {
    DaemonProcess daemon(nodes.ph2, {"/usr/bin/env", "LD_PRELOAD=" + std::string(paths::creations), "GSYNC_CREATIONS=" + log, "/bin/sh",
                                     "-c", "umask 0; exec \"$0\" \"$@\""});
    EXPECT_TRUE(daemon.wait_in_step());
    EXPECT_TRUE(daemon.stop());
  }

  std::string names;
  for (const auto& [mode, path] : creations_in(log)) {
    names += path + "\n";
    struct stat st {};
    const unsigned at_the_end = ::stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0700;
    EXPECT_EQ(mode & ~at_the_end & 077, 0u) << fmt::format("{} was made with mode {:o} and has {:o}", path, mode, at_the_end);
  }
  // Of both nodes, and of every kind.
  for (const auto& path : {nodes.ph2.state() + "/state.db", nodes.ph1.state() + "/state.db", nodes.ph2.directory() + "/.gravity-sync",
                           nodes.ph2.directory() + "/.gravity-sync/shadow.building", nodes.ph1.directory() + "/.gravity-sync/lock",
                           nodes.ph2.run_directory() + "/agent.sock", nodes.ph2.run_directory() + "/status.sock"})
    EXPECT_TRUE(contains(names, path + "\n")) << path << " in\n" << names;
  EXPECT_TRUE(contains(names, nodes.ph2.state() + "/.id_ed25519.")) << "under another name first: " << names;
  for (const auto* pihole : {&nodes.ph1, &nodes.ph2})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(pihole->state())) {
      struct stat st {};
      ASSERT_EQ(::stat(entry.path().c_str(), &st), 0);
      EXPECT_TRUE((st.st_mode & 077) == 0 || entry.path().extension() == ".pub") << entry.path();
    }
}

// --- a daemon that root started

class OfAnotherOwner : public LeastPrivilege {
 protected:
  void SetUp() override {
    LeastPrivilege::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a Pi-hole to somebody else";
  }
  static void give_away(TwoNodes& nodes) {
    PeerOptions peer;
    peer.identity = nodes.ph2.state() + "/key";
    std::filesystem::copy_file(nodes.sshd.client_key(), *peer.identity);
    nodes.set_peer(peer);
    nodes.ph2.give_to(owner, owner);
    ASSERT_EQ(::chmod(nodes.ph2.root().c_str(), 0755), 0);
  }
};

std::string line_of_status(pid_t pid, const std::string& key) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":")) return line;
  return {};
}

TEST_F(OfAnotherOwner, ADaemonUsesNoCapabilityAndCanPassOneOn) {
  TwoNodesOptions options;
  options.ph2.needs_chown = true;
  TwoNodes nodes(options);
  give_away(nodes);
  DaemonProcess daemon(nodes.ph2);
  EXPECT_TRUE(daemon.wait_in_step()) << "records too, which FTL's command takes from nobody without CAP_CHOWN";
  EXPECT_EQ(nodes.ph2.settings().dns_hosts, nodes.ph1.settings().dns_hosts);
  const auto processes = daemon.processes();
  EXPECT_GE(processes.size(), 2u) << "a worker for the peer";
  for (const auto pid : processes) {
    EXPECT_EQ(line_of_status(pid, "Uid"), fmt::format("Uid:\t{0}\t{0}\t{0}\t{0}", owner));
    EXPECT_EQ(line_of_status(pid, "CapEff"), "CapEff:\t0000000000000000");
    const auto permitted = line_of_status(pid, "CapPrm");
    EXPECT_TRUE(permitted == "CapPrm:\t0000000000000000" || permitted == "CapPrm:\t0000000000000001") << permitted << ": CAP_CHOWN at most";
  }
}

/// What another user gets from a socket to which he sends `line`.
std::string from_socket(const std::string& path, const std::string& line) {
  return in_child([&]() -> std::string {
    if (::setgroups(0, nullptr) != 0 || ::setgid(other_user) != 0 || ::setuid(other_user) != 0) return "cannot become an ordinary user";
    util::Fd socket;
    try {
      socket = daemon::connect_to(path);
    } catch (const Error& error) {
      return error.code() == ErrorCode::refused ? "refused" : error.what();
    }
    if (!socket) return "nobody listens";
    [[maybe_unused]] const auto sent = ::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL);
    std::string got;
    char buffer[512];
    for (ssize_t n; (n = ::read(socket.get(), buffer, sizeof buffer)) > 0;) got.append(buffer, static_cast<std::size_t>(n));
    return "connected: " + got;
  });
}

TEST_F(OfAnotherOwner, TheSocketsOfADaemonAreClosedToOtherUsers) {
  TwoNodes nodes;
  give_away(nodes);
  DaemonProcess daemon(nodes.ph2);
  ASSERT_TRUE(daemon.wait_in_step());
  const auto agent = nodes.ph2.run_directory() + "/agent.sock";
  const auto status = nodes.ph2.run_directory() + "/status.sock";
  for (const auto& path : {agent, status}) EXPECT_EQ(from_socket(path, ""), "refused") << path;
  // Whatever became of the files' modes, the daemon asks the kernel who is there.
  for (const auto& path : {agent, status}) ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  const auto from_agent = from_socket(agent, "gravity-sync-agent read-write ph1\n");
  EXPECT_FALSE(contains(from_agent, "gravity-sync 0")) << "no hello: " << from_agent;
  EXPECT_TRUE(from_agent.starts_with("connected: ")) << from_agent;
  const auto from_status = from_socket(status, "{\"command\": \"status\"}\n");
  EXPECT_FALSE(contains(from_status, "peers")) << from_status;
  EXPECT_TRUE(contains(from_status, "only root and the owner of the Pi-hole")) << from_status;
}

}  // namespace
}  // namespace gsync::test
