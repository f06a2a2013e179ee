#include <fmt/format.h>
#include <linux/capability.h>
#include <poll.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "gsync/model/setting.hpp"
#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"

extern char** environ;

namespace gsync::pihole {

std::string why_no_records(const Installation& installation) {
  if (installation.runtime == config::Runtime::volume) {
    return fmt::format(
        "{} belongs to a container ({}), and only a command in it can change them: set [pihole] runtime = \"docker\" or \"podman\" on its "
        "host",
        installation.directory, installation.how_runtime);
  }
  if (installation.container && !installation.container->inspection().running)
    return fmt::format("{} does not run, and only a command in it can change them", installation.container->label());
  if (!installation.container && installation.ftl_binary.empty())
    return "no pihole-FTL that works on " + installation.directory + " was found on this host, and only it can change them";
  return {};
}

std::string_view setting_of(model::RecordKind kind) {
  switch (kind) {
    case model::RecordKind::dns:
      return "dns.hosts";
    case model::RecordKind::cname:
      return "dns.cnameRecords";
    case model::RecordKind::dhcp:
      return "dhcp.hosts";
    case model::RecordKind::setting:
      break;
  }
  return {};
}

ConfigWords config_words(model::RecordKind kind, const std::string& text) {
  if (kind != model::RecordKind::setting) return {std::string(setting_of(kind)), text};
  const auto line = model::parse_record(kind, text);
  return {std::string(model::setting_key_of(line)), model::setting_argument(line)};
}

std::string variable_of(std::string_view key) {
  std::string name = "FTLCONF_" + std::string(key);
  std::ranges::replace(name, '.', '_');
  return name;
}

std::vector<std::string> missing_variables(const Installation& installation) {
  std::set<std::string, std::less<>> ours;
  if (installation.container) {
    const auto& variables = installation.container->inspection().variables;
    ours.insert(variables.begin(), variables.end());
  } else {
    for (char** variable = environ; variable && *variable; ++variable)
      ours.emplace(std::string_view(*variable).substr(0, std::string_view(*variable).find('=')));
  }
  auto missing = installation.read_toml().forced;
  std::erase_if(missing, [&](const std::string& name) { return ours.contains(name); });
  return missing;
}

namespace {

// MAX_ARG_STRLEN of Linux, with its terminator: more in one argument is E2BIG, whatever the stack's limit.
constexpr std::size_t max_argument = 128u << 10;

std::string json_of(model::RecordKind kind, const model::RecordLines& lines) {
  std::string json;
  try {
    json = nlohmann::json(lines).dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::refused, fmt::format("{} holds a line that is not valid UTF-8", setting_of(kind)),
                "correct that record on the Pi-hole that has it");
  }
  if (json.size() >= max_argument) {
    throw Error(ErrorCode::refused,
                fmt::format("{} lines of {} are {}, more than pihole-FTL --config can be given at once", lines.size(), setting_of(kind),
                            util::human_bytes(json.size())),
                "leave this kind of record out of [sync] components");
  }
  return json;
}

util::CommandResult run_config(const Installation& installation, model::RecordKind kind, const std::string& text, util::Deadline deadline) {
  if (installation.container) return installation.container->run({Container::Action::set_records, kind, text}, deadline);
  const auto [key, value] = config_words(kind, text);
  return util::run({.argv = {installation.ftl_binary, "--config", key, value}, .ambient_capabilities = {CAP_CHOWN}}, deadline);
}

/// How a person keeps it from being set.
std::string leave_out(model::RecordKind kind, std::string_view key) {
  return kind == model::RecordKind::setting ? fmt::format("take {} out of [sync] settings", key)
                                            : std::string("leave this kind of record out of [sync] components");
}

/// The exit codes of PIHOLE.md §3.
[[noreturn]] void refused_by_ftl(model::RecordKind kind, std::string_view key, const util::CommandResult& result) {
  const auto what = fmt::format("pihole-FTL --config {} failed with exit code {}: {}", key, result.exit_code, util::words_of(result));
  switch (result.exit_code) {
    case 1:
      throw Error(ErrorCode::refused, what,
                  "FTL lets only root, or user pihole with CAP_CHOWN, change its settings, and nobody while misc.readOnly is true: run it "
                  "with sudo, or look at misc.readOnly");
    case 5:
      throw Error(
          ErrorCode::refused, what,
          fmt::format("{} is set by an environment variable of FTL (FTLCONF_…): remove that variable, or {}", key, leave_out(kind, key)));
    case 4:
      throw Error(ErrorCode::io, what, "this pihole-FTL does not know the setting: update Pi-hole");
    default:
      throw Error(ErrorCode::io, what,
                  kind == model::RecordKind::setting ? fmt::format("change it on the Pi-hole that has it, or {}", leave_out(kind, key))
                                                     : "correct the record that FTL names, on the Pi-hole that has it");
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

/// That setting, if it is one that may travel.
std::optional<std::string> line_of(const PiholeToml& toml, std::string_view key) {
  const auto value = toml.settings.find(key);
  if (value == toml.settings.end()) return std::nullopt;
  try {
    return model::setting_line(key, value->second);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void wait_until_written(const Installation& installation, std::string_view key, const std::function<bool(const PiholeToml&)>& is_there,
                        util::Deadline deadline) {
  for (;;) {
    const bool last = deadline.passed();
    std::string problem = "it holds something else";
    try {
      if (is_there(installation.read_toml())) return;
    } catch (const Error& error) {
      // FTL may be writing it at this moment.
      problem = error.what();
    }
    if (last) {
      throw Error(ErrorCode::timeout,
                  fmt::format("{} was handed to pihole-FTL --config, but did not arrive in {}: {}", key, installation.toml_path(), problem),
                  "look into FTL's log (/var/log/pihole/FTL.log) and run it again");
    }
    ::poll(nullptr, 0, deadline.at_most(std::chrono::milliseconds(20)).poll_timeout());
  }
}

void require_same_environment(const Installation& installation, std::string_view what) {
  const auto missing = missing_variables(installation);
  if (missing.empty()) return;
  const auto names = fmt::format("{}", fmt::join(missing, ", "));
  throw Error(ErrorCode::refused,
              fmt::format("{} cannot be set: FTL has settings from {} in its environment (see the end of {}), and pihole-FTL --config "
                          "run without {} would reset them",
                          what, names, installation.toml_path(), missing.size() == 1 ? "it" : "them"),
              fmt::format("give {} to {}, or leave {} out of [sync]{}", names,
                          installation.container ? "the container itself (-e, environment)" : "this program as well", what,
                          what == "settings" ? "" : " components"));
}

void require_a_way(const Installation& installation, std::string_view key, std::string_view what) {
  if (auto why = why_no_records(installation); !why.empty()) throw Error(ErrorCode::refused, fmt::format("{} cannot be set: {}", key, why));
  require_same_environment(installation, what);
}

/// As FTL takes them; what require_settable() promises.
std::string settable_json(const Installation& installation, model::RecordKind kind, const model::RecordLines& lines) {
  require_a_way(installation, setting_of(kind), "records");
  return json_of(kind, lines);
}

}  // namespace

void require_settable(const Installation& installation, model::RecordKind kind, const model::RecordLines& lines) {
  if (kind == model::RecordKind::setting)
    require_a_way(installation, "a setting", "settings");
  else
    settable_json(installation, kind, lines);
}

void set_records(const Installation& installation, model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) {
  const auto result = run_config(installation, kind, settable_json(installation, kind, lines), deadline);
  if (result.exit_code != 0) refused_by_ftl(kind, setting_of(kind), result);
  const auto wanted = canonical(kind, lines);
  const auto is_there = [&](const PiholeToml& toml) { return canonical(kind, toml.records[index_of(kind)]) == wanted; };
  wait_until_written(installation, setting_of(kind), is_there, deadline);
}

void set_setting(const Installation& installation, const std::string& line, util::Deadline deadline) {
  constexpr auto kind = model::RecordKind::setting;
  const auto key = model::setting_key_of(line);
  require_a_way(installation, key, "settings");
  const auto result = run_config(installation, kind, line, deadline);
  if (result.exit_code != 0) refused_by_ftl(kind, key, result);
  wait_until_written(
      installation, key, [&](const PiholeToml& toml) { return line_of(toml, key) == line; }, deadline);
}

}  // namespace gsync::pihole
