#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>
#include <numeric>
#include <unordered_map>

#include "gsync/model/merge.hpp"
#include "gsync/model/setting.hpp"
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
    std::string name;
    bool by_name = true;
    for (auto part : util::split(line, ',')) {
      if (part.starts_with("set:") || part.starts_with("tag:") || part == "id:*" || part == "ignore" || part == "infinite") continue;
      const bool card_or_id = part.front() != '[' && part.find(':') != std::string_view::npos;
      by_name = by_name && !card_or_id;
      if (card_or_id || part.front() == '[' || grammar::is_ipv4(part))
        handles.emplace_back(part);
      else if (!grammar::is_lease(part))
        name = part;
    }
    if (by_name && !name.empty()) handles.push_back(name);
  }
  if (handles.empty()) handles.emplace_back(line);
  return handles;
}

enum Side : std::uint8_t { in_base = 1, in_ours = 2, in_theirs = 4 };
constexpr unsigned in_both = in_ours | in_theirs;

using Ids = std::vector<std::size_t>;

/// All lines of the base and the two nodes, each once, by number.
class Lines {
 public:
  /// The lines in their order there; a second one that is the same has no meaning.
  Ids take(const RecordLines& lines, Side side) {
    Ids ids;
    for (const auto& line : lines) {
      auto [place, added] = numbers_.emplace(line, text_.size());
      if (added) {
        text_.push_back(line);
        sides_.push_back(0);
      }
      if ((sides_[place->second] & side) == 0) ids.push_back(place->second);
      sides_[place->second] |= side;
    }
    return ids;
  }
  std::size_t size() const { return text_.size(); }
  const std::string& text(std::size_t id) const { return text_[id]; }
  bool in(std::size_t id, unsigned sides) const { return (sides_[id] & sides) == sides; }
  bool exactly_in(std::size_t id, unsigned sides) const { return sides_[id] == sides; }

  Ids filtered(const Ids& ids, unsigned sides) const {
    Ids result;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(result), [&](auto id) { return in(id, sides); });
    return result;
  }
  std::string words_for(const Ids& ids) const {
    std::vector<std::string> shown;
    for (auto id : ids) shown.push_back(util::printable(text_[id]));
    return shown.empty() ? std::string("deleted") : fmt::format("{}", fmt::join(shown, "; "));
  }

 private:
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<std::string> text_;
  std::vector<unsigned> sides_;
};

/// Which lines are about one record.
class Subjects {
 public:
  explicit Subjects(std::size_t lines) : parent_(lines) { std::iota(parent_.begin(), parent_.end(), 0u); }
  void add(RecordKind kind, std::size_t line, std::string_view text) {
    for (auto& handle : handles_of(kind, text)) {
      const auto first = line_of_.emplace(std::move(handle), line).first->second;
      parent_[root(first)] = root(line);
    }
  }
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

 private:
  std::unordered_map<std::string, std::size_t> line_of_;
  std::vector<std::size_t> parent_;
};

/// The lines of one record that are not on both nodes, in the order in which they stand there.
struct Record {
  enum class Verdict : std::uint8_t { no_conflict, edit_and_deletion, two_edits, circle };
  Ids base;
  Ids ours;
  Ids theirs;
  Ids result;
  Verdict verdict = Verdict::no_conflict;
  bool by_ours = false;
  Ids circle;  ///< of the side that wins
};

class RecordMerge {
 public:
  RecordMerge(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, const Sides& sides)
      : kind_(kind), sides_(sides) {
    base_ = lines_.take(base, in_base);
    ours_ = lines_.take(ours, in_ours);
    theirs_ = lines_.take(theirs, in_theirs);
  }

  RecordLines run(std::vector<Conflict>& conflicts) {
    sort_into_records();
    for (auto& record : records_) merge_record(record);
    if (kind_ == RecordKind::cname) break_circles();
    for (const auto& record : records_) note(record);
    RecordLines merged;
    for (auto id : in_order()) merged.push_back(lines_.text(id));
    std::sort(conflicts_.begin(), conflicts_.end());
    conflicts.insert(conflicts.end(), conflicts_.begin(), conflicts_.end());
    return merged;
  }

 private:
  unsigned winner() const { return sides_.ours_wins ? in_ours : in_theirs; }

  void sort_into_records() {
    Subjects subjects(lines_.size());
    for (std::size_t id = 0; id < lines_.size(); ++id)
      if (!lines_.in(id, in_both)) subjects.add(kind_, id, lines_.text(id));
    std::unordered_map<std::size_t, std::size_t> place;
    const auto sort_in = [&](const Ids& ids, Ids Record::*side) {
      for (auto id : ids) {
        if (lines_.in(id, in_both)) continue;
        auto [at, added] = place.emplace(subjects.root(id), records_.size());
        if (added) records_.emplace_back();
        (records_[at->second].*side).push_back(id);
      }
    };
    sort_in(base_, &Record::base);
    sort_in(ours_, &Record::ours);
    sort_in(theirs_, &Record::theirs);
  }

  /// None of its lines is on both nodes, so each that was in the base has been removed by somebody.
  void merge_record(Record& record) const {
    const auto added = [&](const Ids& side) {
      Ids ids;
      std::copy_if(side.begin(), side.end(), std::back_inserter(ids), [&](auto id) { return !lines_.in(id, in_base); });
      return ids;
    };
    const auto here = added(record.ours);
    const auto there = added(record.theirs);
    if (!here.empty() && !there.empty()) {
      record.verdict = Record::Verdict::two_edits;
      record.by_ours = sides_.ours_wins;
      record.result = sides_.ours_wins ? record.ours : record.theirs;
      return;
    }
    record.by_ours = !here.empty();
    record.result = record.by_ours ? here : there;
    const bool both_removed = std::any_of(record.base.begin(), record.base.end(), [&](auto id) { return lines_.exactly_in(id, in_base); });
    if (!record.result.empty() && both_removed) record.verdict = Record::Verdict::edit_and_deletion;
  }

  /// Each side's cnames lead somewhere, but those of one may lead to those of the other and back.
  void break_circles() {
    for (;;) {
      bool broken = false;
      const auto lines_of_circles = circles();
      for (auto& record : records_) {
        for (const auto& circle : lines_of_circles) {
          const bool in_it = std::any_of(record.result.begin(), record.result.end(), [&](auto id) {
            return !lines_.in(id, winner()) && std::find(circle.begin(), circle.end(), id) != circle.end();
          });
          if (!in_it) continue;
          record.result = sides_.ours_wins ? record.ours : record.theirs;
          record.verdict = Record::Verdict::circle;
          record.by_ours = sides_.ours_wins;
          record.circle = lines_.filtered(circle, winner());
          broken = true;
          break;
        }
      }
      if (!broken) return;
    }
  }

  /// The lines of each.
  std::vector<Ids> circles() const {
    std::map<std::string, std::pair<std::string, std::size_t>, std::less<>> next;
    const auto add = [&](std::size_t id) {
      const auto cname = grammar::parse_cname(lines_.text(id));
      for (const auto& alias : cname.aliases) next.emplace(alias, std::pair(cname.target, id));
    };
    for (std::size_t id = 0; id < lines_.size(); ++id)
      if (lines_.in(id, in_both)) add(id);
    for (const auto& record : records_)
      for (auto id : record.result) add(id);
    std::vector<Ids> result;
    std::map<std::string_view, std::size_t> walk_of;  // the number of the walk that came by first
    std::size_t walk = 0;
    for (auto start = next.begin(); start != next.end(); ++start, ++walk) {
      auto at = start;
      while (at != next.end() && walk_of.emplace(at->first, walk).second) at = next.find(at->second.first);
      if (at == next.end() || walk_of.at(at->first) != walk) continue;
      Ids circle;
      const auto first = at;
      do {
        circle.push_back(at->second.second);
        at = next.find(at->second.first);
      } while (at != first);
      result.push_back(std::move(circle));
    }
    return result;
  }

  /// In the order of the side that changed it, else of the one that wins; what that side does not have comes behind what it stands behind
  /// on the other side.
  Ids in_order() {
    std::vector<bool> wanted(lines_.size());
    for (std::size_t id = 0; id < lines_.size(); ++id) wanted[id] = lines_.in(id, in_both);
    for (const auto& record : records_)
      for (auto id : record.result) wanted[id] = true;
    const bool here = lines_.filtered(ours_, in_base) != lines_.filtered(base_, in_ours);
    const bool there = lines_.filtered(theirs_, in_base) != lines_.filtered(base_, in_theirs);
    const bool by_ours = here == there ? sides_.ours_wins : here;
    const auto common_here = lines_.filtered(ours_, in_theirs);
    const auto common_there = lines_.filtered(theirs_, in_ours);
    if (here && there && common_here != common_there)
      note("the order of the records", by_ours ? common_here : common_there, by_ours ? common_there : common_here, by_ours);

    std::list<std::size_t> order;
    std::vector<std::list<std::size_t>::iterator> place(lines_.size(), order.end());
    for (auto id : by_ours ? ours_ : theirs_)
      if (wanted[id]) place[id] = order.insert(order.end(), id);
    // A line that is not in the outcome stands for what its record has become.
    std::vector<std::size_t> stands_for(lines_.size());
    std::iota(stands_for.begin(), stands_for.end(), std::size_t{0});
    for (const auto& record : records_)
      for (auto result : record.result)
        if (place[result] != order.end())
          for (const auto* side : {&record.ours, &record.theirs})
            for (auto id : *side)
              if (!wanted[id]) stands_for[id] = result;
    auto behind = order.begin();
    for (auto id : by_ours ? theirs_ : ours_) {
      if (wanted[id] && place[id] == order.end()) place[id] = order.insert(behind, id);
      if (const auto at = place[stands_for[id]]; at != order.end()) behind = std::next(at);
    }
    return {order.begin(), order.end()};
  }

  void note(const Record& record) {
    using Verdict = Record::Verdict;
    if (record.verdict == Verdict::no_conflict) return;
    const auto& lost = record.by_ours ? record.theirs : record.ours;
    auto kept = record.result;
    for (auto id : record.circle)
      if (std::find(kept.begin(), kept.end(), id) == kept.end()) kept.push_back(id);
    const auto name = handles_of(kind_, lines_.text(record.verdict == Verdict::circle ? lost.front() : kept.front())).front();
    note(name, kept, record.verdict == Verdict::edit_and_deletion ? Ids{} : lost, record.by_ours);
  }

  void note(const std::string& what, const Ids& kept, const Ids& lost, bool ours_kept) {
    conflicts_.push_back({fmt::format("{} record {}", to_string(kind_), util::printable(what)),
                          {},
                          lines_.words_for(kept),
                          ours_kept ? sides_.ours : sides_.theirs,
                          lines_.words_for(lost),
                          ours_kept ? sides_.theirs : sides_.ours});
  }

  const RecordKind kind_;
  const Sides& sides_;
  Lines lines_;
  Ids base_;
  Ids ours_;
  Ids theirs_;
  std::vector<Record> records_;
  std::vector<Conflict> conflicts_;
};

/// By key. One that only one side has is left to it: it says nothing about the other.
RecordLines merge_settings(const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, const Sides& sides,
                           std::vector<Conflict>& conflicts) {
  struct Values {
    const std::string* base = nullptr;
    const std::string* ours = nullptr;
    const std::string* theirs = nullptr;
  };
  std::map<std::string_view, Values> keys;
  const auto take = [&](const RecordLines& lines, const std::string* Values::*side) {
    for (const auto& line : lines) keys[setting_key_of(line)].*side = &line;
  };
  take(base, &Values::base);
  take(ours, &Values::ours);
  take(theirs, &Values::theirs);
  RecordLines merged;
  for (const auto& [key, line] : keys) {
    if (line.ours == nullptr && line.theirs == nullptr) continue;
    if (line.ours == nullptr || line.theirs == nullptr) {
      merged.push_back(line.ours != nullptr ? *line.ours : *line.theirs);
      continue;
    }
    const bool here = line.base == nullptr || *line.ours != *line.base;
    const bool there = line.base == nullptr || *line.theirs != *line.base;
    const bool by_ours = here == there ? sides.ours_wins : here;
    const auto& kept = by_ours ? *line.ours : *line.theirs;
    const auto& lost = by_ours ? *line.theirs : *line.ours;
    if (here && there && kept != lost) {
      conflicts.push_back({fmt::format("setting {}", key),
                           {},
                           setting_argument(kept),
                           by_ours ? sides.ours : sides.theirs,
                           setting_argument(lost),
                           by_ours ? sides.theirs : sides.ours});
    }
    merged.push_back(kept);
  }
  return merged;
}

}  // namespace

RecordLines merge_records(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, const Sides& sides,
                          std::vector<Conflict>& conflicts) {
  if (kind == RecordKind::setting) return merge_settings(base, ours, theirs, sides, conflicts);
  if (ours == theirs || theirs == base) return ours;
  if (ours == base) return theirs;
  return RecordMerge(kind, base, ours, theirs, sides).run(conflicts);
}

}  // namespace gsync::model
