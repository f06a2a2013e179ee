#include "gsync/daemon/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "gsync/daemon/log.hpp"
#include "gsync/daemon/metrics.hpp"
#include "gsync/pihole/ftl.hpp"
#include "gsync/util/file_ops.hpp"
#include "gsync/util/memory.hpp"
#include "supervisor_loop.hpp"

namespace gsync::daemon {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds gravity_poll{1};
constexpr std::size_t most_servers = 64;
/// What sshd has let in by the rights of before has reached agent.sock by then.
constexpr std::chrono::seconds login_time{10};

/// What people edit, and where it stands.
std::vector<std::string> watched_files(const pihole::Installation& pihole) {
  std::vector<std::string> files{pihole.gravity_database};
  if (pihole.gravity_named != pihole.gravity_database && !pihole.gravity_named.empty()) files.push_back(pihole.gravity_named);
  if (pihole.generation == pihole::Generation::v6) {
    files.push_back(pihole.toml_path());
  } else {
    files.push_back(pihole.directory + "/custom.list");
    files.push_back(pihole.dnsmasq_directory + "/05-pihole-custom-cname.conf");
    files.push_back(pihole.dnsmasq_directory + "/04-pihole-static-dhcp.conf");
  }
  return files;
}

/// The configuration as it was accepted, for children that are started when the file says something else.
util::Fd config_file(const config::Config& config) {
  util::Fd fd(::memfd_create("gravity-sync.toml", MFD_CLOEXEC));
  if (!fd) throw_errno(errno, "cannot keep the configuration for child processes");
  std::string_view text = config.text;
  while (!text.empty()) {
    const auto n = ::write(fd.get(), text.data(), text.size());
    if (n < 0 && errno != EINTR) throw_errno(errno, "cannot keep the configuration for child processes");
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
  return fd;
}

std::string made_run_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    throw_errno(errno, fmt::format("cannot make the directory {} for the daemon's sockets", path),
                fmt::format("make it as root: install -d -o {} -g {} {}; or let systemd do it (RuntimeDirectory=)", ::geteuid(),
                            ::getegid(), path));
  return path;
}

util::FileLock only_daemon(const std::string& path) {
  const auto directory = util::open_directory(path);
  auto lock = util::FileLock::acquire(directory.get(), "daemon.lock", util::Deadline::in(std::chrono::seconds(0)));
  if (!lock)
    throw Error(ErrorCode::busy, fmt::format("another daemon runs here already (it holds {}/daemon.lock)", path),
                "gravity-sync status shows it");
  return std::move(*lock);
}

util::Fd take_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD}) ::sigaddset(&set, s);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  util::Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw_errno(errno, "cannot receive signals");
  return fd;
}

}  // namespace

Supervisor::Supervisor(const SupervisorParts& parts)
    : parts_(parts),
      config_(parts.config),
      run_directory_(made_run_directory(parts.config.daemon.run_directory)),
      lock_(only_daemon(run_directory_)),
      signals_(take_signals()),
      config_fd_(config_file(config_)),
      watcher_(watched_files(parts.installation)),
      debounce_(config_.daemon.debounce, config_.daemon.debounce_limit),
      status_server_(run_directory_, {[this] { return status(); }, [this] { return sync_now(); },
                                      [this](const std::string& peer, const std::string& why) { pause(peer, why); },
                                      [this](const std::string& peer) { resume(peer); }}),
      group_(group_id(config_.daemon.agent_group)),
      agents_(run_directory_, "agent.sock", group_),
      paused_(paused_peers(parts.state)),
      started_(parts.clock.unix_time()),
      next_look_(steady_clock::now() + config_.daemon.interval) {
  set_has_run(parts.state);
  look_whether_gravity_can_run();
  make_slots(false);
}

void Supervisor::run() {
  say(Level::info, "started", fmt::format("gravity-sync {} serves {} with {} peer(s)", parts_.software, parts_.name, workers_.size()));
  notify("READY=1");
  tell_manager(steady_clock::now());  // the watchdog's time runs from here, and nothing may happen for longer
  util::give_memory_back();
  while (!(stopping_ && all_ended())) turn();
  say(Level::info, "stopped", "stopped");
}

void Supervisor::turn() {
  const auto begin = steady_clock::now();
  start_workers(begin);
  std::vector<pollfd> polls{{signals_.get(), POLLIN, 0}, {watcher_.fd(), POLLIN, 0}, {agents_.fd(), POLLIN, 0}};
  for (const auto& worker : workers_)
    if (worker.child) polls.push_back({worker.child->control().get(), POLLIN, 0});
  for (const auto& server : servers_) polls.push_back({server.child.control().get(), POLLIN, 0});
  if (compiler_) polls.push_back({compiler_->control().get(), POLLIN, 0});
  status_server_.add_polls(polls);
  int timeout = -1;
  if (const auto next = next_time())
    timeout =
        static_cast<int>(std::clamp<std::int64_t>(std::chrono::ceil<milliseconds>(*next - steady_clock::now()).count(), 0, 3'600'000));
  if (::poll(polls.data(), polls.size(), timeout) < 0 && errno != EINTR) throw_errno(errno, "cannot wait for events");

  const auto now = steady_clock::now();
  // Reports first: the last one of a child must not be lost with it.
  take_reports(polls);
  if (polls[0].revents) take_signals_in();
  if (polls[1].revents && watcher_.take()) debounce_.note(now);
  act_on_changes(now);
  tell_manager(now);
  if (polls[2].revents) accept_agents();
  if (part_again_ && now >= *part_again_) {
    part_again_.reset();
    part_with_servers(now);
  }
  status_server_.handle(polls, now);
  answer_tickets();
  hooks_.kill_late(now);
  write_metrics();
  for (const auto& child : leaving_)
    if (child.kill_at() && now >= *child.kill_at()) child.kill();
  for (auto& server : servers_)
    if (server.child.kill_at() && now >= *server.child.kill_at()) server.child.kill();
}

std::optional<Time> Supervisor::next_time() const {
  std::vector<std::optional<Time>> times{status_server_.next(), hooks_.next()};
  if (!stopping_) {
    times.push_back(next_look_);
    times.push_back(debounce_.due());
    times.push_back(next_watchdog_);
    times.push_back(part_again_);
    for (const auto& worker : workers_) times.push_back(worker.start_at);
  }
  for (const auto& child : leaving_) times.push_back(child.kill_at());
  for (const auto& server : servers_) times.push_back(server.child.kill_at());
  std::optional<Time> next;
  for (const auto& time : times)
    if (time) next = std::min(next.value_or(*time), *time);
  return next;
}

void Supervisor::take_signals_in() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    switch (info.ssi_signo) {
      case SIGTERM:
      case SIGINT:
        stop_all();
        break;
      case SIGHUP:
        notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                           std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch()).count()));
        reload();
        notify("READY=1");
        break;
      case SIGUSR1:
        sync_now();
        break;
      case SIGCHLD:
        break;
    }
  }
  reap();
}

void Supervisor::act_on_changes(Time now) {
  if (stopping_) return;
  if (now >= next_look_) {
    next_look_ = now + config_.daemon.interval;
    if (!debounce_.due() && watcher_.differs()) {
      looks_other_ = true;
      debounce_.note(now - config_.daemon.debounce);
    }
  }
  if (!debounce_.take(now)) return;
  gravity_running_ = pihole::gravity_is_running(parts_.installation);
  if (gravity_running_) {
    // Looked at again when it is done.
    debounce_ = Debounce(gravity_poll, gravity_poll);
    debounce_.note(now);
    return;
  }
  debounce_ = Debounce(config_.daemon.debounce, config_.daemon.debounce_limit);
  const bool differs = watcher_.differs();
  if (!std::exchange(looks_other_, false) && !differs) return;
  ++changes_;
  tell_all({Order::Kind::changed, 0});
}

/// What `systemctl status` shows, and that we are alive.
void Supervisor::tell_manager(Time now) {
  if (watchdog_ && (!next_watchdog_ || now >= *next_watchdog_)) {
    notify("WATCHDOG=1");
    next_watchdog_ = now + *watchdog_;
  }
  const auto in_step = std::count_if(workers_.begin(), workers_.end(), [](const WorkerSlot& w) {
    return w.status.in_step == true && !w.status.failure && w.status.connected_since;
  });
  auto text = fmt::format("STATUS={} of {} peers in step", in_step, workers_.size());
  if (text == manager_text_) return;
  manager_text_ = std::move(text);
  notify(manager_text_);
}

void Supervisor::write_metrics() {
  if (config_.daemon.metrics_file.empty()) return;
  auto text = prometheus_text(status());
  if (text == metrics_) return;
  try {
    util::replace_file(config_.daemon.metrics_file, text);
  } catch (const Error& error) {
    if (!std::exchange(metrics_failed_, true)) say(Level::warning, "metrics", error.what(), error.hint());
    return;
  }
  metrics_ = std::move(text);
  metrics_failed_ = false;
}

void Supervisor::tell_all(const Order& order) {
  for (const auto& worker : workers_)
    if (worker.child) send(worker.child->control(), order);
  if (order.kind != Order::Kind::changed) return;
  for (const auto& server : servers_) send(server.child.control(), order);
}

void Supervisor::accept_agents() {
  while (auto fd = agents_.accept()) {
    if (stopping_) continue;
    const auto who = credentials_of(fd.get());
    if (!may_connect(who, group_)) {
      say(Level::warning, "refused",
          fmt::format("uid {} is not in the group {} and may not connect to agent.sock", who.uid, config_.daemon.agent_group));
      continue;
    }
    if (servers_.size() >= most_servers) {
      // Plain words, in the place of a hello: whoever connects shows them.
      const auto words = fmt::format("the daemon on {} serves {} peers and takes no more", parts_.name, servers_.size());
      [[maybe_unused]] const auto sent = ::send(fd.get(), (words + "\n").data(), words.size() + 1, MSG_NOSIGNAL);
      // One that is refused tries again for ever.
      if (!std::exchange(full_, true))
        say(Level::warning, "refused", words, "give some of them another Pi-hole that follows this one as their peer");
      continue;
    }
    full_ = false;
    // The server's stream sets this itself, and back.
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
    servers_.push_back({start_child({"serve"}, fd.get()), {}});
  }
}

Child Supervisor::start_child(std::vector<std::string> arguments, int stream) const {
  std::vector<Child::Given> given{{config_fd_.get(), Child::config_fd}};
  if (stream >= 0) given.push_back({stream, Child::stream_fd});
  const auto helpers = parts_.helpers();
  const auto give = [&](const util::Fd& helper, const char* option, int as) {
    if (!helper) return;
    given.push_back({helper.get(), as});
    arguments.insert(arguments.end(), {option, std::to_string(as)});
  };
  give(helpers.root, "--root-helper", Child::root_helper_fd);
  give(helpers.container, "--container-helper", Child::container_helper_fd);
  return {arguments, std::move(given)};
}

/// What the daemon is built on cannot change under it.
void Supervisor::require_same_places(const config::Config& config) const {
  const auto require = [](bool same, const char* what) {
    if (!same)
      throw Error(ErrorCode::config, fmt::format("{} is another one now, which takes a restart of the daemon", what),
                  "sudo systemctl restart gravity-sync");
  };
  require(config.node == config_.node, "[node]");
  require(config.pihole == config_.pihole, "[pihole]");
  require(config.daemon.run_directory == run_directory_, "[daemon] run_directory");
  require(config.daemon.agent_group == config_.daemon.agent_group, "[daemon] agent_group");  // the socket's
}

/// They come again by themselves, with the rights that they have by then.
void Supervisor::part_with_servers(Time now) {
  for (auto& server : servers_) server.child.stop(now + stop_time);
}

void Supervisor::reload() {
  accept_agents();
  part_with_servers(steady_clock::now());
  part_again_ = steady_clock::now() + login_time;
  bool same_for_children = false;
  try {
    auto config = parts_.load();
    require_same_places(config);
    config_error_.clear();
    if (config.text == config_.text) return say(Level::info, "reloaded", "the configuration is as it was");
    auto file = config_file(config);
    if (config.daemon.metrics_file != config_.daemon.metrics_file) {
      metrics_.clear();
      metrics_failed_ = false;
    }
    same_for_children = config.sync == config_.sync && config.daemon.interval == config_.daemon.interval;
    config_ = std::move(config);
    config_fd_ = std::move(file);
  } catch (const Error& error) {
    config_error_ = error.what();
    return say(Level::error, "reload", fmt::format("the configuration was not taken over, the one before stays: {}", error.what()),
               error.hint());
  }
  group_ = group_id(config_.daemon.agent_group);
  const bool due = debounce_.due().has_value();
  debounce_ = Debounce(config_.daemon.debounce, config_.daemon.debounce_limit);
  if (due) debounce_.note(steady_clock::now());
  next_look_ = std::min(next_look_, steady_clock::now() + config_.daemon.interval);
  look_whether_gravity_can_run();
  make_slots(same_for_children);
  say(Level::info, "reloaded", fmt::format("the configuration was read again: {} peer(s)", workers_.size()));
}

void Supervisor::stop_all() {
  if (stopping_) return;
  notify("STOPPING=1");
  stopping_ = true;
  // Not half-way, if it can be helped: systemd ends it when we are gone, and live is whole all the same.
  if (compiler_) compiler_->release();
  compiler_.reset();
  for (auto& worker : workers_) dismiss(worker);
  for (auto& server : servers_) server.child.stop(steady_clock::now() + stop_time);
}

bool Supervisor::all_ended() const {
  return leaving_.empty() && servers_.empty();
}

void Supervisor::say(Level level, std::string kind, std::string text, std::string hint, std::string peer) {
  publish({parts_.clock.unix_time(), level, std::move(kind), std::move(peer), std::move(text), std::move(hint)});
}

void Supervisor::publish(const Event& event) {
  log(event);
  status_server_.publish(event);
}

void run_supervisor(const SupervisorParts& parts) {
  Supervisor(parts).run();
}

}  // namespace gsync::daemon
