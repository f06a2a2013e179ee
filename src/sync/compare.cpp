#include <map>

#include <fmt/format.h>

#include "gsync/sync/engine.hpp"
#include "gsync/util/text.hpp"
#include "run_support.hpp"

namespace gsync::sync {
namespace {

void require_readable(const model::Node& node, const model::NodeInfo& info) {
  if (!info.damaged) return;
  throw Error(ErrorCode::corrupt,
              fmt::format("the database of {} is damaged and cannot be compared: {}", node.label(), util::printable(info.damage)),
              "bring it back with `gravity-sync pull PEER --full` on that Pi-hole, or with `pihole -g -r recover`");
}

/// An adlist that one side has not compiled has an empty set.
bool same_rows(const std::optional<model::AdlistState>& a, const std::optional<model::AdlistState>& b) {
  return (a ? a->rows : model::SetDigest{}) == (b ? b->rows : model::SetDigest{});
}

std::vector<AdlistDifference> differences(model::Blocklist here, model::Blocklist there) {
  std::map<model::RowKey, AdlistDifference> by_key;
  for (auto& state : here) by_key[state.key].here = std::move(state);
  for (auto& state : there) by_key[state.key].there = std::move(state);
  std::vector<AdlistDifference> found;
  for (auto& [key, difference] : by_key) {
    if (same_rows(difference.here, difference.there)) continue;
    difference.key = key;
    found.push_back(std::move(difference));
  }
  return found;
}

}  // namespace

Comparison compare(model::Node& here, model::Node& there, const model::Components& components) {
  Comparison result;
  result.here = here.describe();
  result.there = there.describe();
  require_two_nodes(here, result.here, there, result.there);
  require_readable(here, result.here);
  require_readable(there, result.there);
  const auto& a = result.here.digests;
  const auto& b = result.there.digests;

  const bool lists_differ = a.lists != b.lists;
  const bool blocklist_differs = components.blocklist && a.blocklist != b.blocklist;
  model::Lists here_lists;
  model::Lists there_lists;
  if (lists_differ && (components.lists || blocklist_differs)) {
    here_lists = here.lists();
    there_lists = there.lists();
    if (components.lists) result.rows = model::diff(here_lists, there_lists);
  }
  if (blocklist_differs) {
    for (auto& difference : differences(here.blocklist(), there.blocklist())) {
      // An adlist that only one side has is a difference of the lists already. With equal lists both have all of them.
      if (lists_differ && !(here_lists.contains(difference.key) && there_lists.contains(difference.key))) continue;
      result.blocklist.push_back(std::move(difference));
    }
  }

  std::array<bool, 3> wanted{};
  bool any = false;
  for (auto kind : model::record_kinds) {
    auto i = model::index_of(kind);
    wanted[i] = components.records[i] && records_differ(a, b, kind);
    any = any || wanted[i];
  }
  if (!any) return result;
  auto here_records = here.records();
  auto there_records = there.records();
  for (auto kind : model::record_kinds) {
    auto i = model::index_of(kind);
    if (!wanted[i] || !here_records[i] || !there_records[i]) continue;
    for (auto& change : model::diff(kind, *here_records[i], *there_records[i])) result.records.push_back(std::move(change));
  }
  return result;
}

}  // namespace gsync::sync
