#include "gsync/util/subprocess.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>

#include <thread>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/text.hpp"

namespace gsync::util {
namespace {

using namespace std::chrono_literals;

Command shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}};
}
CommandResult run_shell(const std::string& script) {
  return run(shell(script), Deadline::in(60s));
}

ErrorCode code_of(const Command& command, Deadline deadline = Deadline::in(60s)) {
  try {
    run(command, deadline);
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::cancelled;
}

TEST(Run, GivesTheExitCodeAndBothStreams) {
  auto r = run_shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(r.exit_code, 3);
  EXPECT_EQ(r.output, "out\n");
  EXPECT_EQ(r.errors, "err\n");
}

TEST(Run, AnEndBySignalIs128AndItsNumber) {
  EXPECT_EQ(run_shell("kill -KILL $$").exit_code, 128 + SIGKILL);
}

TEST(Run, LooksTheProgramUpInPathAndUsesNoShell) {
  auto r = run({.argv = {"echo", "$HOME; *"}}, Deadline::in(60s));
  EXPECT_EQ(r.output, "$HOME; *\n");
}

TEST(Run, AProgramThatCannotBeStartedIsNotFound) {
  EXPECT_EQ(code_of({.argv = {"no-such-program-anywhere"}}), ErrorCode::not_found);
  EXPECT_EQ(code_of({.argv = {"/no/such/program"}}), ErrorCode::not_found);
  EXPECT_EQ(code_of({.argv = {"/"}}), ErrorCode::not_found);
  EXPECT_EQ(code_of({}), ErrorCode::not_found);
}

TEST(Run, GivesTheChildExactlyTheEnvironmentAsked) {
  Command command{.argv = {"/usr/bin/env"}};
  command.environment = {{"A", "1"}, {"B", "x=y"}};
  EXPECT_EQ(run(command, Deadline::in(60s)).output, "A=1\nB=x=y\n");
}

/// Reads until the end, which must come within half a minute.
std::string read_to_end(const Fd& fd) {
  std::string all;
  char buffer[64];
  for (;;) {
    pollfd p{fd.get(), POLLIN, 0};
    if (::poll(&p, 1, 30'000) != 1) return all + "(still open)";
    auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n <= 0) return all;
    all.append(buffer, static_cast<std::size_t>(n));
  }
}

TEST(Run, TheDeadlineKillsTheWholeProcessGroup) {
  // The grandchild holds the write end of a pipe of ours, which it opens through /proc since descriptors are not inherited: its end shows
  // when that is closed. On a machine so slow that it had not begun by the deadline, the next round gives it more time.
  std::string seen;
  for (auto time = 500ms; seen.empty() && time < 60s; time *= 4) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd r(ends[0]), w(ends[1]);
    auto name = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(w.get());
    EXPECT_EQ(code_of(shell("sh -c 'echo begun >&9; exec sleep 600' 9>" + name + " & wait"), Deadline::in(time)), ErrorCode::timeout);
    w.reset();
    seen = read_to_end(r);
  }
  EXPECT_EQ(seen, "begun\n");
}

TEST(Run, AnEndlessWriterIsStoppedAtTheDeadline) {
  EXPECT_EQ(code_of({.argv = {"yes"}}, Deadline::in(200ms)), ErrorCode::timeout);
}

TEST(Run, LargeInputAndOutputAtOnceDoNotDeadlock) {
  Command command{.argv = {"cat"}};
  command.standard_input = std::string(3'000'000, 'x');
  command.output_limit = 4'000'000;
  auto r = run(command, Deadline::in(60s));
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_EQ(r.output, command.standard_input);
}

TEST(Run, OutputPastTheLimitIsReadAndDropped) {
  auto command = shell("head -c 500000 /dev/zero; echo done >&2");
  command.output_limit = 1000;
  auto r = run(command, Deadline::in(60s));
  EXPECT_EQ(r.output.size(), 1000u);
  EXPECT_EQ(r.errors, "done\n");
}

TEST(Run, AChildThatDoesNotReadItsInputIsNoError) {
  auto command = shell("exec true");
  command.standard_input = std::string(1'000'000, 'x');
  EXPECT_EQ(run(command, Deadline::in(60s)).exit_code, 0);
}

TEST(Run, ABackgroundProcessThatKeepsTheOutputOpenDoesNotHoldUsBack) {
  auto r = run_shell("sleep 600 & echo $!");
  EXPECT_EQ(r.exit_code, 0);
  ::kill(static_cast<pid_t>(std::stol(r.output)), SIGKILL);
}

TEST(Run, NoOtherDescriptorIsInherited) {
  Fd leaky(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC, as other libraries may do
  ASSERT_TRUE(leaky);
  Fd high(::fcntl(leaky.get(), F_DUPFD, 200));
  auto r = run({.argv = {"ls", "/proc/self/fd"}}, Deadline::in(60s));
  // ls itself has the directory open as 3.
  EXPECT_EQ(r.output, "0\n1\n2\n3\n");
}

/// One of the masks of /proc/<pid>/status.
std::uint64_t mask(const std::string& key, const std::string& status) {
  auto at = status.find(key + ":\t");
  if (at == std::string::npos) throw std::runtime_error("no " + key + " in: " + status);
  return std::stoull(status.substr(at + key.size() + 2, 16), nullptr, 16);
}

TEST(Run, TheChildHasNoSignalBlockedOrIgnored) {
  sigset_t set, before;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  auto old = ::signal(SIGPIPE, SIG_IGN);
  auto r = run({.argv = {"cat", "/proc/self/status"}}, Deadline::in(60s));
  ::signal(SIGPIPE, old);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  // 32 and 33 are glibc's own: it lets nobody set them, and ignores them in what posix_spawn() starts, so for us if make started us.
  constexpr auto own = 3ull << 31;
  EXPECT_EQ(mask("SigBlk", r.output) & ~own, 0u) << r.output;
  EXPECT_EQ(mask("SigIgn", r.output) & ~own, 0u) << r.output;
}

TEST(Run, TheChildLeadsAProcessGroupOfItsOwn) {
  auto r = run_shell("read -r pid comm state ppid pgrp rest < /proc/$$/stat; echo $pid $pgrp");
  auto parts = split(trim(r.output), ' ');
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0], parts[1]);
}

TEST(Run, AnAmbientCapabilityIsGivenWhereWeHaveItAndSkippedWhereNot) {
  auto ours = run({.argv = {"cat", "/proc/" + std::to_string(::getpid()) + "/status"}}, Deadline::in(60s)).output;
  Command command{.argv = {"cat", "/proc/self/status"}};
  command.ambient_capabilities = {CAP_CHOWN};
  auto r = run(command, Deadline::in(60s));
  EXPECT_EQ(r.exit_code, 0);
  bool have = mask("CapPrm", ours) & (1u << CAP_CHOWN);
  EXPECT_EQ(bool(mask("CapAmb", r.output) & (1u << CAP_CHOWN)), have);
  EXPECT_EQ(mask("CapAmb", ours), mask("CapAmb", run({.argv = {"cat", "/proc/self/status"}}, Deadline::in(60s)).output));
}

TEST(Run, ManyThreadsAtOnceGetTheirOwnResults) {
  std::vector<std::thread> threads;
  std::vector<std::string> outputs(6);
  for (std::size_t t = 0; t < outputs.size(); ++t)
    threads.emplace_back([&outputs, t] {
      for (int i = 0; i < 8; ++i) {
        Command command{.argv = {"cat"}};
        command.standard_input = std::to_string(t);
        outputs[t] += run(command, Deadline::in(120s)).output;
      }
    });
  for (auto& thread : threads) thread.join();
  for (std::size_t t = 0; t < outputs.size(); ++t) EXPECT_EQ(outputs[t], std::string(8, static_cast<char>('0' + t)));
}

}  // namespace
}  // namespace gsync::util
