#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "decoded_size.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/util/byte_stream.hpp"
#include "gsync/util/error.hpp"
#include "messages.hpp"
#include "silence.hpp"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace gsync::protocol {

struct Message {
  MessageType type = MessageType::error;
  std::string payload;
};

/// Messages over a byte stream, after the hellos: framing, compression, and a thread that says "still working" whenever this side has been
/// silent for a while, so that the far side's idle deadline measures silence and not work. One thread at a time calls it; the stream itself
/// is only ever used under one mutex.
class Connection {
 public:
  /// `stream` must outlive this. `wanted` says whether somebody else waits for the node that a run of this connection holds; any thread may
  /// ask it, and it may be empty.
  Connection(util::ByteStream& stream, const Limits& limits, std::function<bool()> wanted = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The hellos are exchanged. `received` is what came behind the far side's. Until then the stream is not used: what send() was given is
  /// in unsent(), so that it can go behind our hello.
  void begin(std::string_view received);
  std::string_view unsent() const { return {reinterpret_cast<const char*>(out_.data()), out_size_}; }

  /// Sends one message at once. An Error before anything was sent (the message is too large) leaves the connection as it is.
  void send(MessageType type, std::string_view payload = {});
  /// The same, but it may stay in the compressor until the next send() or until receive() has to wait: for the frames of a stream.
  void queue(MessageType type, std::string_view payload);

  /// How much work what is sent is worth: for streams over a link that carries more than this processor compresses.
  enum class Effort : unsigned char { usual, little, least };
  void set_effort(Effort effort);

  /// The next message but "still working"; nullopt when the far side ended the connection between two messages. Errors: timeout after
  /// `idle` without a byte, unreachable, protocol.
  std::optional<Message> receive();
  /// The same where the far side owes us something: its end is Error{unreachable}.
  Message receive_or_throw();

  enum class Woken { message, changed, other, deadline };
  /// Waits while neither side owes the other anything, for a message (receive() then gives it without waiting; also the far side's end),
  /// for "changed", for `other` (a descriptor; -1: none) to be readable, or for the deadline. Both sides say now and then that they are
  /// there: Error{timeout} after `quiet` without a byte.
  Woken wait(int other, util::Deadline deadline);
  /// Whether the far side has said "changed" since this was last asked. receive() takes it in by the way.
  bool take_changed() { return std::exchange(changed_, false); }

  /// Until it is called with nullopt, waiting ends at this time even if the far side keeps saying that it works.
  void expect_by(std::optional<util::Deadline> deadline) { expected_by_ = deadline; }

  /// A lock is held at one of the ends, or asked for: silence is believed for Limits::locked at most, and for Limits::give_way when
  /// somebody waits for the node here.
  void set_locked(bool locked);

  /// The far side broke the rules: nothing that it sends is believed from now on, but it may still be told why.
  [[noreturn]] void violation(const std::string& what);
  void mark_violated() { violated_ = true; }
  bool violated() const { return violated_; }
  /// The transport failed. Nothing can be sent any more.
  bool lost() const;

  /// Says that we will send no more.
  void close() noexcept;

  std::uint64_t bytes_sent() const { return sent_; }
  std::uint64_t bytes_received() const { return received_; }

 private:
  struct FreeCompressor {
    void operator()(ZSTD_CCtx_s* c) const;
  };
  struct FreeDecompressor {
    void operator()(ZSTD_DCtx_s* d) const;
  };
  using Lock = std::lock_guard<std::mutex>;

  void put(const Lock& lock, MessageType type, std::string_view payload);
  void compress(const Lock& lock, std::string_view data, bool flush);
  void end_frame(const Lock& lock);
  void write_out(const Lock& lock);
  void throw_if_lost(const Lock& lock) const;
  std::optional<Message> next_message();
  bool read_exactly(char* to, std::size_t n);
  bool decompress(char* to, std::size_t n, std::size_t& done);
  bool peek();
  bool fill();
  bool read_stream(const Lock& lock);
  void await_bytes(const Lock& lock, util::Deadline deadline);
  [[noreturn]] void give_way(const Lock& lock);
  void count(const Lock& lock);
  void tick();
  void keep_alive() noexcept;
  /// Who has sent nothing for so long says that he is there.
  std::chrono::milliseconds beat() const { return locked_ ? locked_beat_ : beat_; }

  util::ByteStream& stream_;
  const Limits limits_;
  const std::function<bool()> wanted_;
  const std::chrono::milliseconds beat_;
  const std::chrono::milliseconds locked_beat_;
  std::atomic<bool> locked_{false};

  // Used by the calling thread alone.
  std::unique_ptr<ZSTD_DCtx_s, FreeDecompressor> decompressor_;
  Effort effort_ = Effort::usual;
  bool in_frame_ = false;  ///< it has content that no end of a frame has followed
  std::vector<std::byte> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  bool at_end_ = false;
  bool between_frames_ = true;  ///< what comes next begins one
  bool frame_has_content_ = false;
  bool more_inside_ = false;     ///< the decompressor may hold more than its input says
  std::optional<char> peeked_;   ///< decompressed already
  std::optional<Message> held_;  ///< for the next receive()
  bool changed_ = false;
  std::optional<util::Deadline> expected_by_;
  bool violated_ = false;

  mutable std::mutex mutex_;  ///< for the stream and what follows
  std::chrono::milliseconds idle_;
  std::chrono::milliseconds quiet_;
  Silence silence_;
  std::unique_ptr<ZSTD_CCtx_s, FreeCompressor> compressor_;
  std::vector<std::byte> out_;
  std::size_t out_size_ = 0;
  bool begun_ = false;
  bool queued_ = false;
  bool closed_ = false;
  std::optional<Error> lost_;
  std::chrono::steady_clock::time_point last_write_;

  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> received_{0};

  std::mutex tick_mutex_;
  std::condition_variable tick_condition_;
  bool stopping_ = false;
  std::thread ticker_;
};

/// " (it wrote: …)" with what the far side wrote to its standard error, or nothing.
std::string written_to_stderr(util::ByteStream& stream);

/// Decodes a payload; anything wrong with it is a violation.
template <class T>
T parse(Connection& connection, const Message& message) {
  if (DecodedSize::exceeds<T>(message.payload, max_decoded)) connection.violation("a message takes too much memory");
  try {
    return util::decode<T>(message.payload);
  } catch (const Error& error) {
    connection.violation(error.what());
  }
}

}  // namespace gsync::protocol
