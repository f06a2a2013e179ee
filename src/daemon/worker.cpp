#include "gsync/daemon/worker.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <random>

#include "child.hpp"
#include "gsync/pihole/ftl.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/memory.hpp"
#include "schedule.hpp"
#include "signals.hpp"

namespace gsync::daemon {
namespace {

using std::chrono::steady_clock;

/// How often to look whether `pihole -g` is done.
constexpr std::chrono::seconds gravity_poll{1};
constexpr std::size_t longest_text = 2'000;

std::string cut(std::string text) {
  if (text.size() > longest_text) text.resize(longest_text);
  return text;
}

NodeFacts facts_of(const model::NodeInfo& info) {
  return {info.name, info.software, info.core_version, info.ftl_version, info.schema};
}

/// Errors that come back until something changes on one of the two nodes.
bool lasts(ErrorCode code) {
  return code == ErrorCode::refused || code == ErrorCode::corrupt || code == ErrorCode::incompatible;
}

class Worker {
 public:
  explicit Worker(const WorkerParts& parts) : parts_(parts), control_(Child::control_fd), next_turn_(steady_clock::now()) {
    status_.name = parts.peer.name;
    status_.host = parts.peer.host;
    status_.mode = parts.peer.mode;
  }

  void run();

 private:
  void converse();
  void take_orders();
  bool here_is_as_it_was();
  bool look_after_here();
  void turn();
  void run_sync();
  bool compare();
  void still_refused();
  void in_step(const model::NodeInfo& here, const model::NodeInfo& there);
  bool replicate();
  bool merge();
  void synced(const char* what, const model::ChangeCounts& counts, const model::ApplyReport& last, const std::vector<std::string>& warnings,
              const model::Uncompiled& uncompiled);
  void tell_of_uncompiled(const model::NodeInfo& here, const model::NodeInfo& there, std::vector<Event>& events);
  void failed(const Error& error, milliseconds wait);
  void wait_for_orders(Time until);
  void count_bytes();
  sync::Options options();
  void report(std::vector<Event> events = {}, bool wants_gravity = false);
  Event event(Level level, std::string kind, std::string text, std::string hint = {}) const {
    return {parts_.clock.unix_time(), level, std::move(kind), parts_.peer.name, cut(std::move(text)), cut(std::move(hint))};
  }
  double random() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  bool pushes() const { return parts_.peer.mode == config::Mode::push; }
  bool both_ways() const { return parts_.peer.mode == config::Mode::sync; }
  model::Node& there() { return *connected_.node; }

  const WorkerParts& parts_;
  util::Fd control_;
  PeerStatus status_;
  Connected connected_;
  Backoff reconnect_;
  Backoff retry_;
  Time next_turn_;
  bool wanted_ = true;     ///< a sync is due now
  bool look_here_ = true;  ///< something may have changed here since this node was last looked at
  bool orphaned_ = false;  ///< the supervisor is gone
  bool working_reported_ = false;
  std::uint64_t ticket_ = 0;  ///< of the `now` that is not answered yet
  std::uint64_t bytes_base_sent_ = 0;
  std::uint64_t bytes_base_received_ = 0;
  std::optional<model::Digests> settled_;  ///< what is here, as it was last compared
  using Pair = std::pair<model::Digests, model::Digests>;
  std::optional<Pair> accepted_;  ///< here and there that differ only in what the target cannot hold
  struct Refused {
    Pair digests;
    Failure failure;
    std::string command;
  };
  std::optional<Refused> refused_;  ///< not tried again before one of the two changes
  std::optional<Pair> trying_;
  model::Uncompiled told_of_;  ///< as it was when the book was last asked what is news
  std::mt19937 random_{std::random_device{}()};
};

void Worker::run() {
  util::keep_one_heap();
  while (!orphaned_) {
    try {
      status_.phase = Phase::connecting;
      report();
      connected_ = parts_.connect();
      // It may have been allowed meanwhile, by a new line in authorized_keys. What --force would let through waits as below.
      if (refused_ && refused_->command.empty()) refused_.reset();
      bytes_base_sent_ = status_.bytes_sent;
      bytes_base_received_ = status_.bytes_received;
      status_.connected_since = parts_.clock.unix_time();
      status_.phase = Phase::idle;
      const auto& theirs = connected_.node->peer_hello();
      wanted_ = true;
      report({event(Level::info, "connected", fmt::format("connected to {} with gravity-sync {}", theirs.name, theirs.software))});
      converse();
    } catch (const Error& error) {
      const auto wait = reconnect_.next(random());
      count_bytes();
      look_here_ = look_here_ || status_.connected_since != 0;
      status_.connected_since = 0;
      connected_ = {};
      failed(error, wait);
      wanted_ = false;
      wait_for_orders(steady_clock::now() + wait);
    }
  }
}

/// Until the connection is lost (Error) or the supervisor is.
void Worker::converse() {
  while (!orphaned_) {
    if (wanted_) {
      wanted_ = false;
      turn();
      util::give_memory_back();
      continue;
    }
    const auto left = std::chrono::ceil<milliseconds>(next_turn_ - steady_clock::now());
    switch (connected_.node->wait(control_.get(), util::Deadline::in(std::max(left, milliseconds(0))))) {
      case protocol::RemoteNode::Woken::changed:
        // A pause over there ends without a change of either database; what --force would let through waits for one, or for a person.
        if (refused_ && refused_->command.empty()) refused_.reset();
        wanted_ = true;
        break;
      case protocol::RemoteNode::Woken::other:
        take_orders();
        break;
      case protocol::RemoteNode::Woken::deadline:
        wanted_ = steady_clock::now() >= next_turn_;
    }
  }
}

void Worker::take_orders() {
  bool changed = false;
  for (std::string bytes;;) {
    const auto packet = receive_packet(control_.get(), bytes);
    if (packet == Packet::closed) orphaned_ = true;
    if (packet != Packet::there) break;
    const auto order = util::decode<Order>(bytes);
    if (order.kind == Order::Kind::now) {
      ticket_ = order.ticket;
      wanted_ = true;
      refused_.reset();
    } else {
      changed = true;
    }
  }
  if (changed && !wanted_) wanted_ = !here_is_as_it_was();
}

/// What changed may be our own publish, which was compared after it. Its digests tell, whoever was quicker, our report or somebody's next
/// edit.
bool Worker::here_is_as_it_was() {
  if (!settled_ || !connected_.node) return false;
  try {
    return parts_.here.describe().digests == *settled_;
  } catch (const Error&) {
    return false;  // the run says what is wrong
  }
}

void Worker::turn() {
  if (pihole::gravity_is_running(parts_.installation)) {
    next_turn_ = steady_clock::now() + gravity_poll;
    return;
  }
  const TermWaits term;
  try {
    run_sync();
  } catch (const Error& error) {
    count_bytes();
    // What the far node itself answered leaves the connection as it was; else this throws.
    try {
      wanted_ = connected_.node->wait(-1, util::Deadline::in(milliseconds(0))) == protocol::RemoteNode::Woken::changed;
    } catch (const Error&) {
      throw error;
    }
    const auto wait = lasts(error.code()) ? std::chrono::duration_cast<milliseconds>(parts_.config.daemon.interval) : retry_.next(random());
    next_turn_ = steady_clock::now() + wait;
    failed(error, wait);
    // What refused us may have changed since, as in converse(): that word was this one.
    if (wanted_ && refused_ && refused_->command.empty()) refused_.reset();
  }
}

/// While the peer is away: what `pihole -g` has lost of people's edits is brought back now (see LocalNode::lock), for its next run moves
/// away what tells of them. False when it is to be done later.
bool Worker::look_after_here() {
  if (pihole::gravity_is_running(parts_.installation)) return false;
  const TermWaits term;
  try {
    parts_.here.lock(util::Deadline::in(milliseconds(0)));
    parts_.here.unlock();
  } catch (const Error& error) {
    // Anything else the next sync meets as well, and says.
    return error.code() != ErrorCode::busy && error.code() != ErrorCode::conflict;
  }
  util::give_memory_back();
  return true;
}

void Worker::run_sync() {
  const auto& daemon = parts_.config.daemon;
  next_turn_ = steady_clock::now() + daemon.interval;
  if (compare()) return;
  if (refused_ && refused_->digests == *trying_) return still_refused();
  if (!(both_ways() ? merge() : replicate())) accepted_ = trying_;
  refused_.reset();
  working_reported_ = false;
  if (compare()) return;
  // Somebody edits meanwhile. When he pauses we are told, and where nobody tells us we look: not at once, or each of his edits is a
  // publish.
  next_turn_ = steady_clock::now() + daemon.debounce_limit + daemon.debounce;
}

/// Whether the two are in step, as far as they can be.
bool Worker::compare() {
  const auto there_info = there().describe();
  const auto here_info = parts_.here.describe();
  settled_ = here_info.digests;
  trying_ = Pair(here_info.digests, there_info.digests);
  const auto& components = parts_.config.sync.components;
  const bool same = accepted_ == trying_ || (both_ways() ? sync::agreed(parts_.here, here_info, there_info, components)
                                                         : sync::in_step(here_info, there_info, components));
  if (same)
    in_step(here_info, there_info);
  else
    status_.in_step = false;
  return same;
}

void Worker::still_refused() {
  status_.failure = refused_->failure;
  status_.command = refused_->command;
  status_.phase = Phase::idle;
  status_.next_try = 0;
  report();
}

void Worker::in_step(const model::NodeInfo& here, const model::NodeInfo& there) {
  status_.here = facts_of(here);
  status_.there = facts_of(there);
  status_.phase = Phase::idle;
  status_.last_check = parts_.clock.unix_time();
  status_.next_try = 0;
  status_.command.clear();
  ++status_.checks;
  count_bytes();
  std::vector<Event> events;
  if (status_.failure) events.push_back(event(Level::info, "recovered", "in step again"));
  status_.failure.reset();
  status_.failures_in_row = 0;
  status_.in_step = true;
  reconnect_.reset();
  retry_.reset();
  tell_of_uncompiled(here, there, events);
  report(std::move(events), here.runs_gravity && !told_of_.empty());
}

/// Each is news once, for all workers together, and after a restart.
void Worker::tell_of_uncompiled(const model::NodeInfo& here, const model::NodeInfo& there, std::vector<Event>& events) {
  auto uncompiled = sync::uncompiled(here, there, parts_.config.sync.components);
  status_.uncompiled = shown(uncompiled);
  if (uncompiled == std::exchange(told_of_, uncompiled)) return;
  auto book = parts_.compiles;
  const auto news = book.tell(uncompiled, here.uncompiled);
  const bool is_seen_to = here.runs_gravity || there.runs_gravity;
  if (!news.empty()) events.push_back(event(Level::warning, "uncompiled", model::to_text(news), model::what_to_do(news, is_seen_to)));
}

/// False when there was nothing that could be done.
bool Worker::replicate() {
  const auto result = pushes() ? sync::replicate(parts_.here, there(), options()) : sync::replicate(there(), parts_.here, options());
  if (!result.report) return !result.plan.nothing_to_do();
  auto warnings = result.plan.warnings;
  warnings.insert(warnings.end(), result.report->warnings.begin(), result.report->warnings.end());
  synced(pushes() ? "pushed" : "pulled", result.report->counts, *result.report, warnings, result.uncompiled);
  return true;
}

bool Worker::merge() {
  sync::TwoWayOptions both;
  static_cast<sync::Options&>(both) = options();
  std::vector<std::string> known;
  for (const auto& peer : parts_.config.peers) known.push_back(peer.name);
  both.prefer = sync::preferred(parts_.config.sync.prefer, parts_.here.label(), parts_.peer.name, known);
  const auto result = sync::synchronise(parts_.here, there(), both);
  model::ChangeCounts counts;
  const model::ApplyReport* last = nullptr;
  std::vector<std::string> warnings;
  for (const auto* half : {&result.there, &result.here}) {
    warnings.insert(warnings.end(), half->plan.warnings.begin(), half->plan.warnings.end());
    if (!half->report) continue;
    last = &*half->report;
    counts += last->counts;
    warnings.insert(warnings.end(), last->warnings.begin(), last->warnings.end());
  }
  for (const auto& conflict : result.conflicts)
    warnings.push_back(fmt::format("conflict: {}{}{}: kept '{}' of {}, lost '{}' of {}", conflict.subject,
                                   conflict.field.empty() ? "" : ", ", conflict.field, conflict.kept, conflict.kept_from, conflict.lost,
                                   conflict.lost_from));
  if (last != nullptr) synced("merged", counts, *last, warnings, result.uncompiled);
  return last != nullptr;
}

void Worker::synced(const char* what, const model::ChangeCounts& counts, const model::ApplyReport& last,
                    const std::vector<std::string>& warnings, const model::Uncompiled& uncompiled) {
  status_.uncompiled = shown(uncompiled);
  status_.last_sync = parts_.clock.unix_time();
  status_.last_changed = changed_of(counts);
  ++status_.syncs;
  const auto& c = counts;
  status_.rows_changed += c.rows_added + c.rows_changed + c.rows_removed + c.records_added + c.records_removed + c.settings_changed;
  status_.publish_microseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(last.publish_microseconds, 0));
  std::vector<Event> events;
  events.push_back(event(Level::info, "synced", fmt::format("{}: {}", what, to_text(status_.last_changed))));
  for (const auto& warning : warnings) events.push_back(event(Level::warning, "warning", warning));
  if (events.size() > 20) events.resize(20);
  report(std::move(events));
}

void Worker::failed(const Error& error, milliseconds wait) {
  const bool new_words = !status_.failure || status_.failure->what != cut(error.what());
  status_.phase = Phase::waiting;
  status_.failure = Failure{std::string(gsync::to_string(error.code())), cut(error.what()), cut(error.hint()), parts_.clock.unix_time()};
  status_.next_try = parts_.clock.unix_time() + std::chrono::ceil<std::chrono::seconds>(wait).count();
  status_.command.clear();
  if (error.code() == ErrorCode::refused && error.hint().find("--force") != std::string::npos)
    status_.command = fmt::format("gravity-sync {} {} --force", to_string(parts_.peer.mode), parts_.peer.name);
  if (connected_.node && lasts(error.code()) && trying_) {
    refused_ = Refused{*trying_, *status_.failure, status_.command};
    status_.phase = Phase::idle;
    status_.next_try = 0;
  }
  ++status_.failures;
  ++status_.failures_in_row;
  working_reported_ = false;
  std::vector<Event> events;
  // A peer that is off for a day is one line, not three hundred.
  if (new_words) {
    const auto hint = status_.command.empty() ? error.hint() : fmt::format("to let it through: {}", status_.command);
    events.push_back(event(error.code() == ErrorCode::busy ? Level::warning : Level::error,
                           error.code() == ErrorCode::refused ? "refused" : "failed", error.what(), hint));
  }
  report(std::move(events));
}

void Worker::wait_for_orders(Time until) {
  while (!orphaned_ && !wanted_) {
    if (look_here_) look_here_ = !look_after_here();
    const auto now = steady_clock::now();
    if (now >= until) return;
    const auto left = std::chrono::ceil<milliseconds>(look_here_ ? std::min<Time::duration>(until - now, gravity_poll) : until - now);
    pollfd p{control_.get(), POLLIN, 0};
    const auto n = ::poll(&p, 1, static_cast<int>(left.count()));
    if (n < 0 && errno != EINTR) throw_errno(errno, "cannot wait");
    if (n <= 0) continue;
    const auto ticket = ticket_;
    take_orders();
    // A change here goes to the peer when it is back. A person who asks is answered by a try.
    look_here_ = look_here_ || wanted_;
    wanted_ = ticket_ != ticket;
  }
}

void Worker::count_bytes() {
  if (!connected_.node) return;
  status_.bytes_sent = bytes_base_sent_ + connected_.node->bytes_sent();
  status_.bytes_received = bytes_base_received_ + connected_.node->bytes_received();
}

sync::Options Worker::options() {
  sync::Options options;
  options.action = both_ways() ? model::Action::sync : pushes() ? model::Action::push : model::Action::pull;
  options.components = parts_.config.sync.components;
  options.shrink = parts_.config.sync.shrink;
  options.lock_deadline = parts_.config.sync.lock_deadline;
  options.started_by = fmt::format("daemon on {}", parts_.here.label());
  auto* node = connected_.node.get();
  options.bytes_sent = [node] { return node->bytes_sent(); };
  options.bytes_received = [node] { return node->bytes_received(); };
  options.progress = [this](const sync::Progress& progress) {
    if (working_reported_ || progress.step.starts_with("comparing") || progress.step.starts_with("locking")) return;
    working_reported_ = true;
    status_.phase = Phase::working;
    report();
  };
  return options;
}

void Worker::report(std::vector<Event> events, bool wants_gravity) {
  Report report;
  report.peer = status_;
  report.wants_gravity = wants_gravity;
  report.events = std::move(events);
  if (status_.phase != Phase::working && status_.phase != Phase::connecting && !(status_.phase == Phase::idle && wanted_))
    report.ticket = std::exchange(ticket_, 0);
  send(control_, report);
}

}  // namespace

void run_worker(const WorkerParts& parts) {
  Worker(parts).run();
}

}  // namespace gsync::daemon
