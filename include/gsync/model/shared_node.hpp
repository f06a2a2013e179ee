#pragma once
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gsync/model/keep_local.hpp"
#include "gsync/model/node.hpp"
#include "gsync/model/shared_view.hpp"

namespace gsync::model {

/// A node as one peer sees it: without what either of the two keeps local. Both sides put this in front of their own node, with the same
/// filter, so that what is kept does not leave its node, and the digests of two that are in step are equal. Lists, blocklist, records and
/// versions are given without it; changes are carried out around it. There is no whole copy of a node that keeps something.
class SharedNode final : public Node {
 public:
  /// Where the digests of what is shared are kept from one process to the next, so that nothing is read to describe what has not changed.
  struct Memory {
    std::function<std::optional<std::string>()> recall;
    std::function<void(const std::string&)> remember;
  };
  /// `whole` must outlive it. `limits` are those of the target's own check in apply().
  SharedNode(Node& whole, const ShrinkLimits& limits, Memory memory) : whole_(whole), limits_(limits), memory_(std::move(memory)) {}

  /// What this node and the peer keep. Not while it is locked.
  void keep(KeepLocal filter);
  const KeepLocal& kept_by() const { return keep_; }
  /// What no peer sees of this node. Reads nothing when nothing is to be kept.
  Kept kept();

  std::string label() const override { return whole_.label(); }
  NodeInfo describe() override;
  NodeInfo lock(util::Deadline deadline) override;
  void unlock() override { whole_.unlock(); }
  bool lock_is_wanted() const override { return whole_.lock_is_wanted(); }
  Lists lists() override;
  Records records() override;
  Blocklist blocklist() override;
  std::unique_ptr<BlocklistReader> blocklist_rows(const std::vector<BlocklistWish>& wishes) override;
  Copy copy(CopyOf of) override;
  ApplyReport apply(const Change& change, BlocklistReader* rows, util::ByteReader* copy) override;
  std::vector<VersionInfo> versions() override { return whole_.versions(); }
  Version version(std::int64_t id) override;
  PairInfo pair(const std::string& peer) override { return whole_.pair(peer); }
  Base base(const std::string& peer) override;
  void intend(const std::string& peer, const Intent& intent) override;
  void catch_up(const std::string& peer) override { whole_.catch_up(peer); }
  void settle(const std::string& peer, const Settlement& settlement) override { whole_.settle(peer, settlement); }
  void forget(const std::string& peer, bool all) override { whole_.forget(peer, all); }
  void note(const HistoryEntry& entry) override { whole_.note(entry); }

 private:
  /// What is seen of a node with the digests `whole`, through one filter.
  struct View {
    Digest filter;
    Digests whole;
    Digests shared;
    std::array<FittedDigests, 2> fitted;
    std::uint64_t list_rows = 0;
    std::uint64_t blocklist_rows = 0;
    std::uint64_t kept_rows = 0;
    PerKind<std::uint64_t> kept_records{};

    template <class Archive>
    friend void fields(Archive& a, View& v) {
      a(v.filter, v.whole, v.shared, v.fitted, v.list_rows, v.blocklist_rows, v.kept_rows, v.kept_records);
    }
  };
  static constexpr std::size_t max_views = 16;  // one for each pair of configurations

  NodeInfo seen(NodeInfo info);
  std::optional<View> view_of(const Digests& whole);
  bool look_at_lists(View& view);
  bool look_at_records(View& view, const View* known);
  std::vector<View> remembered() const;
  Change change_of_whole(const Change& change);
  Lists lists_of_whole(const Digests& whole);
  Records records_of_whole(const Records& shared);
  void require_shared(const RowKey& adlist) const;
  void refuse_copy() const;

  Node& whole_;
  ShrinkLimits limits_;
  Memory memory_;
  KeepLocal keep_;
  Digest filter_;
  std::optional<View> view_;  ///< the last one
};

}  // namespace gsync::model
