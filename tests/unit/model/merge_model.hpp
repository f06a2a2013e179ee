#pragma once
#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gsync/model/merge.hpp"
#include "gsync/util/text.hpp"

namespace gsync::model::testing {

/// The rule of the merges once more, as it would be told: each question about each row, field and group is answered by itself, and no time
/// is saved.

/// What, which field of it, and whether ours was kept.
using ModelConflicts = std::set<std::tuple<std::string, std::string, bool>>;

class ListModel {
 public:
  ListModel(const Lists& base, const Lists& ours, const Lists& theirs, bool ours_wins)
      : base_(base), ours_(ours), theirs_(theirs), ours_wins_(ours_wins) {}

  Lists merged() {
    conflicts.clear();
    Lists result;
    std::set<RowKey> keys;
    for (const auto* lists : {&base_, &ours_, &theirs_})
      for (const auto& [key, row] : *lists) keys.insert(key);
    for (const auto& key : keys) {
      if (!stays(key)) continue;
      Row row;
      row.enabled = enabled(key);
      row.comment = comment(key);
      for (const auto& group : keys)
        if (member(key, group)) row.groups.insert(group);
      result[key] = row;
      if (base_.contains(key) && ours_.contains(key) != theirs_.contains(key)) conflicts.insert({describe(key), "", ours_.contains(key)});
    }
    for (auto& [key, row] : result) not_in_no_group(key, row, result);
    name_default(result);
    return result;
  }
  ModelConflicts conflicts;

 private:
  static bool has(const Lists& lists, const RowKey& key, const RowKey& group) {
    return lists.contains(key) && lists.at(key).groups.contains(group);
  }

  bool stays(const RowKey& key) const {
    const bool here = ours_.contains(key);
    const bool there = theirs_.contains(key);
    if (!base_.contains(key) || (here && there)) return here || there;
    if (!here && !there) return false;
    const auto& left = here ? ours_ : theirs_;
    return edited(left, key) || something_was_put_into(left, key);
  }

  bool edited(const Lists& side, const RowKey& key) const {
    const auto& now = side.at(key);
    const auto& before = base_.at(key);
    if (now.enabled != before.enabled || now.comment != before.comment || now.title != before.title) return true;
    for (const auto& [group, row] : side)
      if (has(side, key, group) != has(base_, key, group)) return true;
    return false;
  }

  bool something_was_put_into(const Lists& side, const RowKey& group) const {
    for (const auto& [key, row] : side)
      if (row.groups.contains(group) && !has(base_, key, group)) return true;
    return false;
  }

  bool member(const RowKey& key, const RowKey& group) const {
    if (group.table != Table::group || !stays(group)) return false;
    // A side without the row says nothing; nor does one that has deleted the group.
    std::vector<bool> said;
    for (const auto* side : {&ours_, &theirs_})
      if (side->contains(key) && (side->contains(group) || !has(base_, key, group))) said.push_back(has(*side, key, group));
    if (said.size() == 2 && said[0] != said[1]) return !has(base_, key, group);
    return said.empty() ? has(base_, key, group) : said[0];
  }

  bool enabled(const RowKey& key) {
    if (!ours_.contains(key)) return theirs_.at(key).enabled;
    if (!theirs_.contains(key)) return ours_.at(key).enabled;
    const bool here = ours_.at(key).enabled;
    const bool there = theirs_.at(key).enabled;
    if (here == there) return here;
    if (base_.contains(key)) return !base_.at(key).enabled;
    if (key == default_group_key()) return false;
    conflicts.insert({describe(key), "enabled", ours_wins_});
    return ours_wins_ ? here : there;
  }

  std::string comment(const RowKey& key) {
    if (!ours_.contains(key)) return theirs_.at(key).comment;
    if (!theirs_.contains(key)) return ours_.at(key).comment;
    const auto here = ours_.at(key).comment;
    const auto there = theirs_.at(key).comment;
    std::string before;
    const std::string factory = "The default group";
    if (base_.contains(key))
      before = base_.at(key).comment;
    else if (key == default_group_key() && (here == factory || there == factory))
      before = factory;
    if (here == before) return there;
    if (there == before || here == there) return here;
    conflicts.insert({describe(key), "comment", ours_wins_});
    return ours_wins_ ? here : there;
  }

  void not_in_no_group(const RowKey& key, Row& row, const Lists& result) {
    if (!row.groups.empty() || !ours_.contains(key) || !theirs_.contains(key)) return;
    if (ours_.at(key).groups.empty() || theirs_.at(key).groups.empty()) return;
    for (bool ours : {ours_wins_, !ours_wins_}) {
      for (const auto& group : (ours ? ours_ : theirs_).at(key).groups)
        if (result.contains(group)) row.groups.insert(group);
      if (row.groups.empty()) continue;
      conflicts.insert({describe(key), "groups", ours});
      return;
    }
  }

  void name_default(Lists& result) {
    const auto key = default_group_key();
    const auto before = base_.contains(key) ? base_.at(key).title : "Default";
    const auto here = ours_.at(key).title;
    const auto there = theirs_.at(key).title;
    auto wishes = ours_wins_ ? std::vector{here, there} : std::vector{there, here};
    if (wishes[0] == before) std::swap(wishes[0], wishes[1]);
    for (const auto& more :
         {ours_wins_ ? here : there, ours_wins_ ? there : here, before, std::string("Default"), std::string("Default 2")})
      wishes.push_back(more);
    auto& title = result[key].title;
    for (const auto& wish : wishes) {
      title = wish;
      if (!result.contains({Table::group, kind::named_group, title})) break;
    }
    if (here != before && here != title) conflicts.insert({describe(key), "name", false});
    if (there != before && there != title) conflicts.insert({describe(key), "name", true});
  }

  const Lists& base_;
  const Lists& ours_;
  const Lists& theirs_;
  const bool ours_wins_;
};

class RecordModel {
 public:
  RecordModel(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, bool ours_wins)
      : kind_(kind), base_(base), ours_(ours), theirs_(theirs), ours_wins_(ours_wins) {}

  std::set<std::string> merged() const {
    std::set<std::string> result;
    std::set<std::string> open;
    for (const auto* lines : {&base_, &ours_, &theirs_})
      for (const auto& line : *lines) (in(ours_, line) && in(theirs_, line) ? result : open).insert(line);
    const auto& winner = ours_wins_ ? ours_ : theirs_;
    std::vector<std::set<std::string>> records;
    while (!open.empty()) records.push_back(take_record(open));
    std::vector<bool> by_winner(records.size());
    for (;;) {
      auto lines = result;
      for (std::size_t i = 0; i < records.size(); ++i)
        for (const auto& line : records[i])
          if (by_winner[i] ? in(winner, line) : stays(line, records[i])) lines.insert(line);
      bool in_a_circle = false;
      for (std::size_t i = 0; i < records.size(); ++i)
        for (const auto& line : records[i])
          if (lines.contains(line) && !in(winner, line) && leads_back(line, lines)) in_a_circle = by_winner[i] = true;
      if (!in_a_circle) return lines;
    }
  }

 private:
  static bool in(const RecordLines& lines, const std::string& line) { return std::find(lines.begin(), lines.end(), line) != lines.end(); }

  std::set<std::string> handles(const std::string& line) const {
    std::set<std::string> handles;
    const auto parts = util::split(line, kind_ == RecordKind::dns ? ' ' : ',');
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::string part(parts[i]);
      if (kind_ == RecordKind::dns) {
        if (part == "#") break;
        if (i > 0) handles.insert(part + (line.substr(0, line.find(' ')).find(':') == std::string::npos ? " 4" : " 6"));
      } else if (kind_ == RecordKind::cname) {
        if (i + (line.ends_with(",60") ? 2 : 1) < parts.size()) handles.insert(part);
      } else if (part != "24h" && part != "set:home" && part != "id:*") {
        handles.insert(part);
      }
    }
    return handles;
  }

  bool about_the_same(const std::string& a, const std::string& b) const {
    const auto x = handles(a);
    const auto y = handles(b);
    return std::any_of(x.begin(), x.end(), [&](const auto& handle) { return y.contains(handle); });
  }

  std::set<std::string> take_record(std::set<std::string>& open) const {
    std::set<std::string> record{*open.begin()};
    open.erase(open.begin());
    for (bool grew = true; grew;) {
      grew = false;
      for (auto line = open.begin(); line != open.end();) {
        const bool belongs = std::any_of(record.begin(), record.end(), [&](const auto& other) { return about_the_same(*line, other); });
        if (belongs) record.insert(*line);
        grew = grew || belongs;
        line = belongs ? open.erase(line) : std::next(line);
      }
    }
    return record;
  }

  bool stays(const std::string& line, const std::set<std::string>& record) const {
    const auto edited = [&](const RecordLines& side) {
      return std::any_of(record.begin(), record.end(), [&](const auto& other) { return in(side, other) && !in(base_, other); });
    };
    if (edited(ours_) && edited(theirs_)) return in(ours_wins_ ? ours_ : theirs_, line);
    return !in(base_, line);
  }

  bool leads_back(const std::string& line, const std::set<std::string>& lines) const {
    if (kind_ != RecordKind::cname) return false;
    const auto target = [](const std::string& l) {
      const auto parts = util::split(l, ',');
      return std::string(parts[parts.size() - (l.ends_with(",60") ? 2 : 1)]);
    };
    auto at = target(line);
    for (std::size_t step = 0; step <= lines.size(); ++step) {
      if (handles(line).contains(at)) return true;
      for (const auto& other : lines)
        if (handles(other).contains(at)) {
          at = target(other);
          break;
        }
    }
    return false;
  }

  const RecordKind kind_;
  const RecordLines& base_;
  const RecordLines& ours_;
  const RecordLines& theirs_;
  const bool ours_wins_;
};

}  // namespace gsync::model::testing
