#pragma once
#include <atomic>
#include <cstdint>
#include <thread>

#include "gsync/util/fd.hpp"

namespace gsync::test {

/// A TCP proxy on the loopback address that cuts connections after so many bytes, both directions counted. One connection at a time.
class CuttingProxy {
 public:
  static constexpr std::uint64_t never = UINT64_MAX;

  explicit CuttingProxy(std::uint16_t to_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  std::uint16_t port() const { return port_; }
  /// For the connections to come. Every other one is cut with a reset, as when a host goes away, and the rest with an end of stream.
  void cut_after(std::uint64_t bytes) { limit_ = bytes; }
  /// That the last connection carried.
  std::uint64_t bytes() const { return bytes_; }
  /// Connections that were cut so far.
  std::uint64_t cuts() const { return cuts_; }

 private:
  void run();
  void carry(util::Fd client);

  const std::uint16_t to_port_;
  std::uint16_t port_ = 0;
  util::Fd listener_;
  util::Fd stop_;
  std::atomic<std::uint64_t> limit_{never};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> cuts_{0};
  std::thread thread_;
};

}  // namespace gsync::test
