#include "gsync/config/toml_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace gsync::config {
namespace {

constexpr std::size_t max_key_parts = 500;  // people write two, FTL four
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Walks over strings and comments as toml++ does, as long as the text is TOML; toml++ ends at the first place where it is not, but looks
/// ahead to the end of a value before it does.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<TomlFault> run() {
    if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        if (!may_begin_string()) return in_a_word(c);
        if (!skip_string(c)) return fault("this character cannot come next after a backslash");
        begun_ = true;
        continue;
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      if (static_cast<unsigned char>(c) >= 0x80) return fault("this character can only stand in quotes or in a comment");
      if (c == '.' && ++dots_ == max_key_parts) return fault(fmt::format("there is a key of more than {} parts", max_key_parts));
      if (in_value_ && begun_ && (c == '[' || c == '{' || c == '=')) return in_a_word(c);
      take(c);
      ++at_;
    }
    return std::nullopt;
  }

 private:
  /// What a bracket encloses.
  enum class Inside : unsigned char { header, array, table };

  TomlFault fault(std::string what) const { return {line_, std::move(what)}; }

  TomlFault in_a_word(char c) const { return fault(fmt::format("there is a {} in the middle of a word", c)); }

  bool may_begin_string() const {
    if (in_value_) return !begun_;
    constexpr std::string_view before_a_key = " \t\r\n[{,.";
    return at_ == 0 || before_a_key.find(text_[at_ - 1]) != std::string_view::npos;
  }

  void take(char c) {
    if (c == '=') {
      expect(true);
    } else if (c == '[') {
      inside_.push_back(in_value_ ? Inside::array : Inside::header);
      expect(in_value_);
    } else if (c == '{') {
      inside_.push_back(Inside::table);
      expect(false);
    } else if (c == ']' || c == '}') {
      in_value_ = !inside_.empty() && inside_.back() != Inside::header;
      begun_ = true;
      if (!inside_.empty()) inside_.pop_back();
    } else if (c == ',') {
      expect(!inside_.empty() && inside_.back() == Inside::array);
    } else if (c == '\n') {
      ++line_;
      if (!inside_.empty()) return;
      expect(false);
      dots_ = 0;  // tables in the values of one statement add up
    } else if (c != ' ' && c != '\t' && c != '\r') {
      begun_ = true;
    }
  }

  void expect(bool value) {
    in_value_ = value;
    begun_ = false;
  }

  bool skip_string(char quote) {
    const std::string three(3, quote);
    const bool several_lines = text_.substr(at_).starts_with(three);
    at_ += several_lines ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n' && !several_lines) return true;  // not TOML
      if (c == '\n') ++line_;
      if (c == '\\' && quote == '"') {
        if (!skip_escape(several_lines)) return false;
      } else if (c != quote || (several_lines && !text_.substr(at_).starts_with(three))) {
        ++at_;
      } else {
        // Up to two quotes more belong to the text of a string of several lines.
        at_ += several_lines ? 3 : 1;
        for (int more = 0; several_lines && more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
        return true;
      }
    }
    return true;
  }

  /// A backslash at the end of a line takes the white space after it along, where toml++ must not meet such characters either.
  bool skip_escape(bool several_lines) {
    ++at_;
    const auto begin = at_;
    for (; several_lines && at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])); ++at_)
      if (text_[at_] == '\n') ++line_;
    if (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x80) return false;
    if (at_ == begin && at_ < text_.size() && text_[at_] != '\n') ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t dots_ = 0;
  std::vector<Inside> inside_;
  bool in_value_ = false;
  bool begun_ = false;  // the value has
};

}  // namespace

std::optional<TomlFault> toml_fault(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace gsync::config
