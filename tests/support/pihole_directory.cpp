#include "support/pihole_directory.hpp"
#include "support/paths.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/docker_stand_in.hpp"

namespace gsync::test {

namespace {

void make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 || ::chmod(path.c_str(), mode) != 0)
    throw std::system_error(errno, std::generic_category(), "mkdir " + path);
}

/// gravity.sh names the cache after the id, which is why ids must stay what they are.
void write_lists_cache(const std::string& directory, const std::string& gravity) {
  make_directory(directory + "/listsCache", 0755);
  for (const auto& row : rows(gravity, "SELECT id, address FROM adlist")) {
    const std::string& address = row[1].value();
    const auto host = address.find("//") == address.npos ? address : address.substr(address.find("//") + 2);
    write_text(fmt::format("{}/listsCache/list.{}.{}.domains", directory, row[0].value(), host.substr(0, host.find('/'))),
               "cached.example\n", 0640);
  }
}

}  // namespace

PiholeDirectory::PiholeDirectory(PiholeOptions options)
    : options_(std::move(options)), temporary_(std::in_place), root_(temporary_->path()) {
  make();
}

PiholeDirectory::PiholeDirectory(PiholeOptions options, const std::string& root)
    : options_(std::move(options)), root_(std::filesystem::absolute(root).string()) {
  std::filesystem::create_directories(root_);
  if (!std::filesystem::is_empty(root_)) throw std::runtime_error(root_ + " is not empty");
  make();
}

void PiholeDirectory::make() {
  make_directory(directory(), 0775);
  make_directory(dnsmasq(), 0755);
  make_directory(root_ + "/run", 0755);
  make_directory(state(), 0700);
  options_.gravity.build(gravity());

  if (options_.v5)
    make_v5();
  else
    make_v6();
  if (options_.lists_cache) write_lists_cache(directory(), gravity());
  if (options_.backups) {
    make_directory(directory() + "/gravity_backups", 0755);
    std::filesystem::copy_file(gravity(), directory() + "/gravity_backups/gravity.db.1");
  }

  write_text(
      ftl_binary(),
      fmt::format(
          "#!/bin/sh\nexport FTL_STAND_IN_DIRECTORY='{}'\nexport FTL_STAND_IN_DNSMASQ_DIRECTORY='{}'\nexport FTL_STAND_IN_MUSL={}\nexport "
          "FTL_STAND_IN_NEEDS_CHOWN={}\nexec '{}' \"$@\"\n",
          directory(), options_.v5 ? dnsmasq() : "", options_.musl ? 1 : 0, options_.needs_chown ? 1 : 0, paths::ftl_stand_in),
      0755);
  if (!options_.v5 && options_.pihole_script) write_pihole_script("");
  if (options_.container) write_docker_stand_in(*this);
  write_config();
}

void PiholeDirectory::make_v6() {
  TomlSettings settings;
  settings.dns_hosts = options_.dns_hosts;
  settings.cname_records = options_.cname_records;
  settings.dhcp_hosts = options_.dhcp_hosts;
  settings.dhcp_active = options_.dhcp_active;
  settings.read_only = options_.read_only;
  settings.forced = options_.forced;
  if (!options_.container) {
    settings.gravity = gravity();
    settings.pid = pid_file();
  }
  save(settings);
  write_text(
      directory() + "/versions",
      "CORE_VERSION=v6.2.2\nCORE_BRANCH=master\nCORE_HASH=1837b754\nGITHUB_CORE_VERSION=v6.2.2\nWEB_VERSION=v6.3\nWEB_BRANCH=master\n"
      "FTL_VERSION=v6.4.1\nFTL_BRANCH=master\nFTL_HASH=8d1add8d\n" +
          std::string(options_.container ? "DOCKER_VERSION=2026.07.2\n" : ""),
      0644);
}

void PiholeDirectory::make_v5() const {
  write_text(directory() + "/setupVars.conf", "PIHOLE_INTERFACE=eth0\nBLOCKING_ENABLED=true\n", 0644);
  std::string paths;
  if (!options_.container) paths = fmt::format("GRAVITYDB={}\nPIDFILE={}\n", gravity(), pid_file());
  write_text(directory() + "/pihole-FTL.conf", "#; Pi-hole FTL config file\n" + paths, 0644);
  write_text(directory() + "/versions",
             fmt::format("CORE_VERSION=v5.18.4\nWEB_VERSION=v5.21\nFTL_VERSION=v5.25.2\n{}",
                         options_.container ? "DOCKER_VERSION=2024.07.0\n" : ""),
             0644);
  write_text(custom_list(), fmt::format("{}{}", fmt::join(options_.dns_hosts, "\n"), options_.dns_hosts.empty() ? "" : "\n"), 0644);
  const auto write_options = [](const std::string& path, const std::string& option, const std::vector<std::string>& values) {
    if (values.empty()) return;
    std::string text;
    for (const auto& value : values) text += value.starts_with('#') ? value + "\n" : fmt::format("{}={}\n", option, value);
    write_text(path, text, 0644);
  };
  write_options(cname_file(), "cname", options_.cname_records);
  write_options(dhcp_file(), "dhcp-host", options_.dhcp_hosts);
  // 50 ms steps, as long as a service manager would wait.
  write_pihole_script(fmt::format(R"(pid=$(cat '{0}' 2>/dev/null)
[ "$1" = restartdns ] && [ -n "$pid" ] || exit 0
case "$2" in
reload-lists) kill -{1} "$pid" ;;
reload) kill -HUP "$pid" ;;
*)
  rm -f '{2}'
  kill -{3} "$pid"
  i=0
  while [ $i -lt 400 ] && [ ! -s '{2}' ]; do sleep 0.05; i=$((i + 1)); done
  [ -s '{2}' ]
  ;;
esac
)",
                                  pid_file(), options_.musl ? 35 : 34, port_file(), options_.musl ? 37 : 36));
}

void PiholeDirectory::write_pihole_script(const std::string& more) const {
  write_text(pihole_command(),
             fmt::format("#!/bin/sh\necho \"$@\" >>'{0}'\nif [ \"$1\" = -g ]; then\n  echo 'Neutrino emissions detected'\n  [ ! -e "
                         "'{1}/gravity-fails' ] || {{ echo 'DNS resolution is currently unavailable' >&2; exit 1; }}\n  exec '{2}' "
                         "run-gravity\nfi\n{3}",
                         command_log(), root_, ftl_binary(), more),
             0755);
}

std::size_t PiholeDirectory::gravity_runs() const {
  if (!std::filesystem::exists(command_log())) return 0;
  std::size_t runs = 0;
  std::istringstream lines(read_text(command_log()));
  for (std::string line; std::getline(lines, line);) runs += line == "-g";
  return runs;
}

void PiholeDirectory::set_container_stopped(bool stopped) const {
  if (stopped)
    write_text(root_ + "/stopped", "");
  else
    std::filesystem::remove(root_ + "/stopped");
}

void PiholeDirectory::save(const TomlSettings& settings) const {
  replace_text(toml(), render_settings(settings), 0640);
}

void PiholeDirectory::set_dns_port(std::uint16_t port) {
  dns_port_ = port;
  write_config();
}

void PiholeDirectory::set_peers(std::vector<std::string> peers) {
  peers_ = std::move(peers);
  write_config();
}

void PiholeDirectory::set_sync_lines(std::string lines) {
  sync_lines_ = std::move(lines);
  write_config();
}

void PiholeDirectory::set_daemon_lines(std::string lines) {
  daemon_lines_ = std::move(lines);
  write_config();
}

void PiholeDirectory::set_pihole_lines(std::string lines) {
  pihole_lines_ = std::move(lines);
  write_config();
}

void PiholeDirectory::give_to(uid_t uid, gid_t gid) const {
  const auto give = [&](const std::string& path) {
    if (::lchown(path.c_str(), uid, gid) != 0) throw std::system_error(errno, std::generic_category(), "chown " + path);
  };
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root())) give(entry.path());
  give(root());
}

void PiholeDirectory::write_config() const {
  auto pihole = fmt::format("directory = {}\ndnsmasq_directory = {}\nruntime = \"native\"\nftl_binary = {}\npid_file = {}",
                            toml_string(directory()), toml_string(dnsmasq()), toml_string(ftl_binary()), toml_string(pid_file()));
  if (options_.v5 || options_.pihole_script) pihole += fmt::format("\npihole_command = {}", toml_string(pihole_command()));
  if (options_.container) pihole = fmt::format("runtime = \"docker\"\ncontainer = {}", toml_string(options_.name));
  std::string text = fmt::format(
      "[node]\nname = {}\nstate_directory = {}\n\n[pihole]\n{}\ndns_port = {}\n\n[sync]\nrecord_spacing_ms = "
      "50\n{}\n\n[daemon]\nrun_directory = {}\n{}\n",
      toml_string(options_.name), toml_string(state()), pihole_lines_.value_or(pihole), dns_port_, sync_lines_,
      toml_string(run_directory()), daemon_lines_);
  for (const auto& peer : peers_) text += "\n" + peer + "\n";
  replace_text(config(), text, 0640);
}

}  // namespace gsync::test
