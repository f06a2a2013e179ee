#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "gsync/util/deadline.hpp"

namespace gsync::util {

/// Both directions of a connection: an SSH channel, a pipe pair, a socket. Used by one thread at a time. After an Error it is unusable.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// Reads at least one byte and at most buffer.size(); 0 means that the far side will send no more. Errors: timeout, unreachable.
  virtual std::size_t read(std::span<std::byte> buffer, Deadline deadline) = 0;
  /// Writes all of `data`. Errors: timeout, unreachable.
  virtual void write(std::span<const std::byte> data, Deadline deadline) = 0;
  enum class Ready { stream, other, neither };
  /// Waits until read() need not wait, `other` (a descriptor; -1: none) is readable, or the deadline. A stream that cannot tell says
  /// `stream` at once.
  virtual Ready wait([[maybe_unused]] int other, [[maybe_unused]] Deadline deadline) { return Ready::stream; }
  /// Says that we will write no more. Never throws; repeated calls do nothing.
  virtual void close_write() noexcept = 0;
  /// What the far side wrote to its standard error so far (at most the first 4 KiB), to explain why it ended. Empty where there is no such thing.
  virtual std::string diagnostics() { return {}; }
  /// Bytes on the wire so far in each direction, with everything that the transport adds.
  virtual std::uint64_t bytes_sent() const = 0;
  virtual std::uint64_t bytes_received() const = 0;
};

/// Bytes to be read once, in order: a database image, decompressed pages.
class ByteReader {
 public:
  virtual ~ByteReader() = default;
  /// At least one byte, or 0 at the end.
  virtual std::size_t read(std::span<std::byte> buffer) = 0;
};

}  // namespace gsync::util
