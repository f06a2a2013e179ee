#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "gsync/util/deadline.hpp"
#include "gsync/util/fd.hpp"
#include "support/pihole_directory.hpp"

namespace gsync::test {

struct FtlOptions {
  bool poll = true;                ///< look at info.updated once a second
  bool reload = true;              ///< false: never takes a new database
  bool hang_after_reload = false;  ///< DNS stops at the first reload; only SIGKILL ends it
  bool respawn = false;            ///< start it again when it ends with a failure, as its service does (Restart=on-failure)
};

/// What the stand-in counted since its process started, all at one moment of its DNS thread.
struct FtlStats {
  std::uint64_t reloads = 0;   ///< without the opening at the start
  std::uint64_t restarts = 0;  ///< because of cnameRecords or dhcp: DNS paused
  std::uint64_t settings = 0;  ///< pihole.toml was read again
  std::uint64_t lookups = 0;
  std::uint64_t busy = 0;    ///< lookups that met a lock and said "allowed"
  std::uint64_t errors = 0;  ///< lookups that failed otherwise and said "allowed"
  std::uint64_t blocked = 0;
  std::uint64_t allowed = 0;
  std::uint64_t signals = 0;                ///< real-time signals
  std::uint64_t signals_on_dns_thread = 0;  ///< of them those that can hang the real one
  std::uint64_t polls = 0;                  ///< looks at info.updated
  std::uint64_t poll_failures = 0;          ///< of the look at info.updated
  std::int64_t updated = -1;                ///< info.updated of the database that is served
};

/// A running stand-in for pihole-FTL on a PiholeDirectory. After the constructor it answers and has seen info.updated once (FTL only notes
/// the first value it sees), and the directory's dns_port is set. Ended by pid in the destructor; if the test dies, it ends by itself.
class FtlProcess {
 public:
  explicit FtlProcess(PiholeDirectory& directory, FtlOptions options = {});
  ~FtlProcess();
  FtlProcess(const FtlProcess&) = delete;
  FtlProcess& operator=(const FtlProcess&) = delete;

  pid_t pid() const;  ///< 0 when it has ended
  std::uint16_t port() const { return port_; }

  /// Throws std::runtime_error when there is no answer within `time`.
  FtlStats stats(std::chrono::milliseconds time = std::chrono::seconds(5)) const;
  /// Asks for the statistics until they satisfy `condition`. False at the deadline.
  bool wait_until(const std::function<bool(const FtlStats&)>& condition, std::chrono::milliseconds time = std::chrono::seconds(20)) const;
  /// How often `respawn` started it again.
  int respawned() const;

  /// Waits until it ends by itself and gives its wait status. nullopt at the deadline. Not with `respawn`.
  std::optional<int> wait_exit(std::chrono::milliseconds time);

  /// SIGTERM, and SIGKILL when that does not help within two seconds.
  void stop();
  /// Again, on the same port, after stop() or an end of its own.
  void start();

 private:
  void spawn();
  void wait_for_port();
  void wait_for_poll() const;
  void watch();

  PiholeDirectory& directory_;
  FtlOptions options_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  pid_t pid_ = 0;
  int respawned_ = 0;
  bool stopping_ = false;
  util::Fd life_;  ///< the stand-in ends when this end of its standard input is closed
  std::thread watcher_;
};

}  // namespace gsync::test
