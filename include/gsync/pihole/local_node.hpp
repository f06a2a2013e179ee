#pragma once
#include <memory>
#include <string>

#include "gsync/config/config.hpp"
#include "gsync/model/node.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/pihole/root_actions.hpp"
#include "gsync/replica/state_store.hpp"
#include "gsync/util/clock.hpp"
#include "gsync/util/file_ops.hpp"

namespace gsync::pihole {

/// The Pi-hole on this host as a Node. Must run as the owner of the Pi-hole directory. Several may exist at a time, in one process or in
/// many: lock() keeps their runs apart.
class LocalNode final : public model::Node {
 public:
  /// References must outlive it. `software` is our version; `helper` does what needs root on a Pi-hole 5, see RootActions.
  LocalNode(const Installation& installation, const config::Config& config, replica::StateStore& state, util::FileOps& files,
            util::Clock& clock, std::string software, RootActions* helper = nullptr);
  ~LocalNode() override;

  /// Whether it is to say of itself that it starts `pihole -g` when adlists need it (NodeInfo::runs_gravity). Not until then.
  void set_runs_gravity(bool runs);

  std::string label() const override;
  model::NodeInfo describe() override;
  model::NodeInfo lock(util::Deadline deadline) override;
  void unlock() override;
  bool lock_is_wanted() const override;
  model::Lists lists() override;
  model::Records records() override;
  model::Blocklist blocklist() override;
  std::unique_ptr<model::BlocklistReader> blocklist_rows(const std::vector<model::BlocklistWish>& wishes) override;
  Copy copy(model::CopyOf of) override;
  model::ApplyReport apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy) override;
  std::vector<model::VersionInfo> versions() override;
  model::Version version(std::int64_t id) override;
  void note(const model::HistoryEntry& entry) override;
  model::PairInfo pair(const std::string& peer) override;
  model::Base base(const std::string& peer) override;
  void intend(const std::string& peer, const model::Intent& intent) override;
  void catch_up(const std::string& peer) override;
  void settle(const std::string& peer, const model::Settlement& settlement) override;
  void forget(const std::string& peer, bool all) override;
  /// The keys of [sync] settings that this node can give and take: for KeepLocal::but_settings.
  std::vector<std::string> settings();
  /// With whom this node was synced both ways, and what the configuration called them.
  std::vector<std::pair<model::NodeName, std::string>> paired();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gsync::pihole
