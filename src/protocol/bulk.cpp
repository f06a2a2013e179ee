#include "bulk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "checks.hpp"
#include "effort_choice.hpp"
#include "gsync/util/text.hpp"

namespace gsync::protocol {

namespace {

/// Compresses a stream as EffortChoice has it, and as usual behind it.
class FittingEffort {
 public:
  explicit FittingEffort(BulkSender& sender) : sender_(sender) {}
  ~FittingEffort() {
    try {
      sender_.connection().set_effort(Connection::Effort::usual);
    } catch (const Error&) {
      // It is lost, and whoever sends next hears of it.
    }
  }
  FittingEffort(const FittingEffort&) = delete;
  FittingEffort& operator=(const FittingEffort&) = delete;

  void sent(std::size_t bytes) {
    auto& connection = sender_.connection();
    sent_ += bytes;
    const auto time = std::chrono::steady_clock::now() - began_;
    if (choice_.sent({sent_, connection.bytes_sent() - sent_before_, time, sender_.waited()})) connection.set_effort(choice_.effort());
  }

 private:
  BulkSender& sender_;
  EffortChoice choice_;
  std::uint64_t sent_ = 0;
  const std::uint64_t sent_before_ = sender_.connection().bytes_sent();
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace

bool BulkSender::send(MessageType type, std::string_view payload) {
  GSYNC_ASSERT(!interruption_);
  while (credit_ == 0) {
    const auto began = std::chrono::steady_clock::now();
    auto message = connection_.receive_or_throw();
    waited_ += std::chrono::steady_clock::now() - began;
    if (message.type != MessageType::more) {
      interruption_ = std::move(message);
      return false;
    }
    auto more = parse<More>(connection_, message);
    if (more.frames > window) connection_.violation("it grants more frames than the window has");
    credit_ += more.frames;
  }
  connection_.queue(type, payload);
  --credit_;
  return true;
}

void BulkSender::end(std::uint64_t count) {
  connection_.send(MessageType::end, util::encode(End{count}));
}

bool send_rows(BulkSender& sender, model::BlocklistReader& rows) {
  RowEncoder encoder;
  std::uint64_t count = 0;
  while (auto row = rows.next()) {
    encoder.add(*row);
    ++count;
    if (encoder.size() >= batch_size && !sender.send(MessageType::rows, encoder.take())) return false;
  }
  encoder.finish();
  if (encoder.size() > 0 && !sender.send(MessageType::rows, encoder.take())) return false;
  sender.end(count);
  return true;
}

bool send_bytes(BulkSender& sender, util::ByteReader& bytes, std::uint64_t size) {
  std::vector<std::byte> buffer(batch_size);
  std::uint64_t count = 0;
  FittingEffort effort(sender);
  while (auto n = bytes.read(buffer)) {
    count += n;
    if (count > size) break;
    if (!sender.send(MessageType::bytes, {reinterpret_cast<const char*>(buffer.data()), n})) return false;
    effort.sent(n);
  }
  if (count != size)
    throw Error(ErrorCode::corrupt,
                fmt::format("a copy that should have {} bytes has {}{}", size, count > size ? "more than " : "", count));
  sender.end(count);
  return true;
}

Message BulkReceiver::next() {
  auto message = connection_.receive_or_throw();
  const bool failure = message.type == MessageType::abort || message.type == MessageType::error;
  if (failure || (message.type == MessageType::end && !answers_due_)) {
    ended_ = true;
  } else if (answers_due_ && message.type == MessageType::answers) {
    answers_due_ = false;
  } else if (!answers_due_ && message.type == frames_) {
    if (++taken_ == grant) {
      connection_.send(MessageType::more, util::encode(More{grant}));
      taken_ = 0;
    }
  } else {
    connection_.violation(fmt::format("a message of type {} in a stream", static_cast<int>(message.type)));
  }
  return message;
}

void BulkReceiver::throw_failure(const Message& message) {
  if (message.type == MessageType::error) throw error_of(parse<ErrorMessage>(connection_, message));
  auto why = presentable(parse<Abort>(connection_, message).why, max_text);
  throw Error(ErrorCode::cancelled, "the far side stopped sending" + (why.empty() ? why : ": " + why));
}

std::vector<model::BlocklistAnswer> BulkReceiver::receive_answers() {
  auto message = next();
  if (message.type != MessageType::answers) throw_failure(message);
  return parse<std::vector<model::BlocklistAnswer>>(connection_, message);
}

std::optional<std::string> BulkReceiver::receive() {
  require_sound();
  if (complete_) return std::nullopt;
  if (ended_) throw Error(ErrorCode::cancelled, "the stream was given up before its end");
  auto message = next();
  if (message.type == frames_) return std::move(message.payload);
  if (message.type != MessageType::end) throw_failure(message);
  auto said = parse<End>(connection_, message).count;
  if (said != count_) connection_.violation(fmt::format("a stream of {} that says it has {}", count_, said));
  complete_ = true;
  return std::nullopt;
}

void BulkReceiver::require_sound() const {
  if (connection_.violated()) throw Error(ErrorCode::protocol, "the far side did not keep to the protocol");
}

void BulkReceiver::drain() {
  while (!ended_) next();
}

RowReceiver::RowReceiver(BulkReceiver& bulk, std::vector<model::BlocklistAnswer> answers)
    : bulk_(bulk), answers_(std::move(answers)), decoder_(answers_) {}

std::optional<model::BlocklistRow> RowReceiver::next() {
  for (;;) {
    bulk_.require_sound();
    try {
      if (auto row = decoder_.next()) {
        bulk_.count(1);
        return row;
      }
    } catch (const Error& error) {
      bulk_.connection().violation(error.what());
    }
    auto batch = bulk_.receive();
    if (!batch) return std::nullopt;
    try {
      decoder_.feed(std::move(*batch));
    } catch (const Error& error) {
      bulk_.connection().violation(error.what());
    }
  }
}

std::size_t ByteReceiver::read(std::span<std::byte> buffer) {
  if (buffer.empty()) return 0;
  if (used_ == frame_.size()) {
    auto frame = bulk_.receive();
    if (!frame && left_ > 0) bulk_.connection().violation(fmt::format("a copy ends {} bytes early", left_));
    if (!frame) return 0;
    if (frame->empty()) bulk_.connection().violation("an empty frame in a copy");
    if (frame->size() > left_) bulk_.connection().violation("a copy has more bytes than it said");
    left_ -= frame->size();
    bulk_.count(frame->size());
    frame_ = std::move(*frame);
    used_ = 0;
  }
  auto n = std::min(buffer.size(), frame_.size() - used_);
  std::memcpy(buffer.data(), frame_.data() + used_, n);
  used_ += n;
  return n;
}

}  // namespace gsync::protocol
