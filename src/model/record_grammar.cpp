#include "record_grammar.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>

#include "gsync/util/text.hpp"

namespace gsync::model::grammar {

void refuse(std::string why) {
  throw Refusal{std::move(why)};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (auto& c : result)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return result;
}

bool is_ipv4(std::string_view text) {
  in_addr address{};
  return inet_pton(AF_INET, std::string(text).c_str(), &address) == 1;
}

bool is_ipv6(std::string_view text) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

std::string name(std::string_view text) {
  auto whole = text;
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  if (text.empty()) refuse("a name is empty");
  if (text.size() > 253) refuse("a name is longer than 253 characters");
  auto labels = util::split(text, '.');
  for (auto label : labels) {
    if (label.empty()) refuse(fmt::format("the name '{}' has an empty part between dots", util::printable(whole)));
    if (label.size() > 63) refuse(fmt::format("the name '{}' has a part of more than 63 characters", util::printable(whole)));
    for (char c : label)
      if (!is_alphanumeric(c) && c != '-' && c != '_')
        refuse(fmt::format("the name '{}' holds '{}'", util::printable(whole), util::printable({&c, 1})));
  }
  // What FTL checks of the last part, and so what it would refuse to store.
  if (labels.back().front() == '-' || labels.back().back() == '-')
    refuse(fmt::format("the last part of the name '{}' begins or ends with '-'", util::printable(whole)));
  return lower(text);
}

}  // namespace gsync::model::grammar
