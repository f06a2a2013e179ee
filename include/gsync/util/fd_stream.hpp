#pragma once
#include "gsync/util/byte_stream.hpp"
#include "gsync/util/fd.hpp"

namespace gsync::util {

/// A ByteStream over descriptors: the agent's stdin and stdout, one socket for both, the pipes of a child. Sets them non-blocking and restores that
/// in the destructor (they may be shared with the shell that started us). SIGPIPE must be ignored by the program.
class FdStream final : public ByteStream {
 public:
  /// `in` and `out` are owned. For a socket pass the same number twice through the second constructor.
  FdStream(Fd in, Fd out);
  explicit FdStream(Fd socket);
  ~FdStream() override;

  std::size_t read(std::span<std::byte> buffer, Deadline deadline) override;
  void write(std::span<const std::byte> data, Deadline deadline) override;
  Ready wait(int other, Deadline deadline) override;
  void close_write() noexcept override;
  std::uint64_t bytes_sent() const override { return sent_; }
  std::uint64_t bytes_received() const override { return received_; }

 private:
  int out() const { return out_ ? out_.get() : in_.get(); }

  Fd in_;
  Fd out_;
  bool socket_ = false;
  int in_flags_ = 0;
  int out_flags_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace gsync::util
