#include "support/frame_relay.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace gsync::test {
namespace {

constexpr std::size_t header_bytes = 5;
constexpr int window_log = 18;
constexpr unsigned char still_working = 66;
constexpr auto lateness = std::chrono::milliseconds(60);

std::pair<util::Fd, util::Fd> connected() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
  return {util::Fd(ends[0]), util::Fd(ends[1])};
}

/// False when the other side is gone.
bool send_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const auto n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

/// One direction.
class FrameRelay::Way {
 public:
  Way(int from, int to, FrameEvent event, int at, std::atomic<int>& count, std::atomic<bool>& happened)
      : from_(from),
        to_(to),
        event_(event),
        at_(at),
        count_(count),
        happened_(happened),
        in_(ZSTD_createDCtx(), ZSTD_freeDCtx),
        out_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
    ZSTD_CCtx_setParameter(out_.get(), ZSTD_c_windowLog, window_log);
  }

  bool is_open() const { return open_; }
  int from() const { return from_; }
  /// False when the connection is to be cut.
  bool carry() {
    std::array<char, 65536> bytes{};
    const auto n = ::recv(from_, bytes.data(), bytes.size(), 0);
    if (n <= 0) {
      open_ = false;
      return gone_ || ::shutdown(to_, SHUT_WR) == 0;
    }
    return take(std::string_view(bytes.data(), static_cast<std::size_t>(n)));
  }

 private:
  bool take(std::string_view bytes) {
    if (!greeted_) {
      hello_.append(bytes);
      const auto end = hello_.find('\n');
      if (end == std::string::npos) return true;
      greeted_ = true;
      const auto behind = hello_.substr(end + 1);
      hello_.resize(end + 1);
      if (!frame(hello_, false)) return false;
      return take(behind);
    }
    decompress(bytes);
    while (plain_.size() >= header_bytes) {
      std::size_t length = header_bytes;
      for (std::size_t i = 4; i-- > 0;) length += static_cast<std::size_t>(static_cast<unsigned char>(plain_[i])) << (8 * i);
      if (plain_.size() < length) break;
      const auto whole = plain_.substr(0, length);
      plain_.erase(0, length);
      if (static_cast<unsigned char>(whole[4]) == still_working ? !pass(whole) : !frame(whole, true)) return false;
    }
    return true;
  }

  void decompress(std::string_view bytes) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::string block(ZSTD_DStreamOutSize(), '\0');
    for (bool full = true; in.pos < in.size || full;) {
      ZSTD_outBuffer to{block.data(), block.size(), 0};
      if (ZSTD_isError(ZSTD_decompressStream(in_.get(), &to, &in))) throw std::runtime_error("the relay cannot read the stream");
      plain_.append(block, 0, to.pos);
      full = to.pos == to.size;
    }
  }

  bool frame(const std::string& whole, bool compressed) {
    const bool now = count_++ == at_ && event_ != FrameEvent::none;
    const auto send = [&](const std::string& bytes) { return compressed ? pass(bytes) : gone_ || send_all(to_, bytes); };
    if (!now) return send(whole);
    happened_ = true;
    switch (event_) {
      case FrameEvent::none:
        break;
      case FrameEvent::cut_before:
        return false;
      case FrameEvent::cut_within:
        send(whole.substr(0, whole.size() / 2));
        return false;
      case FrameEvent::cut_after:
        send(whole);
        return false;
      case FrameEvent::late:
        std::this_thread::sleep_for(lateness);
        break;
      case FrameEvent::never:
        gone_ = true;
        return true;
      case FrameEvent::twice:
        if (!send(whole)) return false;
        break;
    }
    return send(whole);
  }

  bool pass(const std::string& plain) {
    if (gone_) return true;
    ZSTD_inBuffer in{plain.data(), plain.size(), 0};
    std::string block(ZSTD_compressBound(plain.size()) + 64, '\0');
    ZSTD_outBuffer to{block.data(), block.size(), 0};
    if (ZSTD_compressStream2(out_.get(), &to, &in, ZSTD_e_flush) != 0) throw std::runtime_error("the relay cannot write the stream");
    return send_all(to_, std::string_view(block).substr(0, to.pos));
  }

  const int from_;
  const int to_;
  const FrameEvent event_;
  const int at_;
  std::atomic<int>& count_;
  std::atomic<bool>& happened_;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> in_;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> out_;
  bool open_ = true;
  bool greeted_ = false;
  bool gone_ = false;
  std::string hello_;
  std::string plain_;
};

FrameRelay::FrameRelay(const FrameFault& fault) : fault_(fault), stop_(::eventfd(0, EFD_CLOEXEC)) {
  std::tie(client_, near_) = connected();
  std::tie(agent_, far_) = connected();
  thread_ = std::thread([this] { run(); });
}

FrameRelay::~FrameRelay() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void FrameRelay::run() {
  const auto event = [&](bool of_agent) { return fault_.of_agent == of_agent ? fault_.event : FrameEvent::none; };
  std::array<Way, 2> ways{Way(near_.get(), far_.get(), event(false), fault_.at, frames_[0], happened_),
                          Way(far_.get(), near_.get(), event(true), fault_.at, frames_[1], happened_)};
  while (ways[0].is_open() || ways[1].is_open()) {
    std::array<pollfd, 3> fds{{{ways[0].is_open() ? ways[0].from() : -1, POLLIN, 0},
                               {ways[1].is_open() ? ways[1].from() : -1, POLLIN, 0},
                               {stop_.get(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) break;
    if (fds[2].revents != 0) break;
    bool cut = false;
    for (std::size_t i = 0; i < ways.size(); ++i)
      if (fds[i].revents != 0 && !ways[i].carry()) cut = true;
    if (cut) break;
  }
  // A peer that is only out of reach keeps its connection.
  near_.reset();
  far_.reset();
}

}  // namespace gsync::test
