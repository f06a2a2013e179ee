#include "gsync/model/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "gsync/util/text.hpp"

namespace gsync::model {
namespace {

constexpr const char* deleted = "deleted";

const Row* find(const Lists& lists, const RowKey& key) {
  auto found = lists.find(key);
  return found == lists.end() ? nullptr : &found->second;
}

std::set<RowKey> groups_deleted(const Lists& base, const Lists& side) {
  std::set<RowKey> gone;
  for (const auto& [key, row] : base)
    if (key.table == Table::group && !side.contains(key)) gone.insert(key);
  return gone;
}

/// A row lost its place in a group that went with the group; nobody edited the row.
Row as_if_groups_were_there(Row row, const Row& base, const std::set<RowKey>& gone) {
  std::set_intersection(base.groups.begin(), base.groups.end(), gone.begin(), gone.end(), std::inserter(row.groups, row.groups.end()));
  return row;
}

std::string words_for(bool enabled) {
  return enabled ? "enabled" : "disabled";
}

/// What a person would have to type to have the row again.
std::string words_for(const Row& row) {
  std::vector<std::string> parts{words_for(row.enabled)};
  if (!row.title.empty()) parts.push_back(fmt::format("name '{}'", util::printable(row.title)));
  if (!row.comment.empty()) parts.push_back(fmt::format("comment '{}'", util::printable(row.comment)));
  std::vector<std::string> groups;
  for (const auto& group : row.groups) groups.push_back(group == default_group_key() ? "Default" : util::printable(group.name));
  if (!groups.empty()) parts.push_back(fmt::format("groups {}", fmt::join(groups, ", ")));
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool compiled(const AdlistState& state) {
  return state.rows.count != 0 || state.statistics.date_updated != 0;
}

class ListMerge {
 public:
  ListMerge(const Lists& base, const Lists& ours, const Lists& theirs, const Sides& sides, std::vector<Conflict>& conflicts)
      : base_(base),
        ours_(ours),
        theirs_(theirs),
        gone_from_ours_(groups_deleted(base, ours)),
        gone_from_theirs_(groups_deleted(base, theirs)),
        sides_(sides),
        conflicts_(conflicts) {}

  Lists run() {
    std::set<RowKey> keys;
    for (const auto* side : {&base_, &ours_, &theirs_})
      for (const auto& [key, row] : *side) keys.insert(key);
    Lists result;
    for (const auto& key : keys)
      if (auto merged = merge_row(key)) result.emplace(key, std::move(*merged));
    keep_what_is_used(result);
    for (auto& [key, row] : result) std::erase_if(row.groups, [&](const RowKey& group) { return !result.contains(group); });
    give_the_default_group_a_name_of_its_own(result);
    return result;
  }

 private:
  std::optional<Row> merge_row(const RowKey& key) {
    const auto* base = find(base_, key);
    const auto* ours = find(ours_, key);
    const auto* theirs = find(theirs_, key);
    if (!base) {
      if (ours && theirs) return merge_fields(key, nullptr, *ours, *theirs);
      return ours ? *ours : *theirs;
    }
    if (!ours && !theirs) return std::nullopt;
    if (ours && theirs)
      return merge_fields(key, base, as_if_groups_were_there(*ours, *base, gone_from_ours_),
                          as_if_groups_were_there(*theirs, *base, gone_from_theirs_));
    auto left = as_if_groups_were_there(ours ? *ours : *theirs, *base, ours ? gone_from_ours_ : gone_from_theirs_);
    if (left.same_edit(*base)) return std::nullopt;
    note(key, {}, words_for(left), deleted, ours != nullptr);
    return left;
  }

  /// `base` is null for a row that both have added.
  Row merge_fields(const RowKey& key, const Row* base, const Row& ours, const Row& theirs) {
    Row merged = sides_.ours_wins ? ours : theirs;
    static const Row empty;
    // Whoever added the row without a comment has not edited the comment; a switch is always in one position or the other.
    merged.comment = field(key, "comment", base ? base->comment : empty.comment, ours.comment, theirs.comment);
    merged.title = field(key, "name", base ? base->title : empty.title, ours.title, theirs.title);
    if (base && ours.enabled != theirs.enabled)
      merged.enabled = !base->enabled;
    else if (ours.enabled != theirs.enabled)
      note(key, "enabled", words_for(merged.enabled), words_for(!merged.enabled), sides_.ours_wins);
    const auto& before = base ? base->groups : empty.groups;
    merged.groups.clear();
    for (const auto* side : {&before, &ours.groups, &theirs.groups}) {
      for (const auto& group : *side) {
        const bool was = before.contains(group);
        const bool in_ours = ours.groups.contains(group);
        const bool in_theirs = theirs.groups.contains(group);
        if (was ? in_ours && in_theirs : in_ours || in_theirs) merged.groups.insert(group);
      }
    }
    return merged;
  }

  std::string field(const RowKey& key, const char* name, const std::string& base, const std::string& ours, const std::string& theirs) {
    if (ours == theirs || theirs == base) return ours;
    if (ours == base) return theirs;
    const auto& kept = sides_.ours_wins ? ours : theirs;
    const auto& lost = sides_.ours_wins ? theirs : ours;
    note(key, name, util::printable(kept), util::printable(lost), sides_.ours_wins);
    return kept;
  }

  /// A group that one side deleted and the other put something into.
  void keep_what_is_used(Lists& result) {
    for (bool in_ours : {true, false}) {
      const auto& side = in_ours ? ours_ : theirs_;
      for (const auto& [key, row] : side) {
        const auto* before = find(base_, key);
        for (const auto& group : row.groups) {
          if ((before && before->groups.contains(group)) || result.contains(group)) continue;
          const auto& kept = side.at(group);
          result.emplace(group, kept);
          note(group, {}, fmt::format("{}, with {} in it", words_for(kept), describe(key)), deleted, in_ours);
        }
      }
    }
  }

  /// Names of groups are unique to Pi-hole, and the default group may be called anything.
  void give_the_default_group_a_name_of_its_own(Lists& result) {
    auto group = result.find(default_group_key());
    if (group == result.end()) return;
    auto taken = [&](const std::string& name) { return result.contains({Table::group, kind::named_group, name}); };
    auto& title = group->second.title;
    if (!taken(title)) return;
    const auto lost = title;
    const auto* before = find(base_, default_group_key());
    title = before ? before->title : "Default";
    for (int i = 2; taken(title); ++i) title = fmt::format("Default {}", i);
    const auto* ours = find(ours_, default_group_key());
    note(default_group_key(), "name", util::printable(title), util::printable(lost), ours == nullptr || ours->title != lost);
  }

  void note(const RowKey& key, std::string field, std::string kept, std::string lost, bool ours_kept) {
    conflicts_.push_back({describe(key), std::move(field), std::move(kept), ours_kept ? sides_.ours : sides_.theirs, std::move(lost),
                          ours_kept ? sides_.theirs : sides_.ours});
  }

  const Lists& base_;
  const Lists& ours_;
  const Lists& theirs_;
  const std::set<RowKey> gone_from_ours_;
  const std::set<RowKey> gone_from_theirs_;
  const Sides& sides_;
  std::vector<Conflict>& conflicts_;
};

}  // namespace

Lists merge_lists(const Lists& base, const Lists& ours, const Lists& theirs, const Sides& sides, std::vector<Conflict>& conflicts) {
  return ListMerge(base, ours, theirs, sides, conflicts).run();
}

std::map<RowKey, SetDigest> compiled_sets(const Blocklist& blocklist) {
  std::map<RowKey, SetDigest> sets;
  for (const auto& state : blocklist) sets.emplace(state.key, state.rows);
  return sets;
}

Blocklist merge_blocklists(const std::map<RowKey, SetDigest>& base, const Blocklist& ours, const Blocklist& theirs, const Lists& lists) {
  std::map<RowKey, AdlistState> result;
  for (const auto& state : ours)
    if (lists.contains(state.key)) result.emplace(state.key, state);
  for (const auto& state : theirs) {
    if (!lists.contains(state.key)) continue;
    auto [place, only_theirs] = result.emplace(state.key, state);
    if (only_theirs || place->second.rows == state.rows) continue;
    const auto& here = place->second;
    auto before = base.find(state.key);
    const auto is_old = [&](const AdlistState& s) { return !compiled(s) || (before != base.end() && s.rows == before->second); };
    const bool ours_is_old = is_old(here);
    const bool theirs_is_old = is_old(state);
    const auto rank = [](const AdlistState& s) { return std::tie(s.statistics.date_updated, s.rows); };
    const bool take_theirs = ours_is_old != theirs_is_old ? ours_is_old : rank(here) < rank(state);
    if (take_theirs) place->second = state;
  }
  Blocklist merged;
  for (auto& [key, state] : result) merged.push_back(std::move(state));
  return merged;
}

}  // namespace gsync::model
