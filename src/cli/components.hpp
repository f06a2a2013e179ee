#pragma once
#include <string>
#include <string_view>

#include "gsync/model/plan.hpp"

namespace gsync::cli {

/// "lists,blocklist,dns,cname,dhcp", any of them. Error{config} naming a word that is none of them.
model::Components parse_components(std::string_view text);

/// "lists, dns"; the words of parse_components().
std::string to_text(const model::Components& components);

}  // namespace gsync::cli
