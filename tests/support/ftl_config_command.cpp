#include "support/ftl_config_command.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "support/ftl_records.hpp"
#include "support/ftl_toml.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {

namespace {

/// What ends the command: an exit code, with what is printed to stderr.
struct Refusal {
  int exit_code;
  std::string message;
};

bool has_cap_chown() {
  const std::string status = read_text("/proc/self/status");
  const auto at = status.find("CapEff:");
  return at != status.npos && (std::stoull(status.substr(at + 7), nullptr, 16) & 1) != 0;
}

bool is_array(const std::string& raw) {
  return raw.rfind('[', 0) == 0;
}

/// The elements of an array that we wrote ourselves: JSON and TOML agree on these strings.
std::vector<std::string> elements(const std::string& raw) {
  return nlohmann::json::parse(raw).get<std::vector<std::string>>();
}

/// Not quoted, as the real one prints them: not to be parsed.
std::string printed(const std::string& raw) {
  if (is_array(raw)) {
    const auto values = elements(raw);
    return values.empty() ? "[]" : fmt::format("[ {} ]", fmt::join(values, ", "));
  }
  return raw.rfind('"', 0) == 0 ? nlohmann::json::parse(raw).get<std::string>() : raw;
}

std::vector<std::string> parse_array(const std::string& key, const std::string& value) {
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (!json.is_array() || std::any_of(json.begin(), json.end(), [](const auto& each) { return !each.is_string(); }))
    throw Refusal{2, fmt::format("Config setting {} is invalid: not a valid JSON array of strings", key)};
  return json.get<std::vector<std::string>>();
}

std::string checked_array(const TomlSettings& settings, const std::string& key, const std::string& value) {
  auto lines = parse_array(key, value);
  std::string problem;
  if (key == "dns.hosts") {
    problem = hosts_problem(lines);
    for (auto& line : lines) line = fmt::format("{}", fmt::join(words_of(line, " \t"), " "));
  } else if (key == "dns.cnameRecords") {
    problem = cname_problem(lines);
  } else if (key == "dhcp.hosts") {
    problem = dhcp_problem(lines, settings.dhcp_active);
  } else if (key == "dns.upstreams" && std::find(lines.begin(), lines.end(), "0.0.0.0") != lines.end()) {
    problem = "dnsmasq: bad address";
  }
  if (!problem.empty()) throw Refusal{3, fmt::format("New config setting {} is invalid: {}", key, problem)};
  return toml_array(lines);
}

/// TOML for the new value, which has the type of the old one.
std::string checked_value(const TomlSettings& settings, const std::string& key, const std::string& old_raw, const std::string& value) {
  if (is_array(old_raw)) return checked_array(settings, key, value);
  if (old_raw.rfind('"', 0) == 0) return toml_string(value);
  if (old_raw == "true" || old_raw == "false") {
    if (value != "true" && value != "false") throw Refusal{2, fmt::format("Config setting {} is invalid: not a boolean", key)};
    return value;
  }
  try {
    const auto number = std::stoll(value);  // integers wrap in the real one too
    return key == "dns.port" ? fmt::format("{}", static_cast<std::uint16_t>(number))
                             : fmt::format("{}", static_cast<std::uint32_t>(number));
  } catch (const std::exception&) {
    throw Refusal{2, fmt::format("Config setting {} is invalid: not a number", key)};
  }
}

std::string variable_of(const std::string& key) {
  std::string variable = "FTLCONF_" + key;
  std::replace(variable.begin(), variable.end(), '.', '_');
  return variable;
}

void check_rights(const TomlSettings& settings, const std::string& key) {
  const char* needs_chown = std::getenv("FTL_STAND_IN_NEEDS_CHOWN");
  if (needs_chown && std::string(needs_chown) == "1" && !has_cap_chown())
    throw Refusal{1, "CAP_CHOWN is missing: run this as root or as the user of pihole-FTL"};
  if (settings.read_only && key != "misc.readOnly") throw Refusal{1, "The configuration is read-only (misc.readOnly)"};
  const auto variable = variable_of(key);
  if (std::getenv(variable.c_str())) throw Refusal{5, fmt::format("{} is set by the environment variable {}", key, variable)};
}

void write_settings(const std::string& directory, const std::string& path, const std::string& text) {
  std::filesystem::create_directory(directory + "/config_backups");
  std::filesystem::copy_file(path, directory + "/config_backups/pihole.toml.1", std::filesystem::copy_options::overwrite_existing);
  struct stat before {};
  if (::stat(path.c_str(), &before) != 0) before.st_uid = before.st_gid = 0;
  replace_text(path, text, 0640);
  // Run by root it gives the file back to its user.
  if (::geteuid() == 0 && ::chown(path.c_str(), before.st_uid, before.st_gid) != 0) throw std::runtime_error("cannot chown " + path);
}

/// What the real one does to settings from variables that this command does not have.
void reset_what_is_not_forced_any_more(const TomlSettings& settings, const std::string& directory, const std::string& path,
                                       const std::string& text) {
  for (const auto& key : settings.forced) {
    if (std::getenv(variable_of(key).c_str())) continue;
    write_settings(directory, path, replace_value(text, key, "[]").value());
    throw Refusal{1, "Resetting " + key + " to default (not forced anymore)"};
  }
}

}  // namespace

int config_command(const std::string& directory, const std::vector<std::string>& arguments) {
  const std::string path = directory + "/pihole.toml";
  try {
    if (arguments.empty() || arguments.size() > 2) throw Refusal{1, "usage: --config KEY [VALUE]"};
    const std::string& key = arguments[0];
    const std::string text = read_text(path);
    const auto old_raw = raw_value(text, key);
    if (!old_raw) throw Refusal{4, "Unknown config option " + key};
    if (arguments.size() == 1) {
      std::cout << printed(*old_raw) << "\n";
      return 0;
    }
    const TomlSettings settings = parse_settings(text);
    reset_what_is_not_forced_any_more(settings, directory, path, text);
    check_rights(settings, key);
    const std::string raw = checked_value(settings, key, *old_raw, arguments[1]);
    if (raw != *old_raw) write_settings(directory, path, replace_value(text, key, raw).value());
    std::cout << printed(raw) << "\n";
    return 0;
  } catch (const Refusal& refusal) {
    std::cerr << refusal.message << "\n";
    return refusal.exit_code;
  } catch (const std::exception& e) {
    std::cerr << path << ": " << e.what() << "\n";
    return 1;
  }
}

}  // namespace gsync::test
