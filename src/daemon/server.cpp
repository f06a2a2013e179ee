#include "gsync/daemon/server.hpp"

#include <signal.h>

#include "child.hpp"
#include "gsync/daemon/supervisor.hpp"
#include "gsync/pihole/compile_book.hpp"
#include "gsync/protocol/agent.hpp"
#include "gsync/util/fd_stream.hpp"
#include "gsync/util/memory.hpp"
#include "preface.hpp"
#include "signals.hpp"

namespace gsync::daemon {
namespace {

constexpr std::chrono::seconds preface_time{10};

bool term_is_pending() {
  sigset_t pending;
  ::sigemptyset(&pending);
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGTERM) == 1;
}

/// Whether this node changed since the client was told.
bool take_orders(const util::Fd& control) {
  bool changed = false;
  for (std::string bytes;;) {
    switch (receive_packet(control.get(), bytes)) {
      case Packet::there:
        changed = changed || util::decode<Order>(bytes).kind == Order::Kind::changed;
        break;
      case Packet::none:
        return changed;
      case Packet::closed:
        throw Error(ErrorCode::cancelled, "the daemon ended");
    }
  }
}

/// Who was locked may have been given adlists that nobody has compiled, or have passed some on.
void tell_of_uncompiled(model::Node& here, pihole::CompileBook book, Report& report, model::Uncompiled& told_of, std::int64_t now) {
  try {
    const auto info = here.describe();
    report.agent->uncompiled = shown(info.uncompiled);
    report.wants_gravity = info.runs_gravity && !info.uncompiled.empty();
    if (info.uncompiled == std::exchange(told_of, info.uncompiled)) return;
    const auto news = book.tell(info.uncompiled, info.uncompiled);
    if (!news.empty())
      report.events.push_back(
          {now, Level::warning, "uncompiled", report.agent->peer, model::to_text(news), model::what_to_do(news, info.runs_gravity)});
  } catch (const Error&) {
    // Whoever asks next hears what is wrong.
  }
}

}  // namespace

void run_server(model::Node& here, replica::StateStore& state, const protocol::Hello& hello,
                std::function<void(const protocol::Hello& theirs)> greeted, util::Clock& clock) {
  util::keep_one_heap();
  const util::Fd control(Child::control_fd);
  util::FdStream stream{util::Fd(Child::stream_fd)};
  const auto preface = read_preface(stream, util::Deadline::in(preface_time));
  Report report;
  report.agent = AgentStatus{preface.peer, preface.read_only, clock.unix_time()};
  send(control, report);

  // A request is brought to its end; the supervisor closes the control socket, too, so that an idle one ends at once.
  const TermWaits term;
  protocol::AgentOptions options;
  options.hello = hello;
  options.peer = preface.peer;
  options.greeted = std::move(greeted);
  options.read_only = preface.read_only;
  options.may_change = [&](const std::string& peer) { require_not_paused(state, peer, here.label()); };
  model::Uncompiled told_of;
  options.unlocked = [&] {
    tell_of_uncompiled(here, pihole::CompileBook(state, clock), report, told_of, clock.unix_time());
    send(control, report);
    report.events.clear();
    util::give_memory_back();
  };
  options.changes = control.get();
  options.take_change = [&] {
    if (term_is_pending()) throw Error(ErrorCode::cancelled, "the daemon ends");
    return take_orders(control);
  };
  try {
    protocol::serve(here, stream, options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::cancelled) throw;
  }
}

}  // namespace gsync::daemon
