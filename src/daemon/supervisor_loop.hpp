#pragma once
#include <poll.h>

#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "child.hpp"
#include "gsync/daemon/supervisor.hpp"
#include "gsync/util/files.hpp"
#include "hooks.hpp"
#include "notify.hpp"
#include "schedule.hpp"
#include "sockets.hpp"
#include "status_server.hpp"
#include "watcher.hpp"

namespace gsync::daemon {

/// A run that has begun may end when we are told to.
constexpr std::chrono::seconds stop_time{10};

struct WorkerSlot {
  config::PeerConfig peer;
  PeerStatus status;
  std::optional<Child> child;
  std::optional<Time> start_at;
  Backoff backoff;
  std::uint64_t done = 0;  ///< the last ticket that was answered
};

struct ServerSlot {
  Child child;
  AgentStatus status;
};

/// The daemon's first process, one turn of poll() after the other. What concerns peers is in supervisor_peers.cpp.
class Supervisor {
 public:
  explicit Supervisor(const SupervisorParts& parts);
  void run();

 private:
  void turn();
  std::optional<Time> next_time() const;
  void take_signals_in();
  void take_reports(const std::vector<pollfd>& polls);
  void take_report(WorkerSlot& worker);
  void reap();
  void worker_ended(WorkerSlot& worker, int status);
  void start_workers(Time now);
  Child start_child(std::vector<std::string> arguments, int stream = -1) const;
  void act_on_changes(Time now);
  void tell_manager(Time now);
  void write_metrics();
  void tell_all(const Order& order);
  void accept_agents();
  void require_same_places(const config::Config& config) const;
  void part_with_servers(Time now);
  void reload();
  /// For the peers of the configuration. Those that were there before and are the same go on, if `keep`.
  void make_slots(bool keep);
  void add_slot(const config::PeerConfig& peer);
  /// Its child ends, now or when its run is done.
  void dismiss(WorkerSlot& worker);
  void stop_all();
  void look_whether_gravity_can_run();
  /// Somebody reported adlists that are compiled nowhere. Starts the process that sees to it, once for the same ones.
  void want_gravity(const std::vector<Uncompiled>& uncompiled);
  void take_compiler_report();
  void reap_compiler();
  Status status() const;
  std::uint64_t sync_now();
  void answer_tickets();
  void pause(const std::string& peer, const std::string& why);
  void resume(const std::string& peer);
  /// nullptr: not a peer of ours.
  WorkerSlot* slot(const std::string& peer);
  void say(Level level, std::string kind, std::string text, std::string hint = {}, std::string peer = {});
  void publish(const Event& event);
  bool all_ended() const;

  const SupervisorParts& parts_;
  config::Config config_;
  std::string run_directory_;
  util::FileLock lock_;
  util::Fd signals_;
  util::Fd config_fd_;
  Watcher watcher_;
  Debounce debounce_;
  StatusServer status_server_;
  std::optional<gid_t> group_;
  Listener agents_;
  std::map<std::string, std::string> paused_;  ///< peers and those that push to us, and why; as kept in the state
  std::list<WorkerSlot> workers_;
  std::list<Child> leaving_;  ///< workers of before a reload, or of paused peers
  std::list<ServerSlot> servers_;
  std::optional<Child> compiler_;                ///< runs `pihole -g`, or finds that it need not
  std::map<std::string, Time> compiles_wanted_;  ///< addresses, and when they were last reported to the compiler
  std::string gravity_problem_;
  std::int64_t started_;
  Time next_look_;
  std::string config_error_;
  std::optional<milliseconds> watchdog_ = watchdog_interval();
  std::optional<Time> next_watchdog_;
  std::optional<Time> part_again_;
  bool looks_other_ = false;  ///< the look at the interval saw what nothing has told us of, and nobody was told yet
  std::string manager_text_;
  std::string metrics_;
  bool metrics_failed_ = false;
  bool full_ = false;  ///< a peer was sent away since there was room last
  Hooks hooks_{[this](Level level, const std::string& text) { say(level, "hook", text); }};
  std::uint64_t ticket_ = 0;
  std::uint64_t changes_ = 0;
  bool stopping_ = false;
  bool gravity_running_ = false;
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace gsync::daemon
