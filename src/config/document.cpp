#include "document.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "gsync/config/toml_text.hpp"
#include "gsync/util/text.hpp"

namespace gsync::config {
namespace {

constexpr const char* toml_hint = "the file must be TOML, see https://toml.io";

std::string_view type_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a fraction";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::table:
      return "a section";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

std::size_t line_of(const toml::source_region& source) {
  return source.begin.line;
}

Value value_of(const toml::node& node) {
  Value value{{}, type_name(node.type()), line_of(node.source())};
  if (const auto* text = node.as_string()) {
    value.data = text->get();
  } else if (const auto* number = node.as_integer()) {
    value.data = number->get();
  } else if (const auto* truth = node.as_boolean()) {
    value.data = truth->get();
  } else if (const auto* array = node.as_array()) {
    std::vector<Value> elements;
    for (const auto& element : *array) elements.push_back(value_of(element));
    value.data = std::move(elements);
  }
  return value;
}

Section section_of(const toml::key& key, const toml::table& table, bool element) {
  // A table that only dotted keys opened (`sync.components = …`) has no header of its own to point at.
  auto line = line_of(table.source());
  Section section{std::string(key.str()), line ? line : line_of(key.source()), element, {}};
  for (const auto& [name, node] : table) section.entries.push_back({std::string(name.str()), line_of(name.source()), value_of(node)});
  std::ranges::stable_sort(section.entries, {}, &Entry::line);
  return section;
}

}  // namespace

std::vector<Section> read_sections(const std::string& text, const std::string& path) {
  if (const auto fault = toml_fault(text)) fail_at(path, fault->line, fault->what, toml_hint);
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail_at(path, line_of(error.source()), error.description(), toml_hint);
  }

  std::vector<Section> sections;
  for (const auto& [key, node] : root) {
    if (const auto* table = node.as_table()) {
      sections.push_back(section_of(key, *table, false));
      continue;
    }
    const auto* array = node.as_array();
    if (!array || array->empty() || !array->is_homogeneous<toml::table>()) {
      fail_at(path, line_of(key.source()), fmt::format("the key '{}' stands outside any section", util::printable(key.str())),
              "write it below its section: [node], [pihole], [sync] or [[peer]]");
    }
    for (const auto& element : *array) sections.push_back(section_of(key, *element.as_table(), true));
  }
  std::ranges::stable_sort(sections, {}, &Section::line);
  return sections;
}

void fail_at(const std::string& path, std::size_t line, std::string_view what, std::string hint) {
  throw Error(ErrorCode::config, fmt::format("{}:{}: {}", path, line, util::printable(what)), std::move(hint));
}

}  // namespace gsync::config
