// The real program and its agent, each of whose system calls fails once: strace makes it fail. What the program reaches through its own
// seams is swept in tests/fault; this is for everything else that runs in its process, from the loader to libssh.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "support/campaign.hpp"
#include "support/household.hpp"
#include "support/paths.hpp"
#include "support/sanitizer.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

using namespace std::chrono_literals;

enum class Side : unsigned char { here, there };

struct Fault {
  std::string call;
  std::string error;
  int at = 0;  ///< the first is 1
};

/// What does not fail (the kernel answers brk with the break as it was, and no error), or what the C library answers with an end of the
/// process at once.
bool never_fails(const std::string& call) {
  static const std::set<std::string> calls{
      "brk",  "exit",   "exit_group", "futex",   "rt_sigreturn", "restart_syscall", "arch_prctl", "set_tid_address", "set_robust_list",
      "rseq", "getpid", "gettid",     "getppid", "getuid",       "geteuid",         "getgid",     "getegid",         "sched_yield",
      "umask"};
  return calls.contains(call);
}

/// How it may fail.
std::vector<std::string> errors_of(const std::string& call) {
  static const std::map<std::string, std::vector<std::string>> known{{"write", {"ENOSPC", "EIO"}},
                                                                     {"pwrite64", {"ENOSPC", "EIO"}},
                                                                     {"fsync", {"EIO", "ENOSPC"}},
                                                                     {"fdatasync", {"EIO", "ENOSPC"}},
                                                                     {"ftruncate", {"EIO", "ENOSPC"}},
                                                                     {"openat", {"EMFILE", "EIO", "EACCES", "ENOSPC"}},
                                                                     {"mmap", {"ENOMEM"}},

                                                                     {"mremap", {"ENOMEM"}},
                                                                     {"mprotect", {"ENOMEM"}},
                                                                     {"clone", {"EAGAIN"}},
                                                                     {"clone3", {"EAGAIN"}},
                                                                     {"fork", {"EAGAIN"}},
                                                                     {"vfork", {"EAGAIN"}},
                                                                     {"socket", {"EMFILE"}},
                                                                     {"connect", {"ECONNREFUSED", "EINTR"}},
                                                                     {"poll", {"EINTR", "ENOMEM"}},
                                                                     {"fcntl", {"ENOLCK", "EIO"}},
                                                                     {"flock", {"ENOLCK", "EINTR"}},
                                                                     {"renameat2", {"EIO", "ENOSPC", "EROFS"}},
                                                                     {"sendto", {"ECONNRESET", "EINTR"}},
                                                                     {"recvfrom", {"ECONNRESET", "EINTR"}},
                                                                     {"read", {"EIO", "EINTR"}}};
  const auto found = known.find(call);
  return found == known.end() ? std::vector<std::string>{"EIO"} : found->second;
}

/// Where there is no memory the loader and the C library may end the process without a word; the databases must be whole all the same.
bool is_memory(const std::string& call) {
  static const std::set<std::string> calls{"mmap", "mprotect", "mremap"};
  return calls.contains(call);
}

CommandResult run_for_a_minute(const std::vector<std::string>& argv) {
  return util::run({.argv = argv}, util::Deadline::in(1min));
}

class SystemCalls : public TwoNodesTest {
 protected:
  void SetUp() override {
    TwoNodesTest::SetUp();
    if (IsSkipped()) return;
    if (sanitized) GTEST_SKIP() << "the sanitizer needs ptrace for itself";
    if (!std::filesystem::exists("/usr/bin/strace")) GTEST_SKIP() << "there is no /usr/bin/strace (strace)";
    const auto tried =
        run_for_a_minute({"/usr/bin/strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", "/bin/true"});
    if (tried.exit_code != 0) GTEST_SKIP() << "strace can trace nothing here: " << tried.errors;
    fmt::print("GSYNC_SEED={}\n", seed_);
  }

  std::vector<std::string> program(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{paths::binary, "--config", nodes_->ph2.config()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }
  std::string log() const { return nodes_->ph2.root() + "/strace.log"; }
  /// Runs it with one end traced like that.
  CommandResult traced(const std::vector<std::string>& options, Side side, const std::vector<std::string>& arguments) {
    std::filesystem::remove(log());
    std::vector<std::string> strace{"/usr/bin/strace", "-f", "-qq", "-o", log()};
    strace.insert(strace.end(), options.begin(), options.end());
    const auto argv = program(arguments);
    if (side == Side::here) {
      strace.insert(strace.end(), argv.begin(), argv.end());
      return run_for_a_minute(strace);
    }
    set_agent(fmt::format("{} {}", fmt::join(strace, " "), nodes_->agent_command()));
    const auto result = run_for_a_minute(argv);
    set_agent(nodes_->agent_command());
    return result;
  }
  void set_agent(const std::string& command) {
    PeerOptions peer;
    peer.remote_command = command;
    peer.lines = lines_;
    nodes_->set_peer(peer);
  }
  /// Each system call with how often it is made.
  std::map<std::string, int> calls(Side side, const std::vector<std::string>& arguments) {
    const auto result = traced({"-c", "-U", "calls,name"}, side, arguments);
    EXPECT_TRUE(succeeded(result));
    // An agent, and strace with what it has to tell of it, may end later than whoever asked it.
    const auto deadline = util::Deadline::in(30s);
    while (!(std::filesystem::exists(log()) && contains(read_text(log()), " total")) && !deadline.passed())
      std::this_thread::sleep_for(5ms);
    std::map<std::string, int> found;
    std::istringstream lines(read_text(log()));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      int count = 0;
      std::string name;
      if (words >> count >> name && name != "total" && !never_fails(name)) found[name] = count;
    }
    return found;
  }
  /// The first ones, and then ever fewer.
  std::vector<Fault> faults(Side side, const std::vector<std::string>& arguments) {
    std::vector<Fault> all;
    for (const auto& [call, count] : calls(side, arguments)) {
      const auto errors = errors_of(call);
      for (int at = 1; at <= count; at += 1 + at / 6) all.push_back({call, errors[random_.below(errors.size())], at});
    }
    EXPECT_GT(all.size(), 100u) << "strace does not see the calls";
    for (auto i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random_.below(i)]);
    return all;
  }
  bool injected() const { return std::filesystem::exists(log()) && contains(read_text(log()), "(INJECTED)"); }

  /// People edit, and every other time `pihole -g` has compiled.
  void edit(const PiholeDirectory& pihole) {
    const auto number = ++edits_;
    const auto statements = fmt::format(
        "DELETE FROM domainlist WHERE domain LIKE 'edit-%-{0}.example' AND rowid % 3 = 0; INSERT INTO domainlist (type, domain) VALUES (1, "
        "'edit-{1}-{0}.example');",
        pihole.options().name, number);
    if (number % 2 == 0) return execute(pihole.gravity(), statements);
    const auto temporary = pihole.gravity() + "_temp";
    std::filesystem::copy_file(pihole.gravity(), temporary);
    execute(temporary, statements + fmt::format("INSERT INTO gravity SELECT 'compiled-{}.example', min(adlist_id) FROM gravity; UPDATE "
                                                "info SET value = value + 60 WHERE property = 'updated'",
                                                number));
    std::filesystem::rename(temporary, pihole.gravity());
  }

  std::vector<std::string> contents() const { return {content_of(nodes_->ph1.gravity()), content_of(nodes_->ph2.gravity())}; }

  void fail_once(const std::string& command, Side side, const Fault& fault) {
    SCOPED_TRACE(fmt::format("{} {} number {} of {} fails", side == Side::here ? "" : "the agent's", fault.call, fault.at, command) +
                 " with " + fault.error);
    if (command != "push") edit(nodes_->ph1);
    if (command != "pull") edit(nodes_->ph2);
    const auto before = contents();
    const auto result = traced(
        {"--seccomp-bpf", "-e", "trace=" + fault.call, "-e", fmt::format("inject={}:error={}:when={}", fault.call, fault.error, fault.at)},
        side, {command});
    const auto after = contents();
    ++tried_;
    if (injected()) ++happened_;
    if (result.exit_code != 0) ++failed_;
    if (!is_memory(fault.call)) {
      EXPECT_LT(result.exit_code, 128) << "killed: " << result.errors;
      EXPECT_TRUE(result.exit_code == 0 || !result.errors.empty()) << "says nothing";
    }
    EXPECT_EQ(integrity(nodes_->ph1.gravity()), "ok");
    EXPECT_EQ(integrity(nodes_->ph2.gravity()), "ok");
    EXPECT_TRUE(succeeded(nodes_->run({command}))) << "the next run does not heal it; this one said: " << result.errors;
    EXPECT_TRUE(same_content(nodes_->ph1, nodes_->ph2));
    const auto healed = contents();
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(after[i] == before[i] || after[i] == healed[i]) << "ph" << i + 1 << " is neither old nor new";
      if (result.exit_code == 0) {
        EXPECT_TRUE(after[i] == healed[i]) << "it says that it is done";
      }
    }
    if (command == "pull") {
      EXPECT_TRUE(before[0] == healed[0]) << "the source was changed";
    }
    if (command == "push") {
      EXPECT_TRUE(before[1] == healed[1]) << "the source was changed";
    }
    for (const auto* pihole : {&nodes_->ph1, &nodes_->ph2}) {
      EXPECT_EQ(integrity(pihole->state() + "/state.db"), "ok");
      for (const auto& name : own_files(*pihole))
        EXPECT_TRUE(name == "lock" || name == "shadow.db" || name == "delta.db") << pihole->options().name << " keeps " << name;
    }
  }

  void sweep(const std::string& command, Side side) {
    SCOPED_TRACE(fmt::format("GSYNC_SEED={}", seed_));
    TwoNodesOptions options;
    options.ph2 = small_pihole("ph2", 7, small_household());
    nodes_.emplace(options);
    lines_ = command == "sync" ? "mode = \"sync\"\n" : "";
    set_agent(nodes_->agent_command());
    ASSERT_TRUE(succeeded(nodes_->run({"pull"})));
    if (command == "sync") {
      ASSERT_TRUE(succeeded(nodes_->run({"sync"})));
    }
    if (command != "push") edit(nodes_->ph1);
    if (command != "pull") edit(nodes_->ph2);
    auto all = faults(side, {command});
    const auto available = all.size();
    if (!campaign()) all.resize(5);
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& fault : all) {
      fail_once(command, side, fault);
      if (HasFailure() && !campaign()) break;
    }
    figure("{}{}: {} of {} faults tried, {} happened, {} runs failed by them, {} s, seed {}", command, side == Side::here ? "" : " (agent)",
           tried_, available, happened_, failed_,
           std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count(), seed_);
    EXPECT_GT(happened_, 0);
  }

  std::uint64_t seed_ = campaign_seed();
  Random random_{seed_};
  std::optional<TwoNodes> nodes_;
  std::string lines_;
  int edits_ = 0;
  int tried_ = 0;
  int happened_ = 0;
  int failed_ = 0;
};

TEST_F(SystemCalls, OfAPullMayFail) {
  sweep("pull", Side::here);
}
TEST_F(SystemCalls, OfTheAgentOfAPullMayFail) {
  sweep("pull", Side::there);
}
TEST_F(SystemCalls, OfTheAgentOfAPushMayFail) {
  sweep("push", Side::there);
}
TEST_F(SystemCalls, OfASyncMayFail) {
  sweep("sync", Side::here);
}
TEST_F(SystemCalls, OfTheAgentOfASyncMayFail) {
  sweep("sync", Side::there);
}

}  // namespace
}  // namespace gsync::test
