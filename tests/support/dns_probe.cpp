#include "support/dns_probe.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <system_error>
#include <utility>

#include "gsync/util/fd.hpp"
#include "support/dns_message.hpp"

namespace gsync::test {

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::seconds lost_after{1};

util::Fd connect_to(std::uint16_t port) {
  util::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot ask port " + std::to_string(port));
  return fd;
}

/// The next reply that is there; nullopt when there is none (or the port is closed).
std::optional<DnsReply> receive(int fd) {
  std::array<std::uint8_t, 4096> buffer;
  const auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (n < 0) return std::nullopt;
  return parse_reply(std::span<const std::uint8_t>(buffer.data(), static_cast<std::size_t>(n)));
}

std::optional<DnsReply> ask(std::uint16_t port, const std::string& name, std::uint16_t type, util::Deadline deadline) {
  static std::atomic<std::uint16_t> next_id{1};
  const util::Fd fd = connect_to(port);
  while (!deadline.passed()) {
    const std::uint16_t id = next_id++;
    const auto query = dns_query(id, name, type);
    ::send(fd.get(), query.data(), query.size(), MSG_NOSIGNAL);
    const auto again = deadline.at_most(std::chrono::milliseconds(250));
    while (!again.passed()) {
      pollfd poll_fd{fd.get(), POLLIN, 0};
      if (::poll(&poll_fd, 1, again.poll_timeout()) <= 0) continue;
      if (auto reply = receive(fd.get()); reply && reply->id == id) return reply;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<std::string>> lookup_addresses(std::uint16_t port, const std::string& name, util::Deadline deadline) {
  auto reply = ask(port, name, dns_type_a, deadline);
  if (!reply) return std::nullopt;
  return std::move(reply->addresses);
}

std::optional<std::vector<std::string>> lookup_texts(std::uint16_t port, const std::string& name, util::Deadline deadline) {
  auto reply = ask(port, name, dns_type_txt, deadline);
  if (!reply) return std::nullopt;
  return std::move(reply->texts);
}

std::string lookup(std::uint16_t port, const std::string& name, std::chrono::milliseconds time) {
  const auto addresses = lookup_addresses(port, name, util::Deadline::in(time));
  if (!addresses) return "lost";
  if (addresses->empty()) return "";
  if (addresses->front() == "0.0.0.0") return "blocked";
  if (addresses->front() == "192.0.2.1") return "allowed";
  return addresses->front();
}

/// The state of the thread: which questions are under way.
class DnsProbe::Run {
 public:
  explicit Run(DnsProbe& probe)
      : probe_(probe), fd_(connect_to(probe.port_)), last_blocked_(SteadyClock::now()), next_send_(last_blocked_) {}

  void fill() {
    while (!probe_.stopping_ && pending_.size() < probe_.options_.window && SteadyClock::now() >= next_send_) {
      const std::string& name = probe_.names_[next_name_++ % probe_.names_.size()];
      const auto query = dns_query(++id_, name);
      // A refused send is a question without an answer.
      ::send(fd_.get(), query.data(), query.size(), MSG_NOSIGNAL);
      pending_.push_back({id_, &name, SteadyClock::now()});
      if (probe_.options_.per_second > 0) next_send_ += std::chrono::nanoseconds(1'000'000'000 / probe_.options_.per_second);
      std::lock_guard lock(probe_.mutex_);
      ++probe_.counts_.asked;
    }
  }

  void wait() {
    auto until = SteadyClock::now() + std::chrono::milliseconds(100);
    if (!pending_.empty()) until = std::min(until, pending_.front().sent + lost_after);
    if (pending_.size() < probe_.options_.window && !probe_.stopping_) until = std::min(until, next_send_);
    pollfd poll_fd{fd_.get(), POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now());
    ::poll(&poll_fd, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  }

  void take() {
    while (const auto reply = receive(fd_.get())) {
      const auto question = std::find_if(pending_.begin(), pending_.end(), [&](const Question& q) { return q.id == reply->id; });
      if (question == pending_.end()) continue;  // too late: counted as lost
      count(*reply, *question->name);
      pending_.erase(question);
    }
    while (!pending_.empty() && SteadyClock::now() - pending_.front().sent >= lost_after) {
      pending_.pop_front();
      std::lock_guard lock(probe_.mutex_);
      ++probe_.counts_.lost;
    }
  }

  bool idle() const { return pending_.empty(); }

 private:
  struct Question {
    std::uint16_t id;
    const std::string* name;
    SteadyClock::time_point sent;
  };

  void count(const DnsReply& reply, const std::string& name) {
    std::lock_guard lock(probe_.mutex_);
    ProbeCounts& counts = probe_.counts_;
    if (reply.addresses.size() == 1 && reply.addresses[0] == "0.0.0.0") {
      const auto now = SteadyClock::now();
      counts.longest_gap = std::max(counts.longest_gap, std::chrono::duration_cast<std::chrono::milliseconds>(now - last_blocked_));
      last_blocked_ = now;
      ++counts.blocked;
    } else if (reply.addresses.size() == 1 && reply.addresses[0] == "192.0.2.1") {
      ++counts.allowed;
      if (counts.allowed_names.size() < 10) counts.allowed_names.push_back(name);
    } else {
      ++counts.other;
    }
  }

  DnsProbe& probe_;
  util::Fd fd_;
  std::deque<Question> pending_;
  std::uint16_t id_ = 0;
  std::size_t next_name_ = 0;
  SteadyClock::time_point last_blocked_;
  SteadyClock::time_point next_send_;
};

DnsProbe::DnsProbe(std::uint16_t port, std::vector<std::string> names, ProbeOptions options)
    : port_(port), names_(std::move(names)), options_(options) {
  if (names_.empty()) throw std::invalid_argument("no names to ask for");
  thread_ = std::thread([this] { run(); });
}

DnsProbe::~DnsProbe() {
  stop();
}

void DnsProbe::run() {
  Run run(*this);
  while (!stopping_ || !run.idle()) {
    run.fill();
    run.wait();
    run.take();
  }
}

ProbeCounts DnsProbe::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

bool DnsProbe::wait_for_answers(std::uint64_t answers, std::chrono::milliseconds time) const {
  const auto answered = [this] {
    const auto c = counts();
    return c.blocked + c.allowed + c.other;
  };
  const auto deadline = util::Deadline::in(time);
  const auto enough = answered() + answers;
  while (answered() < enough) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

ProbeCounts DnsProbe::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return counts();
}

}  // namespace gsync::test
