#include "hook.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"

namespace gsync::daemon {
namespace {

/// Between fork() and exec(): only async-signal-safe calls.
[[noreturn]] void become(const std::vector<char*>& argv, int input) {
  ::setpgid(0, 0);
  ::dup2(input, 0);
  if (const int null = ::open("/dev/null", O_WRONLY); null >= 0) ::dup2(null, 1);
  if (::syscall(SYS_close_range, 3u, ~0u, 0) != 0)
    for (int fd = 3; fd < 4096; ++fd) ::close(fd);
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // Root would have all of them again after the exec().
  for (int capability = 0; capability < 64; ++capability) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  ::syscall(SYS_capset, &header, none);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s) ::sigaction(s, &standard, nullptr);
  sigset_t unblocked;
  ::sigemptyset(&unblocked);
  ::sigprocmask(SIG_SETMASK, &unblocked, nullptr);
  ::execve(argv[0], argv.data(), ::environ);
  ::_exit(127);
}

/// The whole input before the start: nobody has to wait for one that does not read.
util::Fd input_file(const std::string& text) {
  util::Fd fd(::memfd_create("event.json", MFD_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::lseek(fd.get(), 0, SEEK_SET) != 0)
    throw_errno(errno, "cannot keep an event for a hook");
  return fd;
}

}  // namespace

HookPolicy::Tell HookPolicy::take(const PeerStatus& now, bool synced, unsigned failures) {
  if (now.failure) {
    const auto& code = now.failure->code;
    const bool lasts = code == "refused" || code == "corrupt" || code == "incompatible";
    if (told_ || (now.failures_in_row < failures && !lasts)) return Tell::nothing;
    told_ = true;
    return Tell::failure;
  }
  if (now.failures_in_row == 0 && now.in_step == true && std::exchange(told_, false)) return Tell::recovery;
  return synced ? Tell::success : Tell::nothing;
}

Hook::Hook(const std::vector<std::string>& argv, const std::string& input, Time kill_at) : kill_at_(kill_at), name_(argv.front()) {
  const auto file = input_file(input);
  auto words = argv;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  if (::access(pointers[0], X_OK) != 0) throw_errno(errno, fmt::format("cannot start the hook {}", argv.front()));
  pid_ = ::fork();
  if (pid_ == 0) become(pointers, file.get());
  if (pid_ < 0) throw_errno(errno, fmt::format("cannot start the hook {}", argv.front()));
  ::setpgid(pid_, pid_);
}

Hook::Hook(Hook&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), kill_at_(other.kill_at_), killed_(other.killed_), name_(std::move(other.name_)) {}

Hook::~Hook() {
  if (pid_ <= 0) return;
  kill();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Hook::kill() {
  if (pid_ <= 0) return;
  killed_ = true;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
}

std::optional<int> Hook::ended() {
  int status = 0;
  pid_t n;
  do {
    n = ::waitpid(pid_, &status, WNOHANG);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return std::nullopt;
  pid_ = -1;
  return status;
}

}  // namespace gsync::daemon
