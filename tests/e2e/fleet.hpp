#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/campaign.hpp"
#include "support/daemon_process.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/pihole_directory.hpp"
#include "support/sshd.hpp"
#include "support/two_nodes.hpp"

namespace gsync::test {

/// A Pi-hole with an sshd, a stand-in for FTL and, when it was started, a daemon.
struct FleetNode {
  explicit FleetNode(const PiholeOptions& options) : pihole(options) {}

  const std::string& name() const { return pihole.options().name; }
  void start_ftl() { ftl = std::make_unique<FtlProcess>(pihole); }
  void start_daemon() { daemon = std::make_unique<DaemonProcess>(pihole, through); }
  bool serves(const std::string& domain) const { return lookup(ftl->port(), domain) == "blocked"; }

  PiholeDirectory pihole;
  Sshd sshd;
  std::unique_ptr<FtlProcess> ftl;
  std::unique_ptr<DaemonProcess> daemon;
  std::vector<std::string> through;  ///< a program and its arguments that start ours on this host
  std::vector<std::string> peers;    ///< whole [[peer]] tables
  std::vector<std::string> in_step_with;
};

/// Pi-holes ph1, ph2, … that differ in some edits and in all row ids.
class Fleet {
 public:
  explicit Fleet(std::size_t count);

  FleetNode& operator[](std::size_t i) { return *nodes_[i]; }
  std::size_t size() const { return nodes_.size(); }

  /// `from` gets `to` as a peer, with this mode.
  void connect(FleetNode& from, const FleetNode& to, const std::string& mode);
  /// All pull from the first.
  void follow_the_first();
  void start_ftls();
  void start_daemons();
  /// Every daemon says of every peer that connect() gave it that the two are in step.
  ::testing::AssertionResult in_step() const;
  ::testing::AssertionResult same() const;
  /// All daemons' logs.
  std::string logs() const;

 private:
  std::vector<std::unique_ptr<FleetNode>> nodes_;
};

/// `gravity-sync` on a node.
CommandResult run_here(const FleetNode& node, const std::vector<std::string>& arguments);
/// What its `history` says with these options, the newest first.
nlohmann::json history_of(const FleetNode& node, const std::vector<std::string>& options = {});

/// The first in the middle: each of the others syncs both ways with it as its peer. `prepare` is called for each before its daemon is
/// started. All daemons run, and all hold the same.
std::unique_ptr<Fleet> star(std::size_t count, bool both_ways_configured = false, const std::function<void(FleetNode&)>& prepare = {});

/// Asks every node from number `first` on for names that are blocked, all the time. Answered wrongly: not as blocked. Where people edit,
/// FTL's own commits make lookups fail (see FtlGravity), whoever else is there.
class FleetProbe {
 public:
  explicit FleetProbe(Fleet& fleet, std::size_t first = 1);
  /// Asks this node nothing while `edit` commits there.
  void spare(std::size_t node, const std::function<void()>& edit);
  /// Nothing was answered wrongly, and of every node something was asked.
  ::testing::AssertionResult right();
  std::uint64_t asked() const { return asked_; }

 private:
  struct Asked {
    std::uint16_t port;
    std::vector<std::string> names;
    std::unique_ptr<DnsProbe> probe;
    ::testing::AssertionResult right = ::testing::AssertionSuccess();
  };
  static void start(Asked& node);
  void stop(Asked& node);

  const std::size_t first_;
  std::vector<Asked> nodes_;
  std::uint64_t asked_ = 0;
};

/// Denies a domain on `where` and gives the time until all nodes serve it; nullopt when that does not happen.
std::optional<std::chrono::milliseconds> time_until_served(Fleet& fleet, const FleetNode& where, const std::string& domain);

}  // namespace gsync::test
