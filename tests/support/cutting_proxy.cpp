#include "support/cutting_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace gsync::test {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool send_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const auto n = ::send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

/// The next close() resets the connection.
void reset_on_close(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

CuttingProxy::CuttingProxy(std::uint16_t to_port)
    : to_port_(to_port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!listener_ || !stop_ || ::bind(listener_.get(), generic, size) != 0 || ::getsockname(listener_.get(), generic, &size) != 0 ||
      ::listen(listener_.get(), 8) != 0)
    fail("proxy");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

CuttingProxy::~CuttingProxy() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void CuttingProxy::run() {
  for (;;) {
    std::array<pollfd, 2> fds{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), -1);
    if (fds[1].revents != 0) return;
    if (util::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); client) carry(std::move(client));
  }
}

void CuttingProxy::carry(util::Fd client) {
  util::Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = loopback(to_port_);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  const std::uint64_t limit = limit_;
  std::uint64_t carried = 0;
  std::array<int, 2> ends{client.get(), server.get()};
  std::array<bool, 2> open{true, true};
  std::array<char, 4096> buffer;
  while (open[0] || open[1]) {
    std::array<pollfd, 3> fds{{{open[0] ? ends[0] : -1, POLLIN, 0}, {open[1] ? ends[1] : -1, POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), -1);
    if (fds[2].revents != 0) break;
    for (std::size_t from : {0U, 1U}) {
      if (fds[from].revents == 0) continue;
      const auto n = ::recv(ends[from], buffer.data(), std::min<std::uint64_t>(buffer.size(), limit - carried), 0);
      if (n <= 0) {
        // A reset is passed on as an end: the side that made it is gone.
        open[from] = false;
        ::shutdown(ends[1 - from], SHUT_WR);
        if (n < 0) open[1 - from] = false;
        continue;
      }
      carried += static_cast<std::uint64_t>(n);
      if (!send_all(ends[1 - from], buffer.data(), static_cast<std::size_t>(n))) open = {false, false};
      bytes_ = carried;
      if (carried < limit) continue;
      if (++cuts_ % 2 == 0) {
        reset_on_close(ends[0]);
        reset_on_close(ends[1]);
      }
      return;
    }
  }
}

}  // namespace gsync::test
