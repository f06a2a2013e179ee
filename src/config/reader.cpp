#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "gsync/util/text.hpp"
#include "keys.hpp"

namespace gsync::config {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Not isalnum(): it asks the locale.
bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

void Reader::fail(std::string_view what) const {
  fail_at(path_, entry_.line, fmt::format("{} {}: {}", section_, entry_.key, what), fmt::format("{}: {}", entry_.key, doc_));
}

void Reader::wrong_type(const Value& value, std::string_view wanted) const {
  fail(fmt::format("expected {}, found {}", wanted, value.type));
}

void Reader::not_one_of(std::string_view word, std::span<const std::string_view> valid) const {
  const auto near = util::nearest(word, valid);
  if (!near.empty()) fail(fmt::format("\"{}\" is not possible; did you mean \"{}\"?", word, near));
  fail(fmt::format("\"{}\" is not possible; it can be \"{}\"", word, fmt::join(valid, "\", \"")));
}

const std::string& Reader::checked_text(const Value& value) const {
  const auto* text = std::get_if<std::string>(&value.data);
  if (!text) wrong_type(value, "a string");
  if (text->empty()) fail("must not be empty");
  if (std::ranges::any_of(*text, is_control)) fail(fmt::format("holds a control character: \"{}\"", util::printable(*text)));
  return *text;
}

const std::string& Reader::text() const {
  return checked_text(entry_.value);
}

std::string Reader::absolute_path() const {
  std::string result = text();
  if (result.front() == '~') fail(fmt::format("\"{}\": write the home directory out; whose it is depends on who runs this", result));
  if (result.front() != '/') fail(fmt::format("\"{}\" is not a whole path from /", result));
  while (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

bool Reader::boolean() const {
  const auto* truth = std::get_if<bool>(&entry_.value.data);
  if (!truth) wrong_type(entry_.value, "true or false");
  return *truth;
}

std::int64_t Reader::integer(std::int64_t lowest, std::int64_t highest) const {
  const auto* number = std::get_if<std::int64_t>(&entry_.value.data);
  if (!number) wrong_type(entry_.value, "a whole number");
  if (*number < lowest || *number > highest) fail(fmt::format("{} is not between {} and {}", *number, lowest, highest));
  return *number;
}

std::vector<std::string> Reader::strings() const {
  const auto* array = std::get_if<std::vector<Value>>(&entry_.value.data);
  if (!array) wrong_type(entry_.value, "an array of strings");
  if (array->empty()) fail("must not be empty");
  std::vector<std::string> result;
  std::set<std::string_view> seen;
  for (const auto& element : *array) {
    if (!seen.insert(checked_text(element)).second) fail(fmt::format("names \"{}\" twice", checked_text(element)));
    result.push_back(checked_text(element));
  }
  return result;
}

std::string fault_in_name(std::string_view name, std::string_view extra_characters) {
  if (name.empty()) return "must not be empty";
  if (name.front() == '-') return fmt::format("\"{}\" must not begin with '-'", util::printable(name));
  if (name.size() > 253) return "is longer than 253 characters";
  for (char c : name) {
    if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-' && extra_characters.find(c) == std::string_view::npos)
      return fmt::format("\"{}\" must not hold '{}'", util::printable(name), util::printable(std::string_view(&c, 1)));
  }
  return {};
}

std::string Reader::name(std::string_view extra_characters) const {
  const auto& result = text();
  if (const auto fault = fault_in_name(result, extra_characters); !fault.empty()) fail(fault);
  return result;
}

}  // namespace gsync::config
