#include "connection.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>

#include "gsync/util/text.hpp"
#include "gsync/util/thread.hpp"

namespace gsync::protocol {
namespace {

/// 256 KiB of history in each direction, kept as long as the connection: four times as much would save a hundredth of a blocklist's bytes.
constexpr int window_log = 18;
/// Level 3 saves 2 % of a blocklist's bytes, for a third more time of the sender's.
constexpr int usual_level = 2;

int level_of(Connection::Effort effort) {
  switch (effort) {
    case Connection::Effort::usual:
      return usual_level;
    case Connection::Effort::little:
      return -5;  // for pages of a database half of the time, and a third more to send
    case Connection::Effort::least:
      return -1000;  // ten times as fast again: only what repeats at once becomes less
  }
  return usual_level;
}

/// The first byte of ZSTD_MAGICNUMBER, which is little-endian. The formats before it have a smaller one there.
constexpr std::byte magic{ZSTD_MAGICNUMBER & 0xFF};
constexpr std::size_t buffer_size = 64u << 10;
constexpr std::size_t header_size = 5;
/// The highest bit of the type: the message goes on in the next frame.
constexpr unsigned char continued = 0x80;

std::chrono::milliseconds beat_of(std::chrono::milliseconds time) {
  return std::clamp(time, std::chrono::milliseconds(1), std::chrono::milliseconds(5'000));
}

std::array<char, header_size> header(std::size_t length, MessageType type, bool goes_on) {
  auto byte = [length](unsigned shift) { return static_cast<char>((length >> shift) & 0xFF); };
  return {byte(0), byte(8), byte(16), byte(24), static_cast<char>(static_cast<unsigned char>(type) | (goes_on ? continued : 0))};
}

std::size_t length_of(const std::array<char, header_size>& h) {
  std::size_t length = 0;
  for (std::size_t i = 4; i-- > 0;) length = length << 8 | static_cast<unsigned char>(h[i]);
  return length;
}

}  // namespace

std::string written_to_stderr(util::ByteStream& stream) {
  auto text = stream.diagnostics();
  auto line = util::trim(text);
  return line.empty() ? std::string() : fmt::format(" (it wrote: {})", util::printable(line.substr(0, 300)));
}

void Connection::FreeCompressor::operator()(ZSTD_CCtx_s* c) const {
  ZSTD_freeCCtx(c);
}
void Connection::FreeDecompressor::operator()(ZSTD_DCtx_s* d) const {
  ZSTD_freeDCtx(d);
}

Connection::Connection(util::ByteStream& stream, const Limits& limits, std::function<bool()> wanted)
    : stream_(stream),
      limits_(limits),
      wanted_(std::move(wanted)),
      beat_(beat_of(limits.idle / 4)),
      locked_beat_(beat_of(std::min({limits.idle / 4, limits.locked / 4, limits.give_way / 4}))),
      decompressor_(ZSTD_createDCtx()),
      in_(buffer_size),
      idle_(limits.idle),
      quiet_(limits.quiet),
      silence_(stream, limits.give_way),
      compressor_(ZSTD_createCCtx()),
      out_(buffer_size),
      last_write_(std::chrono::steady_clock::now()) {
  if (!compressor_ || !decompressor_) throw Error(ErrorCode::io, "no memory for the connection's compression");
  GSYNC_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_compressionLevel, usual_level)));
  GSYNC_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_windowLog, window_log)));
  GSYNC_ASSERT(!ZSTD_isError(ZSTD_DCtx_setParameter(decompressor_.get(), ZSTD_d_windowLogMax, window_log)));
}

void Connection::begin(std::string_view received) {
  GSYNC_ASSERT(!begun_);
  in_.resize(std::max(in_.size(), received.size()));
  std::ranges::transform(received, in_.begin(), [](char c) { return static_cast<std::byte>(c); });
  in_end_ = received.size();
  out_size_ = 0;
  begun_ = true;
  ticker_ = util::thread_without_signals([this] { tick(); });
}

Connection::~Connection() {
  {
    Lock lock(tick_mutex_);
    stopping_ = true;
  }
  tick_condition_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void Connection::send(MessageType type, std::string_view payload) {
  Lock lock(mutex_);
  put(lock, type, payload);
  compress(lock, {}, true);
}

void Connection::queue(MessageType type, std::string_view payload) {
  Lock lock(mutex_);
  put(lock, type, payload);
}

void Connection::put(const Lock& lock, MessageType type, std::string_view payload) {
  throw_if_lost(lock);
  if (payload.size() > limit_of(static_cast<std::uint8_t>(type)))
    throw Error(ErrorCode::refused,
                fmt::format("{} are more than one message of the protocol can carry", util::human_bytes(payload.size())));
  bool goes_on = true;
  while (goes_on) {
    auto piece = payload.substr(0, max_frame);
    payload.remove_prefix(piece.size());
    goes_on = !payload.empty();
    auto h = header(piece.size(), type, goes_on);
    compress(lock, {h.data(), h.size()}, false);
    compress(lock, piece, false);
  }
}

void Connection::compress(const Lock& lock, std::string_view data, bool flush) {
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  in_frame_ = in_frame_ || !data.empty();
  for (;;) {
    ZSTD_outBuffer out{out_.data(), out_.size(), out_size_};
    auto left = ZSTD_compressStream2(compressor_.get(), &out, &in, flush ? ZSTD_e_flush : ZSTD_e_continue);
    GSYNC_ASSERT(!ZSTD_isError(left));
    out_size_ = out.pos;
    if (flush ? left == 0 : in.pos == in.size) break;
    if (out_size_ == out_.size()) write_out(lock);
  }
  queued_ = !flush;
  if (flush) write_out(lock);
}

/// zstd takes another level between two frames only.
void Connection::set_effort(Effort effort) {
  Lock lock(mutex_);
  if (std::exchange(effort_, effort) == effort) return;
  if (in_frame_) end_frame(lock);
  GSYNC_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_compressionLevel, level_of(effort))));
}

void Connection::end_frame(const Lock& lock) {
  throw_if_lost(lock);
  ZSTD_inBuffer nothing{nullptr, 0, 0};
  for (;;) {
    ZSTD_outBuffer out{out_.data(), out_.size(), out_size_};
    const auto left = ZSTD_compressStream2(compressor_.get(), &out, &nothing, ZSTD_e_end);
    GSYNC_ASSERT(!ZSTD_isError(left));
    out_size_ = out.pos;
    if (left == 0) break;
    write_out(lock);
  }
  in_frame_ = false;
  queued_ = true;
}

void Connection::write_out(const Lock& lock) {
  throw_if_lost(lock);
  if (!begun_) GSYNC_ASSERT(out_size_ < out_.size());
  if (!begun_ || out_size_ == 0) return;
  Silence silence(stream_, limits_.give_way, Silence::Life::received_or_sent);
  bool gives_way = false;
  const std::function<bool()> must_give_way = [&] { return gives_way = gives_way || silence.must_give_way(wanted_); };
  const auto deadline = util::Deadline::in(idle_);
  try {
    stream_.write({out_.data(), out_size_}, locked_ ? deadline.unless(must_give_way) : deadline);
  } catch (const Error& error) {
    if (gives_way) give_way(lock);
    lost_ = error;
    throw;
  }
  out_size_ = 0;
  last_write_ = std::chrono::steady_clock::now();
  count(lock);
}

void Connection::throw_if_lost(const Lock&) const {
  if (lost_) throw Error(*lost_);
  if (closed_) throw Error(ErrorCode::unreachable, "the connection is over");
}

bool Connection::lost() const {
  Lock lock(mutex_);
  return lost_.has_value() || closed_;
}

void Connection::count(const Lock&) {
  sent_ = stream_.bytes_sent();
  received_ = stream_.bytes_received();
}

std::optional<Message> Connection::receive() {
  for (;;) {
    auto message = held_ ? std::exchange(held_, std::nullopt) : next_message();
    if (!message || (message->type != MessageType::still_working && message->type != MessageType::changed)) return message;
    changed_ = changed_ || message->type == MessageType::changed;
    if (expected_by_ && expected_by_->passed()) {
      Lock lock(mutex_);
      lost_ = Error(ErrorCode::timeout, "the far side is still working long after the deadline");
      throw Error(*lost_);
    }
  }
}

Message Connection::receive_or_throw() {
  if (auto message = receive()) return std::move(*message);
  Lock lock(mutex_);
  lost_ = Error(ErrorCode::unreachable, "the far side ended the connection in the middle of its work" + written_to_stderr(stream_),
                "look into the far side's log; gravity-sync there may have been stopped or killed");
  throw Error(*lost_);
}

std::optional<Message> Connection::next_message() {
  Message message;
  bool first = true;
  for (bool goes_on = true; goes_on; first = false) {
    std::array<char, header_size> h{};
    if (!read_exactly(h.data(), h.size())) {
      if (first) return std::nullopt;
      Lock lock(mutex_);
      lost_ = Error(ErrorCode::unreachable, "the connection ended in the middle of a message" + written_to_stderr(stream_));
      throw Error(*lost_);
    }
    const auto length = length_of(h);
    const auto flags = static_cast<unsigned char>(h[4]);
    goes_on = (flags & continued) != 0;
    const auto type = static_cast<std::uint8_t>(flags & ~continued);
    const auto limit = limit_of(type);
    if (limit == no_such_type) violation(fmt::format("a message of the unknown type {}", type));
    if (length > max_frame) violation(fmt::format("a frame of {} bytes, where {} are allowed", length, max_frame));
    if (message.payload.size() + length > limit) violation(fmt::format("a message of type {} is larger than {} bytes", type, limit));
    if (goes_on && length == 0) violation("an empty frame that is continued");
    if (!first && type != static_cast<std::uint8_t>(message.type)) violation("a message changes its type");
    message.type = static_cast<MessageType>(type);
    const auto begin = message.payload.size();
    message.payload.resize(begin + length);
    if (!read_exactly(message.payload.data() + begin, length)) {
      Lock lock(mutex_);
      lost_ = Error(ErrorCode::unreachable, "the connection ended in the middle of a message" + written_to_stderr(stream_));
      throw Error(*lost_);
    }
  }
  return message;
}

Connection::Woken Connection::wait(int other, util::Deadline deadline) {
  using std::chrono::milliseconds;
  const auto beat = locked_ ? locked_beat_ : std::max(quiet_ / 4, milliseconds(1));
  auto quiet = util::Deadline::in(quiet_);
  for (;;) {
    while (!held_ && !changed_ && peek()) {
      auto message = next_message();
      if (message && message->type == MessageType::changed)
        changed_ = true;
      else if (message && message->type != MessageType::still_working)
        held_ = std::move(message);
      quiet = util::Deadline::in(quiet_);
    }
    if (take_changed()) return Woken::changed;
    if (held_ || at_end_) return Woken::message;
    Lock lock(mutex_);
    throw_if_lost(lock);
    if (locked_ && silence_.must_give_way(wanted_)) give_way(lock);
    if (quiet.passed()) {
      lost_ = Error(ErrorCode::timeout,
                    fmt::format("nothing was heard from the far side for {:g} s", std::chrono::duration<double>(quiet_).count()),
                    "it was switched off, or the network between is down");
      throw Error(*lost_);
    }
    const auto silent = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - last_write_);
    if (silent >= beat) put(lock, MessageType::still_working, {});
    if (queued_) compress(lock, {}, true);
    const auto until_beat = silent >= beat ? beat : beat - silent;
    switch (stream_.wait(other, deadline.at_most(quiet.remaining()).at_most(until_beat))) {
      case util::ByteStream::Ready::stream:
        read_stream(lock);
        break;
      case util::ByteStream::Ready::other:
        return Woken::other;
      case util::ByteStream::Ready::neither:
        if (deadline.passed()) return Woken::deadline;
    }
  }
}

/// As much as there is without waiting, up to n. False when nothing came.
bool Connection::decompress(char* to, std::size_t n, std::size_t& done) {
  // Asked again and again for what it does not have, zstd takes us for an endless loop.
  if (in_begin_ == in_end_ && !more_inside_) return false;
  // zstd's formats before 0.8, which Debian's library decodes, know no limit for the window.
  if (in_begin_ != in_end_ && std::exchange(between_frames_, false) && in_[in_begin_] != magic)
    violation("what it sends is not compressed as agreed (not a frame of zstd's present format)");
  ZSTD_outBuffer out{to, n, done};
  ZSTD_inBuffer in{in_.data() + in_begin_, in_end_ - in_begin_, 0};
  auto left = ZSTD_decompressStream(decompressor_.get(), &out, &in);
  in_begin_ += in.pos;
  if (ZSTD_isError(left)) violation(fmt::format("what it sends is not compressed as agreed ({})", ZSTD_getErrorName(left)));
  frame_has_content_ = frame_has_content_ || out.pos != done;
  // Frames without any could go on for ever.
  if (left == 0 && !std::exchange(frame_has_content_, false)) violation("an empty frame in its compressed stream");
  between_frames_ = left == 0;
  more_inside_ = out.pos == out.size;
  return std::exchange(done, out.pos) != out.pos;
}

/// Whether there is a byte that read_exactly() would not have to wait for. The decompressor may hold some whose input is used up.
bool Connection::peek() {
  char byte = 0;
  std::size_t done = 0;
  while (!peeked_ && !decompress(&byte, 1, done) && in_begin_ != in_end_) {
  }
  if (done == 1) peeked_ = byte;
  return peeked_.has_value();
}

/// False when the far side's end came first.
bool Connection::read_exactly(char* to, std::size_t n) {
  std::size_t done = 0;
  if (peeked_ && n > 0) {
    to[done++] = *peeked_;
    peeked_.reset();
  }
  while (done < n) {
    if (!decompress(to, n, done) && in_begin_ == in_end_ && !fill()) return false;
  }
  return true;
}

bool Connection::fill() {
  Lock lock(mutex_);
  return read_stream(lock);
}

bool Connection::read_stream(const Lock& lock) {
  if (at_end_) return false;
  throw_if_lost(lock);
  if (queued_) compress(lock, {}, true);
  const auto deadline = util::Deadline::in(idle_);
  try {
    if (locked_) await_bytes(lock, deadline);
    in_begin_ = in_end_ = 0;
    in_end_ = stream_.read(in_, deadline);
  } catch (const Error& error) {
    if (lost_) throw;
    lost_ = error.code() == ErrorCode::timeout
                ? Error(ErrorCode::timeout,
                        fmt::format("nothing was heard from the far side for {:g} s", std::chrono::duration<double>(idle_).count()),
                        "the network or the far side is stuck; when it is only slow, raise the timeouts in the configuration")
                : error;
    throw Error(*lost_);
  }
  count(lock);
  at_end_ = in_end_ == 0;
  return !at_end_;
}

/// Until there is something to read, or the deadline. Says meanwhile that we are there, because the far side may be waiting, too, for what
/// is still on its way to it.
void Connection::await_bytes(const Lock& lock, util::Deadline deadline) {
  while (stream_.wait(-1, deadline.at_most(locked_beat_)) == util::ByteStream::Ready::neither && !deadline.passed()) {
    if (silence_.must_give_way(wanted_)) give_way(lock);
    if (std::chrono::steady_clock::now() - last_write_ < locked_beat_) continue;
    put(lock, MessageType::still_working, {});
    compress(lock, {}, true);
  }
}

void Connection::give_way(const Lock&) {
  lost_ =
      Error(ErrorCode::timeout,
            fmt::format("the far side was silent for {:g} s in the middle of a run, while another run waited for this node: gave way to it",
                        std::chrono::duration<double>(limits_.give_way).count()),
            "that host, or the network between, is stuck; a daemon tries again by itself, a command can be repeated");
  throw Error(*lost_);
}

void Connection::set_locked(bool locked) {
  {
    Lock lock(mutex_);
    idle_ = locked ? std::min(limits_.idle, limits_.locked) : limits_.idle;
    quiet_ = locked ? std::min(limits_.quiet, limits_.locked) : limits_.quiet;
    silence_.begin();
  }
  {
    Lock lock(tick_mutex_);
    locked_ = locked;
  }
  tick_condition_.notify_all();
}

void Connection::violation(const std::string& what) {
  violated_ = true;
  throw Error(ErrorCode::protocol, "the far side does not keep to the protocol: " + what);
}

void Connection::close() noexcept {
  Lock lock(mutex_);
  if (closed_) return;
  closed_ = true;
  stream_.close_write();
}

void Connection::tick() {
  std::unique_lock lock(tick_mutex_);
  while (!stopping_) {
    tick_condition_.wait_for(lock, beat());
    if (stopping_) return;
    lock.unlock();
    keep_alive();
    lock.lock();
  }
}

/// While the other thread waits for the far side it has the mutex, and nobody waits for us.
void Connection::keep_alive() noexcept {
  try {
    Lock lock(mutex_);
    if (lost_ || closed_ || std::chrono::steady_clock::now() - last_write_ < beat()) return;
    put(lock, MessageType::still_working, {});
    compress(lock, {}, true);
  } catch (const std::exception&) {
    // Kept in lost_: the next call of the other thread throws it.
  }
}

}  // namespace gsync::protocol
