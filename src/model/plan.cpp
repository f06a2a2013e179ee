#include "gsync/model/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "gsync/model/fit.hpp"
#include "gsync/model/setting.hpp"
#include "gsync/util/text.hpp"

namespace gsync::model {
namespace {

struct TableCount {
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  std::uint64_t gone = 0;
};

std::string_view plural_of(Table table) {
  switch (table) {
    case Table::group:
      return "groups";
    case Table::adlist:
      return "adlists";
    case Table::domain:
      return "domains";
    case Table::client:
      return "clients";
  }
  return "rows";
}

/// The default group cannot be deleted and so says nothing about whether a table is empty.
std::array<TableCount, 4> count_tables(const Lists& before, const Lists& after) {
  std::array<TableCount, 4> counts;
  for (const auto& [key, row] : before) {
    if (key == default_group_key()) continue;
    auto& count = counts.at(static_cast<std::size_t>(key.table));
    ++count.before;
    if (after.count(key) == 0) ++count.gone;
  }
  for (const auto& [key, row] : after)
    if (key != default_group_key()) ++counts.at(static_cast<std::size_t>(key.table)).after;
  return counts;
}

bool loses_too_much(const TableCount& count, const ShrinkLimits& limits) {
  if (count.gone <= limits.handful) return false;
  // Divided, because a product of row counts from a peer could overflow.
  return static_cast<double>(count.gone) / static_cast<double>(count.before) * 100.0 > static_cast<double>(limits.share_percent);
}

std::string loss(const TableCount& count, std::string_view what) {
  if (count.before == 1 && what.ends_with('s')) return fmt::format("the only {} would go", what.substr(0, what.size() - 1));
  if (count.gone == count.before) return fmt::format("all {} {} would go", count.before, what);
  return fmt::format("{} of {} {} would go", count.gone, count.before, what);
}

/// Collects sentences into one; nullopt when there were none.
std::optional<std::string> joined(const std::vector<std::string>& sentences) {
  if (sentences.empty()) return std::nullopt;
  return fmt::format("{}", fmt::join(sentences, "; "));
}

using States = std::map<RowKey, const AdlistState*>;

States by_key(const Blocklist& blocklist) {
  States states;
  for (const auto& state : blocklist) states.emplace(state.key, &state);
  return states;
}

/// Each adlist that the target will have and that the source compiled to something else. Gives the number of rows that the target will then
/// have.
std::uint64_t plan_blocklist(const NodeState& source, const NodeState& target, const Lists& lists, bool wanted,
                             std::vector<BlocklistWish>& wishes) {
  auto on_source = by_key(source.blocklist);
  auto on_target = by_key(target.blocklist);
  std::uint64_t rows = 0;
  for (const auto& [key, row] : lists) {
    if (key.table != Table::adlist) continue;
    auto t = on_target.find(key);
    auto have = t == on_target.end() ? SetDigest{} : t->second->rows;
    auto s = on_source.find(key);
    bool compiled = s != on_source.end() && (s->second->rows.count != 0 || s->second->statistics.date_updated != 0);
    if (!wanted || !compiled || s->second->rows == have) {
      rows += have.count;
      continue;
    }
    rows += s->second->rows.count;
    wishes.push_back({key, have.count != 0 ? std::optional(have) : std::nullopt});
  }
  return rows;
}

void warn_of_rows(const std::set<RowKey>& keys, std::string_view what, const std::string& why, std::vector<std::string>& warnings) {
  constexpr std::size_t max_named = 20;
  std::size_t n = 0;
  for (const auto& key : keys) {
    if (++n > max_named) break;
    warnings.push_back(fmt::format("'{}' {}: {}", describe(key), what, why));
  }
  if (keys.size() > max_named) warnings.push_back(fmt::format("{} more like it: {}", keys.size() - max_named, why));
}

/// The target's lists as they will be.
Lists plan_lists(const NodeState& source, const NodeState& target, std::vector<std::string>& warnings) {
  const auto fit = common_fit(source.info, target.info);
  warn_of_rows(unfit(source.lists, fit), "is left out", why_unfit(fit, util::printable(target.info.name)), warnings);
  auto lists = fitted(source.lists, fit);
  std::set<RowKey> kept;
  for (const auto& key : unfit(target.lists, fit)) {
    // An allow list whose address is no block list any more is one that the source could have.
    if (fit == Fit::one_list_per_address && !lists.contains({Table::adlist, kind::block_list, key.name})) continue;
    kept.insert(key);
  }
  for (const auto& key : kept) {
    auto row = target.lists.at(key);
    std::erase_if(row.groups, [&](const RowKey& group) { return !lists.contains(group); });
    lists.emplace(key, std::move(row));
  }
  warn_of_rows(kept, "stays as it is", why_unfit(fit, util::printable(source.info.name)), warnings);
  return lists;
}

/// They travel, and wait there for an FTL that knows what they mean.
void warn_of_abp_entries(const NodeState& source, const NodeState& target, Plan& plan) {
  if (target.info.capabilities.abp_entries) return;
  std::uint64_t entries = 0;
  for (const auto& state : source.blocklist) {
    const auto is_wished = [&](const BlocklistWish& wish) { return wish.key == state.key; };
    if (state.statistics.abp_entries > 0 && std::any_of(plan.change.wishes.begin(), plan.change.wishes.end(), is_wished))
      entries += static_cast<std::uint64_t>(state.statistics.abp_entries);
  }
  if (entries == 0) return;
  plan.warnings.push_back(fmt::format("{} of the adlists, like ||example.com^, {} nothing on {}: its FTL is older than 5.22",
                                      util::plural(entries, "entry", "entries"), entries == 1 ? "blocks" : "block",
                                      util::printable(target.info.name)));
}

/// Empty when this node can give and take the records of that kind.
std::string why_unavailable(const NodeState& node, RecordKind kind) {
  const auto& reason = node.info.capabilities.records_unavailable[index_of(kind)];
  if (!reason.empty()) return reason;
  return node.records[index_of(kind)] ? std::string() : std::string("not available there");
}

void plan_records(const NodeState& source, const NodeState& target, RecordKind kind, const ShrinkLimits& limits, Plan& plan,
                  std::vector<std::string>& refusals) {
  auto at_source = why_unavailable(source, kind);
  auto at_target = why_unavailable(target, kind);
  if (!at_source.empty() && !at_target.empty()) return;
  if (!at_source.empty() || !at_target.empty()) {
    plan.warnings.push_back(fmt::format("{} are not synced: {}: {}", plural_of(kind),
                                        util::printable(at_source.empty() ? target.info.name : source.info.name),
                                        util::printable(at_source.empty() ? at_target : at_source)));
    return;
  }
  const auto& from = *target.records[index_of(kind)];
  const auto& wanted = *source.records[index_of(kind)];
  const auto to = kind == RecordKind::setting ? with_values_of(wanted, from) : wanted;
  if (from == to) return;
  if (const auto& why = target.info.capabilities.records_read_only[index_of(kind)]; !why.empty()) {
    plan.warnings.push_back(
        fmt::format("{} differ and are not synced: {}: {}", plural_of(kind), util::printable(target.info.name), util::printable(why)));
    return;
  }
  plan.change.records[index_of(kind)] = to;
  auto changes = diff(kind, from, to);
  plan.records.insert(plan.records.end(), changes.begin(), changes.end());
  if (auto refusal = shrink_refusal(plural_of(kind), from.size(), to.size(), limits)) refusals.push_back(*refusal);
}

}  // namespace

bool Plan::nothing_to_do() const {
  const bool any_records = std::ranges::any_of(change.records, [](const auto& lines) { return lines.has_value(); });
  return !change.whole_copy && change.rows.empty() && change.wishes.empty() && !any_records;
}

Plan plan_replication(const NodeState& source, const NodeState& target, const Components& components, const ShrinkLimits& limits) {
  Plan plan;
  plan.change.source = source.info.name;
  plan.change.expected = target.info.digests;
  std::vector<std::string> refusals;

  Lists lists = target.lists;
  if (components.lists) {
    lists = plan_lists(source, target, plan.warnings);
    plan.change.rows = diff(target.lists, lists);
    if (auto refusal = shrink_refusal(target.lists, lists, limits)) refusals.push_back(*refusal);
  }

  // Deleting an adlist deletes its compiled rows too, so they are counted even where only the lists travel.
  std::uint64_t rows_before = 0;
  for (const auto& state : target.blocklist) rows_before += state.rows.count;
  auto rows_after = plan_blocklist(source, target, lists, components.blocklist, plan.change.wishes);
  warn_of_abp_entries(source, target, plan);
  if (auto refusal = shrink_refusal("blocklist rows", rows_before, rows_after, limits)) refusals.push_back(*refusal);

  for (auto kind : record_kinds)
    if (components.records[index_of(kind)]) plan_records(source, target, kind, limits, plan, refusals);

  if (!plan.nothing_to_do()) plan.refusal = joined(refusals);
  return plan;
}

std::vector<BlocklistAnswer> answers_of_copy(const Change& change, const NodeState& source, const NodeState& target, std::uint64_t large) {
  if (!source.info.kept_local.empty() || !target.info.kept_local.empty()) return {};
  if (const auto fit = common_fit(source.info, target.info); !unfit(source.lists, fit).empty() || !unfit(target.lists, fit).empty())
    return {};
  const bool only_adlists = std::ranges::all_of(
      target.lists, [](const auto& row) { return row.first.table == Table::adlist || row.first == default_group_key(); });
  const auto on_source = by_key(source.blocklist);
  std::vector<BlocklistAnswer> answers;
  std::uint64_t new_rows = 0;
  for (const auto& wish : change.wishes) {
    const auto state = on_source.find(wish.key);
    if (state == on_source.end()) return {};
    answers.push_back({false, state->second->rows, state->second->statistics});
    if (!wish.have) new_rows += state->second->rows.count;
  }
  std::uint64_t rows = 0;
  for (const auto& state : source.blocklist) rows += state.rows.count;
  if (new_rows < large || new_rows < rows / 4 * 3) return {};
  std::uint64_t had = 0;
  for (const auto& state : target.blocklist) had += state.rows.count;
  if (had > new_rows / 20 && !only_adlists) return {};
  return answers;
}

std::optional<std::string> shrink_refusal(const Lists& before, const Lists& after, const ShrinkLimits& limits) {
  std::vector<std::string> sentences;
  auto counts = count_tables(before, after);
  for (auto table : {Table::group, Table::adlist, Table::domain, Table::client}) {
    const auto& count = counts.at(static_cast<std::size_t>(table));
    // Without adlists nothing is blocked at the next `pihole -g`, so the last one is never a handful.
    bool matters = table == Table::adlist || count.before > limits.handful;
    bool emptied = count.before > 0 && count.after == 0;
    if ((emptied && matters) || loses_too_much(count, limits)) sentences.push_back(loss(count, plural_of(table)));
  }
  return joined(sentences);
}

std::optional<std::string> shrink_refusal(std::string_view what, std::uint64_t before, std::uint64_t after, const ShrinkLimits& limits) {
  TableCount count{before, after, before > after ? before - after : 0};
  bool emptied = before > limits.handful && after == 0;
  if (!emptied && !loses_too_much(count, limits)) return std::nullopt;
  return loss(count, what);
}

}  // namespace gsync::model
