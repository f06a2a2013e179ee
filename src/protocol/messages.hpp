#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gsync/model/node.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync {

/// For the codec. Codes are only ever added at the end, together with a new protocol version.
constexpr ErrorCode last_of(ErrorCode) {
  return ErrorCode::cancelled;
}

}  // namespace gsync

namespace gsync::protocol {

/// What a frame is. The numbers are the protocol (README.md in this folder).
enum class MessageType : std::uint8_t {
  describe = 1,
  lock = 2,
  unlock = 3,
  lists = 4,
  records = 5,
  blocklist = 6,
  blocklist_rows = 7,
  copy = 8,
  apply = 9,
  versions = 10,
  version = 11,
  note = 12,
  pair = 13,
  base = 14,
  intend = 15,
  catch_up = 16,
  settle = 17,
  forget = 18,
  answers = 32,
  rows = 33,
  bytes = 34,
  end = 35,
  abort = 36,
  more = 37,
  answer = 64,
  error = 65,
  still_working = 66,
  changed = 67,
};

inline constexpr std::size_t max_frame = 256u << 10;
inline constexpr std::size_t max_message = 64u << 20;
/// What a message may take in memory once it is decoded: some 400,000 rows.
inline constexpr std::uint64_t max_decoded = 128u << 20;

/// The most bytes that a message of this type may have, all its frames together; nullopt for a type that does not exist.
constexpr std::size_t no_such_type = ~std::size_t{0};
constexpr std::size_t limit_of(std::uint8_t type) {
  switch (static_cast<MessageType>(type)) {
    case MessageType::answer:
    case MessageType::apply:
    case MessageType::note:
    case MessageType::intend:
    case MessageType::blocklist_rows:
    case MessageType::answers:
      return max_message;
    case MessageType::rows:
    case MessageType::settle:
      return 1u << 20;
    case MessageType::bytes:
      return max_frame;
    case MessageType::error:
    case MessageType::abort:
    case MessageType::lists:
      return 64u << 10;
    case MessageType::describe:
    case MessageType::lock:
    case MessageType::unlock:
    case MessageType::records:
    case MessageType::blocklist:
    case MessageType::copy:
    case MessageType::versions:
    case MessageType::version:
    case MessageType::pair:
    case MessageType::base:
    case MessageType::catch_up:
    case MessageType::forget:
    case MessageType::end:
    case MessageType::more:
    case MessageType::still_working:
    case MessageType::changed:
      return 1024;
  }
  return no_such_type;
}

/// Digests of the buckets of what the client has already; none: of nothing.
struct ListsRequest {
  std::vector<std::uint32_t> buckets;
};
template <class Archive>
void fields(Archive& a, ListsRequest& r) {
  a(r.buckets);
}

struct LockRequest {
  std::uint64_t milliseconds = 0;  ///< how long to wait for it
};
template <class Archive>
void fields(Archive& a, LockRequest& r) {
  a(r.milliseconds);
}

struct VersionRequest {
  std::int64_t id = 0;
};
template <class Archive>
void fields(Archive& a, VersionRequest& r) {
  a(r.id);
}

struct ForgetRequest {
  bool all = false;
};
template <class Archive>
void fields(Archive& a, ForgetRequest& r) {
  a(r.all);
}

struct CopyRequest {
  model::CopyOf of = model::CopyOf::live;
};
template <class Archive>
void fields(Archive& a, CopyRequest& c) {
  a(c.of);
}

struct CopyAnswer {
  std::uint64_t bytes = 0;
  model::Digest schema;
};
template <class Archive>
void fields(Archive& a, CopyAnswer& c) {
  a(c.bytes, c.schema);
}

/// The last message of a stream: how many rows or bytes it had.
struct End {
  std::uint64_t count = 0;
};
template <class Archive>
void fields(Archive& a, End& e) {
  a(e.count);
}

/// The receiver of a stream has room for so many further frames.
struct More {
  std::uint32_t frames = 0;
};
template <class Archive>
void fields(Archive& a, More& m) {
  a(m.frames);
}

/// A stream that is given up, by its sender or by its receiver.
struct Abort {
  std::string why;
};
template <class Archive>
void fields(Archive& a, Abort& b) {
  a(b.why);
}

struct ErrorMessage {
  ErrorCode code = ErrorCode::io;
  std::string what;
  std::string hint;
};
template <class Archive>
void fields(Archive& a, ErrorMessage& e) {
  a(e.code, e.what, e.hint);
}

}  // namespace gsync::protocol
