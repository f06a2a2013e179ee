#include "support/ftl_v5.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "support/ftl_records.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  return std::filesystem::exists(path) ? words_of(read_text(path), "\n") : std::vector<std::string>{};
}

/// "cname=…" of all files of dnsmasq, as dnsmasq reads them.
std::vector<std::string> options(const std::string& directory, const std::string& option) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string()[0] != '.') files.insert(entry.path());
  }
  std::vector<std::string> values;
  for (const auto& file : files)
    for (const auto& line : lines_of(file))
      if (line.starts_with(option + "=")) values.push_back(line.substr(option.size() + 1, line.find(" #") - option.size() - 1));
  return values;
}

}  // namespace

std::vector<std::string> read_v5_hosts(const std::string& directory) {
  auto lines = lines_of(directory + "/custom.list");
  std::erase_if(lines, [](const auto& line) { return line[0] == '#'; });
  return lines;
}

TomlSettings read_v5_files(const std::string& directory, const std::string& dnsmasq_directory) {
  TomlSettings settings;
  for (const auto& line : lines_of(directory + "/pihole-FTL.conf")) {
    if (line.starts_with("GRAVITYDB=")) settings.gravity = line.substr(line.find('=') + 1);
    if (line.starts_with("PIDFILE=")) settings.pid = line.substr(line.find('=') + 1);
  }
  settings.dns_hosts = read_v5_hosts(directory);
  settings.cname_records = options(dnsmasq_directory, "cname");
  settings.dhcp_hosts = options(dnsmasq_directory, "dhcp-host");
  return settings;
}

std::string v5_problem(const std::string& dnsmasq_directory) {
  const auto problem = cname_problem(options(dnsmasq_directory, "cname"));
  return problem.empty() ? dhcp_problem(options(dnsmasq_directory, "dhcp-host"), true) : problem;
}

}  // namespace gsync::test
