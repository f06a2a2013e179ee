#include "gsync/protocol/remote_node.hpp"

#include <fmt/format.h>

#include <utility>

#include "bulk.hpp"
#include "checks.hpp"
#include "connection.hpp"
#include "gsync/model/list_buckets.hpp"
#include "hello.hpp"

namespace gsync::protocol {
namespace {

/// For the way there and back, and for what the far side does when it has the lock.
constexpr std::chrono::milliseconds lock_grace{60'000};

/// What a node said of itself when the connection was opened may be out of date after so long.
constexpr std::chrono::seconds freshness{2};

/// In front of the words of an Error that do not name the host yet.
Error named(const Error& error, const std::string& label) {
  const std::string_view what = error.what();
  if (what.substr(0, label.size()) == label || what.find(' ' + label + ' ') != std::string_view::npos) return error;
  return error.within(label);
}

}  // namespace

class RemoteNode::Impl {
 public:
  class Rows;
  class Bytes;

  Impl(std::unique_ptr<util::ByteStream> stream, std::string label, const Hello& ours, const Limits& limits, std::function<bool()> wanted,
       Opening opening)
      : stream_(std::move(stream)), label_(std::move(label)), our_id_(ours.node_id), connection_(*stream_, limits, std::move(wanted)) {
    if (opening == Opening::describe) {
      connection_.send(MessageType::describe);
      described_by_ = util::Deadline::in(limits.connect);
    }
    greeting_ = exchange_hellos(*stream_, ours, limits, label_, Side::client, connection_.unsent());
    if (described_by_) described_by_ = util::Deadline::in(freshness);
    connection_.begin(greeting_.received);
  }

  ~Impl() { connection_.close(); }

  /// One request. An Error that the far side answered leaves the connection usable; after any other it is over, and the far side is told by
  /// the end of the stream, so that it frees its lock at once.
  template <class Request>
  auto call(Request request) {
    GSYNC_ASSERT(!reader_alive_);
    if (std::exchange(described_by_, std::nullopt)) unwanted_answer_ = true;
    if (over_)
      throw Error(ErrorCode::unreachable, fmt::format("{}: the connection is over since an earlier error: {}", label_, over_->what()));
    return guarded([&] {
      connection_.expect_by(std::nullopt);
      give_up_stream();
      return request();
    });
  }
  template <class Action>
  auto guarded(Action action) {
    try {
      return action();
    } catch (const Error& error) {
      auto with_name = named(error, label_);
      if (!over_ && (connection_.violated() || connection_.lost())) {
        over_ = with_name;
        connection_.close();
      }
      throw with_name;
    }
  }

  /// What comes back for a request, after what was left behind.
  Message answer() {
    for (;;) {
      auto message = connection_.receive_or_throw();
      if (is_left_behind(message)) continue;
      if (message.type == MessageType::error) throw error_of(parse<ErrorMessage>(connection_, message));
      if (message.type != MessageType::answer)
        connection_.violation(fmt::format("a message of type {} as an answer", static_cast<int>(message.type)));
      return message;
    }
  }
  /// The grants of a stream that has ended, and the answer to an opening that nobody waits for.
  bool is_left_behind(const Message& message) {
    if (message.type == MessageType::more) return true;
    const bool answers = message.type == MessageType::answer || message.type == MessageType::error;
    return answers && std::exchange(unwanted_answer_, false);
  }
  template <class Answer>
  Answer ask(MessageType type, std::string_view request = {}) {
    connection_.send(type, request);
    return parse<Answer>(connection_, answer());
  }
  /// `ask` with a check of what came.
  template <class Answer, class Check>
  Answer ask(MessageType type, std::string_view request, Check check_it) {
    auto value = ask<Answer>(type, request);
    believed([&] { check_it(value); });
    return value;
  }
  /// Whatever `examine` throws is the far side's fault.
  template <class Examine>
  void believed(Examine examine) {
    try {
      examine();
    } catch (const Error&) {
      connection_.mark_violated();
      throw;
    }
  }

  /// A request about the pair of the two nodes.
  template <class Request>
  auto pair_call(const std::string& peer, Request request) {
    GSYNC_ASSERT(peer == our_id_);
    return call(request);
  }
  void tell(MessageType type, std::string_view request = {}) {
    connection_.send(type, request);
    answer();
  }

  model::NodeInfo info(MessageType type, std::string_view request = {}) {
    connection_.send(type, request);
    return info_answered();
  }
  model::NodeInfo info_answered() {
    auto now = parse<model::NodeInfo>(connection_, answer());
    believed([&] { check(now); });
    read_only_ = now.read_only;
    return now;
  }
  model::NodeInfo describe() {
    if (described_by_ && !described_by_->passed()) {
      described_by_.reset();
      return call([&] { return info_answered(); });
    }
    return call([&] { return info(MessageType::describe); });
  }
  bool is_over() const { return over_.has_value(); }
  BulkReceiver& begin_stream(MessageType frames) { return stream_in_.emplace(connection_, frames); }
  model::ApplyReport apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy);

  std::unique_ptr<util::ByteStream> stream_;
  const std::string label_;
  const std::string our_id_;
  Greeting greeting_;
  Connection connection_;
  bool reader_alive_ = false;
  bool read_only_ = false;  ///< as it said last

 private:
  void give_up_stream();
  bool stream_out(BulkSender& sender, model::BlocklistReader* rows, util::ByteReader* copy, std::uint64_t copy_bytes);

  bool unwanted_answer_ = false;                ///< to the opening
  std::optional<util::Deadline> described_by_;  ///< the first answer is a description, which is good until then
  std::optional<BulkReceiver> stream_in_;
  std::optional<Error> over_;
};

/// A reader that was dropped before its end leaves frames on the wire.
void RemoteNode::Impl::give_up_stream() {
  if (stream_in_ && !stream_in_->ended()) {
    connection_.send(MessageType::abort, util::encode(Abort{}));
    stream_in_->drain();
  }
  stream_in_.reset();
}

model::ApplyReport RemoteNode::Impl::apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy) {
  GSYNC_ASSERT((copy != nullptr) == change.brings_copy() && (rows != nullptr) == (!change.wishes.empty() && copy == nullptr));
  auto shown = change;
  shown.source = presentable(change.source, max_name);
  shown.started_by = presentable(change.started_by, max_name);
  shown.conflicts = presentable(std::move(shown.conflicts));
  connection_.send(MessageType::apply, util::encode(shown));
  if (rows || copy) {
    BulkSender sender(connection_);
    if (!stream_out(sender, rows, copy, change.copy_bytes)) {
      // The far side has failed already and waits for the end of what we send.
      const auto& early = *sender.interruption();
      if (early.type != MessageType::error) connection_.violation("an answer before everything was sent");
      connection_.send(MessageType::abort, util::encode(Abort{}));
      throw error_of(parse<ErrorMessage>(connection_, early));
    }
  }
  auto report = parse<model::ApplyReport>(connection_, answer());
  believed([&] { check(report); });
  return report;
}

/// False when the far side spoke before the end. When `rows` or `copy` fails, the far side is told and has let go of the change before that
/// error goes on.
bool RemoteNode::Impl::stream_out(BulkSender& sender, model::BlocklistReader* rows, util::ByteReader* copy, std::uint64_t copy_bytes) {
  try {
    if (rows) {
      connection_.queue(MessageType::answers, util::encode(rows->answers()));
      return send_rows(sender, *rows);
    }
    return send_bytes(sender, *copy, copy_bytes);
  } catch (const std::exception& failure) {
    if (connection_.lost() || connection_.violated()) throw;
    connection_.send(MessageType::abort, util::encode(Abort{presentable(failure.what(), max_text)}));
    try {
      answer();
    } catch (const Error&) {
      // It says that it was cancelled.
    }
    throw;
  }
}

RemoteNode::RemoteNode(std::unique_ptr<util::ByteStream> stream, std::string label, const Hello& ours, const Limits& limits,
                       std::function<bool()> wanted, Opening opening)
    : impl_(std::make_unique<Impl>(std::move(stream), std::move(label), ours, limits, std::move(wanted), opening)) {}
RemoteNode::~RemoteNode() = default;

std::string RemoteNode::label() const {
  return impl_->label_;
}

model::NodeInfo RemoteNode::describe() {
  return impl_->describe();
}

model::NodeInfo RemoteNode::lock(util::Deadline deadline) {
  return impl_->call([&] {
    const auto time = deadline.remaining();
    impl_->connection_.expect_by(util::Deadline::in(time + lock_grace));
    impl_->connection_.set_locked(true);
    try {
      return impl_->info(MessageType::lock, util::encode(LockRequest{static_cast<std::uint64_t>(time.count())}));
    } catch (const Error&) {
      impl_->connection_.set_locked(false);
      throw;
    }
  });
}

void RemoteNode::unlock() {
  // The far side unlocked when the connection ended.
  if (impl_->is_over()) return;
  impl_->call([&] {
    impl_->connection_.send(MessageType::unlock);
    impl_->connection_.set_locked(false);
  });
}

model::Lists RemoteNode::lists() {
  return lists_beside({});
}

model::Lists RemoteNode::lists_beside(const model::Lists& known) {
  auto ask = [&](std::size_t buckets) {
    ListsRequest request;
    if (buckets != 0) request.buckets = model::bucket_digests(known, buckets);
    auto answer = impl_->ask<model::ListsBeside>(MessageType::lists, util::encode(request));
    std::optional<model::Lists> lists;
    impl_->believed([&] {
      lists = model::completed(known, buckets, std::move(answer));
      if (lists) model::check_lists(*lists);
    });
    return lists;
  };
  return impl_->call([&] {
    if (!known.empty())
      if (auto lists = ask(model::buckets_for(known.size()))) return std::move(*lists);
    if (auto lists = ask(0)) return std::move(*lists);
    impl_->connection_.violation("lists of another digest than it says");
  });
}

model::Records RemoteNode::records() {
  return impl_->call(
      [&] { return impl_->ask<model::Records>(MessageType::records, {}, [](auto& records) { records = parsed(records); }); });
}

model::Blocklist RemoteNode::blocklist() {
  return impl_->call([&] { return impl_->ask<model::Blocklist>(MessageType::blocklist, {}, [](const auto& value) { check(value); }); });
}

class RemoteNode::Impl::Rows final : public model::BlocklistReader {
 public:
  Rows(Impl& impl, BulkReceiver& bulk, std::vector<model::BlocklistAnswer> answers) : impl_(impl), rows_(bulk, std::move(answers)) {
    impl_.reader_alive_ = true;
  }
  ~Rows() override { impl_.reader_alive_ = false; }
  const std::vector<model::BlocklistAnswer>& answers() const override { return rows_.answers(); }
  std::optional<model::BlocklistRow> next() override {
    return impl_.guarded([&] { return rows_.next(); });
  }

 private:
  Impl& impl_;
  RowReceiver rows_;
};

class RemoteNode::Impl::Bytes final : public util::ByteReader {
 public:
  Bytes(Impl& impl, BulkReceiver& bulk, std::uint64_t size) : impl_(impl), bytes_(bulk, size) { impl_.reader_alive_ = true; }
  ~Bytes() override { impl_.reader_alive_ = false; }
  std::size_t read(std::span<std::byte> buffer) override {
    return impl_.guarded([&] { return bytes_.read(buffer); });
  }

 private:
  Impl& impl_;
  ByteReceiver bytes_;
};

std::unique_ptr<model::BlocklistReader> RemoteNode::blocklist_rows(const std::vector<model::BlocklistWish>& wishes) {
  return impl_->call([&] {
    using Answers = std::vector<model::BlocklistAnswer>;
    auto answers = impl_->ask<Answers>(MessageType::blocklist_rows, util::encode(wishes), [&](const auto& value) { check(value, wishes); });
    return std::unique_ptr<model::BlocklistReader>(
        std::make_unique<Impl::Rows>(*impl_, impl_->begin_stream(MessageType::rows), std::move(answers)));
  });
}

model::Node::Copy RemoteNode::copy(model::CopyOf of) {
  return impl_->call([&] {
    const auto [bytes, schema] = impl_->ask<CopyAnswer>(MessageType::copy, util::encode(CopyRequest{of}));
    return Copy{bytes, schema, std::make_unique<Impl::Bytes>(*impl_, impl_->begin_stream(MessageType::bytes), bytes)};
  });
}

model::ApplyReport RemoteNode::apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy) {
  return impl_->call([&] { return impl_->apply(change, rows, copy); });
}

std::vector<model::VersionInfo> RemoteNode::versions() {
  return impl_->call([&] {
    return impl_->ask<std::vector<model::VersionInfo>>(MessageType::versions, {}, [](const auto& infos) {
      for (const auto& info : infos) check(info);
    });
  });
}

model::Version RemoteNode::version(std::int64_t id) {
  return impl_->call([&] {
    return impl_->ask<model::Version>(MessageType::version, util::encode(VersionRequest{id}), [](auto& version) {
      check(version.info);
      model::check_lists(version.lists);
      version.records = parsed(version.records);
    });
  });
}

void RemoteNode::note(const model::HistoryEntry& entry) {
  if (impl_->read_only_) return;
  impl_->call([&] {
    impl_->connection_.send(MessageType::note, util::encode(presentable(entry)));
    impl_->answer();
  });
}

model::PairInfo RemoteNode::pair(const std::string& peer) {
  return impl_->pair_call(peer, [&] { return impl_->ask<model::PairInfo>(MessageType::pair, {}, [](const auto& info) { check(info); }); });
}

model::Base RemoteNode::base(const std::string& peer) {
  return impl_->pair_call(peer, [&] {
    return impl_->ask<model::Base>(MessageType::base, {}, [](auto& base) {
      check(base);
      base.records = parsed(base.records);
    });
  });
}

void RemoteNode::intend(const std::string& peer, const model::Intent& intent) {
  impl_->pair_call(peer, [&] { impl_->tell(MessageType::intend, util::encode(intent)); });
}

void RemoteNode::catch_up(const std::string& peer) {
  impl_->pair_call(peer, [&] { impl_->tell(MessageType::catch_up); });
}

void RemoteNode::settle(const std::string& peer, const model::Settlement& settlement) {
  impl_->pair_call(peer, [&] {
    auto shown = settlement;
    shown.peer = presentable(settlement.peer);
    for (auto& node : shown.reach) node = presentable(node);
    if (shown.reach.size() > max_nodes) shown.reach.resize(max_nodes);
    impl_->tell(MessageType::settle, util::encode(shown));
  });
}

void RemoteNode::forget(const std::string& peer, bool all) {
  impl_->pair_call(peer, [&] { impl_->tell(MessageType::forget, util::encode(ForgetRequest{all})); });
}

RemoteNode::Woken RemoteNode::wait(int other, util::Deadline deadline) {
  return impl_->call([&] {
    if (impl_->connection_.take_changed()) return Woken::changed;
    for (;;) {
      switch (impl_->connection_.wait(other, deadline)) {
        case Connection::Woken::changed:
          return Woken::changed;
        case Connection::Woken::other:
          return Woken::other;
        case Connection::Woken::deadline:
          return Woken::deadline;
        case Connection::Woken::message: {
          auto message = impl_->connection_.receive_or_throw();
          if (!impl_->is_left_behind(message))
            impl_->connection_.violation(fmt::format("a message of type {} where nothing is due", static_cast<int>(message.type)));
        }
      }
    }
  });
}

const Hello& RemoteNode::peer_hello() const {
  return impl_->greeting_.theirs;
}
std::uint64_t RemoteNode::bytes_sent() const {
  return impl_->connection_.bytes_sent();
}
std::uint64_t RemoteNode::bytes_received() const {
  return impl_->connection_.bytes_received();
}

}  // namespace gsync::protocol
