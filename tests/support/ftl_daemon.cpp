#include "support/ftl_daemon.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <tuple>

#include "gsync/util/fd.hpp"
#include "support/dns_message.hpp"
#include "support/ftl_gravity.hpp"
#include "support/ftl_records.hpp"
#include "support/ftl_toml.hpp"
#include "support/ftl_v5.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds restart_time{300};

// What signal handlers and the timer thread leave for the DNS thread. A handler does nothing but this, unlike FTL's own.
std::atomic<bool> want_reload{false};
std::atomic<bool> want_reload_soon{false};  ///< FTL 5: looked at ten times a second
std::atomic<bool> is_v5{false};
std::atomic<bool> want_settings{false};
std::atomic<bool> want_dead{false};
std::atomic<int> want_exit{-1};
std::atomic<bool> forget_updated{false};
std::atomic<std::uint64_t> signals_total{0};
std::atomic<std::uint64_t> signals_on_dns_thread{0};
std::atomic<std::uint64_t> polls{0};
std::atomic<std::uint64_t> poll_failures{0};
std::atomic<pid_t> dns_thread{0};
std::atomic<int> wake_fd{-1};
std::atomic<int> reload_signal{0};

void wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_fd.load(), &one, sizeof one);
}

void on_signal(int number) {
  const int saved = errno;
  const int base = reload_signal.load();
  if (number == SIGTERM || number == SIGINT) {
    want_exit = 0;
  } else if (number == SIGHUP) {
    want_settings = true;
    want_reload = true;
  } else {
    ++signals_total;
    if (::gettid() == dns_thread.load()) ++signals_on_dns_thread;
    if (number == base) (is_v5 ? want_reload_soon : want_reload) = true;
    if (number == base + 2) want_exit = 1;
    if (number == base + 6) want_dead = true;
  }
  wake();
  errno = saved;
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaction(number, &action, nullptr);
  const int base = reload_signal.load();
  for (int number = base; number <= base + 7; ++number) ::sigaction(number, &action, nullptr);
}

class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options)
      : options_(options),
        settings_(v5() ? read_v5_files(options.directory, options.dnsmasq_directory) : parse_settings(read_text(toml_path()))),
        gravity_(here(settings_.gravity), v5()),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        stop_timer_(::eventfd(0, EFD_CLOEXEC)) {
    wake_fd = wake_.get();
    dns_thread = ::gettid();
    reload_signal = options.musl ? 35 : 34;
    is_v5 = v5();
  }

  int run();

 private:
  bool v5() const { return !options_.dnsmasq_directory.empty(); }
  std::string toml_path() const { return options_.directory + "/pihole.toml"; }
  std::string pid_path() const { return here(settings_.pid); }
  std::string here(const std::string& path) const;
  void listen();
  void use_records();
  void start_serving();
  void serve();
  void timer(FtlPoll poll_updated);
  void look_at_toml();
  void handle_wishes();
  void reload();
  void read_settings();
  void answer_all();
  /// nullopt: none.
  std::optional<std::vector<DnsBytes>> answer(const DnsQuestion& question);
  std::string stats() const;
  bool silent() const { return dead_ || restarting_until_ != SteadyClock::time_point{}; }

  const DaemonOptions options_;
  TomlSettings settings_;
  FtlGravity gravity_;
  util::Fd wake_;
  util::Fd stop_timer_;
  util::Fd socket_;
  std::uint16_t port_ = 0;
  std::map<std::string, std::vector<std::string>> names_;
  bool dead_ = false;  ///< alive, but no DNS: what a looping cname does to the real one
  SteadyClock::time_point restarting_until_{};
  struct stat toml_seen_ {};  ///< the timer thread's
  std::uint64_t reloads_ = 0;
  std::uint64_t restarts_ = 0;
  std::uint64_t settings_read_ = 0;
  std::uint64_t blocked_ = 0;
  std::uint64_t allowed_ = 0;
};

/// A path of pihole.toml where this process finds it.
std::string Daemon::here(const std::string& path) const {
  static const std::string directory = "/etc/pihole/";
  static const std::string run = "/run/";
  if (options_.in_container && path.rfind(directory, 0) == 0) return options_.directory + "/" + path.substr(directory.size());
  if (options_.in_container && path.rfind(run, 0) == 0)
    return options_.port_file.substr(0, options_.port_file.rfind('/') + 1) + path.substr(run.size());
  return path;
}

void Daemon::listen() {
  socket_ = util::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(options_.port);
  socklen_t size = sizeof address;
  const int room = 1 << 20;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (!socket_ || ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot listen");
  port_ = ntohs(address.sin_port);
}

void Daemon::use_records() {
  names_ = local_names(settings_.dns_hosts, settings_.cname_records);
  dead_ = want_dead || !cname_problem(settings_.cname_records).empty();
}

void Daemon::start_serving() {
  use_records();
  gravity_.reload();
  write_text(pid_path(), fmt::format("{}", ::getpid()), 0644);
}

void Daemon::reload() {
  if (!options_.reload) return;
  gravity_.reload();
  ++reloads_;
  while (options_.hang_after_reload) ::pause();
}

void Daemon::read_settings() {
  if (v5()) {
    ++settings_read_;
    settings_.dns_hosts = read_v5_hosts(options_.directory);
    return use_records();
  }
  TomlSettings now;
  try {
    now = parse_settings(read_text(toml_path()));
  } catch (const std::exception&) {
    // A running FTL overwrites what it cannot parse with its own state.
    replace_text(toml_path(), render_settings(settings_), 0640);
    return;
  }
  ++settings_read_;
  const auto read_at_start = [](const TomlSettings& s) {
    return std::tie(s.cname_records, s.dhcp_hosts, s.dhcp_active, s.upstreams, s.rev_servers, s.dnsmasq_lines, s.domain, s.dnssec,
                    s.cache_size);
  };
  const bool restart = read_at_start(now) != read_at_start(settings_);
  settings_ = now;
  if (!restart) return use_records();
  ++restarts_;
  gravity_.close();
  write_text(pid_path(), "", 0644);
  restarting_until_ = SteadyClock::now() + restart_time;
}

void Daemon::handle_wishes() {
  if (restarting_until_ != SteadyClock::time_point{}) {
    if (SteadyClock::now() < restarting_until_) return;
    restarting_until_ = {};
    forget_updated = true;
    want_reload = false;  // a signal in between is lost on a process that is not ready for it
    start_serving();
  }
  if (want_dead) dead_ = true;
  if (want_settings.exchange(false)) read_settings();
  if (want_reload.exchange(false)) reload();
}

std::string Daemon::stats() const {
  const auto& counts = gravity_.counts();
  return fmt::format(
      "reloads={} restarts={} settings={} lookups={} busy={} errors={} blocked={} allowed={} signals={} signals_on_dns_thread={} "
      "polls={} poll_failures={} updated={}",
      reloads_, restarts_, settings_read_, counts.lookups, counts.busy, counts.errors, blocked_, allowed_, signals_total.load(),
      signals_on_dns_thread.load(), polls.load(), poll_failures.load(), gravity_.updated());
}

std::optional<std::vector<DnsBytes>> Daemon::answer(const DnsQuestion& question) {
  if (question.type == dns_type_txt && question.name == "stats.stand-in") {
    std::vector<DnsBytes> texts;
    for (const auto& word : words_of(stats(), " ")) {
      DnsBytes& text = texts.emplace_back(1, static_cast<std::uint8_t>(word.size()));
      text.insert(text.end(), word.begin(), word.end());
    }
    return texts;
  }
  if (question.type != dns_type_a) return std::vector<DnsBytes>{};
  if (question.name == "pi.hole") return std::vector<DnsBytes>{{127, 0, 0, 1}};
  if (const auto local = names_.find(question.name); local != names_.end()) {
    std::vector<DnsBytes> addresses;
    for (const auto& text : local->second) {
      DnsBytes& address = addresses.emplace_back(4);
      ::inet_pton(AF_INET, text.c_str(), address.data());
    }
    return addresses;
  }
  const auto blocked = gravity_.blocked(question.name);
  if (!blocked) return std::nullopt;
  ++(*blocked ? blocked_ : allowed_);
  return std::vector<DnsBytes>{*blocked ? DnsBytes{0, 0, 0, 0} : DnsBytes{192, 0, 2, 1}};
}

void Daemon::answer_all() {
  std::array<std::uint8_t, 1500> buffer;
  sockaddr_in from{};
  // Not for ever: a busy prober must not keep a reload waiting.
  for (int i = 0; i < 64; ++i) {
    socklen_t size = sizeof from;
    const auto n = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0) return;
    if (silent()) continue;
    const std::span<const std::uint8_t> query(buffer.data(), static_cast<std::size_t>(n));
    const auto question = parse_query(query);
    if (!question) continue;
    const auto found = answer(*question);
    if (!found) continue;
    const DnsBytes reply = dns_reply(query, *question, *found);
    ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
  }
}

void Daemon::look_at_toml() {
  struct stat now {};
  if (::stat(toml_path().c_str(), &now) != 0) return;
  const bool same = now.st_ino == toml_seen_.st_ino && now.st_size == toml_seen_.st_size &&
                    now.st_mtim.tv_sec == toml_seen_.st_mtim.tv_sec && now.st_mtim.tv_nsec == toml_seen_.st_mtim.tv_nsec;
  toml_seen_ = now;
  if (same) return;
  want_settings = true;
  wake();
}

void Daemon::timer(FtlPoll poll_updated) {
  auto next = SteadyClock::now();
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - SteadyClock::now());
    if (left.count() > 0) {
      std::array<pollfd, 2> fds{{{stop_timer_.get(), POLLIN, 0}, {options_.end_with_stdin ? STDIN_FILENO : -1, 0, 0}}};
      if (::poll(fds.data(), fds.size(), static_cast<int>(left.count())) > 0) {
        if (fds[0].revents != 0) return;
        ::_exit(3);  // the test is gone, and the DNS thread may be hung
      }
      continue;  // signals come here and end the wait early
    }
    next += v5() ? std::chrono::milliseconds(100) : options_.poll_interval;
    if (v5()) {
      if (want_reload_soon.exchange(false)) {
        want_reload = true;
        wake();
      }
      continue;
    }
    look_at_toml();
    if (!options_.poll) continue;
    if (forget_updated.exchange(false)) poll_updated.forget();
    if (poll_updated.updated()) {
      want_reload = true;
      wake();
    }
    poll_failures = poll_updated.failures();
    ++polls;
  }
}

int Daemon::run() {
  ::prctl(PR_SET_NAME, "pihole-FTL");
  catch_signals();
  listen();
  if (!v5() && ::stat(toml_path().c_str(), &toml_seen_) != 0) throw std::runtime_error("no " + toml_path());
  if (v5() && !v5_problem(options_.dnsmasq_directory).empty()) throw std::runtime_error(v5_problem(options_.dnsmasq_directory));
  start_serving();
  std::thread timer_thread([this, poll = FtlPoll(here(settings_.gravity))] { timer(poll); });
  ::pthread_setname_np(timer_thread.native_handle(), v5() ? "housekeeper" : "timer");
  replace_text(options_.port_file, fmt::format("{}\n", port_), 0644);

  serve();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(stop_timer_.get(), &one, sizeof one);
  timer_thread.join();
  gravity_.close();
  write_text(pid_path(), "", 0644);
  return want_exit;
}

void Daemon::serve() {
  while (want_exit < 0) {
    std::array<pollfd, 2> fds{{{socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    const bool restarting = restarting_until_ != SteadyClock::time_point{};
    ::poll(fds.data(), fds.size(), restarting ? 20 : -1);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
    handle_wishes();
    answer_all();
  }
}

}  // namespace

int run_daemon(const DaemonOptions& options) {
  Daemon daemon(options);
  return daemon.run();
}

}  // namespace gsync::test
