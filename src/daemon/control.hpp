#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gsync/daemon/status.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/fd.hpp"

/// What the supervisor and its children say to each other, over a socket pair that keeps packets apart.
namespace gsync::daemon {

template <class Archive, class T>
requires requires(T& t) {
  each_field(t, [](const char*, auto&) {});
}
void fields(Archive& a, T& t) {
  each_field(t, [&](const char*, auto& value) { a(value); });
}

/// From the supervisor.
struct Order {
  enum class Kind : std::uint8_t { changed, now };
  Kind kind = Kind::changed;
  std::uint64_t ticket = 0;  ///< of `now`: given back when it is done
};
constexpr Order::Kind last_of(Order::Kind) {
  return Order::Kind::now;
}
template <class F>
void each_field(Order& o, F f) {
  f("kind", o.kind), f("ticket", o.ticket);
}

/// From a child. What is not there is as it was.
struct Report {
  std::optional<PeerStatus> peer;
  std::optional<AgentStatus> agent;
  std::vector<Event> events;
  std::uint64_t ticket = 0;
  bool wants_gravity = false;     ///< what is uncompiled in `peer` or `agent` may ask for a `pihole -g` here
  std::string gravity_problem{};  ///< from the child that runs it
};
template <class F>
void each_field(Report& r, F f) {
  f("peer", r.peer), f("agent", r.agent), f("events", r.events), f("ticket", r.ticket), f("wants_gravity", r.wants_gravity);
  f("gravity_problem", r.gravity_problem);
}

struct ControlPair {
  util::Fd ours;
  util::Fd childs;
};
ControlPair make_control();

enum class Packet { there, none, closed };
/// Takes one packet without waiting.
Packet receive_packet(int fd, std::string& bytes);
/// False when the other end is gone or does not read. A packet that cannot be sent now is dropped: orders repeat, and a report is followed
/// by a newer one.
bool send_packet(int fd, std::string_view bytes);

template <class T>
bool send(const util::Fd& fd, const T& value) {
  return send_packet(fd.get(), util::encode(value));
}

}  // namespace gsync::daemon
