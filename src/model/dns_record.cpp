#include "gsync/util/text.hpp"
#include "record_grammar.hpp"

namespace gsync::model::grammar {

std::string dns(std::string_view line) {
  std::string canonical;
  std::size_t names = 0;
  for (auto word : util::split(line, ' ')) {
    if (word.empty()) continue;
    if (canonical.empty()) {
      if (!is_ipv4(word) && !is_ipv6(word)) refuse("it does not begin with an IPv4 or IPv6 address (without a zone)");
      canonical = word;
    } else {
      canonical.append(" ").append(name(word));
      ++names;
    }
  }
  if (canonical.empty()) refuse("it is empty");
  if (names == 0) refuse("there is no name after the address");
  return canonical;
}

}  // namespace gsync::model::grammar
