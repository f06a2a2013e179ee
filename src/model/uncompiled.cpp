#include "gsync/model/uncompiled.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "gsync/model/node_info.hpp"
#include "gsync/util/text.hpp"

namespace gsync::model {
namespace {

constexpr std::size_t max_shown = 5;
constexpr std::int64_t failed_without_cache = 4;

/// One that no client can be subject to is meant to block nothing.
bool is_in_use(const Row& adlist, const Lists& lists) {
  return adlist.enabled && std::any_of(adlist.groups.begin(), adlist.groups.end(), [&](const RowKey& group) {
           const auto found = lists.find(group);
           return found != lists.end() && found->second.enabled;
         });
}

std::string shown(const std::vector<std::string>& addresses, std::uint64_t count) {
  const auto n = std::min(addresses.size(), max_shown);
  auto text = fmt::format("{}", fmt::join(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(n), ", "));
  if (count > n) text += fmt::format("{}{} more", n == 0 ? "" : " and ", count - n);
  return text;
}

bool holds(const NodeInfo& node, const RowKey& adlist) {
  return adlist.kind != kind::allow_list || node.capabilities.allow_lists;
}

}  // namespace

bool Uncompiled::names(const RowKey& key) const {
  return std::any_of(adlists.begin(), adlists.end(), [&](const UncompiledAdlist& adlist) { return adlist.key == key; });
}

void Uncompiled::add(UncompiledAdlist adlist) {
  ++count;
  if (adlists.size() < max_named && adlist.key.name.size() <= longest_address) adlists.push_back(std::move(adlist));
}

bool is_compiled(const AdlistState& state, const Row& adlist) {
  if (state.rows.count != 0) return true;
  const auto& told = state.statistics;
  // `pihole -g` leaves out what is disabled, and the row then keeps the number of before.
  return (told.status == 1 || told.status == 2) && (told.number == 0 || !adlist.enabled);
}

Uncompiled uncompiled(const Lists& lists, const Blocklist& blocklist) {
  Uncompiled result;
  std::map<RowKey, const AdlistState*> states;
  for (const auto& state : blocklist) states.emplace(state.key, &state);
  for (const auto& [key, row] : lists) {
    if (key.table != Table::adlist || !is_in_use(row, lists)) continue;
    const auto state = states.find(key);
    if (state != states.end() && is_compiled(*state->second, row)) continue;
    result.add({key, state != states.end() && state->second->statistics.status == failed_without_cache});
  }
  return result;
}

Uncompiled uncompiled(const NodeInfo& a, const NodeInfo& b) {
  Uncompiled result;
  for (const auto& adlist : a.uncompiled.adlists) {
    const auto theirs = std::find_if(b.uncompiled.adlists.begin(), b.uncompiled.adlists.end(),
                                     [&](const UncompiledAdlist& other) { return other.key == adlist.key; });
    if (theirs != b.uncompiled.adlists.end())
      result.add({adlist.key, adlist.failed || theirs->failed});
    else if (!holds(b, adlist.key))
      result.add(adlist);
  }
  for (const auto& adlist : b.uncompiled.adlists)
    if (!holds(a, adlist.key)) result.add(adlist);
  // Beyond those that are named, both are believed to mean the same ones.
  const auto unnamed = [](const NodeInfo& node) { return node.uncompiled.count - node.uncompiled.adlists.size(); };
  result.count += std::min(unnamed(a), unnamed(b));
  return result;
}

Uncompiled newly(const Uncompiled& before, const Uncompiled& now) {
  Uncompiled result;
  for (const auto& adlist : now.adlists)
    if (!before.names(adlist.key)) result.add(adlist);
  return result;
}

std::string to_text(const Uncompiled& uncompiled) {
  std::vector<std::string> never;
  std::vector<std::string> failed;
  for (const auto& adlist : uncompiled.adlists) (adlist.failed ? failed : never).push_back(util::printable(adlist.key.name));
  std::vector<std::string> parts;
  const auto add = [&](const std::vector<std::string>& addresses, std::uint64_t count, const char* one, const char* many) {
    if (count != 0)
      parts.push_back(fmt::format("{} {}, {}: {}", util::plural(count, "adlist"), count == 1 ? "blocks nothing" : "block nothing",
                                  count == 1 ? one : many, shown(addresses, count)));
  };
  add(never, uncompiled.count - failed.size(), "no Pi-hole has compiled it", "no Pi-hole has compiled them");
  add(failed, failed.size(), "its download failed", "their downloads failed");
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string what_to_do(const Uncompiled& uncompiled, bool is_seen_to) {
  if (is_seen_to) return "[sync] run_gravity sees to it";
  const bool all_failed = uncompiled.count == uncompiled.adlists.size() && std::all_of(uncompiled.adlists.begin(), uncompiled.adlists.end(),
                                                                                       [](const auto& adlist) { return adlist.failed; });
  return all_failed ? "see whether the addresses are right, and what `pihole -g` says of them"
                    : "run `pihole -g` on one of the Pi-holes, or let [sync] run_gravity do that";
}

}  // namespace gsync::model
