#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <optional>

#include "gsync/config/toml_text.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t max_bytes = 4u << 20;  // some sixty times what FTL writes

constexpr const char* repair_hint = "look at the file; FTL keeps earlier versions of it in config_backups beside it";

[[noreturn]] void corrupt(const std::string& path, std::size_t line, std::string_view what) {
  throw Error(ErrorCode::corrupt, fmt::format("{}:{}: {}", path, line, util::printable(what)), repair_hint);
}

void check_text(const std::string& text, const std::string& path) {
  if (text.size() > max_bytes) {
    throw Error(ErrorCode::corrupt, fmt::format("{} is larger than the {} that FTL would ever write", path, util::human_bytes(max_bytes)),
                repair_hint);
  }
  if (const auto fault = config::toml_fault(text)) corrupt(path, fault->line, fault->what);
}

/// FTL lists them in comments at the end of the file, and reads them there itself (its src/config/env.c, read_forced_vars).
std::vector<std::string> forced_variables(const std::string& text) {
  std::vector<std::string> variables;
  const auto heading = text.rfind(" forced through environment:\n");
  if (heading == std::string::npos) return variables;
  constexpr std::string_view bullet = "#   - ";
  auto lines = util::split(std::string_view(text).substr(heading), '\n');
  for (std::size_t i = 1; i < lines.size() && lines[i].starts_with(bullet); ++i) {
    auto variable = "FTLCONF_" + std::string(util::trim(lines[i].substr(bullet.size())));
    std::replace(variable.begin(), variable.end(), '.', '_');
    variables.push_back(std::move(variable));
  }
  return variables;
}

/// Looks up settings; what is not there keeps its default, as in FTL.
class Settings {
 public:
  Settings(const toml::table& root, const std::string& path) : root_(root), path_(path) {}

  void text(std::string_view section, std::string_view key, std::string& target) const {
    if (const auto* node = find(section, key)) target = string_of(*node, section, key);
  }

  void truth(std::string_view section, std::string_view key, bool& target) const {
    const auto* node = find(section, key);
    if (!node) return;
    if (!node->is_boolean()) wrong(*node, section, key, "true or false");
    target = node->as_boolean()->get();
  }

  void port(std::string_view section, std::string_view key, std::uint16_t& target) const {
    const auto* node = find(section, key);
    if (!node) return;
    const auto* number = node->as_integer();
    if (!number || number->get() < 0 || number->get() > 65'535) wrong(*node, section, key, "a port number");
    target = static_cast<std::uint16_t>(number->get());
  }

  void lines(std::string_view section, std::string_view key, model::RecordLines& target) const {
    const auto* node = find(section, key);
    if (!node) return;
    const auto* array = node->as_array();
    if (!array) wrong(*node, section, key, "an array of strings");
    for (const auto& element : *array) target.push_back(string_of(element, section, key));
  }

 private:
  const toml::node* find(std::string_view section, std::string_view key) const {
    const auto* node = root_.get(section);
    if (!node) return nullptr;
    const auto* table = node->as_table();
    if (!table) corrupt(path_, node->source().begin.line, fmt::format("{} is not a section", section));
    return table->get(key);
  }

  const std::string& string_of(const toml::node& node, std::string_view section, std::string_view key) const {
    if (!node.is_string()) wrong(node, section, key, "a string");
    return node.as_string()->get();
  }

  [[noreturn]] void wrong(const toml::node& node, std::string_view section, std::string_view key, std::string_view wanted) const {
    corrupt(path_, node.source().begin.line, fmt::format("{}.{} is not {}", section, key, wanted));
  }

  const toml::table& root_;
  const std::string& path_;
};

/// nullopt for what none of them is.
std::optional<model::SettingValue> setting_value(const toml::node& node) {
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  const auto* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  for (const auto& element : *array) {
    if (!element.is_string()) return std::nullopt;
    texts.push_back(element.as_string()->get());
  }
  return texts;
}

const toml::node* find_dotted(const toml::table& root, std::string_view key) {
  const toml::node* node = &root;
  for (auto part : util::split(key, '.')) {
    const auto* table = node->as_table();
    node = table == nullptr ? nullptr : table->get(part);
    if (node == nullptr) return nullptr;
  }
  return node;
}

}  // namespace

PiholeToml parse_pihole_toml(const std::string& text, const std::string& path) {
  check_text(text, path);
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    corrupt(path, error.source().begin.line, error.description());
  }

  PiholeToml result;
  const Settings settings(root, path);
  settings.text("files", "gravity", result.gravity_database);
  settings.text("files", "pid", result.pid_file);
  settings.port("dns", "port", result.dns_port);
  settings.truth("misc", "readOnly", result.read_only);
  settings.truth("dhcp", "active", result.dhcp_active);
  settings.lines("dns", "hosts", result.records[index_of(model::RecordKind::dns)]);
  settings.lines("dns", "cnameRecords", result.records[index_of(model::RecordKind::cname)]);
  settings.lines("dhcp", "hosts", result.records[index_of(model::RecordKind::dhcp)]);
  for (auto key : model::setting_keys()) {
    const auto* node = find_dotted(root, key);
    if (auto value = node == nullptr ? std::nullopt : setting_value(*node)) result.settings.emplace(key, std::move(*value));
  }
  result.forced = forced_variables(text);
  return result;
}

}  // namespace gsync::pihole
