#include "gsync/pihole/ftl.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <functional>
#include <memory>

#include "dns_question.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t comm_length = 15;  // TASK_COMM_LEN without its terminator

/// A small file that may vanish, or be hidden from us, at any time.
std::optional<std::string> read_quietly(const std::string& path) {
  try {
    return util::read_file(path, 64u << 10);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The name in .../comm, which the kernel ends with a newline.
std::optional<std::string> comm_of(const std::string& directory) {
  auto text = read_quietly(directory + "/comm");
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

template <class T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// One that sleeps nearly all the time and is there as long as the process: FTL 5 has no `timer` (gc.c).
std::string_view idle_thread(Generation generation) {
  return generation == Generation::v5 ? "housekeeper" : "timer";
}

std::optional<pid_t> thread_named(pid_t pid, std::string_view name) {
  const auto tasks = fmt::format("/proc/{}/task", pid);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(tasks.c_str()), &::closedir);
  if (!directory) return std::nullopt;
  while (const auto* entry = ::readdir(directory.get())) {
    const auto tid = number<pid_t>(entry->d_name);
    if (tid && comm_of(fmt::format("{}/{}", tasks, *tid)) == name) return tid;
  }
  return std::nullopt;
}

std::optional<pid_t> parent_of(pid_t pid) {
  const auto status = read_quietly(fmt::format("/proc/{}/status", pid));
  if (!status) return std::nullopt;
  for (auto line : util::split(*status, '\n')) {
    constexpr std::string_view label = "PPid:";
    if (line.starts_with(label)) return number<pid_t>(util::trim(line.substr(label.size())));
  }
  return std::nullopt;
}

std::optional<pid_t> pid_in(const std::string& file) {
  const auto text = read_quietly(file);
  const auto pid = text ? number<pid_t>(util::trim(*text)) : std::nullopt;
  return pid && *pid > 0 ? pid : std::nullopt;
}

/// The process that is `wanted` and that `ancestor` is, or has started: whatever runs in a container descends from its first process, but
/// not what `exec` runs there.
std::optional<pid_t> descendant(pid_t ancestor, const std::function<bool(pid_t)>& wanted) {
  constexpr int deepest = 64;
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), &::closedir);
  if (!processes) return std::nullopt;
  while (const auto* entry = ::readdir(processes.get())) {
    const auto pid = number<pid_t>(entry->d_name);
    if (!pid || !wanted(*pid)) continue;
    auto at = pid;
    for (int depth = 0; at && *at != ancestor && *at > 1 && depth < deepest; ++depth) at = parent_of(*at);
    if (at == ancestor) return pid;
  }
  return std::nullopt;
}

/// 34 is SIGRTMIN of glibc, 35 that of musl. The signals below are the C libraries' own and say nothing.
std::optional<int> reload_signal_of(pid_t pid) {
  const auto status = read_quietly(fmt::format("/proc/{}/status", pid));
  if (!status) return std::nullopt;
  for (auto line : util::split(*status, '\n')) {
    constexpr std::string_view label = "SigCgt:";
    if (!line.starts_with(label)) continue;
    const auto mask = number<std::uint64_t>(util::trim(line.substr(label.size())), 16);
    if (!mask) return std::nullopt;
    for (int signal : {34, 35}) {
      if (*mask >> (signal - 1) & 1) return signal;
    }
  }
  return std::nullopt;
}

util::Fd connect_to(std::uint16_t port) {
  util::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw_errno(errno, "cannot make a UDP socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno(errno, "cannot ask FTL on 127.0.0.1");
  return fd;
}

/// True when the answer came before `deadline`; what is not an answer is skipped.
bool receive_answer(int fd, const std::string& query, util::Deadline deadline) {
  std::array<char, 4096> packet{};
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, deadline.poll_timeout()) <= 0) {
      if (deadline.passed()) return false;
      continue;
    }
    const auto size = ::recv(fd, packet.data(), packet.size(), 0);
    if (size > 0 && answers_query({packet.data(), static_cast<std::size_t>(size)}, query)) return true;
    if (size < 0 && errno == ECONNREFUSED) {
      // Nobody listens (yet): an internal restart of FTL takes about a second.
      ::poll(nullptr, 0, deadline.at_most(milliseconds(50)).poll_timeout());
      return false;
    }
    if (deadline.passed()) return false;
  }
}

}  // namespace

std::optional<pid_t> Ftl::pid() const {
  const auto& binary = installation_.ftl_binary;
  const auto base = binary.substr(binary.rfind('/') + 1).substr(0, comm_length);
  const auto is_ftl = [&](pid_t pid) {
    const auto comm = comm_of(fmt::format("/proc/{}", pid));
    return comm && (comm == "pihole-FTL" || (!base.empty() && comm == base));
  };
  if (installation_.container) {
    const auto first = installation_.container->inspection().pid;
    return first > 0 ? descendant(first, is_ftl) : std::nullopt;
  }
  if (installation_.pid_file.empty()) return std::nullopt;
  const auto process = pid_in(installation_.pid_file);
  return process && is_ftl(*process) ? process : std::nullopt;
}

bool Ftl::may_be_hidden() const {
  if (pid()) return false;
  if (installation_.container) return installation_.container->inspection().running;
  if (installation_.pid_file.empty()) return true;
  const auto process = pid_in(installation_.pid_file);
  return process && (::kill(*process, 0) == 0 || errno == EPERM) && !comm_of(fmt::format("/proc/{}", *process));
}

bool Ftl::serves() const {
  return pid() || (installation_.dns_port != 0 && may_be_hidden() && answers(util::Deadline::in(milliseconds(300))));
}

std::optional<int> Ftl::reload_signal() const {
  const auto process = pid();
  return process ? reload_signal_of(*process) : std::nullopt;
}

bool Ftl::signal_reload() const {
  return signal([](int reload) { return reload; });
}

bool Ftl::signal_failure() const {
  return signal([](int reload) { return reload + 2; });
}

bool Ftl::signal_hosts() const {
  return signal([](int) { return SIGHUP; });
}

bool Ftl::signal(int (*number)(int reload_signal)) const {
  const auto process = pid();
  if (!process) return false;
  // The thread first: FTL restarts itself by exec, with the same pid and with default handlers, which a signal would kill. A restart
  // between these lines ends the thread, and then there is nobody to signal.
  const auto thread = thread_named(*process, idle_thread(installation_.generation));
  // It catches SIGHUP before its real-time signals, so these tell that it is ready for either.
  const auto reload = reload_signal_of(*process);
  return thread && reload && ::syscall(SYS_tgkill, *process, *thread, number(*reload)) == 0;
}

bool Ftl::answers(util::Deadline deadline) const {
  if (installation_.dns_port == 0) return true;
  std::uint16_t id = 0;
  if (::getrandom(&id, sizeof id, 0) != sizeof id) throw_errno(errno, "cannot get random bytes");
  const auto query = dns_query(id, "pi.hole");
  const auto fd = connect_to(installation_.dns_port);
  do {
    // The first failure may be the late refusal of an earlier packet, and then this one was not sent.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (::send(fd.get(), query.data(), query.size(), MSG_NOSIGNAL) >= 0) break;
    }
    if (receive_answer(fd.get(), query, deadline.at_most(milliseconds(500)))) return true;
  } while (!deadline.passed());
  return false;
}

/// How it comes to reload where it cannot be signalled.
std::string Ftl::otherwise() const {
  return installation_.generation == Generation::v5 ? "it reloads by `pihole restartdns reload-lists`"
                                                    : "it reloads by its own poll, within a second";
}

std::string Ftl::describe() const {
  const auto process = pid();
  if (!process) return describe_none();
  const auto where = installation_.container ? " in " + installation_.container->label() : std::string();
  const auto name = idle_thread(installation_.generation);
  const auto thread = thread_named(*process, name);
  const auto signal = reload_signal_of(*process);
  if (!signal) return fmt::format("pid {}{}, no reload signal known: {}", *process, where, otherwise());
  if (!thread) return fmt::format("pid {}{}, no thread named {}: {}", *process, where, name, otherwise());
  return fmt::format("pid {}{}, signal {} to thread {} ({})", *process, where, *signal, *thread, name);
}

std::string Ftl::describe_none() const {
  if (const auto& container = installation_.container) {
    if (!container->inspection().running) return fmt::format("{} does not run; FTL reads the new lists when it starts", container->label());
    return fmt::format("not visible from here in {}: {}", container->label(), otherwise());
  }
  if (installation_.pid_file.empty()) return fmt::format("in a container that is not known here: {}", otherwise());
  if (may_be_hidden()) return fmt::format("the one in {} is hidden from us in /proc: {}", installation_.pid_file, otherwise());
  return fmt::format("no running FTL found by {}; it reloads when it starts", installation_.pid_file);
}

}  // namespace gsync::pihole
