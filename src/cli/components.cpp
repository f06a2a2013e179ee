#include "components.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::cli {
namespace {

constexpr std::array<std::string_view, 5> words{"lists", "blocklist", "dns", "cname", "dhcp"};

std::array<bool, 5> flags_of(const model::Components& c) {
  return {c.lists, c.blocklist, c.records[0], c.records[1], c.records[2]};
}

}  // namespace

model::Components parse_components(std::string_view text) {
  std::array<bool, 5> chosen{};
  for (auto part : util::split(text, ',')) {
    auto word = util::trim(part);
    auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) {
      auto near = util::nearest(word, words);
      throw Error(ErrorCode::config, fmt::format("--only: '{}' is not something that can be synced", util::printable(word)),
                  near.empty() ? fmt::format("choose from {}", fmt::join(words, ", ")) : fmt::format("did you mean '{}'?", near));
    }
    chosen[static_cast<std::size_t>(found - words.begin())] = true;
  }
  return {chosen[0], chosen[1], {chosen[2], chosen[3], chosen[4]}};
}

std::string to_text(const model::Components& components) {
  std::string text;
  auto flags = flags_of(components);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!flags[i]) continue;
    if (!text.empty()) text += ", ";
    text += words[i];
  }
  return text;
}

}  // namespace gsync::cli
