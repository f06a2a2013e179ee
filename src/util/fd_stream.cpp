#include "gsync/util/fd_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "gsync/util/error.hpp"

namespace gsync::util {
namespace {

int flags_of(int fd) {
  int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) throw_errno(errno, "cannot use a stream's descriptor");
  return flags;
}

void set_non_blocking(int fd, int flags) {
  if (!(flags & O_NONBLOCK) && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) throw_errno(errno, "cannot make a stream non-blocking");
}

void restore(int fd, int flags) noexcept {
  if (!(flags & O_NONBLOCK)) ::fcntl(fd, F_SETFL, flags);
}

[[noreturn]] void fail(int error, const char* step) {
  if (error == EPIPE || error == ECONNRESET)
    throw Error(ErrorCode::unreachable, std::string("the connection broke while ") + step + ": " + std::generic_category().message(error));
  throw_errno(error, std::string("the connection failed while ") + step);
}

void wait_for(int fd, short events, Deadline deadline, const char* step) {
  for (;;) {
    if (deadline.passed()) throw Error(ErrorCode::timeout, std::string("timed out while ") + step);
    pollfd p{fd, events, 0};
    int n = ::poll(&p, 1, deadline.poll_timeout());
    if (n > 0) return;
    if (n < 0 && errno != EINTR) fail(errno, step);
  }
}

}  // namespace

// Both flags are read before either is changed: the two may be one open file description, and the second would then remember our own
// change.
FdStream::FdStream(Fd in, Fd out)
    : in_(std::move(in)), out_(std::move(out)), in_flags_(flags_of(in_.get())), out_flags_(flags_of(out_.get())) {
  set_non_blocking(in_.get(), in_flags_);
  set_non_blocking(out_.get(), out_flags_);
}

FdStream::FdStream(Fd socket) : in_(std::move(socket)), socket_(true), in_flags_(flags_of(in_.get())) {
  set_non_blocking(in_.get(), in_flags_);
}

FdStream::~FdStream() {
  if (out_) restore(out_.get(), out_flags_);
  restore(in_.get(), in_flags_);
}

std::size_t FdStream::read(std::span<std::byte> buffer, Deadline deadline) {
  constexpr auto step = "reading from the far side";
  for (;;) {
    auto n = ::read(in_.get(), buffer.data(), buffer.size());
    if (n >= 0) {
      received_ += static_cast<std::uint64_t>(n);
      return static_cast<std::size_t>(n);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) fail(errno, step);
    wait_for(in_.get(), POLLIN, deadline, step);
  }
}

void FdStream::write(std::span<const std::byte> data, Deadline deadline) {
  constexpr auto step = "writing to the far side";
  if (!socket_ && !out_) throw Error(ErrorCode::unreachable, "nothing can be written after the end was announced");
  while (!data.empty()) {
    auto n = ::write(out(), data.data(), data.size());
    if (n >= 0) {
      sent_ += static_cast<std::uint64_t>(n);
      data = data.subspan(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) fail(errno, step);
    wait_for(out(), POLLOUT, deadline, step);
  }
}

ByteStream::Ready FdStream::wait(int other, Deadline deadline) {
  for (;;) {
    // poll() skips an entry with a negative descriptor.
    std::array<pollfd, 2> p{{{in_.get(), POLLIN, 0}, {other, POLLIN, 0}}};
    int n = ::poll(p.data(), p.size(), deadline.poll_timeout());
    if (n < 0 && errno != EINTR) fail(errno, "waiting for the far side");
    if (n > 0) return p[0].revents ? Ready::stream : Ready::other;
    if (deadline.passed()) return Ready::neither;
  }
}

void FdStream::close_write() noexcept {
  if (socket_) {
    ::shutdown(in_.get(), SHUT_WR);
  } else if (out_) {
    restore(out_.get(), out_flags_);
    out_.reset();
    // Where both ends are one open file description, reading must stay non-blocking.
    ::fcntl(in_.get(), F_SETFL, in_flags_ | O_NONBLOCK);
  }
}

}  // namespace gsync::util
