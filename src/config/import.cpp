#include "gsync/config/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "document.hpp"
#include "gsync/config/settings.hpp"
#include "gsync/util/text.hpp"

namespace gsync::config {
namespace {

struct Assignment {
  std::string name;
  std::optional<std::string> value;  ///< nullopt: only a shell knows
};

bool is_name(std::string_view text) {
  const auto part = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !text.empty() && (text.front() < '0' || text.front() > '9') && std::ranges::all_of(text, part);
}

/// What stands behind a value may only be a comment.
bool ends_here(std::string_view rest) {
  rest = util::trim(rest);
  return rest.empty() || rest.front() == '#' || rest.front() == ';';
}

std::optional<std::string> value_of(std::string_view text) {
  if (text.empty()) return "";
  const char quote = text.front();
  if (quote == '\'' || quote == '"') {
    const auto end = text.find(quote, 1);
    if (end == std::string_view::npos || !ends_here(text.substr(end + 1))) return std::nullopt;
    const auto inside = text.substr(1, end - 1);
    if (quote == '"' && inside.find_first_of("$`\\") != std::string_view::npos) return std::nullopt;
    return std::string(inside);
  }
  const auto end = std::min(text.find_first_of(" \t"), text.size());
  if (text.substr(0, end).find_first_of("$`\\\"';|&<>(){}*?") != std::string_view::npos || !ends_here(text.substr(end)))
    return std::nullopt;
  return std::string(text.substr(0, end));
}

std::vector<Assignment> assignments(std::string_view text, const std::string& path) {
  std::vector<Assignment> all;
  std::size_t number = 0;
  for (auto line : util::split(text, '\n')) {
    ++number;
    line = util::trim(line);
    if (line.starts_with("export ")) line = util::trim(line.substr(7));
    if (line.empty() || line.front() == '#') continue;
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || !is_name(line.substr(0, equals)))
      fail_at(path, number, "this is no assignment", "is this the gravity-sync.conf of the old script?");
    Assignment next{std::string(line.substr(0, equals)), value_of(line.substr(equals + 1))};
    // As in a shell the last one holds.
    std::erase_if(all, [&](const Assignment& each) { return each.name == next.name; });
    all.push_back(std::move(next));
  }
  return all;
}

/// One name of many that say the same, and the sentence for it.
struct Gone {
  std::string_view beginning;  ///< of the variable's name; a whole name ends in a blank
  std::string_view why;
};

constexpr Gone without_counterpart[] = {
    {"REMOTE_USER ",
     "peers are logged in to as gravity-sync, an account that can do nothing else: `gravity-sync key` here, `accept` there"},
    {"GS_SSH_PKIF ",
     "that key opened a shell: make one for this purpose alone with `gravity-sync key`, and remove the old one on the peer"},
    {"SSH_PKIF ", "that key opened a shell: make one for this purpose alone with `gravity-sync key`, and remove the old one on the peer"},
    {"REMOTE_", "each Pi-hole says this of itself: `gravity-sync info` on the peer shows what is found there"},
    {"RIHOLE_", "each Pi-hole says this of itself: `gravity-sync info` on the peer shows what is found there"},
    {"ROCKER_", "each Pi-hole says this of itself: `gravity-sync info` on the peer shows what is found there"},
    {"LOCAL_FILE_OWNER ", "files keep the owner that they have"},
    {"FILE_OWNER ", "files keep the owner that they have"},
    {"LOCAL_DOCKER_BINARY ", "the docker command is looked for in PATH"},
    {"LOCAL_PODMAN_BINARY ", "the podman command is looked for in PATH"},
    {"PIHOLE_CONTAINER_IMAGE ", "containers are named and not guessed by their image: [pihole] container"},
    {"PH_CUSTOM_DNS ", "these files have fixed names"},
    {"PH_CNAME_CONF ", "these files have fixed names"},
    {"PH_SDHCP_CONF ", "these files have fixed names"},
    {"PING_AVOID ", "nobody is pinged: a peer is asked by SSH alone"},
    {"GS_BACKUP_", "versions of lists and records are kept by themselves, the last 50: `gravity-sync restore`"},
    {"BACKUP_", "versions of lists and records are kept by themselves, the last 50: `gravity-sync restore`"},
    {"GS_LOCAL_REPO ", "updates come as packages"},
    {"GS_", "gravity-sync keeps its own files in [node] state_directory"},
    {"LOG_", "the log is the journal's: journalctl -u gravity-sync, and `gravity-sync history`"},
};

class Import {
 public:
  explicit Import(std::vector<Assignment> all) : all_(std::move(all)) {}

  Imported run() {
    container();
    paths();
    components();
    peer();
    rest();
    result_.toml += pihole_.empty() ? "" : "[pihole]\n" + pihole_ + "\n";
    result_.toml += sync_.empty() ? "" : "[sync]\n" + sync_ + "\n";
    result_.toml += peer_;
    return std::move(result_);
  }

 private:
  /// Its value, once: what nobody asks for is left.
  std::optional<std::string> take(std::string_view name) {
    const auto found = std::ranges::find(all_, name, &Assignment::name);
    if (found == all_.end() || !found->value) return std::nullopt;
    auto value = std::move(found->value);
    all_.erase(found);
    if (value->empty()) return std::nullopt;
    return value;
  }
  std::pair<std::string, std::optional<std::string>> take_one_of(std::initializer_list<std::string_view> names) {
    for (auto name : names) {
      if (auto value = take(name)) return {std::string(name), value};
    }
    return {};
  }

  void taken(std::string_view variable, std::string_view setting) { result_.taken.push_back(fmt::format("{}: {}", variable, setting)); }
  void left(std::string_view variable, std::string_view why) { result_.left.push_back(fmt::format("{}: {}", variable, why)); }

  void set(std::string_view variable, std::string& section, std::string_view header, std::string_view key, const std::string& value) {
    const auto line = fmt::format("{} = {}", key, value);
    section += line + "\n";
    taken(variable, fmt::format("{} {}", header, line));
  }

  /// A path, unless it is what is found anyway.
  void path(std::initializer_list<std::string_view> names, std::string_view key, std::string_view usual) {
    const auto [name, value] = take_one_of(names);
    if (!value) return;
    auto path = *value;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (path.front() != '/')
      left(name, fmt::format("\"{}\" is not a whole path from /", util::printable(path)));
    else if (path == usual)
      taken(name, "it is the default");
    else
      set(name, pihole_, "[pihole]", key, quoted(path));
  }

  void container() {
    const auto [name, value] = take_one_of({"LOCAL_DOCKER_CONTAINER", "DOCKER_CON"});
    if (!value) return;
    if (const auto fault = fault_in_name(*value); !fault.empty()) return left(name, "the name of a container " + fault);
    in_container_ = true;
    set(name, pihole_, "[pihole]", "runtime", "\"docker\"");
    set(name, pihole_, "[pihole]", "container", quoted(*value));
    left(name,
         "the script took the container only where no Pi-hole was installed on the host itself; write runtime = \"podman\" for podman");
  }

  void paths() {
    if (in_container_)
      path({"DEFAULT_PIHOLE_DIRECTORY"}, "directory", "/etc/pihole");
    else
      path({"LOCAL_PIHOLE_DIRECTORY", "PIHOLE_DIR"}, "directory", "/etc/pihole");
    path({"LOCAL_DNSMASQ_DIRECTORY", "DNSMAQ_DIR"}, "dnsmasq_directory", "/etc/dnsmasq.d");
    path({"LOCAL_FTL_BINARY"}, "ftl_binary", "/usr/bin/pihole-FTL");
    path({"LOCAL_PIHOLE_BINARY", "PIHOLE_BIN"}, "pihole_command", "/usr/local/bin/pihole");
    if (auto file = take("PH_GRAVITY_FI")) {
      if (*file == "gravity.db")
        taken("PH_GRAVITY_FI", "it is the default");
      else
        left("PH_GRAVITY_FI", "name its whole path: [pihole] gravity_database");
    }
  }

  void components() {
    const auto skip = take("SKIP_CUSTOM");
    if (skip == "1") set("SKIP_CUSTOM", sync_, "[sync]", "components", R"(["lists", "blocklist", "cname", "dhcp"])");
  }

  void peer() {
    const auto host = take("REMOTE_HOST");
    const auto [port_name, port] = take_one_of({"GS_SSH_PORT", "SSH_PORT"});
    if (!host) {
      left("REMOTE_HOST", "it names no peer: add a [[peer]] with name and host");
      return;
    }
    PeerConfig peer;
    // The script's own default: either side may be edited.
    peer.mode = Mode::sync;
    peer.host = *host;
    if (const auto fault = fault_in_name(peer.host, ":%"); !fault.empty()) return left("REMOTE_HOST", fault);
    peer.name = peer.host;
    std::ranges::replace_if(
        peer.name, [](char c) { return c == ':' || c == '%'; }, '-');
    peer.name.erase(0, std::min(peer.name.find_first_not_of('-'), peer.name.size()));
    taken("REMOTE_HOST", fmt::format("[[peer]] host = {}, called {}, with mode = \"sync\"", quoted(peer.host), quoted(peer.name)));
    if (port) {
      std::uint16_t number = 0;
      const auto [end, error] = std::from_chars(port->data(), port->data() + port->size(), number);
      if (error != std::errc() || end != port->data() + port->size() || number == 0) {
        left(port_name, fmt::format("\"{}\" is not a port", util::printable(*port)));
      } else {
        peer.port = number;
        taken(port_name, fmt::format("[[peer]] port = {}", number));
      }
    }
    peer_ = peer_section(peer);
  }

  void rest() {
    for (const auto& each : all_) {
      if (!each.value) {
        left(each.name, "a shell makes its value of something else: write it out");
        continue;
      }
      const auto name = each.name + " ";
      const auto known = std::ranges::find_if(without_counterpart, [&](const Gone& gone) { return name.starts_with(gone.beginning); });
      left(each.name, known == std::end(without_counterpart) ? "there is nothing like it" : known->why);
    }
  }

  std::vector<Assignment> all_;
  std::string pihole_;
  std::string sync_;
  std::string peer_;
  bool in_container_ = false;
  Imported result_;
};

}  // namespace

Imported import_script(std::string_view text, const std::string& path) {
  return Import(assignments(text, path)).run();
}

}  // namespace gsync::config
