#include "child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "gsync/util/error.hpp"
#include "gsync/util/subprocess.hpp"

namespace gsync::daemon {
namespace {

/// Between fork() and exec(): only async-signal-safe calls.
[[noreturn]] void become(const std::vector<char*>& argv, std::vector<Child::Given>& given, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  ::setpgid(0, 0);
  // Out of the way of the numbers that are given out.
  constexpr int above = 16;
  for (auto& [fd, as] : given) fd = ::fcntl(fd, F_DUPFD, above);
  if (const int null = ::open("/dev/null", O_RDWR); null >= 0) {
    ::dup2(null, 0);
    ::dup2(null, 1);
  }
  for (int fd = Child::control_fd; fd <= Child::container_helper_fd; ++fd) ::close(fd);
  for (const auto& [fd, as] : given) ::dup2(fd, as);
  constexpr unsigned first = Child::container_helper_fd + 1;
  if (::syscall(SYS_close_range, first, ~0u, 0) != 0)
    for (int fd = first; fd < 4096; ++fd) ::close(fd);
  // Setting records needs it (pihole-FTL --config); without it in our hands the child does without.
  const int chown = CAP_CHOWN;
  util::raise_ambient(&chown, 1);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s) ::sigaction(s, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve("/proc/self/exe", argv.data(), ::environ);
  ::_exit(127);
}

}  // namespace

Child::Child(const std::vector<std::string>& arguments, std::vector<Given> given) {
  auto pair = make_control();
  given.push_back({pair.childs.get(), control_fd});
  std::vector<std::string> words{"gravity-sync", "--config", fmt::format("/proc/self/fd/{}", config_fd)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(argv, given, parent);
  if (pid_ < 0) throw_errno(errno, "cannot start a process");
  ::setpgid(pid_, pid_);
  control_ = std::move(pair.ours);
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), control_(std::move(other.control_)), kill_at_(other.kill_at_) {}

Child::~Child() {
  if (pid_ <= 0) return;
  kill();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Child::stop(Time kill_at) {
  if (kill_at_ || pid_ <= 0) return;
  kill_at_ = kill_at;
  // One that waits in poll() with SIGTERM blocked sees the end of our orders.
  ::shutdown(control_.get(), SHUT_WR);
  ::kill(pid_, SIGTERM);
}

void Child::kill() const {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
}

std::optional<int> Child::ended() {
  int status = 0;
  pid_t n;
  do {
    n = ::waitpid(pid_, &status, WNOHANG);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return std::nullopt;
  pid_ = -1;
  return status;
}

std::string ending_text(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace gsync::daemon
