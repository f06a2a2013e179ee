#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "gsync/model/fit.hpp"
#include "gsync/model/setting.hpp"
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

/// An adlist that only one side has is a difference of the lists already.
void keep_those_of_both(std::vector<AdlistDifference>& differences, const model::Lists& here, const model::Lists& there) {
  std::erase_if(differences, [&](const auto& difference) { return !here.contains(difference.key) || !there.contains(difference.key); });
}

void compare_lists(model::Node& here, model::Node& there, const model::Components& components, Comparison& result) {
  const auto fit = model::common_fit(result.here, result.there);
  const bool other_lists = lists_differ(result.here, result.there);
  const bool other_blocklist = components.blocklist && blocklists_differ(result.here, result.there);
  const bool left_out = model::digests_at(result.here, fit).rows_left_out > 0 || model::digests_at(result.there, fit).rows_left_out > 0;
  model::Lists here_lists;
  model::Lists there_lists;
  if ((other_lists && (components.lists || other_blocklist)) || (left_out && components.lists)) {
    here_lists = here.lists();
    there_lists = there.lists_beside(here_lists);
  }
  if (components.lists) {
    for (const auto& key : model::unfit(here_lists, fit)) result.unfit.push_back({key, true});
    for (const auto& key : model::unfit(there_lists, fit)) result.unfit.push_back({key, false});
    if (other_lists) result.rows = model::diff(model::fitted(here_lists, fit), model::fitted(there_lists, fit));
  }
  if (!other_blocklist) return;
  result.blocklist = differences(model::fitted(here.blocklist(), fit), model::fitted(there.blocklist(), fit));
  // With equal lists both have all of them.
  if (other_lists) keep_those_of_both(result.blocklist, here_lists, there_lists);
}

void compare_records(model::Node& here, model::Node& there, const model::Components& components, Comparison& result) {
  model::PerKind<bool> wanted{};
  bool any = false;
  for (auto kind : model::record_kinds) {
    auto i = model::index_of(kind);
    wanted[i] = components.records[i] && records_differ(result.here.digests, result.there.digests, kind);
    any = any || wanted[i];
  }
  if (!any) return;
  auto here_records = here.records();
  auto there_records = there.records();
  for (auto kind : model::record_kinds) {
    auto i = model::index_of(kind);
    if (!wanted[i] || !here_records[i] || !there_records[i]) continue;
    const auto& mine = *here_records[i];
    // A setting that only one of them has, since their hellos, is no difference.
    const auto theirs = kind == model::RecordKind::setting ? model::with_values_of(*there_records[i], mine) : *there_records[i];
    for (auto& change : model::diff(kind, mine, theirs)) result.records.push_back(std::move(change));
  }
}

}  // namespace

std::size_t Comparison::settings() const {
  const auto is_setting = [](const model::RecordChange& change) { return change.added && change.kind == model::RecordKind::setting; };
  return static_cast<std::size_t>(std::ranges::count_if(records, is_setting));
}

Comparison compare(model::Node& here, model::Node& there, const model::Components& components) {
  Comparison result;
  result.here = here.describe();
  result.there = there.describe();
  require_two_nodes(here, result.here, there, result.there);
  require_readable(here, result.here);
  require_readable(there, result.there);
  compare_lists(here, there, components, result);
  compare_records(here, there, components, result);
  return result;
}

}  // namespace gsync::sync
