// bench-wire BITS_PER_SECOND ROUND_TRIP_MS: a slow line between two network namespaces that it makes. Prints where they are to be found,
// the near one (192.0.2.1) and the far one (192.0.2.2), and then carries the packets until its standard input ends. Exits with 3 and a
// reason where that is not permitted. What goes over it is the kernel's own TCP, with its acknowledgements, its windows and its slow start.
// netem would do the same, but is not everywhere.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

namespace {

using Time = std::chrono::steady_clock::time_point;
using std::chrono::nanoseconds;

constexpr std::size_t most_packets = 256;  // that wait for the line; what comes then is dropped, as a router does
constexpr int mtu = 1500;

struct End {
  int packets;  // what the namespace sends, and gets
  int name_space;
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(3);
}

void set_address(int socket, ifreq request, unsigned long which, const char* address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &in.sin_addr);
  std::memcpy(&request.ifr_addr, &in, sizeof in);
  if (::ioctl(socket, which, &request) != 0) give_up(address);
}

void bring_up(int socket, ifreq request) {
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket, SIOCSIFFLAGS, &request) != 0) give_up(request.ifr_name);
}

/// A new namespace, in which this process is afterwards.
End make_end(const char* own, const char* other) {
  if (::unshare(CLONE_NEWNET) != 0) give_up("unshare");
  End end{::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (end.packets < 0 || end.name_space < 0) give_up("/dev/net/tun");
  ifreq line{}, loopback{};
  std::strcpy(line.ifr_name, "line");
  std::strcpy(loopback.ifr_name, "lo");
  line.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(end.packets, TUNSETIFF, &line) != 0) give_up("TUNSETIFF");
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) give_up("socket");
  bring_up(socket, loopback);
  set_address(socket, line, SIOCSIFADDR, own);
  set_address(socket, line, SIOCSIFDSTADDR, other);
  bring_up(socket, line);
  ::close(socket);
  return end;
}

/// One direction.
class Line {
 public:
  Line(int from, int to, double bits_per_second, nanoseconds delay) : from_(from), to_(to), rate_(bits_per_second), delay_(delay) {}

  void take(Time now) {
    std::array<char, 65536> packet;
    for (ssize_t n; (n = ::read(from_, packet.data(), packet.size())) > 0;) {
      if (waiting(now) >= most_packets) continue;
      sent_ = std::max(sent_, now) + nanoseconds(static_cast<std::int64_t>(static_cast<double>(n) * 8e9 / rate_));
      queue_.push_back({sent_, {packet.data(), packet.data() + n}});
    }
  }
  void deliver(Time now) {
    for (; !queue_.empty() && queue_.front().sent + delay_ <= now; queue_.pop_front()) {
      const auto& bytes = queue_.front().bytes;
      [[maybe_unused]] const auto n = ::write(to_, bytes.data(), bytes.size());
    }
  }
  Time next() const { return queue_.empty() ? Time::max() : queue_.front().sent + delay_; }
  int from() const { return from_; }

 private:
  struct Packet {
    Time sent;  // the last bit of it
    std::vector<char> bytes;
  };
  std::size_t waiting(Time now) const {
    const auto first = std::upper_bound(queue_.begin(), queue_.end(), now, [](Time t, const Packet& p) { return t < p.sent; });
    return static_cast<std::size_t>(queue_.end() - first);
  }

  const int from_, to_;
  const double rate_;
  const nanoseconds delay_;
  Time sent_{};
  std::deque<Packet> queue_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const double rate = std::atof(argv[1]);
  const nanoseconds delay(static_cast<std::int64_t>(std::atof(argv[2]) * 1e6 / 2));
  if (rate <= 0 || delay.count() < 0) return 2;
  const auto near = make_end("192.0.2.1", "192.0.2.2");
  const auto far = make_end("192.0.2.2", "192.0.2.1");
  std::printf("/proc/%d/fd/%d /proc/%d/fd/%d\n", ::getpid(), near.name_space, ::getpid(), far.name_space);
  std::fflush(stdout);

  std::array lines{Line(near.packets, far.packets, rate, delay), Line(far.packets, near.packets, rate, delay)};
  for (;;) {
    std::array<pollfd, 3> p{{{lines[0].from(), POLLIN, 0}, {lines[1].from(), POLLIN, 0}, {0, POLLIN, 0}}};
    const auto due = std::min(lines[0].next(), lines[1].next());
    timespec wait{3600, 0};
    if (due != Time::max()) {
      const auto left = std::max<std::int64_t>(0, nanoseconds(due - std::chrono::steady_clock::now()).count());
      wait = {left / 1'000'000'000, left % 1'000'000'000};
    }
    if (::ppoll(p.data(), p.size(), &wait, nullptr) < 0 && errno != EINTR) return 1;
    const auto now = std::chrono::steady_clock::now();
    for (auto& line : lines) line.take(now);
    for (auto& line : lines) line.deliver(now);
    if ((p[2].revents & (POLLIN | POLLHUP)) != 0) return 0;
  }
}
