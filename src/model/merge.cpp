#include "gsync/model/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <tuple>

#include "gsync/model/uncompiled.hpp"
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

std::string words_for(const std::set<RowKey>& groups) {
  std::vector<std::string> names;
  names.reserve(groups.size());
  for (const auto& group : groups) names.push_back(group == default_group_key() ? "Default" : util::printable(group.name));
  return names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "));
}

/// What a person would have to type to have the row again.
std::string words_for(const RowKey& key, const Row& row) {
  std::vector<std::string> parts;
  if (key.table != Table::client) parts.push_back(words_for(row.enabled));
  if (!row.title.empty()) parts.push_back(fmt::format("name '{}'", util::printable(row.title)));
  if (!row.comment.empty()) parts.push_back(fmt::format("comment '{}'", util::printable(row.comment)));
  if (key.table != Table::group) parts.push_back(fmt::format("groups {}", words_for(row.groups)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// What both rows were before anybody edited them, where there is no base: a comment that is not there and the name and comment that
/// Pi-hole gives to its own group are nobody's edits.
Row untouched(const RowKey& key, const Row& ours, const Row& theirs) {
  Row row;
  if (key != default_group_key()) return row;
  row.title = "Default";
  constexpr const char* comment = "The default group";
  if (ours.comment == comment || theirs.comment == comment) row.comment = comment;
  return row;
}

class ListMerge {
 public:
  ListMerge(const Lists& base, const Lists& ours, const Lists& theirs, const Sides& sides, Fit fit)
      : base_(base),
        ours_(ours),
        theirs_(theirs),
        gone_from_ours_(groups_deleted(base, ours)),
        gone_from_theirs_(groups_deleted(base, theirs)),
        sides_(sides),
        fit_(fit) {}

  Lists run(std::vector<Conflict>& conflicts) {
    std::set<RowKey> keys;
    for (const auto* side : {&base_, &ours_, &theirs_})
      for (const auto& [key, row] : *side) keys.insert(keys.end(), key);
    for (const auto& key : keys)
      if (auto merged = merge_row(key)) result_.emplace_hint(result_.end(), key, std::move(*merged));
    keep_one_list_of_an_address();
    keep_what_is_used();
    leave_the_groups_that_went();
    name_the_default_group();
    for (const auto& [key, in_ours] : kept_against_deletion_)
      if (const auto* row = find(result_, key)) note(key, {}, words_for(key, *row), deleted, in_ours);
    std::sort(conflicts_.begin(), conflicts_.end());
    conflicts.insert(conflicts.end(), conflicts_.begin(), conflicts_.end());
    return std::move(result_);
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
    kept_against_deletion_.emplace_back(key, ours != nullptr);
    return left;
  }

  /// `base` is null for a row that both have added.
  Row merge_fields(const RowKey& key, const Row* base, const Row& ours, const Row& theirs) {
    const auto before = base ? *base : untouched(key, ours, theirs);
    const bool here = !base || !ours.same_edit(*base);
    const bool there = !base || !theirs.same_edit(*base);
    const bool by_ours = here == there ? sides_.ours_wins : here;
    Row merged = by_ours ? ours : theirs;  // and the dates of that edit
    merged.comment = three_way(before.comment, ours.comment, theirs.comment);
    if (ours.comment != theirs.comment && ours.comment != before.comment && theirs.comment != before.comment)
      note(key, "comment", util::printable(merged.comment), util::printable(sides_.ours_wins ? theirs.comment : ours.comment),
           sides_.ours_wins);
    merged.title = three_way(before.title, ours.title, theirs.title);
    if (ours.enabled != theirs.enabled) {
      // A switch that both have added in another position is one that both have set; the default group was there.
      if (base || key == default_group_key())
        merged.enabled = !before.enabled;
      else
        note(key, "enabled", words_for(merged.enabled), words_for(!merged.enabled), sides_.ours_wins);
    }
    merged.groups.clear();
    for (const auto* side : {&before.groups, &ours.groups, &theirs.groups}) {
      for (const auto& group : *side) {
        const bool in_ours = ours.groups.contains(group);
        const bool in_theirs = theirs.groups.contains(group);
        if (before.groups.contains(group) ? in_ours && in_theirs : in_ours || in_theirs) merged.groups.insert(group);
      }
    }
    return merged;
  }

  const std::string& three_way(const std::string& before, const std::string& ours, const std::string& theirs) const {
    if (ours == before) return theirs;
    if (theirs == before) return ours;
    return sides_.ours_wins ? ours : theirs;
  }

  /// Some schemas have one row for an address. Each side has one of the two, and only one can stay.
  void keep_one_list_of_an_address() {
    for (const auto& allow : unfit(result_, fit_)) {
      const RowKey block{Table::adlist, kind::block_list, allow.name};
      if (!result_.contains(block)) continue;
      const auto& winner = sides_.ours_wins ? ours_ : theirs_;
      const auto& kept = winner.contains(allow) ? allow : block;
      const auto& lost = winner.contains(allow) ? block : allow;
      note(lost, {}, fmt::format("{}, {}", describe(kept), words_for(kept, result_.at(kept))), words_for(lost, result_.at(lost)),
           sides_.ours_wins);
      result_.erase(lost);
    }
  }

  /// A group that one side deleted and the other put something into.
  void keep_what_is_used() {
    for (bool in_ours : {true, false}) {
      const auto& side = in_ours ? ours_ : theirs_;
      for (const auto& [key, row] : side) {
        const auto* before = find(base_, key);
        for (const auto& group : row.groups) {
          if (result_.contains(group) || (before && before->groups.contains(group)) || !result_.contains(key)) continue;
          const auto& kept = side.at(group);
          result_.emplace(group, kept);
          note(group, {}, fmt::format("{}, with {} in it", words_for(group, kept), describe(key)), deleted, in_ours);
        }
      }
    }
  }

  void leave_the_groups_that_went() {
    const auto there_is = [&](const RowKey& group) { return result_.contains(group); };
    for (auto& [key, row] : result_) {
      std::erase_if(row.groups, std::not_fn(there_is));
      const auto* ours = find(ours_, key);
      const auto* theirs = find(theirs_, key);
      if (!row.groups.empty() || !ours || !theirs || ours->groups.empty() || theirs->groups.empty()) continue;
      // Each took it out of the groups that the other left it in. In none it would have no effect, which nobody wanted.
      for (bool from_ours : {sides_.ours_wins, !sides_.ours_wins}) {
        const auto& kept = from_ours ? ours->groups : theirs->groups;
        const auto& lost = from_ours ? theirs->groups : ours->groups;
        std::copy_if(kept.begin(), kept.end(), std::inserter(row.groups, row.groups.end()), there_is);
        if (row.groups.empty()) continue;
        note(key, "groups", words_for(row.groups), words_for(lost), from_ours);
        break;
      }
    }
  }

  /// Names of groups are unique to Pi-hole, and the default group may be called anything.
  void name_the_default_group() {
    auto group = result_.find(default_group_key());
    if (group == result_.end()) return;
    const auto title_in = [&](const Lists& lists) {
      const auto* row = find(lists, default_group_key());
      return row ? row->title : std::string("Default");
    };
    const auto before = title_in(base_);
    const auto ours = title_in(ours_);
    const auto theirs = title_in(theirs_);
    auto& title = group->second.title;
    const auto taken = [&] { return result_.contains({Table::group, kind::named_group, title}); };
    for (const auto& other : {sides_.ours_wins ? ours : theirs, sides_.ours_wins ? theirs : ours, before, std::string("Default")})
      if (taken()) title = other;
    for (int i = 2; taken(); ++i) title = fmt::format("Default {}", i);
    if (ours != title && ours != before) note(default_group_key(), "name", util::printable(title), util::printable(ours), false);
    if (theirs != title && theirs != before) note(default_group_key(), "name", util::printable(title), util::printable(theirs), true);
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
  const Fit fit_;
  Lists result_;
  std::vector<std::pair<RowKey, bool>> kept_against_deletion_;  ///< and whether it is ours
  std::vector<Conflict> conflicts_;
};

/// How much the compile of one node is to be believed.
enum class Trust : std::uint8_t {
  none,    ///< never compiled, or the download failed
  stale,   ///< the download failed, and it was made of what an earlier one had left
  before,  ///< the one that both had
  fresh,
};

Trust trust(const AdlistState& state, const Row& adlist, const SetDigest* before) {
  if (!is_compiled(state, adlist)) return Trust::none;
  if (before && state.rows == *before) return Trust::before;
  return state.statistics.status == 3 ? Trust::stale : Trust::fresh;
}

}  // namespace

Lists merge_lists(const Lists& base, const Lists& ours, const Lists& theirs, const Sides& sides, std::vector<Conflict>& conflicts,
                  Fit fit) {
  return ListMerge(base, ours, theirs, sides, fit).run(conflicts);
}

std::map<RowKey, SetDigest> compiled_sets(const Blocklist& blocklist) {
  std::map<RowKey, SetDigest> sets;
  for (const auto& state : blocklist) sets.emplace(state.key, state.rows);
  return sets;
}

Blocklist merge_blocklists(const std::map<RowKey, SetDigest>& base, const Blocklist& ours, const Blocklist& theirs, const Lists& lists) {
  std::map<RowKey, AdlistState> result;
  for (const auto* side : {&ours, &theirs}) {
    for (const auto& state : *side) {
      const auto* adlist = find(lists, state.key);
      if (!adlist) continue;
      auto [place, is_first] = result.emplace(state.key, state);
      if (is_first) continue;
      auto before = base.find(state.key);
      const auto rank = [&](const AdlistState& s) {
        const auto& told = s.statistics;
        return std::tuple(trust(s, *adlist, before == base.end() ? nullptr : &before->second), told.date_updated, s.rows, told.status,
                          told.number, told.invalid_domains, told.abp_entries);
      };
      if (rank(place->second) < rank(state)) place->second = state;
    }
  }
  Blocklist merged;
  for (auto& [key, state] : result) merged.push_back(std::move(state));
  return merged;
}

}  // namespace gsync::model
