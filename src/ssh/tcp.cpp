#include "tcp.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "gsync/util/error.hpp"

namespace gsync::ssh {
namespace {

struct Addresses {
  std::string host;
  std::string service;
  addrinfo hints{};
  gaicb request{};

  ~Addresses() {
    if (request.ar_result) ::freeaddrinfo(request.ar_result);
  }
};

/// getaddrinfo() knows no deadline (a silent name server keeps it for half a minute), so it is asked in the background.
std::unique_ptr<Addresses> resolve(const std::string& host, std::uint16_t port, const std::string& name, util::Deadline deadline) {
  auto addresses = std::make_unique<Addresses>();
  auto& a = *addresses;
  a.host = host;
  a.service = std::to_string(port);
  a.hints.ai_socktype = SOCK_STREAM;
  a.hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
  a.request.ar_name = a.host.c_str();
  a.request.ar_service = a.service.c_str();
  a.request.ar_request = &a.hints;
  int result = ::getaddrinfo(a.host.c_str(), a.service.c_str(), &a.hints, &a.request.ar_result);
  if (result == EAI_NONAME) {
    a.hints.ai_flags = AI_NUMERICSERV;
    gaicb* list[] = {&a.request};
    result = ::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr);
    while (result == 0 && (result = ::gai_error(&a.request)) == EAI_INPROGRESS) {
      if (deadline.passed()) {
        // A request that can no longer be called off still writes into this memory: it is given up.
        if (::gai_cancel(&a.request) == EAI_NOTCANCELED) (void)addresses.release();
        throw Error(ErrorCode::timeout, "timed out while looking up the address of " + name,
                    "check the name server of this host, or put an address into [[peer]] host");
      }
      auto left = deadline.remaining();
      timespec wait{static_cast<time_t>(left.count() / 1000), static_cast<long>(left.count() % 1000 * 1'000'000)};
      ::gai_suspend(list, 1, &wait);
      result = 0;
    }
  }
  if (result != 0)
    throw Error(ErrorCode::unreachable, "cannot find the address of " + name + ": " + ::gai_strerror(result),
                "check [[peer]] host, and whether this host can look names up (getent hosts " + host + ")");
  return addresses;
}

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

/// 0 when connected, else an errno value.
int try_address(const addrinfo& address, util::Fd& fd, util::Deadline deadline) {
  fd = util::Fd(::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol));
  if (!fd) return errno;
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  // A peer that lost its power acknowledges nothing: with this the kernel says so half a minute after we sent something (a keepalive, at
  // least).
  set_option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  for (;;) {
    pollfd p{fd.get(), POLLOUT, 0};
    int n = ::poll(&p, 1, deadline.poll_timeout());
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) break;
    if (deadline.passed()) return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

[[noreturn]] void fail(int error, const std::string& name) {
  auto what = "cannot connect to " + name + ": " + std::generic_category().message(error);
  switch (error) {
    case ETIMEDOUT:
      throw Error(ErrorCode::timeout, what, "is that host up, and does no firewall drop the packets?");
    case ECONNREFUSED:
      throw Error(ErrorCode::unreachable, what, "is sshd running there (systemctl status ssh), and is this its port?");
    case EHOSTUNREACH:
    case ENETUNREACH:
      throw Error(ErrorCode::unreachable, what, "is that host switched on and in a network that this one reaches?");
    default:
      throw Error(ErrorCode::unreachable, what);
  }
}

}  // namespace

util::Fd connect_tcp(const std::string& host, std::uint16_t port, const std::string& name, util::Deadline deadline) {
  auto addresses = resolve(host, port, name, deadline);
  int left = 0;
  for (auto* a = addresses->request.ar_result; a; a = a->ai_next) ++left;
  int error = EADDRNOTAVAIL;
  for (auto* a = addresses->request.ar_result; a; a = a->ai_next, --left) {
    util::Fd fd;
    error = try_address(*a, fd, deadline.at_most(deadline.remaining() / left));
    if (error == 0) return fd;
  }
  fail(error, name);
}

}  // namespace gsync::ssh
