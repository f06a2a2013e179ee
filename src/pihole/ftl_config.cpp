#include <fmt/format.h>
#include <linux/capability.h>
#include <poll.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"

extern char** environ;

namespace gsync::pihole {
namespace {

// MAX_ARG_STRLEN of Linux, with its terminator: more in one argument is E2BIG, whatever the stack's limit.
constexpr std::size_t max_argument = 128u << 10;
constexpr std::size_t max_words = 500;

std::string_view key_of(model::RecordKind kind) {
  switch (kind) {
    case model::RecordKind::dns:
      return "dns.hosts";
    case model::RecordKind::cname:
      return "dns.cnameRecords";
    case model::RecordKind::dhcp:
      break;
  }
  return "dhcp.hosts";
}

std::string json_of(model::RecordKind kind, const model::RecordLines& lines) {
  std::string json;
  try {
    json = nlohmann::json(lines).dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::refused, fmt::format("{} holds a line that is not valid UTF-8", key_of(kind)),
                "correct that record on the Pi-hole that has it");
  }
  if (json.size() >= max_argument) {
    throw Error(ErrorCode::refused,
                fmt::format("{} lines of {} are {}, more than pihole-FTL --config can be given at once", lines.size(), key_of(kind),
                            util::human_bytes(json.size())),
                "leave this kind of record out of [sync] components");
  }
  return json;
}

bool environment_has_settings() {
  for (char** variable = environ; variable && *variable; ++variable) {
    if (std::string_view(*variable).starts_with("FTLCONF_")) return true;
  }
  return false;
}

/// What FTL said, on one line.
std::string words_of(const util::CommandResult& result) {
  std::string words;
  for (const auto* stream : {&result.errors, &result.output}) {
    for (auto line : util::split(*stream, '\n')) {
      line = util::trim(line);
      if (line.empty() || words.size() > max_words) continue;
      if (!words.empty()) words += "; ";
      words += util::printable(line.substr(0, max_words));
    }
  }
  return words.empty() ? "it said nothing" : words;
}

/// The exit codes of PIHOLE.md §3.
[[noreturn]] void refused_by_ftl(std::string_view key, const util::CommandResult& result) {
  const auto what = fmt::format("pihole-FTL --config {} failed with exit code {}: {}", key, result.exit_code, words_of(result));
  switch (result.exit_code) {
    case 1:
      throw Error(ErrorCode::refused, what,
                  "FTL lets only root, or user pihole with CAP_CHOWN, change its settings, and nobody while misc.readOnly is true: run it "
                  "with sudo, or look at misc.readOnly");
    case 5:
      throw Error(ErrorCode::refused, what,
                  fmt::format("{} is set by an environment variable of FTL (FTLCONF_…): remove that variable, or leave this kind of record "
                              "out of [sync] components",
                              key));
    case 4:
      throw Error(ErrorCode::io, what, "this pihole-FTL does not know the setting: update Pi-hole");
    default:
      throw Error(ErrorCode::io, what, "correct the record that FTL names, on the Pi-hole that has it");
  }
}

/// As our grammar writes it. FTL normalises white space, and may hold lines from elsewhere that our grammar does not know.
model::RecordLines canonical(model::RecordKind kind, const model::RecordLines& lines) {
  model::RecordLines result;
  for (const auto& line : lines) {
    try {
      result.push_back(model::parse_record(kind, line));
    } catch (const Error&) {
      result.push_back(line);
    }
  }
  return result;
}

void wait_until_written(const Installation& installation, model::RecordKind kind, const model::RecordLines& lines,
                        util::Deadline deadline) {
  const auto wanted = canonical(kind, lines);
  for (;;) {
    const bool last = deadline.passed();
    std::string problem = "it holds other lines";
    try {
      if (canonical(kind, installation.read_toml().records[index_of(kind)]) == wanted) return;
    } catch (const Error& error) {
      // FTL may be writing it at this moment.
      problem = error.what();
    }
    if (last) {
      throw Error(ErrorCode::timeout,
                  fmt::format("{} was handed to pihole-FTL --config, but did not arrive in {}: {}", key_of(kind), installation.toml_path(),
                              problem),
                  "look into FTL's log (/var/log/pihole/FTL.log) and run it again");
    }
    ::poll(nullptr, 0, deadline.at_most(std::chrono::milliseconds(20)).poll_timeout());
  }
}

}  // namespace

void set_records(const Installation& installation, model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) {
  const auto key = key_of(kind);
  if (installation.ftl_binary.empty()) {
    throw Error(ErrorCode::not_found, fmt::format("{} cannot be set: no pihole-FTL was found", key),
                "set [pihole] ftl_binary to where it is");
  }
  const auto json = json_of(kind, lines);
  // `--config` run without FTL's own variables resets what they set, and may keep FTL from starting again (PIHOLE.md §3).
  if (installation.read_toml().from_environment && !environment_has_settings()) {
    throw Error(ErrorCode::refused,
                fmt::format("{} cannot be set: FTL has settings from FTLCONF_ variables of its environment (see {}), and pihole-FTL "
                            "--config run without them would reset them",
                            key, installation.toml_path()),
                "give this program the same FTLCONF_ variables, or leave records out of [sync] components");
  }
  const auto result =
      util::run({.argv = {installation.ftl_binary, "--config", std::string(key), json}, .ambient_capabilities = {CAP_CHOWN}}, deadline);
  if (result.exit_code != 0) refused_by_ftl(key, result);
  wait_until_written(installation, kind, lines, deadline);
}

}  // namespace gsync::pihole
