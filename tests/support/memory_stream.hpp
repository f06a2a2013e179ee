#pragma once
#include <memory>
#include <string>
#include <utility>

#include "gsync/util/byte_stream.hpp"

namespace gsync::test {

struct StreamPair {
  std::unique_ptr<util::ByteStream> client;
  std::unique_ptr<util::ByteStream> server;
};

/// The two ends of a connection inside this process (a socketpair), with the kernel's real buffers behind it.
StreamPair stream_pair();

/// What a FaultyStream does to a connection. Counted are the bytes of this end.
struct Faults {
  static constexpr std::uint64_t never = ~std::uint64_t{0};
  std::uint64_t cut_after_sent = never;        ///< so many bytes go out, then the connection breaks, for both ends
  std::uint64_t cut_after_received = never;    ///< so many bytes come in, then the connection breaks, for both ends
  std::uint64_t stall_after_received = never;  ///< so many bytes come in, then nothing, until the reader's deadline
  bool one_by_one = false;                     ///< each read and write moves a single byte
  std::string diagnostics;                     ///< what diagnostics() says
};

/// Passes everything on to `inner` until its fault strikes; it then breaks `inner` by dropping it, and throws as a stream does.
class FaultyStream final : public util::ByteStream {
 public:
  FaultyStream(std::unique_ptr<util::ByteStream> inner, Faults faults) : inner_(std::move(inner)), faults_(std::move(faults)) {}

  std::size_t read(std::span<std::byte> buffer, util::Deadline deadline) override;
  void write(std::span<const std::byte> data, util::Deadline deadline) override;
  Ready wait(int other, util::Deadline deadline) override;
  void close_write() noexcept override;
  std::string diagnostics() override { return faults_.diagnostics; }
  std::uint64_t bytes_sent() const override { return sent_; }
  std::uint64_t bytes_received() const override { return received_; }

 private:
  [[noreturn]] void cut();

  std::unique_ptr<util::ByteStream> inner_;
  Faults faults_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

/// A far side that has said all it will say. What is written to it is kept in `received`.
class CannedStream final : public util::ByteStream {
 public:
  /// With `ends` false, reading past `says` waits until the deadline and throws Error{timeout}.
  explicit CannedStream(std::string says, std::string diagnostics = {}, bool ends = true)
      : says_(std::move(says)), diagnostics_(std::move(diagnostics)), ends_(ends) {}

  std::size_t read(std::span<std::byte> buffer, util::Deadline deadline) override;
  void write(std::span<const std::byte> data, util::Deadline deadline) override;
  void close_write() noexcept override {}
  std::string diagnostics() override { return diagnostics_; }
  std::uint64_t bytes_sent() const override { return received.size(); }
  std::uint64_t bytes_received() const override { return given_; }

  std::string received;

 private:
  std::string says_;
  std::string diagnostics_;
  bool ends_;
  std::size_t given_ = 0;
};

}  // namespace gsync::test
