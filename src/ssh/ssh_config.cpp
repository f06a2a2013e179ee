#include "ssh_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::ssh {
namespace {

using Words = std::pair<std::string_view, std::string_view>;

/// What libssh 0.10 and later take from a file and what then has an effect here.
constexpr std::array<std::string_view, 18> effective{"host",
                                                     "match",
                                                     "hostname",
                                                     "port",
                                                     "user",
                                                     "identityfile",
                                                     "ciphers",
                                                     "macs",
                                                     "kexalgorithms",
                                                     "rekeylimit",
                                                     "proxycommand",
                                                     "hostkeyalgorithms",
                                                     "loglevel",
                                                     "pubkeyacceptedalgorithms",
                                                     "pubkeyacceptedkeytypes",
                                                     "passwordauthentication",
                                                     "kbdinteractiveauthentication",
                                                     "gssapiauthentication"};

/// What people reasonably expect to work, and what to do instead.
constexpr std::array<Words, 15> instead{{
    {"stricthostkeychecking", "host keys are always checked strictly; leave this line out"},
    {"userknownhostsfile", "set known_hosts in [[peer]] instead"},
    {"globalknownhostsfile", "only the known_hosts file of [[peer]] is asked; leave this line out"},
    {"hostkeyalias", "libssh does not know it; run `gravity-sync trust` for the name in [[peer]] host"},
    {"connecttimeout", "set connect_timeout_seconds in [[peer]] instead"},
    {"serveraliveinterval", "keepalives are always sent; leave this line out"},
    {"serveralivecountmax", "keepalives are always sent; leave this line out"},
    {"tcpkeepalive", "keepalives are always sent; leave this line out"},
    {"compression", "what is sent is already compressed; leave this line out"},
    {"identitiesonly", "set identity in [[peer]]: then only that key is tried"},
    {"identityagent", "set SSH_AUTH_SOCK in the environment instead"},
    {"addressfamily", "put an address of the wanted family into [[peer]] host"},
    {"batchmode", "nothing is ever asked; leave this line out"},
    {"include", "write what is in that file into this one"},
    {"proxyjump", "use ProxyCommand ssh -W %h:%p JUMPHOST"},
}};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

[[noreturn]] void refuse(const std::string& path, std::size_t line, std::string_view what, std::string hint) {
  throw Error(ErrorCode::config, fmt::format("{}:{}: {}", path, line, what), std::move(hint));
}

/// The first word; the rest stays in `line`. The keyword may be followed by spaces, an equals sign or both.
std::string_view take_word(std::string_view& line) {
  auto end = line.find_first_of(" \t=");
  auto word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : util::trim(line.substr(end));
  if (!line.empty() && line.front() == '=') line = util::trim(line.substr(1));
  return word;
}

void check_match(std::string_view arguments, const std::string& path, std::size_t line) {
  while (!arguments.empty()) {
    auto criterion = lower(take_word(arguments));
    if (criterion == "all") continue;
    if (criterion != "host" && criterion != "!host")
      refuse(path, line, "Match " + util::printable(criterion) + " is not understood here",
             "use Host or Match host with the name in [[peer]] host");
    take_word(arguments);
  }
}

}  // namespace

void check_ssh_config(std::string_view content, const std::string& path) {
  std::size_t number = 0;
  for (auto line : util::split(content, '\n')) {
    ++number;
    line = util::trim(line);
    if (line.empty() || line.front() == '#') continue;
    auto word = take_word(line);
    auto keyword = lower(word);
    if (std::find(effective.begin(), effective.end(), keyword) != effective.end()) {
      if (keyword == "match") check_match(line, path, number);
      continue;
    }
    auto shown = util::printable(word);
    for (auto [unwanted, advice] : instead)
      if (keyword == unwanted) refuse(path, number, shown + " has no effect here", std::string(advice));
    auto near = util::nearest(keyword, effective);
    refuse(path, number, shown + " is not a keyword that libssh understands",
           near.empty() ? "leave it out of the file that [[peer]] ssh_config names; that file may be one of its own"
                        : "did you mean " + near + "?");
  }
}

}  // namespace gsync::ssh
