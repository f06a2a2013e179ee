#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gsync::config {

struct TomlFault {
  std::size_t line = 0;
  std::string what;
};

/// What toml++ (3.3) must not be given: a dotted key of very many parts, which it builds and destroys by recursion, and characters outside
/// of ASCII that stand neither in a string nor in a comment, where TOML has none and toml++ runs into undefined behaviour. nullopt for
/// text without them, TOML or not.
std::optional<TomlFault> toml_fault(std::string_view text);

}  // namespace gsync::config
