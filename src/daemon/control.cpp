#include "control.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace gsync::daemon {
namespace {

constexpr std::size_t largest = 128u << 10;

}  // namespace

ControlPair make_control() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw_errno(errno, "cannot make a socket for a child");
  return {util::Fd(ends[0]), util::Fd(ends[1])};
}

Packet receive_packet(int fd, std::string& bytes) {
  bytes.resize(largest);
  for (;;) {
    const auto n = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n > 0) {
      bytes.resize(static_cast<std::size_t>(n));
      return Packet::there;
    }
    if (n == 0) return Packet::closed;
    if (errno == EAGAIN) return Packet::none;
    if (errno != EINTR) return Packet::closed;
  }
}

bool send_packet(int fd, std::string_view bytes) {
  for (;;) {
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

}  // namespace gsync::daemon
