#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gsync/util/error.hpp"

namespace gsync::config {

/// One TOML value with the line it stands on. Only the types that some key takes are kept; of the others (floats, dates, tables) just their
/// name.
struct Value {
  struct Other {};
  std::variant<Other, std::string, std::int64_t, bool, std::vector<Value>> data;
  std::string_view type;  ///< "a string", "a whole number"…
  std::size_t line = 0;
};

struct Entry {
  std::string key;
  std::size_t line = 0;
  Value value;
};

/// A [section], or one element of a [[section]], with its entries in the order of the file.
struct Section {
  std::string name;
  std::size_t line = 0;
  bool element = false;
  std::vector<Entry> entries;
};

/// The sections in the order of the file. Error{config} for what is not TOML (a key or section that stands there twice among them) and for
/// a key outside any section.
std::vector<Section> read_sections(const std::string& text, const std::string& path);

/// Error{config} whose text begins "FILE:LINE: ".
[[noreturn]] void fail_at(const std::string& path, std::size_t line, std::string_view what, std::string hint = {});

}  // namespace gsync::config
