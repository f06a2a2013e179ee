#include "gsync/model/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::model {
namespace {

/// Above this many cells the table of the longest common subsequence would take more memory than a display is worth.
constexpr std::size_t max_table = 4'000'000;

/// Which lines of each side are common to both, in the same order on both.
struct Common {
  std::vector<bool> from;
  std::vector<bool> to;
};

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};

void mark_longest_common(const RecordLines& from, Range f, const RecordLines& to, Range t, Common& common) {
  const std::size_t width = t.size() + 1;
  // length[i * width + j]: of the longest common subsequence of what follows i in `from` and j in `to`.
  std::vector<std::uint32_t> length((f.size() + 1) * width, 0);
  for (std::size_t i = f.size(); i-- > 0;)
    for (std::size_t j = t.size(); j-- > 0;) {
      auto& cell = length[i * width + j];
      if (from[f.begin + i] == to[t.begin + j])
        cell = length[(i + 1) * width + j + 1] + 1;
      else
        cell = std::max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  for (std::size_t i = 0, j = 0; i < f.size() && j < t.size();) {
    if (from[f.begin + i] == to[t.begin + j]) {
      common.from[f.begin + i++] = true;
      common.to[t.begin + j++] = true;
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
}

/// The positions in `range` of those lines that the other side has too, each as often as there.
std::vector<std::size_t> shared(const RecordLines& lines, Range range, const RecordLines& other, Range other_range) {
  std::unordered_map<std::string_view, std::size_t> left;
  for (auto i = other_range.begin; i < other_range.end; ++i) ++left[other[i]];
  std::vector<std::size_t> positions;
  for (auto i = range.begin; i < range.end; ++i) {
    auto found = left.find(lines[i]);
    if (found == left.end() || found->second == 0) continue;
    --found->second;
    positions.push_back(i);
  }
  return positions;
}

/// For sides too long for the table: what both have is common, except for the stretch from the first to the last of these lines that moved.
void mark_shared(const RecordLines& from, Range f, const RecordLines& to, Range t, Common& common) {
  auto in_from = shared(from, f, to, t);
  auto in_to = shared(to, t, from, f);
  Range middle{0, in_from.size()};
  while (middle.begin < middle.end && from[in_from[middle.begin]] == to[in_to[middle.begin]]) ++middle.begin;
  while (middle.begin < middle.end && from[in_from[middle.end - 1]] == to[in_to[middle.end - 1]]) --middle.end;
  for (std::size_t i = 0; i < in_from.size(); ++i) {
    if (i >= middle.begin && i < middle.end) continue;
    common.from[in_from[i]] = true;
    common.to[in_to[i]] = true;
  }
}

Common common_lines(const RecordLines& from, const RecordLines& to) {
  Common common{std::vector<bool>(from.size()), std::vector<bool>(to.size())};
  Range f{0, from.size()};
  Range t{0, to.size()};
  while (f.begin < f.end && t.begin < t.end && from[f.begin] == to[t.begin]) {
    common.from[f.begin++] = true;
    common.to[t.begin++] = true;
  }
  while (f.begin < f.end && t.begin < t.end && from[f.end - 1] == to[t.end - 1]) {
    common.from[--f.end] = true;
    common.to[--t.end] = true;
  }
  if ((f.size() + 1) * (t.size() + 1) <= max_table)
    mark_longest_common(from, f, to, t, common);
  else
    mark_shared(from, f, to, t, common);
  return common;
}

std::string group_name(const RowKey& group) {
  return group == default_group_key() ? std::string("Default") : util::printable(group.name);
}

std::string groups_only_in(const std::set<RowKey>& here, const std::set<RowKey>& there) {
  std::vector<std::string> names;
  for (const auto& group : here)
    if (there.count(group) == 0) names.push_back(group_name(group));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string describe_groups(const Row& before, const Row& after, std::string_view before_name, std::string_view after_name) {
  std::vector<std::string> parts;
  if (auto names = groups_only_in(before.groups, after.groups); !names.empty())
    parts.push_back(fmt::format("only on {}: {}", before_name, names));
  if (auto names = groups_only_in(after.groups, before.groups); !names.empty())
    parts.push_back(fmt::format("only on {}: {}", after_name, names));
  return fmt::format("groups differ: {}", fmt::join(parts, "; "));
}

}  // namespace

std::vector<RowChange> diff(const Lists& from, const Lists& to) {
  std::vector<RowChange> changes;
  auto f = from.begin();
  auto t = to.begin();
  while (f != from.end() || t != to.end()) {
    if (t == to.end() || (f != from.end() && f->first < t->first)) {
      changes.push_back({f->first, f->second, std::nullopt});
      ++f;
    } else if (f == from.end() || t->first < f->first) {
      changes.push_back({t->first, std::nullopt, t->second});
      ++t;
    } else {
      if (!f->second.same_edit(t->second)) changes.push_back({f->first, f->second, t->second});
      ++f;
      ++t;
    }
  }
  return changes;
}

std::vector<RecordChange> diff(RecordKind kind, const RecordLines& from, const RecordLines& to) {
  auto common = common_lines(from, to);
  std::vector<RecordChange> changes;
  std::size_t f = 0;
  std::size_t t = 0;
  while (f < from.size() || t < to.size()) {
    if (f < from.size() && !common.from[f])
      changes.push_back({kind, from[f++], false});
    else if (t < to.size() && !common.to[t])
      changes.push_back({kind, to[t++], true});
    else {
      ++f;
      ++t;
    }
  }
  return changes;
}

Lists patched(Lists lists, const std::vector<RowChange>& changes) {
  for (const auto& change : changes) {
    if (!change.before && !change.after)
      throw Error(ErrorCode::protocol, fmt::format("a change of '{}' says nothing", describe(change.key)));
    auto found = lists.find(change.key);
    bool there = found != lists.end();
    if (there != change.before.has_value() || (there && !found->second.same_edit(*change.before)))
      throw Error(ErrorCode::conflict, fmt::format("'{}' is not as it was when the change was planned", describe(change.key)),
                  "Somebody edited it in the meantime; run the command again.");
    if (change.after)
      lists.insert_or_assign(change.key, *change.after);
    else
      lists.erase(found);
  }
  return lists;
}

std::string describe_difference(const RowChange& change, std::string_view before_name, std::string_view after_name) {
  if (!change.before || !change.after) return fmt::format("only on {}", change.before ? before_name : after_name);
  const auto& before = *change.before;
  const auto& after = *change.after;
  std::vector<std::string> parts;
  if (before.title != after.title)
    parts.push_back(
        fmt::format("name '{}' on {}, '{}' on {}", util::printable(before.title), before_name, util::printable(after.title), after_name));
  if (before.enabled != after.enabled)
    parts.push_back(
        fmt::format("enabled on {}, disabled on {}", before.enabled ? before_name : after_name, before.enabled ? after_name : before_name));
  if (before.comment != after.comment) parts.push_back("comment differs");
  if (before.groups != after.groups) parts.push_back(describe_groups(before, after, before_name, after_name));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace gsync::model
