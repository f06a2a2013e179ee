#include "gsync/util/subprocess.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/text.hpp"

namespace gsync::util {
namespace {

struct Pipe {
  Fd read;
  Fd write;
};

/// Never 0, 1 or 2: where the program was started with one of those closed, the child's dup2() onto them would overwrite the pipe.
Fd above_standard(Fd fd) {
  if (fd.get() > 2) return fd;
  Fd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!higher) throw_errno(errno, "cannot make a pipe");
  return higher;
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno(errno, "cannot make a pipe");
  Fd r(ends[0]), w(ends[1]);
  return {above_standard(std::move(r)), above_standard(std::move(w))};
}

void set_non_blocking(const Fd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  for (auto directory : split(path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    auto candidate = std::string(directory.empty() ? "." : directory) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw Error(ErrorCode::not_found, "cannot start " + name + ": no such program in PATH");
}

/// Everything that the child needs, made before fork(): after it, in a program with threads, not even memory may be allocated.
struct Prepared {
  std::string program;
  std::vector<char*> argv;
  std::vector<std::string> variables;
  std::vector<char*> environment_copy;
  char** environment = nullptr;
};

Prepared prepare(const Command& command) {
  if (command.argv.empty() || command.argv.front().empty()) throw Error(ErrorCode::not_found, "cannot start a command without a name");
  Prepared p;
  p.program = find_program(command.argv.front());
  for (const auto& argument : command.argv) p.argv.push_back(const_cast<char*>(argument.c_str()));
  p.argv.push_back(nullptr);
  if (command.environment) {
    for (const auto& [key, value] : *command.environment) p.variables.push_back(fmt::format("{}={}", key, value));
    for (auto& variable : p.variables) p.environment_copy.push_back(variable.data());
    p.environment_copy.push_back(nullptr);
  }
  return p;
}

/// Async-signal-safe. Closes every descriptor from `first` on.
void close_from(unsigned first) {
#ifdef SYS_close_range
  if (::syscall(SYS_close_range, first, ~0u, 0) == 0) return;
#endif
  for (int fd = static_cast<int>(first); fd < 4096; ++fd) ::close(fd);
}

/// In the child, between fork() and exec(): only async-signal-safe calls.
[[noreturn]] void become(const Prepared& prepared, const std::vector<int>& capabilities, int in, int out, int err, int failure) {
  ::setpgid(0, 0);
  // Signals are blocked here (see start()), so no handler of ours runs in the child.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s) ::sigaction(s, &standard, nullptr);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  if (failure != 3) ::dup3(failure, 3, O_CLOEXEC);
  close_from(4);
  if (!capabilities.empty()) raise_ambient(capabilities.data(), capabilities.size());
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(prepared.program.c_str(), prepared.argv.data(), prepared.environment);
  int error = errno;
  [[maybe_unused]] auto written = ::write(3, &error, sizeof error);
  ::_exit(127);
}

/// A started child; kills it and its process group unless it was waited for.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {
#ifdef SYS_pidfd_open
    pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
#endif
  }
  ~Child() {
    if (pid_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Becomes readable when the child ends; -1 before Linux 5.3.
  int pidfd() const {
    return pidfd_.get();
  }

  /// Its exit code if it has ended.
  std::optional<int> ended() {
    return reap(WNOHANG);
  }

  void kill() {
    // Not reaped yet, so that neither number can belong to somebody else.
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    reap(0);
  }

 private:
  std::optional<int> reap(int flags) {
    int status = 0;
    pid_t n;
    do {
      n = ::waitpid(pid_, &status, flags);
    } while (n < 0 && errno == EINTR);
    if (n == 0) return std::nullopt;
    pid_ = -1;
    if (n < 0) return 0;  // SIGCHLD is ignored by the program: the kernel kept no status
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  pid_t pid_;
  Fd pidfd_;
};

pid_t fork_blocked(const Prepared& prepared, const std::vector<int>& capabilities, int in, int out, int err, int failure) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  auto pid = ::fork();
  if (pid == 0) become(prepared, capabilities, in, out, err, failure);
  int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) throw_errno(error, "cannot start " + prepared.program);
  ::setpgid(pid, pid);  // both sides do it: whoever comes first
  return pid;
}

/// Reads what there is, but no more than the largest pipe holds (1 MiB), so that an endless writer does not keep us from the deadline.
/// False at the end of the stream.
bool drain(const Fd& fd, std::string& to, std::size_t limit, bool keep_end) {
  std::array<char, 16384> buffer;
  for (int i = 0; i < 64; ++i) {
    auto n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n == 0) return false;
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    if (keep_end) {
      to.append(buffer.data(), static_cast<std::size_t>(n));
      if (to.size() > 2 * limit) to.erase(0, to.size() - limit);
      continue;
    }
    to.append(buffer.data(), std::min(static_cast<std::size_t>(n), limit - std::min(limit, to.size())));
  }
  return true;
}

/// Writes what the pipe takes. False when there is nothing more to send or nobody reads.
bool feed(const Fd& fd, std::string_view& input) {
  while (!input.empty()) {
    auto n = ::write(fd.get(), input.data(), input.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    input.remove_prefix(static_cast<std::size_t>(n));
  }
  return false;
}

/// A write to a child that has stopped reading must not end us, whatever the program does with SIGPIPE: blocked in this thread, and a
/// pending one taken away.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutSigpipe() {
    if (!was_pending_) {
      timespec now{};
      while (::sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

}  // namespace

void raise_ambient(const int* capabilities, std::size_t count) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    auto word = static_cast<unsigned>(capabilities[i]) / 32;
    if (word < _LINUX_CAPABILITY_U32S_3)
      data[word].inheritable |= data[word].permitted & (1u << (static_cast<unsigned>(capabilities[i]) % 32));
  }
  if (::syscall(SYS_capset, &header, data) != 0) return;
  for (std::size_t i = 0; i < count; ++i) ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capabilities[i], 0, 0);
}

CommandResult run(const Command& command, Deadline deadline) {
  auto prepared = prepare(command);
  prepared.environment = command.environment ? prepared.environment_copy.data() : ::environ;
  auto in = make_pipe(), out = make_pipe(), err = make_pipe(), failure = make_pipe();
  Child child(fork_blocked(prepared, command.ambient_capabilities, in.read.get(), out.write.get(), err.write.get(), failure.write.get()));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  failure.write.reset();

  int error = 0;
  ssize_t n;
  do {
    n = ::read(failure.read.get(), &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  if (n == sizeof error)
    throw Error(ErrorCode::not_found, "cannot start " + prepared.program + ": " + std::generic_category().message(error));

  set_non_blocking(in.write);
  set_non_blocking(out.read);
  set_non_blocking(err.read);
  WithoutSigpipe guard;
  CommandResult result;
  std::string_view input = command.standard_input;
  for (;;) {
    if (in.write && !feed(in.write, input)) in.write.reset();
    // Asked before the pipes are drained: what the child wrote before its end is then in them. A grandchild that keeps them open does not
    // hold us.
    auto code = child.ended();
    if (out.read && !drain(out.read, result.output, command.output_limit, command.keep_end)) out.read.reset();
    if (err.read && !drain(err.read, result.errors, command.output_limit, command.keep_end)) err.read.reset();
    if (code) {
      result.exit_code = *code;
      return result;
    }
    if (deadline.passed()) {
      child.kill();
      throw Error(ErrorCode::timeout, prepared.program + " did not end in time and was killed");
    }
    // poll() skips the entries with a negative descriptor.
    std::array<pollfd, 4> p{
        {{in.write.get(), POLLOUT, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {child.pidfd(), POLLIN, 0}}};
    auto wait = child.pidfd() >= 0 ? deadline.poll_timeout() : std::min(deadline.poll_timeout(), 20);
    if (::poll(p.data(), p.size(), wait) < 0 && errno != EINTR) throw_errno(errno, "cannot wait for " + prepared.program);
  }
}

std::string last_words_of(const CommandResult& result) {
  constexpr std::size_t max_lines = 5;
  constexpr std::size_t max_line = 200;
  std::vector<std::string> lines;
  for (const auto* stream : {&result.output, &result.errors}) {
    for (auto line : split(*stream, '\n')) {
      line = trim(line);
      if (!line.empty()) lines.push_back(printable(line.substr(0, max_line)));
    }
  }
  std::string words;
  for (auto i = lines.size() - std::min(lines.size(), max_lines); i < lines.size(); ++i) words += (words.empty() ? "" : "; ") + lines[i];
  return words.empty() ? "it said nothing" : words;
}

std::string words_of(const CommandResult& result) {
  constexpr std::size_t max_words = 500;
  std::string words;
  for (const auto* stream : {&result.errors, &result.output}) {
    for (auto line : split(*stream, '\n')) {
      line = trim(line);
      if (line.empty() || words.size() > max_words) continue;
      if (!words.empty()) words += "; ";
      words += printable(line.substr(0, max_words));
    }
  }
  return words.empty() ? "it said nothing" : words;
}

}  // namespace gsync::util
