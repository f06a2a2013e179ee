#include "gsync/model/fit.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace gsync::model {

Fit fit_of(const Capabilities& capabilities) {
  if (!capabilities.allow_lists) return Fit::block_lists_only;
  return capabilities.address_unique ? Fit::one_list_per_address : Fit::everything;
}

std::set<RowKey> unfit(const std::set<RowKey>& adlists, Fit fit) {
  std::set<RowKey> result;
  if (fit == Fit::everything) return result;
  for (const auto& key : adlists) {
    if (key.kind != kind::allow_list) continue;
    if (fit == Fit::block_lists_only || adlists.contains({Table::adlist, kind::block_list, key.name})) result.insert(key);
  }
  return result;
}

std::set<RowKey> unfit(const Lists& lists, Fit fit) {
  std::set<RowKey> adlists;
  if (fit == Fit::everything) return adlists;
  for (const auto& [key, row] : lists) {
    if (key.table == Table::adlist) adlists.insert(key);
  }
  return unfit(adlists, fit);
}

Lists fitted(Lists lists, Fit fit) {
  for (const auto& key : unfit(lists, fit)) lists.erase(key);
  return lists;
}

Blocklist fitted(Blocklist blocklist, Fit fit) {
  if (fit == Fit::everything) return blocklist;
  std::set<RowKey> adlists;
  for (const auto& state : blocklist) adlists.insert(state.key);
  const auto without = unfit(adlists, fit);
  std::erase_if(blocklist, [&](const AdlistState& state) { return without.contains(state.key); });
  return blocklist;
}

FittedDigests fitted_digests(const Lists& lists, const Blocklist& blocklist, Fit fit) {
  const auto without = unfit(lists, fit).size();
  return {digest_of(fitted(lists, fit)), digest_of(fitted(blocklist, fit)), without};
}

std::array<FittedDigests, 2> fitted_digests(const Lists& lists, const Blocklist& blocklist) {
  return {fitted_digests(lists, blocklist, Fit::one_list_per_address), fitted_digests(lists, blocklist, Fit::block_lists_only)};
}

Fit common_fit(const NodeInfo& a, const NodeInfo& b) {
  return std::max(fit_of(a.capabilities), fit_of(b.capabilities));
}

FittedDigests digests_at(const NodeInfo& node, Fit fit) {
  if (fit == Fit::everything) return {node.digests.lists, node.digests.blocklist, 0};
  return node.fitted[static_cast<std::size_t>(fit) - 1];
}

std::string why_unfit(Fit fit, std::string_view node) {
  if (fit == Fit::block_lists_only) return fmt::format("the Pi-hole of {} does not know allow lists", node);
  return fmt::format("the Pi-hole of {} cannot have one address as both a block list and an allow list", node);
}

}  // namespace gsync::model
