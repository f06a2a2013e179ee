#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "gsync/daemon/client.hpp"
#include "preface.hpp"
#include "sockets.hpp"

namespace gsync::daemon {
namespace {

/// Less than a client waits for a connection as a rule, who then learns why it had to.
constexpr std::chrono::seconds first_words_time{8};
/// One may have been told to wait longer, and a slow host takes longer.
constexpr std::chrono::seconds longest_first_words_time{60};
constexpr std::chrono::seconds last_words_time{60};

constexpr const char* no_answer = "the daemon there does not answer";
constexpr const char* why_no_answer = "see why it does not start, or hangs: journalctl -u gravity-sync";

/// Bytes on their way from one descriptor to another.
class Way {
 public:
  Way(int from, int to) : from_(from), to_(to) {}

  pollfd in() const { return {size_ == 0 && open_ ? from_ : -1, POLLIN, 0}; }
  pollfd out() const { return {size_ > 0 ? to_ : -1, POLLOUT, 0}; }
  /// False when there will be no more.
  bool read() {
    const auto n = ::read(from_, buffer_.data(), buffer_.size());
    if (n < 0) return errno == EINTR || errno == EAGAIN || (open_ = false);
    size_ = static_cast<std::size_t>(n);
    begin_ = 0;
    return open_ = n > 0;
  }
  /// False when nobody takes them.
  bool write() {
    const auto n = ::write(to_, buffer_.data() + begin_, size_);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    begin_ += static_cast<std::size_t>(n);
    size_ -= static_cast<std::size_t>(n);
    return true;
  }
  void put(std::string_view bytes) {
    std::copy(bytes.begin(), bytes.end(), buffer_.begin());
    size_ = bytes.size();
  }
  /// Nobody takes any more.
  void stop() {
    open_ = false;
    size_ = 0;
  }
  bool empty() const { return size_ == 0; }

 private:
  int from_;
  int to_;
  bool open_ = true;
  std::array<char, 32768> buffer_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

util::Fd connect_quietly(const std::string& path) {
  try {
    return connect_to(path);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

bool relay(const std::string& run_directory, const std::string& peer, bool read_only) {
  const auto socket = connect_quietly(run_directory + "/agent.sock");
  if (!socket) return false;
  Way there(0, socket.get());
  Way back(socket.get(), 1);
  there.put(to_line({peer, read_only}));
  // Systemd listens there for a daemon that cannot start, too.
  auto patience = util::Deadline::in(first_words_time);
  bool waits = true;
  bool said = false;
  bool warned = false;
  bool alone = false;  ///< the client says no more
  for (bool ended = false;;) {
    std::array<pollfd, 4> p{there.in(), there.out(), back.in(), back.out()};
    if (p[3].fd < 0) p[3] = {1, 0, 0};
    const auto time = waits ? static_cast<int>(patience.remaining().count()) + 1 : -1;
    if (::poll(p.data(), p.size(), time) < 0 && errno != EINTR) throw_errno(errno, "cannot wait for the daemon");
    // What the daemon has said until its end is passed on before we go.
    if (p[1].revents && !there.write()) there.stop();
    if (p[3].revents && (back.empty() || !back.write())) return true;
    if (p[0].revents && !there.read()) ended = true;
    if (p[2].revents && !back.read()) return true;
    if (p[2].revents && !std::exchange(said, true)) waits = false;
    if (waits && patience.passed()) {
      if (said) return true;
      if (alone || std::exchange(warned, true)) throw Error(ErrorCode::timeout, no_answer, why_no_answer);
      const auto words = fmt::format("{}: {}\n", no_answer, why_no_answer);
      [[maybe_unused]] const auto written = ::write(2, words.data(), words.size());
      patience = util::Deadline::in(longest_first_words_time - first_words_time);
    }
    if (!ended || !there.empty()) continue;
    ::shutdown(socket.get(), SHUT_WR);
    ended = false;
    alone = true;
    if (!said) continue;
    patience = util::Deadline::in(last_words_time);
    waits = true;
  }
}

}  // namespace gsync::daemon
