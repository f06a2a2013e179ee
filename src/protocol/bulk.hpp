#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "blocklist_codec.hpp"
#include "connection.hpp"
#include "gsync/model/blocklist.hpp"
#include "gsync/util/byte_stream.hpp"

/// Streams: row batches or bytes, in frames of about 32 KiB, then an end with the count. The receiver grants frames as it takes them
/// (`more`), so that a sender never waits in a write for a receiver that works: it waits in a read, where it hears "still working", and
/// where an early error reaches it.
namespace gsync::protocol {

/// Frames that may be under way without having been taken; 512 KiB before compression fit into the buffers of an SSH channel.
inline constexpr std::uint32_t window = 16;
inline constexpr std::uint32_t grant = window / 2;

class BulkSender {
 public:
  explicit BulkSender(Connection& connection) : connection_(connection) {}

  /// Waits for room, then sends. False when the far side said something else instead of making room: see interruption(). Nothing more can
  /// be sent then.
  bool send(MessageType type, std::string_view payload);
  void end(std::uint64_t count);
  const std::optional<Message>& interruption() const { return interruption_; }
  /// How long it has waited for room so far.
  std::chrono::nanoseconds waited() const { return waited_; }
  Connection& connection() { return connection_; }

 private:
  Connection& connection_;
  std::uint32_t credit_ = window;
  std::chrono::nanoseconds waited_{};
  std::optional<Message> interruption_;
};

/// Sends everything and the end. False when interrupted. Errors of `rows` pass through; the stream is then not ended.
bool send_rows(BulkSender& sender, model::BlocklistReader& rows);
/// The same, compressed less where the receiver takes it faster than that goes; fewer or more than `size` bytes are Error{corrupt}.
bool send_bytes(BulkSender& sender, util::ByteReader& bytes, std::uint64_t size);

/// One stream that comes in. An `abort` from the far side is Error{cancelled}, an `error` is the Error that it says.
class BulkReceiver {
 public:
  /// `frames` is rows or bytes. With `answers_first` the answers to the wishes come before the first frame.
  BulkReceiver(Connection& connection, MessageType frames, bool answers_first = false)
      : connection_(connection), frames_(frames), answers_due_(answers_first) {}

  std::vector<model::BlocklistAnswer> receive_answers();

  /// The payload of the next frame; nullopt at the end, which must say what count() added up to. A stream that failed goes on failing: its
  /// end is never taken for a whole one.
  std::optional<std::string> receive();
  /// Error once the far side broke the rules.
  void require_sound() const;
  /// Rows or bytes taken so far, for the check at the end.
  void count(std::uint64_t n) { count_ += n; }
  /// Nothing of this stream is on the wire any more.
  bool ended() const { return ended_; }
  /// Reads and forgets what is left of it. Never throws what the far side says about it.
  void drain();
  Connection& connection() { return connection_; }

 private:
  Message next();
  [[noreturn]] void throw_failure(const Message& message);

  Connection& connection_;
  MessageType frames_;
  bool answers_due_;
  std::uint32_t taken_ = 0;
  std::uint64_t count_ = 0;
  bool ended_ = false;
  bool complete_ = false;
};

/// The rows of a stream. Rows that break the rules are violations.
class RowReceiver final : public model::BlocklistReader {
 public:
  RowReceiver(BulkReceiver& bulk, std::vector<model::BlocklistAnswer> answers);
  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override;

 private:
  BulkReceiver& bulk_;
  std::vector<model::BlocklistAnswer> answers_;
  RowDecoder decoder_;
};

/// The bytes of a stream, exactly `size` of them.
class ByteReceiver final : public util::ByteReader {
 public:
  ByteReceiver(BulkReceiver& bulk, std::uint64_t size) : bulk_(bulk), left_(size) {}
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  BulkReceiver& bulk_;
  std::uint64_t left_;
  std::string frame_;
  std::size_t used_ = 0;
};

}  // namespace gsync::protocol
