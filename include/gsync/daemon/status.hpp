#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/config/config.hpp"
#include "gsync/model/history.hpp"
#include "gsync/model/uncompiled.hpp"
#include "gsync/util/error.hpp"

/// What the daemon knows of itself, as `status`, `monitor` and metrics show it. Each type names its fields once, in each_field(): the
/// encoding between the daemon's processes and the JSON of status.sock are made of that. JSON keys may be added but not changed.
namespace gsync::daemon {

/// What a peer's worker is doing.
enum class Phase : std::uint8_t {
  connecting,
  idle,     ///< connected, and nothing to do
  working,  ///< a run that changes something
  waiting,  ///< for the next try
  paused,   ///< by a person, or by an undo
};
constexpr Phase last_of(Phase) {
  return Phase::paused;
}
std::string_view to_string(Phase phase);
std::string_view to_string(config::Mode mode);

/// One side of a connection.
struct NodeFacts {
  std::string name;
  std::string software;
  std::string core_version;
  std::string ftl_version;
  std::int64_t schema = 0;
};
template <class F>
void each_field(NodeFacts& n, F f) {
  f("name", n.name), f("software", n.software), f("core_version", n.core_version), f("ftl_version", n.ftl_version), f("schema", n.schema);
}

struct Failure {
  std::string code;  ///< gsync::to_string(ErrorCode)
  std::string what;
  std::string hint;
  std::int64_t time = 0;
};
template <class F>
void each_field(Failure& e, F f) {
  f("code", e.code), f("what", e.what), f("hint", e.hint), f("time", e.time);
}

/// What a run changed; model::ChangeCounts for people.
struct Changed {
  std::uint64_t rows_added = 0;
  std::uint64_t rows_changed = 0;
  std::uint64_t rows_removed = 0;
  std::uint64_t adlists_compiled = 0;
  std::uint64_t blocklist_added = 0;
  std::uint64_t blocklist_removed = 0;
  std::uint64_t records_added = 0;
  std::uint64_t records_removed = 0;
  std::uint64_t settings_changed = 0;
};
template <class F>
void each_field(Changed& c, F f) {
  f("rows_added", c.rows_added), f("rows_changed", c.rows_changed), f("rows_removed", c.rows_removed);
  f("adlists_compiled", c.adlists_compiled), f("blocklist_added", c.blocklist_added), f("blocklist_removed", c.blocklist_removed);
  f("records_added", c.records_added), f("records_removed", c.records_removed);
  f("settings_changed", c.settings_changed);
}
Changed changed_of(const model::ChangeCounts& c);
/// "2 list entries, 1 adlist compiled (+120 -3 domains), 1 record".
std::string to_text(const Changed& c);

/// An adlist that blocks nothing, because no Pi-hole has compiled it or none could download it.
struct Uncompiled {
  std::string address;
  bool failed = false;  ///< the download
  bool operator==(const Uncompiled&) const = default;
};
template <class F>
void each_field(Uncompiled& u, F f) {
  f("address", u.address), f("failed", u.failed);
}
std::vector<Uncompiled> shown(const model::Uncompiled& uncompiled);

/// A peer of ours. Times are seconds since 1970, 0: never. Counters are since the worker was started.
struct PeerStatus {
  std::string name;
  std::string host;
  config::Mode mode = config::Mode::pull;
  Phase phase = Phase::connecting;
  std::string paused_why;
  std::int64_t connected_since = 0;
  std::int64_t last_check = 0;  ///< both sides were compared
  std::int64_t last_sync = 0;   ///< something was changed
  Changed last_changed;
  std::optional<bool> in_step;
  std::optional<Failure> failure;  ///< of the last try
  std::string command;             ///< lets through what was refused
  std::int64_t next_try = 0;
  NodeFacts here;
  NodeFacts there;
  std::uint64_t checks = 0;
  std::uint64_t syncs = 0;
  std::uint64_t failures = 0;
  std::uint64_t failures_in_row = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t rows_changed = 0;
  std::uint64_t publish_microseconds = 0;  ///< of the last publish
  std::vector<Uncompiled> uncompiled{};    ///< neither of the two has compiled these; not all of very many
};
template <class F>
void each_field(PeerStatus& p, F f) {
  f("name", p.name), f("host", p.host), f("mode", p.mode), f("phase", p.phase), f("paused_why", p.paused_why);
  f("connected_since", p.connected_since), f("last_check", p.last_check), f("last_sync", p.last_sync), f("last_changed", p.last_changed);
  f("in_step", p.in_step), f("failure", p.failure), f("command", p.command), f("next_try", p.next_try), f("here", p.here);
  f("there", p.there), f("checks", p.checks), f("syncs", p.syncs), f("failures", p.failures), f("failures_in_row", p.failures_in_row);
  f("bytes_sent", p.bytes_sent), f("bytes_received", p.bytes_received), f("rows_changed", p.rows_changed);
  f("publish_microseconds", p.publish_microseconds), f("uncompiled", p.uncompiled);
}

/// A peer that is connected to us, or that is paused and no peer of ours.
struct AgentStatus {
  std::string peer;
  bool read_only = false;
  std::int64_t since = 0;  ///< 0: it is not connected now
  std::string paused_why{};  ///< not empty: it may change nothing here
  std::vector<Uncompiled> uncompiled{};  ///< on this node, when it was last served
};
template <class F>
void each_field(AgentStatus& a, F f) {
  f("peer", a.peer), f("read_only", a.read_only), f("since", a.since), f("paused_why", a.paused_why);
  f("uncompiled", a.uncompiled);
}

struct Status {
  std::string name;
  std::string software;
  std::int64_t pid = 0;
  std::int64_t started = 0;
  bool gravity_running = false;  ///< `pihole -g` runs here: syncs wait for its end
  std::uint64_t changes = 0;     ///< so often this Pi-hole's files were seen to change, by our own publishes, too
  std::string config_error;      ///< of the last reload; the configuration before it is in force
  std::vector<PeerStatus> peers;
  std::vector<AgentStatus> agents;
  bool compiling = false;         ///< `pihole -g` was started by us and runs
  std::string gravity_problem{};  ///< why [sync] run_gravity cannot start it, or how it failed the last time

  /// Of all peers and agents, each once.
  std::vector<Uncompiled> uncompiled() const;
  /// Every peer that is not paused is connected and in step.
  bool healthy() const;
};
template <class F>
void each_field(Status& s, F f) {
  f("name", s.name), f("software", s.software), f("pid", s.pid), f("started", s.started), f("gravity_running", s.gravity_running);
  f("changes", s.changes), f("config_error", s.config_error), f("peers", s.peers), f("agents", s.agents);
  f("compiling", s.compiling), f("gravity_problem", s.gravity_problem);
}

enum class Level : std::uint8_t { info, warning, error };
constexpr Level last_of(Level) {
  return Level::error;
}
std::string_view to_string(Level level);

/// Something that happened; one line of the log and of `monitor`.
struct Event {
  std::int64_t time = 0;
  Level level = Level::info;
  std::string kind;  ///< "connected", "synced", "failed", "recovered"…
  std::string peer;  ///< empty: of this node
  std::string text;
  std::string hint;
  std::vector<std::string> uncompiled{};  ///< of "success": addresses of adlists that block nothing
};
template <class F>
void each_field(Event& e, F f) {
  f("time", e.time), f("level", e.level), f("kind", e.kind), f("peer", e.peer), f("text", e.text), f("hint", e.hint);
  f("uncompiled", e.uncompiled);
}

/// What is asked of status.sock, one JSON object a line.
struct Request {
  std::string command;  ///< "status", "now", "monitor", "pause", "resume"
  std::string peer;
  std::string why;
};
template <class F>
void each_field(Request& r, F f) {
  f("command", r.command), f("peer", r.peer), f("why", r.why);
}

std::string to_json(const Status& status);
std::string to_json(const Event& event);
std::string to_json(const Request& request);
std::string to_json(const Error& error);
/// What the far side of status.sock said. Error{protocol} for what is not JSON; unknown keys are skipped, missing ones keep their defaults.
/// An answer {"error": …} is thrown as the Error that it is.
Status status_from_json(const std::string& text);
Event event_from_json(const std::string& text);
Request request_from_json(const std::string& text);

}  // namespace gsync::daemon
