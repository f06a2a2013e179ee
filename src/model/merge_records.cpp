#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "gsync/model/merge.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model {
namespace {

/// What a record is found by: no two unrelated records have one of these in common.
std::vector<std::string> handles_of(RecordKind kind, std::string_view line) {
  std::vector<std::string> handles;
  if (kind == RecordKind::dns) {
    const auto words = util::split(line.substr(0, line.find(" #")), ' ');
    const char* family = grammar::is_ipv4(words.front()) ? "IPv4" : "IPv6";
    for (std::size_t i = 1; i < words.size(); ++i) handles.push_back(fmt::format("{} ({})", words[i], family));
  } else if (kind == RecordKind::cname) {
    handles = grammar::parse_cname(line).aliases;
  } else {
    for (auto part : util::split(line, ',')) {
      const bool label = part.starts_with("set:") || part.starts_with("tag:");
      if (!label && (grammar::is_ipv4(part) || part.find(':') != std::string_view::npos)) handles.emplace_back(part);
    }
  }
  if (handles.empty()) handles.emplace_back(line);
  return handles;
}

using LineSet = std::unordered_set<std::string>;

/// The lines of the two nodes and of the base, by the record that they are about.
class Subjects {
 public:
  Subjects(RecordKind kind, std::initializer_list<const RecordLines*> sides) {
    for (const auto* side : sides) {
      for (const auto& line : *side) {
        const auto handles = handles_of(kind, line);
        const auto first = number_of(handles.front());
        for (const auto& handle : handles) join(first, number_of(handle));
        handle_.emplace(line, first);
      }
    }
  }
  std::size_t of(const std::string& line) { return root(handle_.at(line)); }

 private:
  std::size_t number_of(const std::string& handle) {
    auto [place, added] = numbers_.emplace(handle, parent_.size());
    if (added) parent_.push_back(parent_.size());
    return place->second;
  }
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) { parent_[root(a)] = root(b); }

  std::unordered_map<std::string, std::size_t> numbers_;
  std::unordered_map<std::string, std::size_t> handle_;
  std::vector<std::size_t> parent_;
};

/// One record on the three sides, in the order in which the lines stand there.
struct Versions {
  RecordLines base;
  RecordLines ours;
  RecordLines theirs;
};

RecordLines without(const RecordLines& lines, const RecordLines& others) {
  const std::unordered_set<std::string_view> unwanted(others.begin(), others.end());
  RecordLines result;
  for (const auto& line : lines)
    if (!unwanted.contains(line)) result.push_back(line);
  return result;
}

bool share_a_line(const RecordLines& a, const RecordLines& b) {
  return std::any_of(a.begin(), a.end(), [&](const auto& line) { return std::find(b.begin(), b.end(), line) != b.end(); });
}

bool same_lines(const RecordLines& a, const RecordLines& b) {
  return without(a, b).empty() && without(b, a).empty();
}

std::string words_for(const RecordLines& lines) {
  if (lines.empty()) return "deleted";
  std::vector<std::string> shown;
  for (const auto& line : lines) shown.push_back(util::printable(line));
  return fmt::format("{}", fmt::join(shown, "; "));
}

class RecordMerge {
 public:
  RecordMerge(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, const Sides& sides,
              std::vector<Conflict>& conflicts)
      : kind_(kind), base_(base), ours_(ours), theirs_(theirs), sides_(sides), conflicts_(conflicts) {}

  RecordLines run() {
    if (ours_ == theirs_ || theirs_ == base_) return ours_;
    if (ours_ == base_) return theirs_;
    auto merged = in_order(merged_lines());
    if (can_be(merged)) return merged;
    // Each side's are possible, both together are not: aliases that lead to each other.
    const auto& kept = sides_.ours_wins ? ours_ : theirs_;
    const auto& lost = sides_.ours_wins ? theirs_ : ours_;
    note("the records of both lead in a circle", kept, without(merged, kept).empty() ? lost : without(merged, kept), sides_.ours_wins);
    return kept;
  }

 private:
  LineSet merged_lines() {
    Subjects subjects(kind_, {&base_, &ours_, &theirs_});
    std::vector<std::pair<std::size_t, Versions>> records;
    std::unordered_map<std::size_t, std::size_t> place;
    auto sort_in = [&](const RecordLines& lines, RecordLines Versions::*side) {
      for (const auto& line : lines) {
        const auto subject = subjects.of(line);
        auto [at, added] = place.emplace(subject, records.size());
        if (added) records.emplace_back(subject, Versions{});
        (records[at->second].second.*side).push_back(line);
      }
    };
    sort_in(base_, &Versions::base);
    sort_in(ours_, &Versions::ours);
    sort_in(theirs_, &Versions::theirs);
    LineSet result;
    for (const auto& [subject, record] : records)
      for (auto& line : merge_record(record)) result.insert(std::move(line));
    return result;
  }

  RecordLines merge_record(const Versions& record) {
    const auto& [base, ours, theirs] = record;
    const auto added_here = without(ours, base);
    const auto added_there = without(theirs, base);
    if (!added_here.empty() && !added_there.empty() && !same_lines(added_here, added_there)) {
      const auto& kept = sides_.ours_wins ? ours : theirs;
      note(handles_of(kind_, kept.front()).front(), kept, sides_.ours_wins ? theirs : ours, sides_.ours_wins);
      return kept;
    }
    const auto removed_here = without(base, ours);
    const auto removed_there = without(base, theirs);
    const bool edited = !added_here.empty() || !added_there.empty();
    if (edited && added_here.empty() != added_there.empty() && share_a_line(removed_here, removed_there)) {
      const bool ours_kept = !added_here.empty();
      const auto& kept = ours_kept ? added_here : added_there;
      note(handles_of(kind_, kept.front()).front(), kept, {}, ours_kept);
    }
    auto result = without(without(base, removed_here), removed_there);
    const auto& added = added_here.empty() ? added_there : added_here;
    result.insert(result.end(), added.begin(), added.end());
    return result;
  }

  /// In the order of the side that changed it, else of the one that wins; what that side does not have comes behind the line that it stands
  /// behind on the other side.
  RecordLines in_order(LineSet lines) {
    const bool here = reordered(ours_);
    const bool there = reordered(theirs_);
    const bool by_ours = here == there ? sides_.ours_wins : here;
    if (here && there && common_order(ours_, theirs_) != common_order(theirs_, ours_))
      note("the order of the records", by_ours ? ours_ : theirs_, by_ours ? theirs_ : ours_, by_ours);
    RecordLines result;
    for (const auto& line : by_ours ? ours_ : theirs_)
      if (lines.erase(line) != 0) result.push_back(line);
    for (const auto* side : {by_ours ? &theirs_ : &ours_, &base_}) {
      auto behind = result.begin();
      for (const auto& line : *side) {
        if (lines.erase(line) != 0) {
          behind = result.insert(behind, line) + 1;
        } else if (auto at = std::find(result.begin(), result.end(), line); at != result.end()) {
          behind = at + 1;
        }
      }
    }
    return result;
  }

  static RecordLines common_order(const RecordLines& lines, const RecordLines& other) { return without(lines, without(lines, other)); }
  bool reordered(const RecordLines& side) const { return common_order(side, base_) != common_order(base_, side); }

  bool can_be(const RecordLines& lines) const {
    try {
      parse_records(kind_, lines);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  void note(const std::string& what, const RecordLines& kept, const RecordLines& lost, bool ours_kept) {
    conflicts_.push_back({fmt::format("{} record {}", to_string(kind_), util::printable(what)),
                          {},
                          words_for(kept),
                          ours_kept ? sides_.ours : sides_.theirs,
                          words_for(lost),
                          ours_kept ? sides_.theirs : sides_.ours});
  }

  const RecordKind kind_;
  const RecordLines& base_;
  const RecordLines& ours_;
  const RecordLines& theirs_;
  const Sides& sides_;
  std::vector<Conflict>& conflicts_;
};

}  // namespace

RecordLines merge_records(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, const Sides& sides,
                          std::vector<Conflict>& conflicts) {
  return RecordMerge(kind, base, ours, theirs, sides, conflicts).run();
}

}  // namespace gsync::model
