#include "v5_settings.hpp"

#include <dirent.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <vector>

#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t max_file = 4u << 20;

std::string read_quietly(const std::string& path) {
  try {
    return util::read_file(path, max_file).value_or("");
  } catch (const Error&) {
    return {};
  }
}

/// As FTL 5 finds it (config.c): the first line with "KEY=" that is not a comment, the first word behind it.
std::string ftl_conf_value(std::string_view text, const std::string& key) {
  for (auto line : util::split(text, '\n')) {
    line = util::trim(line);
    if (!line.starts_with(key + "=")) continue;
    auto value = util::trim(line.substr(key.size() + 1));
    return std::string(value.substr(0, value.find_first_of(" \t")));
  }
  return {};
}

/// Not those that dnsmasq leaves out of a directory (option.c): hidden ones and what editors leave behind.
std::vector<std::string> configuration_files(const std::string& directory) {
  std::vector<std::string> files;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
  if (!open) return files;
  while (const auto* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))) continue;
    files.push_back(directory + "/" + std::string(name));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::optional<std::uint16_t> port_in(std::string_view text) {
  std::optional<std::uint16_t> port;
  for (auto line : util::split(text, '\n')) {
    line = line.substr(0, line.find('#'));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || util::trim(line.substr(0, equals)) != "port") continue;
    const auto value = util::trim(line.substr(equals + 1));
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size()) port = number;
  }
  return port;
}

}  // namespace

V5Settings read_v5_settings(const std::string& directory, const std::string& dnsmasq_directory) {
  V5Settings settings;
  const auto ftl_conf = read_quietly(directory + "/pihole-FTL.conf");
  settings.gravity_database = ftl_conf_value(ftl_conf, "GRAVITYDB");
  settings.pid_file = ftl_conf_value(ftl_conf, "PIDFILE");

  auto files = configuration_files(dnsmasq_directory);
  files.insert(files.begin(), dnsmasq_directory.substr(0, dnsmasq_directory.rfind('/')) + "/dnsmasq.conf");
  for (const auto& file : files) {
    if (const auto port = port_in(read_quietly(file))) {
      settings.dns_port = port;
      settings.dns_port_file = file;
    }
  }
  return settings;
}

}  // namespace gsync::pihole
