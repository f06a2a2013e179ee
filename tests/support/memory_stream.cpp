#include "support/memory_stream.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"

namespace gsync::test {
namespace {

/// One end of a socketpair. MSG_NOSIGNAL, so that a test need not ignore SIGPIPE.
class SocketStream final : public util::ByteStream {
 public:
  explicit SocketStream(util::Fd fd) : fd_(std::move(fd)) {}

  std::size_t read(std::span<std::byte> buffer, util::Deadline deadline) override {
    for (;;) {
      auto n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n >= 0) {
        received_ += static_cast<std::uint64_t>(n);
        return static_cast<std::size_t>(n);
      }
      if (errno == ECONNRESET) throw Error(ErrorCode::unreachable, "the connection was reset");
      if (errno != EAGAIN && errno != EINTR) throw_errno(errno, "recv");
      await(POLLIN, deadline);
    }
  }
  void write(std::span<const std::byte> data, util::Deadline deadline) override {
    while (!data.empty()) {
      auto n = ::send(fd_.get(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n >= 0) {
        sent_ += static_cast<std::uint64_t>(n);
        data = data.subspan(static_cast<std::size_t>(n));
        continue;
      }
      if (errno == EPIPE || errno == ECONNRESET) throw Error(ErrorCode::unreachable, "the connection was closed by the far side");
      if (errno != EAGAIN && errno != EINTR) throw_errno(errno, "send");
      await(POLLOUT, deadline);
    }
  }
  Ready wait(int other, util::Deadline deadline) override {
    pollfd p[2] = {{fd_.get(), POLLIN, 0}, {other, POLLIN, 0}};
    if (::poll(p, 2, deadline.poll_timeout()) < 0 && errno != EINTR) throw_errno(errno, "poll");
    return p[0].revents ? Ready::stream : p[1].revents ? Ready::other : Ready::neither;
  }
  void close_write() noexcept override { ::shutdown(fd_.get(), SHUT_WR); }
  std::uint64_t bytes_sent() const override { return sent_; }
  std::uint64_t bytes_received() const override { return received_; }

 private:
  void await(short events, util::Deadline deadline) {
    pollfd p{fd_.get(), events, 0};
    int n = ::poll(&p, 1, deadline.poll_timeout());
    if (n < 0 && errno != EINTR) throw_errno(errno, "poll");
    if (n == 0 && deadline.passed()) throw Error(ErrorCode::timeout, "nothing came within the deadline");
  }

  util::Fd fd_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace

StreamPair stream_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw_errno(errno, "socketpair");
  return {std::make_unique<SocketStream>(util::Fd(fds[0])), std::make_unique<SocketStream>(util::Fd(fds[1]))};
}

std::size_t FaultyStream::read(std::span<std::byte> buffer, util::Deadline deadline) {
  if (received_ >= faults_.cut_after_received || !inner_) cut();
  if (received_ >= faults_.stall_after_received) {
    std::this_thread::sleep_for(deadline.remaining());
    throw Error(ErrorCode::timeout, "nothing came within the deadline");
  }
  std::uint64_t most = std::min<std::uint64_t>(buffer.size(), faults_.one_by_one ? 1 : buffer.size());
  most = std::min({most, faults_.cut_after_received - received_, faults_.stall_after_received - received_});
  auto n = inner_->read(buffer.first(static_cast<std::size_t>(most)), deadline);
  received_ += n;
  return n;
}

void FaultyStream::write(std::span<const std::byte> data, util::Deadline deadline) {
  while (!data.empty()) {
    if (sent_ >= faults_.cut_after_sent || !inner_) cut();
    std::uint64_t most = faults_.one_by_one ? 1 : data.size();
    most = std::min(most, faults_.cut_after_sent - sent_);
    inner_->write(data.first(static_cast<std::size_t>(most)), deadline);
    sent_ += most;
    data = data.subspan(static_cast<std::size_t>(most));
  }
}

util::ByteStream::Ready FaultyStream::wait(int other, util::Deadline deadline) {
  return inner_ ? inner_->wait(other, deadline) : Ready::stream;
}

void FaultyStream::close_write() noexcept {
  if (inner_) inner_->close_write();
}

void FaultyStream::cut() {
  inner_.reset();
  throw Error(ErrorCode::unreachable, "the connection was cut");
}

std::size_t CannedStream::read(std::span<std::byte> buffer, util::Deadline deadline) {
  auto n = std::min(buffer.size(), says_.size() - given_);
  if (n == 0 && !ends_) {
    std::this_thread::sleep_for(deadline.remaining());
    throw Error(ErrorCode::timeout, "nothing came within the deadline");
  }
  std::memcpy(buffer.data(), says_.data() + given_, n);
  given_ += n;
  return n;
}

void CannedStream::write(std::span<const std::byte> data, util::Deadline) {
  received.append(reinterpret_cast<const char*>(data.data()), data.size());
}

}  // namespace gsync::test
