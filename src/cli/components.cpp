#include "components.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::cli {
namespace {

constexpr std::size_t count = 2 + model::record_kinds.size();
constexpr std::array<std::string_view, count> words{"lists", "blocklist", "dns", "cname", "dhcp", "settings"};

std::array<bool, count> flags_of(const model::Components& c) {
  std::array<bool, count> flags{c.lists, c.blocklist};
  std::ranges::copy(c.records, flags.begin() + 2);
  return flags;
}

}  // namespace

model::Components parse_components(std::string_view text) {
  std::array<bool, count> chosen{};
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
  model::Components components{chosen[0], chosen[1], {}};
  std::copy(chosen.begin() + 2, chosen.end(), components.records.begin());
  return components;
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
