#pragma once
#include <cstdint>
#include <set>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/lists.hpp"
#include "gsync/model/node_info.hpp"

namespace gsync::model {

/// The rows among `adlists` that a Pi-hole of that fit cannot hold. Of one address as both a block list and an allow list it holds the block list.
std::set<RowKey> unfit(const std::set<RowKey>& adlists, Fit fit);
std::set<RowKey> unfit(const Lists& lists, Fit fit);

/// Without what it cannot hold.
Lists fitted(Lists lists, Fit fit);
Blocklist fitted(Blocklist blocklist, Fit fit);

/// For NodeInfo: the digests of what other Pi-holes can hold of these. `blocklist` has an entry for each adlist.
FittedDigests fitted_digests(const Lists& lists, const Blocklist& blocklist, Fit fit);
std::array<FittedDigests, 2> fitted_digests(const Lists& lists, const Blocklist& blocklist);

/// What two nodes can both hold.
Fit common_fit(const NodeInfo& a, const NodeInfo& b);
/// A node's digests at a fit that is its own or narrower.
FittedDigests digests_at(const NodeInfo& node, Fit fit);

/// "the Pi-hole of ph1 does not know allow lists": why.
std::string why_unfit(Fit fit, std::string_view node);

}  // namespace gsync::model
