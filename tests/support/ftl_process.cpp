#include "support/ftl_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/dns_probe.hpp"
#include "support/paths.hpp"

extern char** environ;

namespace gsync::test {

namespace {

constexpr std::chrono::milliseconds start_time{30'000};
constexpr std::chrono::milliseconds grace{2'000};
constexpr std::chrono::milliseconds nap{5};

/// Waits until the process has ended, without reaping it.
bool ended_within(pid_t pid, std::chrono::milliseconds time) {
  util::Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) throw std::system_error(errno, std::generic_category(), "pidfd_open");
  const auto deadline = util::Deadline::in(time);
  pollfd poll_fd{fd.get(), POLLIN, 0};
  int n;
  do n = ::poll(&poll_fd, 1, deadline.poll_timeout());
  while (n < 0 && errno == EINTR);
  return n > 0;
}

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

FtlProcess::FtlProcess(PiholeDirectory& directory, FtlOptions options) : directory_(directory), options_(options) {
  start();
}

FtlProcess::~FtlProcess() {
  try {
    stop();
  } catch (const std::exception&) {
    // It still ends when its standard input is closed.
  }
}

void FtlProcess::start() {
  if (pid() != 0) throw std::logic_error("the stand-in runs already");
  stopping_ = false;
  {
    std::lock_guard lock(mutex_);
    spawn();
  }
  wait_for_port();
  if (options_.poll && !directory_.options().v5) wait_for_poll();
  directory_.set_dns_port(port_);
  if (options_.respawn) watcher_ = std::thread([this] { watch(); });
}

/// With the mutex held.
void FtlProcess::spawn() {
  ::unlink(directory_.port_file().c_str());
  std::vector<std::string> words{paths::ftl_stand_in,    "--daemon", "--directory",         directory_.directory(), "--dns-port-file",
                                 directory_.port_file(), "--port",   std::to_string(port_), "--end-with-stdin"};
  if (directory_.options().container) words.emplace_back("--in-container");
  if (directory_.options().v5) words.insert(words.end(), {"--v5", directory_.dnsmasq()});
  if (directory_.options().musl) words.emplace_back("--musl");
  if (!options_.poll) words.emplace_back("--no-poll");
  if (!options_.reload) words.emplace_back("--never-reload");
  if (options_.hang_after_reload) words.emplace_back("--hang-after-reload");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  util::Fd read_end(ends[0]);
  life_ = util::Fd(ends[1]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, read_end.get(), 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, directory_.ftl_log().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error = ::posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    pid_ = 0;
    throw std::system_error(error, std::generic_category(), words[0]);
  }
}

void FtlProcess::wait_for_port() {
  const auto deadline = util::Deadline::in(start_time);
  while (::access(directory_.port_file().c_str(), F_OK) != 0) {
    if (deadline.passed() || ended_within(pid(), nap))
      throw std::runtime_error("the stand-in did not start: " + read_text(directory_.ftl_log()));
  }
  port_ = static_cast<std::uint16_t>(std::stoul(read_text(directory_.port_file())));
}

void FtlProcess::wait_for_poll() const {
  if (!wait_until([](const FtlStats& s) { return s.polls > 0; })) throw std::runtime_error("the stand-in does not look at info.updated");
}

/// What systemd does for the real one.
void FtlProcess::watch() {
  for (;;) {
    pid_t watched = 0;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      watched = pid_;
    }
    if (!ended_within(watched, nap * 4)) continue;
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    const int status = reap(watched);
    pid_ = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    spawn();
    ++respawned_;
  }
}

pid_t FtlProcess::pid() const {
  std::lock_guard lock(mutex_);
  return pid_;
}

int FtlProcess::respawned() const {
  std::lock_guard lock(mutex_);
  return respawned_;
}

FtlStats FtlProcess::stats(std::chrono::milliseconds time) const {
  const auto deadline = util::Deadline::in(time);
  std::optional<std::vector<std::string>> texts;
  while (!texts && !deadline.passed()) texts = lookup_texts(port_, "stats.stand-in", deadline.at_most(std::chrono::milliseconds(500)));
  if (!texts) throw std::runtime_error("no statistics from the stand-in");
  std::map<std::string, std::int64_t> values;
  for (const auto& text : *texts) {
    const auto equals = text.find('=');
    if (equals != text.npos) values[text.substr(0, equals)] = std::stoll(text.substr(equals + 1));
  }
  const auto count = [&](const char* key) { return static_cast<std::uint64_t>(values.at(key)); };
  FtlStats s;
  s.reloads = count("reloads");
  s.restarts = count("restarts");
  s.settings = count("settings");
  s.lookups = count("lookups");
  s.busy = count("busy");
  s.errors = count("errors");
  s.blocked = count("blocked");
  s.allowed = count("allowed");
  s.signals = count("signals");
  s.signals_on_dns_thread = count("signals_on_dns_thread");
  s.polls = count("polls");
  s.poll_failures = count("poll_failures");
  s.updated = values.at("updated");
  return s;
}

bool FtlProcess::wait_until(const std::function<bool(const FtlStats&)>& condition, std::chrono::milliseconds time) const {
  const auto deadline = util::Deadline::in(time);
  while (!deadline.passed()) {
    if (condition(stats(deadline.remaining()))) return true;
    std::this_thread::sleep_for(nap);
  }
  return false;
}

std::optional<int> FtlProcess::wait_exit(std::chrono::milliseconds time) {
  if (!ended_within(pid(), time)) return std::nullopt;
  std::lock_guard lock(mutex_);
  return reap(std::exchange(pid_, 0));
}

void FtlProcess::stop() {
  pid_t running = 0;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    running = std::exchange(pid_, 0);
  }
  if (watcher_.joinable()) watcher_.join();
  if (running == 0) return;
  ::kill(running, SIGTERM);
  if (options_.hang_after_reload || !ended_within(running, grace)) ::kill(running, SIGKILL);
  reap(running);
}

}  // namespace gsync::test
