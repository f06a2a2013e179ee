#include "gsync/protocol/agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "bulk.hpp"
#include "checks.hpp"
#include "connection.hpp"
#include "gsync/model/list_buckets.hpp"
#include "hello.hpp"

namespace gsync::protocol {
namespace {

constexpr std::uint64_t longest_lock_wait = 3'600'000;

/// One conversation.
class Service {
 public:
  Service(model::Node& node, Connection& connection, const AgentOptions& options, std::string peer, std::string client_id)
      : node_(node),
        connection_(connection),
        options_(options),
        peer_(std::move(peer)),
        started_by_("agent for " + peer_),
        client_id_(std::move(client_id)) {}
  ~Service() { unlock_quietly(); }

  void run();

 private:
  void await_request();
  bool take_change();
  void handle(const Message& request);
  void lists(const ListsRequest& request);
  void lock(const LockRequest& request);
  void blocklist_rows(const Message& request);
  void copy(const CopyRequest& request);
  void apply(const Message& request);
  model::ApplyReport apply_streamed(const model::Change& change);
  void note(const Message& request);
  void pair_step(const Message& request);
  void report(const Error& error);
  void require_lock() const;
  void require_writable(std::string_view what) const;
  void unlock_quietly() noexcept;
  void end_unwanted(const BulkSender& sender);

  template <class T>
  void answer(const T& value) {
    connection_.send(MessageType::answer, util::encode(value));
  }
  void answer() { connection_.send(MessageType::answer); }
  model::NodeInfo presented(model::NodeInfo info) const {
    info.read_only = info.read_only || options_.read_only;
    return presentable(std::move(info));
  }
  template <class Examine>
  void believed(Examine examine) {
    try {
      examine();
    } catch (const Error& error) {
      connection_.violation(error.what());
    }
  }

  model::Node& node_;
  Connection& connection_;
  const AgentOptions& options_;
  const std::string peer_;
  const std::string started_by_;
  const std::string client_id_;
  bool locked_ = false;
  std::optional<BulkReceiver> incoming_;  ///< what follows an apply
};

void Service::run() {
  for (;;) {
    incoming_.reset();
    try {
      await_request();
      auto request = connection_.receive();
      if (connection_.take_changed()) connection_.violation("a message that only an agent sends");
      if (!request) return;
      handle(*request);
    } catch (const Error& error) {
      if (connection_.lost()) throw;
      report(error);
      if (connection_.violated()) throw;
    } catch (const std::exception& failure) {
      if (connection_.lost()) throw Error(ErrorCode::io, failure.what());
      report(Error(ErrorCode::io, fmt::format("the agent failed: {}", failure.what())));
    }
    // Only after an error is there something left: the far side stops sending when it has read of it.
    if (incoming_) incoming_->drain();
  }
}

/// Tells the client meanwhile when something changed here.
void Service::await_request() {
  constexpr std::chrono::hours long_time{1};
  for (;;) {
    switch (connection_.wait(options_.changes, util::Deadline::in(long_time))) {
      case Connection::Woken::message:
        return;
      case Connection::Woken::changed:
        connection_.violation("a message that only an agent sends");
      case Connection::Woken::other:
        if (take_change()) connection_.send(MessageType::changed);
        break;
      case Connection::Woken::deadline:
        break;
    }
  }
}

/// What goes wrong on our own side here is not a request's failure.
bool Service::take_change() {
  try {
    return options_.take_change();
  } catch (const Error&) {
    connection_.close();
    throw;
  }
}

void Service::report(const Error& error) {
  try {
    connection_.send(MessageType::error, util::encode(message_of(error)));
  } catch (const Error&) {
    // What broke first is the better explanation, and the connection remembers that it is lost.
  }
}

void Service::handle(const Message& request) {
  if (request.type == MessageType::more || request.type == MessageType::abort) return;  // of a stream that had ended already
  switch (request.type) {
    case MessageType::describe:
      return answer(presented(node_.describe()));
    case MessageType::lock:
      return lock(parse<LockRequest>(connection_, request));
    case MessageType::unlock:
      if (locked_) connection_.set_locked(false);
      unlock_quietly();
      if (options_.unlocked) options_.unlocked();
      return;
    case MessageType::lists:
      return lists(parse<ListsRequest>(connection_, request));
    case MessageType::records:
      return answer(node_.records());
    case MessageType::blocklist:
      return answer(node_.blocklist());
    case MessageType::blocklist_rows:
      return blocklist_rows(request);
    case MessageType::copy:
      return copy(parse<CopyRequest>(connection_, request));
    case MessageType::apply:
      return apply(request);
    case MessageType::versions: {
      auto versions = node_.versions();
      for (auto& version : versions) version = presentable(std::move(version));
      return answer(versions);
    }
    case MessageType::version: {
      auto version = node_.version(parse<VersionRequest>(connection_, request).id);
      version.info = presentable(std::move(version.info));
      return answer(version);
    }
    case MessageType::note:
      return note(request);
    case MessageType::pair: {
      auto info = node_.pair(client_id_);
      for (auto& node : info.reach) node = presentable(node);
      if (info.reach.size() > max_nodes) info.reach.resize(max_nodes);
      return answer(info);
    }
    case MessageType::base:
      return answer(node_.base(client_id_));
    case MessageType::intend:
    case MessageType::catch_up:
    case MessageType::settle:
    case MessageType::forget:
      return pair_step(request);
    default:
      connection_.violation(fmt::format("a message of type {} as a request", static_cast<int>(request.type)));
  }
}

void Service::lists(const ListsRequest& request) {
  const auto lists = node_.lists();
  model::ListsBeside found;
  believed([&] { found = model::beside(lists, request.buckets); });
  answer(found);
}

void Service::lock(const LockRequest& request) {
  if (locked_) throw Error(ErrorCode::refused, "this node is locked by this connection already");
  const auto wait = std::chrono::milliseconds(std::min(request.milliseconds, longest_lock_wait));
  // From now on: the client may hold its own node's lock while it waits for ours.
  connection_.set_locked(true);
  model::NodeInfo info;
  try {
    info = node_.lock(util::Deadline::in(wait));
  } catch (...) {
    connection_.set_locked(false);
    throw;
  }
  locked_ = true;
  answer(presented(std::move(info)));
}

void Service::blocklist_rows(const Message& request) {
  auto wishes = parse<std::vector<model::BlocklistWish>>(connection_, request);
  believed([&] { check(wishes); });
  require_lock();
  auto rows = node_.blocklist_rows(wishes);
  answer(rows->answers());
  BulkSender sender(connection_);
  if (!send_rows(sender, *rows)) end_unwanted(sender);
}

void Service::copy(const CopyRequest& request) {
  require_lock();
  auto copy = node_.copy(request.of);
  answer(CopyAnswer{copy.bytes, copy.schema});
  BulkSender sender(connection_);
  if (!send_bytes(sender, *copy.reader, copy.bytes)) end_unwanted(sender);
}

/// A stream that its receiver does not want any more gets an end all the same: that is where the receiver begins to listen again.
void Service::end_unwanted(const BulkSender& sender) {
  if (sender.interruption()->type != MessageType::abort) connection_.violation("a request in the middle of a stream");
  connection_.send(MessageType::end, util::encode(End{}));
}

void Service::apply(const Message& request) {
  auto change = parse<model::Change>(connection_, request);
  believed([&] { check(change); });
  change.started_by = started_by_;
  if (!change.pair.empty()) change.pair = client_id_;
  change.transferred = [this] { return model::Change::Transferred{connection_.bytes_sent(), connection_.bytes_received()}; };
  if (change.brings_copy())
    incoming_.emplace(connection_, MessageType::bytes);
  else if (!change.wishes.empty())
    incoming_.emplace(connection_, MessageType::rows, true);
  require_writable("nothing is changed here");
  if (options_.may_change) options_.may_change(peer_);
  require_lock();
  auto report = presentable(apply_streamed(change));
  if (incoming_) incoming_->drain();
  answer(report);
}

model::ApplyReport Service::apply_streamed(const model::Change& change) {
  if (change.brings_copy()) {
    ByteReceiver bytes(*incoming_, change.copy_bytes);
    return node_.apply(change, nullptr, &bytes);
  }
  if (change.wishes.empty()) return node_.apply(change, nullptr, nullptr);
  auto answers = incoming_->receive_answers();
  believed([&] { check(answers, change.wishes); });
  RowReceiver rows(*incoming_, std::move(answers));
  return node_.apply(change, &rows, nullptr);
}

void Service::note(const Message& request) {
  auto entry = parse<model::HistoryEntry>(connection_, request);
  believed([&] { check(entry); });
  require_writable("nothing is written into its history");
  entry.started_by = started_by_;
  node_.note(entry);
  answer();
}

/// Only ever for the pair of this node and the one that asks.
void Service::pair_step(const Message& request) {
  require_writable("nothing is synced both ways");
  if (options_.may_change) options_.may_change(peer_);
  require_lock();
  if (request.type == MessageType::intend) {
    auto intent = parse<model::Intent>(connection_, request);
    believed([&] {
      check(intent);
      intent.records = parsed(intent.records);
    });
    node_.intend(client_id_, intent);
  } else if (request.type == MessageType::settle) {
    auto settlement = parse<model::Settlement>(connection_, request);
    believed([&] {
      check(settlement);
      if (settlement.peer.id != client_id_) throw Error(ErrorCode::protocol, "a settlement for another node than the one that asks");
    });
    node_.settle(client_id_, settlement);
  } else if (request.type == MessageType::forget) {
    node_.forget(client_id_, parse<ForgetRequest>(connection_, request).all);
  } else {
    node_.catch_up(client_id_);
  }
  answer();
}

void Service::require_lock() const {
  if (!locked_) throw Error(ErrorCode::refused, "this needs the node's lock, which this connection does not have");
}

void Service::require_writable(std::string_view what) const {
  if (options_.read_only)
    throw Error(ErrorCode::refused, fmt::format("this agent is read-only: {}", what),
                "take --read-only out of the agent's command in authorized_keys, or run `gravity-sync pull` on that host");
}

void Service::unlock_quietly() noexcept {
  if (!std::exchange(locked_, false)) return;
  try {
    node_.unlock();
  } catch (const std::exception&) {
    // The lock goes with the process at the latest.
  }
}

}  // namespace

void serve(model::Node& node, util::ByteStream& stream, const AgentOptions& options) {
  const auto peer = options.peer.empty() ? std::string("the other host") : options.peer;
  auto greeting = exchange_hellos(stream, options.hello, options.limits, peer, Side::agent);
  if (options.greeted) options.greeted(greeting.theirs);
  Connection connection(stream, options.limits, [&node] { return node.lock_is_wanted(); });
  connection.begin(greeting.received);
  auto name = presentable(options.peer.empty() ? greeting.theirs.name : options.peer, max_name);
  try {
    Service(node, connection, options, name, greeting.theirs.node_id).run();
  } catch (const Error& error) {
    throw error.within(name);
  }
}

}  // namespace gsync::protocol
