#include "gsync/model/shared_view.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::model {
namespace {

[[noreturn]] void refuse_kept(const std::string& what) {
  throw Error(ErrorCode::refused, fmt::format("'{}' is kept local here and changed by no peer", what),
              "see keep_local in [sync] on both Pi-holes; `gravity-sync compare` shows what is in force");
}

}  // namespace

Lists without(Lists lists, const KeepLocal& keep) {
  if (keep.empty()) return lists;
  std::erase_if(lists, [&](const auto& entry) { return keep.keeps(entry.first); });
  for (auto& [key, row] : lists) std::erase_if(row.groups, [&](const RowKey& group) { return keep.keeps(group); });
  return lists;
}

Blocklist without(Blocklist blocklist, const KeepLocal& keep) {
  std::erase_if(blocklist, [&](const AdlistState& state) { return keep.keeps(state.key); });
  return blocklist;
}

Uncompiled without(Uncompiled uncompiled, const KeepLocal& keep) {
  uncompiled.count -= std::erase_if(uncompiled.adlists, [&](const UncompiledAdlist& adlist) { return keep.keeps(adlist.key); });
  return uncompiled;
}

RecordLines without(RecordKind kind, RecordLines lines, const KeepLocal& keep) {
  std::erase_if(lines, [&](const std::string& line) { return keep.keeps(kind, line); });
  return lines;
}

Records without(Records records, const KeepLocal& keep) {
  for (auto kind : record_kinds) {
    auto& lines = records[index_of(kind)];
    if (lines) lines = without(kind, std::move(*lines), keep);
  }
  return records;
}

Kept kept_of(const Lists& lists, const Records& records, const KeepLocal& keep) {
  Kept kept;
  for (const auto& [key, row] : lists) {
    if (keep.keeps(key)) kept.rows.push_back(key);
  }
  for (auto kind : record_kinds) {
    if (kind == RecordKind::setting || !records[index_of(kind)]) continue;
    for (const auto& line : *records[index_of(kind)]) {
      if (keep.keeps(kind, line)) kept.records[index_of(kind)].push_back(line);
    }
  }
  return kept;
}

std::vector<RowChange> changes_of_whole(const std::vector<RowChange>& changes, const Lists& whole, const KeepLocal& keep) {
  std::vector<RowChange> result;
  std::set<RowKey> groups_gone;
  for (const auto& change : changes) {
    if (keep.keeps(change.key)) refuse_kept(describe(change.key));
    auto& mine = result.emplace_back(change);
    const auto there = whole.find(change.key);
    if (there != whole.end()) mine.before = there->second;
    if (mine.after) {
      std::erase_if(mine.after->groups, [&](const RowKey& group) { return keep.keeps(group); });
      if (there == whole.end()) continue;
      for (const auto& group : there->second.groups) {
        if (keep.keeps(group)) mine.after->groups.insert(group);
      }
    } else if (change.key.table == Table::group) {
      groups_gone.insert(change.key);
    }
  }
  if (groups_gone.empty()) return result;
  for (const auto& [key, row] : whole) {
    if (!keep.keeps(key)) continue;
    auto after = row;
    if (std::erase_if(after.groups, [&](const RowKey& group) { return groups_gone.contains(group); }) > 0)
      result.push_back({key, row, std::move(after)});
  }
  std::ranges::sort(result, {}, &RowChange::key);
  return result;
}

RecordLines whole_with(RecordKind kind, const RecordLines& shared, const RecordLines& whole, const KeepLocal& keep) {
  std::map<std::string_view, std::size_t> behind;  // a line of `shared`, and the place behind it
  for (std::size_t i = 0; i < shared.size(); ++i) {
    if (keep.keeps(kind, shared[i])) refuse_kept(util::printable(shared[i]));
    behind[shared[i]] = i + 1;
  }
  RecordLines result;
  std::size_t done = 0;
  std::size_t place = 0;
  for (const auto& line : whole) {
    if (!keep.keeps(kind, line)) {
      // Never back: the kept lines stay in their order.
      if (const auto found = behind.find(line); found != behind.end()) place = std::max(place, found->second);
      continue;
    }
    while (done < place) result.push_back(shared[done++]);
    result.push_back(line);
  }
  result.insert(result.end(), shared.begin() + static_cast<std::ptrdiff_t>(done), shared.end());
  if (kind == RecordKind::setting) std::ranges::sort(result);
  return result;
}

}  // namespace gsync::model
