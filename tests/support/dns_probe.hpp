#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gsync/util/deadline.hpp"

namespace gsync::test {

/// The addresses of one A query to 127.0.0.1, asked again until something answers. nullopt at the deadline; empty when the name has none.
std::optional<std::vector<std::string>> lookup_addresses(std::uint16_t port, const std::string& name, util::Deadline deadline);
std::optional<std::vector<std::string>> lookup_texts(std::uint16_t port, const std::string& name, util::Deadline deadline);

/// "blocked", "allowed", "lost", or the first address ("" for none).
std::string lookup(std::uint16_t port, const std::string& name, std::chrono::milliseconds time = std::chrono::seconds(5));

struct ProbeCounts {
  std::uint64_t asked = 0;
  std::uint64_t blocked = 0;
  std::uint64_t allowed = 0;
  std::uint64_t lost = 0;                    ///< no answer within a second
  std::uint64_t other = 0;                   ///< anything else
  std::chrono::milliseconds longest_gap{0};  ///< between two blocked answers
  std::vector<std::string> allowed_names;    ///< the first ten
};

struct ProbeOptions {
  std::size_t window = 16;     ///< questions under way at a time
  std::size_t per_second = 0;  ///< 0: as fast as they are answered
};

/// Asks for names in turn, again and again, from a thread of its own, until stop().
class DnsProbe {
 public:
  DnsProbe(std::uint16_t port, std::vector<std::string> names, ProbeOptions options = {});
  ~DnsProbe();
  DnsProbe(const DnsProbe&) = delete;
  DnsProbe& operator=(const DnsProbe&) = delete;

  ProbeCounts counts() const;
  /// Waits until `answers` more questions than now were answered. False at the deadline.
  bool wait_for_answers(std::uint64_t answers, std::chrono::milliseconds time = std::chrono::seconds(20)) const;
  /// Waits for the answers that are under way.
  ProbeCounts stop();

 private:
  class Run;
  void run();

  const std::uint16_t port_;
  const std::vector<std::string> names_;
  const ProbeOptions options_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  ProbeCounts counts_;
  std::thread thread_;
};

}  // namespace gsync::test
