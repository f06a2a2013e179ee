#include "v5_record_file.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t max_named = 5;

std::string_view option_of(model::RecordKind kind) {
  return kind == model::RecordKind::cname ? "cname" : "dhcp-host";
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// As dnsmasq reads its options: a '#' behind a blank begins a comment.
std::string_view without_comment(std::string_view line) {
  for (auto hash = line.find('#'); hash != std::string_view::npos; hash = line.find('#', hash + 1)) {
    if (hash == 0 || is_blank(line[hash - 1])) return line.substr(0, hash);
  }
  return line;
}

/// What stands there of a record of this kind; nullopt for a line of another sort.
std::optional<std::string> record_text(model::RecordKind kind, std::string_view line) {
  if (kind == model::RecordKind::dns) {
    line = trim_blanks(line);
    if (line.empty() || line.front() == '#') return std::nullopt;
    // Hosts lines may have tabs; the common form has none.
    std::string text(line);
    std::replace(text.begin(), text.end(), '\t', ' ');
    return text;
  }
  line = trim_blanks(without_comment(line));
  const auto equals = line.find('=');
  if (equals == std::string_view::npos || trim_blanks(line.substr(0, equals)) != option_of(kind)) return std::nullopt;
  return std::string(trim_blanks(line.substr(equals + 1)));
}

std::string as_option(model::RecordKind kind, const std::string& record) {
  return kind == model::RecordKind::dns ? record : fmt::format("{}={}", option_of(kind), record);
}

}  // namespace

V5RecordFile V5RecordFile::parse(model::RecordKind kind, std::string_view text, const std::string& path) {
  V5RecordFile file(kind, path);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return file;
  for (auto line : util::split(text, '\n')) {
    Line parsed{std::string(line), std::nullopt};
    try {
      if (auto record = record_text(kind, line)) parsed.record = model::parse_record(kind, *record);
    } catch (const Error& error) {
      throw error.within(fmt::format("{} line {}", path, file.lines_.size() + 1));
    }
    file.lines_.push_back(std::move(parsed));
  }
  try {
    model::parse_records(kind, file.records());
  } catch (const Error& error) {
    throw error.within(path);
  }
  return file;
}

model::RecordLines V5RecordFile::records() const {
  model::RecordLines records;
  for (const auto& line : lines_) {
    if (line.record) records.push_back(*line.record);
  }
  return records;
}

std::string V5RecordFile::with_records(const model::RecordLines& records) const {
  std::map<std::string_view, std::vector<std::size_t>> places;
  for (std::size_t i = records.size(); i > 0; --i) places[records[i - 1]].push_back(i - 1);  // the first at the back
  std::string text;
  std::size_t next = 0;
  const auto write_before = [&](std::size_t end) {
    for (; next < end; ++next) text.append(as_option(kind_, records[next])).append("\n");
  };
  for (const auto& line : lines_) {
    if (line.record) {
      auto place = places.find(*line.record);
      if (place == places.end()) continue;
      auto& there = place->second;
      while (!there.empty() && there.back() < next) there.pop_back();
      if (there.empty()) continue;  // it goes, or an earlier line of it stands there already
      write_before(there.back());
      ++next;
    }
    text.append(line.text).append("\n");
  }
  write_before(records.size());
  return text;
}

std::vector<std::string> V5RecordFile::notes() const {
  std::size_t comments = 0;
  std::size_t others = 0;
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i].record) continue;
    const auto text = trim_blanks(lines_[i].text);
    if (text.empty()) continue;
    if (text.front() == '#') {
      ++comments;
    } else if (++others <= max_named) {
      notes.push_back(fmt::format("not synced: line {} of {}, {}; it stays as it is", i + 1, path_, util::printable(text.substr(0, 200))));
    }
  }
  if (others > max_named) notes.push_back(fmt::format("not synced: {} more such lines of {}", others - max_named, path_));
  if (comments > 0) {
    notes.push_back(fmt::format("not synced: {} of {}; {} as {}", util::plural(comments, "comment line"), path_,
                                comments == 1 ? "it stays" : "they stay", comments == 1 ? "it is" : "they are"));
  }
  return notes;
}

}  // namespace gsync::pihole
