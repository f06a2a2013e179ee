#include <fmt/format.h>

#include <algorithm>

#include "document.hpp"
#include "gsync/config/settings.hpp"
#include "gsync/util/text.hpp"

namespace gsync::config {
namespace {

/// The lines of a peer's section, from its header to its last key: comments behind it belong to what follows.
struct Lines {
  std::size_t first = 0;  ///< counted from 1
  std::size_t last = 0;
};
std::optional<Lines> lines_of_peer(const std::string& text, const std::string& path, const std::string& name) {
  for (const auto& section : read_sections(text, path)) {
    if (section.name != "peer") continue;
    Lines lines{section.line, section.line};
    bool found = false;
    for (const auto& entry : section.entries) {
      lines.last = std::max(lines.last, entry.line);
      const auto* value = std::get_if<std::string>(&entry.value.data);
      found = found || (entry.key == "name" && value && *value == name);
    }
    if (found) return lines;
  }
  return std::nullopt;
}

/// The text with other lines in the place of these.
std::string replaced(const std::string& text, Lines lines, const std::string& by) {
  std::string result;
  std::size_t number = 0;
  for (auto line : util::split(text, '\n')) {
    ++number;
    if (number == lines.first) result += by;
    if (number >= lines.first && number <= lines.last) continue;
    result += fmt::format("{}\n", line);
  }
  // split() gives an empty part after the last newline.
  if (text.ends_with('\n') && !result.empty()) result.pop_back();
  return result;
}

}  // namespace

std::string with_peer(const std::string& text, const std::string& path, const PeerConfig& peer) {
  const auto section = peer_section(peer);
  std::string result;
  if (const auto lines = lines_of_peer(text, path, peer.name)) {
    result = replaced(text, *lines, section);
  } else {
    result = text;
    if (!result.empty() && !result.ends_with('\n')) result += '\n';
    if (!result.empty() && !result.ends_with("\n\n")) result += '\n';
    result += section;
  }
  parse(result, path);
  return result;
}

std::optional<std::string> without_peer(const std::string& text, const std::string& path, const std::string& name) {
  auto lines = lines_of_peer(text, path, name);
  if (!lines) return std::nullopt;
  // With the empty line that sets it apart.
  const auto all = util::split(text, '\n');
  if (lines->first >= 2 && util::trim(all[lines->first - 2]).empty()) --lines->first;
  return replaced(text, *lines, {});
}

}  // namespace gsync::config
