#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "gsync/pihole/ftl.hpp"
#include "supervisor_loop.hpp"

namespace gsync::daemon {
namespace {

using std::chrono::steady_clock;

bool is_of_a_sync(const Report& report) {
  return std::any_of(report.events.begin(), report.events.end(), [](const Event& event) { return event.kind == "synced"; });
}

}  // namespace

void Supervisor::make_slots(bool keep) {
  auto before = std::exchange(workers_, {});
  for (const auto& peer : config_.peers) {
    const auto same = std::find_if(before.begin(), before.end(), [&](const WorkerSlot& worker) { return keep && worker.peer == peer; });
    if (same != before.end())
      workers_.splice(workers_.end(), before, same);
    else
      add_slot(peer);
  }
  for (auto& worker : before) dismiss(worker);
}

void Supervisor::add_slot(const config::PeerConfig& peer) {
  auto& worker = workers_.emplace_back();
  worker.peer = peer;
  worker.status.name = peer.name;
  worker.status.host = peer.host;
  worker.status.mode = peer.mode;
  if (const auto why = paused_.find(peer.name); why != paused_.end()) {
    worker.status.phase = Phase::paused;
    worker.status.paused_why = why->second;
  } else {
    worker.start_at = steady_clock::now();
  }
}

void Supervisor::dismiss(WorkerSlot& worker) {
  if (!worker.child) return;
  worker.child->stop(steady_clock::now() + stop_time);
  leaving_.push_back(std::move(*worker.child));
  worker.child.reset();
}

void Supervisor::take_reports(const std::vector<pollfd>& polls) {
  const auto readable = [&](const util::Fd& fd) {
    return std::any_of(polls.begin(), polls.end(), [&](const pollfd& p) { return p.fd == fd.get() && p.revents != 0; });
  };
  for (auto& worker : workers_)
    if (worker.child && readable(worker.child->control())) take_report(worker);
  for (auto& server : servers_) {
    std::string bytes;
    while (readable(server.child.control()) && receive_packet(server.child.control().get(), bytes) == Packet::there) {
      const auto report = util::decode<Report>(bytes);
      if (!report.agent) continue;
      const bool known = server.status.since != 0;
      server.status = *report.agent;
      for (const auto& event : report.events) publish(event);
      if (report.wants_gravity) want_gravity(server.status.uncompiled);
      if (known) continue;
      say(Level::info, "serving",
          fmt::format("serves {}{}", server.status.peer.empty() ? "a peer" : server.status.peer,
                      server.status.read_only ? ", read-only" : ""));
    }
  }
  if (compiler_ && readable(compiler_->control())) take_compiler_report();
  answer_tickets();
}

void Supervisor::take_report(WorkerSlot& worker) {
  std::string bytes;
  while (receive_packet(worker.child->control().get(), bytes) == Packet::there) {
    const auto report = util::decode<Report>(bytes);
    if (report.peer) {
      worker.status = *report.peer;
      hooks_.take(config_.daemon, worker.status, is_of_a_sync(report), parts_.clock.unix_time());
    }
    if (report.peer && report.peer->in_step == true) worker.backoff.reset();
    worker.done = std::max(worker.done, report.ticket);
    for (const auto& event : report.events) publish(event);
    if (report.peer && report.wants_gravity) want_gravity(report.peer->uncompiled);
  }
}

/// A client of `now` has its answer when every worker that runs has done it.
void Supervisor::answer_tickets() {
  auto done = ticket_;
  for (const auto& worker : workers_)
    if (worker.child || worker.start_at) done = std::min(done, worker.done);
  status_server_.done(done);
}

void Supervisor::reap() {
  for (auto& worker : workers_) {
    if (!worker.child) continue;
    if (const auto status = worker.child->ended()) worker_ended(worker, *status);
  }
  leaving_.remove_if([](Child& child) { return child.ended().has_value(); });
  servers_.remove_if([](ServerSlot& server) { return server.child.ended().has_value(); });
  reap_compiler();
  hooks_.reap();
  answer_tickets();
}

/// By itself: a worker that works does not.
void Supervisor::worker_ended(WorkerSlot& worker, int status) {
  take_report(worker);
  worker.child.reset();
  const auto wait = worker.backoff.next(std::uniform_real_distribution<double>(0, 1)(random_));
  worker.start_at = steady_clock::now() + wait;
  worker.status.phase = Phase::waiting;
  worker.status.connected_since = 0;
  worker.status.next_try = parts_.clock.unix_time() + std::chrono::ceil<std::chrono::seconds>(wait).count();
  const auto text = fmt::format("its worker {}", ending_text(status));
  worker.status.failure = Failure{"io", text, "it is started again", parts_.clock.unix_time()};
  say(Level::error, "failed", text, {}, worker.peer.name);
}

void Supervisor::start_workers(Time now) {
  if (stopping_) return;
  for (auto& worker : workers_) {
    if (worker.child || !worker.start_at || now < *worker.start_at) continue;
    worker.start_at.reset();
    worker.child.emplace(start_child({"worker", "--peer", worker.peer.name}));
    worker.status.phase = Phase::connecting;
    // One that is asked before it has begun answers with its first sync.
    if (ticket_ > worker.done) send(worker.child->control(), Order{Order::Kind::now, ticket_});
  }
}

std::uint64_t Supervisor::sync_now() {
  ++ticket_;
  const auto now = steady_clock::now();
  for (auto& worker : workers_)
    if (worker.start_at) worker.start_at = now;
  tell_all({Order::Kind::now, ticket_});
  return ticket_;
}

WorkerSlot* Supervisor::slot(const std::string& peer) {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const WorkerSlot& worker) { return worker.peer.name == peer; });
  return found == workers_.end() ? nullptr : &*found;
}

void Supervisor::pause(const std::string& peer, const std::string& why) {
  set_paused(parts_.state, peer, why);
  const bool news = paused_.insert_or_assign(peer, why).second;
  if (auto* worker = slot(peer)) {
    worker->start_at.reset();
    worker->status.phase = Phase::paused;
    worker->status.paused_why = why;
    worker->status.connected_since = 0;
    worker->status.next_try = 0;
    dismiss(*worker);
  }
  if (news) say(Level::info, "paused", fmt::format("paused: {}", why), {}, peer);
}

void Supervisor::resume(const std::string& peer) {
  set_resumed(parts_.state, peer);
  // Whom we refused a change may make it now. A pause may have been set while we did not answer, and we do not know of it.
  for (const auto& server : servers_) send(server.child.control(), Order{Order::Kind::changed, 0});
  if (paused_.erase(peer) == 0) return;
  if (auto* worker = slot(peer)) {
    worker->status.phase = Phase::connecting;
    worker->status.paused_why.clear();
    worker->start_at = steady_clock::now();
  }
  say(Level::info, "resumed", "resumed", {}, peer);
}

Status Supervisor::status() const {
  Status status{parts_.name,     parts_.software, ::getpid(), started_, pihole::gravity_is_running(parts_.installation),
                changes_,        config_error_,   {},         {},       compiler_.has_value(),
                gravity_problem_};
  for (const auto& worker : workers_) status.peers.push_back(worker.status);
  for (const auto& server : servers_)
    if (server.status.since) status.agents.push_back(server.status);
  for (const auto& paused : paused_) {
    const auto& peer = paused.first;
    const auto& why = paused.second;
    bool shown = std::any_of(status.peers.begin(), status.peers.end(), [&](const PeerStatus& p) { return p.name == peer; });
    for (auto& agent : status.agents) {
      if (agent.peer != peer) continue;
      agent.paused_why = why;
      shown = true;
    }
    if (!shown) status.agents.push_back({peer, false, 0, why});
  }
  return status;
}

}  // namespace gsync::daemon
