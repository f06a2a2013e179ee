#include "gsync/pihole/installation.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <system_error>
#include <tuple>
#include <vector>

#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"
#include "unreadable.hpp"
#include "v5_settings.hpp"

namespace gsync::pihole {
namespace {

constexpr const char* pihole_directory = "/etc/pihole";
constexpr const char* dnsmasq_directory = "/etc/dnsmasq.d";

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// False when there is no such file or directory. Error{refused} when it is there for others only.
bool readable(const std::string& path, int how = R_OK) {
  if (::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0) return true;
  if (errno == EACCES || errno == EPERM) refuse_unreadable(path);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw_errno(errno, "cannot look at " + path);
}

/// "KEY=value" lines, quoted or not. Written by a script of Pi-hole's: for people, nothing is decided by more than its first letters.
std::map<std::string, std::string> read_versions(const std::string& path) {
  std::map<std::string, std::string> result;
  std::optional<std::string> text;
  try {
    text = util::read_file(path, 64u << 10);
  } catch (const Error&) {
    // Not worth more than an unknown version.
  }
  if (!text) return result;
  for (auto line : util::split(*text, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    auto value = util::trim(line.substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
      value = util::trim(value.substr(1, value.size() - 2));
    }
    if (value == "null" || value == "N/A" || value.size() > 100) continue;
    result[std::string(util::trim(line.substr(0, equals)))] = util::printable(value);
  }
  return result;
}

/// And how we know. v6 has pihole.toml; v5 has setupVars.conf and no pihole.toml; the versions file may be stale and is asked last
/// (PIHOLE.md §6).
std::pair<Generation, std::string> generation_of(const std::string& directory, const std::map<std::string, std::string>& versions) {
  if (!readable(directory, R_OK | X_OK)) {
    throw Error(ErrorCode::not_found, fmt::format("there is no Pi-hole here: no directory {}", directory),
                "set [pihole] directory to where Pi-hole keeps pihole.toml");
  }
  if (readable(directory + "/pihole.toml")) return {Generation::v6, "it has pihole.toml"};
  if (readable(directory + "/setupVars.conf", F_OK)) return {Generation::v5, "it has setupVars.conf and no pihole.toml"};
  if (const auto ftl = versions.find("FTL_VERSION"); ftl != versions.end()) {
    const auto how = fmt::format("{}/versions says FTL {}", directory, ftl->second);
    if (ftl->second.starts_with("v6")) return {Generation::v6, how};
    if (ftl->second.starts_with("v5")) return {Generation::v5, how};
  }
  throw Error(ErrorCode::not_found,
              fmt::format("there is no Pi-hole in {0}: neither {0}/pihole.toml (Pi-hole 6) nor {0}/setupVars.conf (Pi-hole 5)", directory),
              "set [pihole] directory to where Pi-hole keeps pihole.toml");
}

/// realpath(); nullopt when it does not exist.
std::optional<std::string> resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> result(::realpath(path.c_str(), nullptr), &std::free);
  if (result) return std::string(result.get());
  if (errno == ENOENT) return std::nullopt;
  if (errno == EACCES) refuse_unreadable(path);
  throw_errno(errno, "cannot resolve " + path);
}

/// The file as this host reaches it.
void locate_on_host(Installation& found) {
  const auto& named = found.gravity_named;
  struct stat info {};
  if (const auto real = resolved(named)) {
    found.gravity_database = *real;
    if (::lstat(named.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) found.how_gravity += fmt::format(", a symbolic link in {}", named);
    return;
  }
  // A link into a filesystem that is not mounted: replacing the link would hide the real database.
  if (::lstat(named.c_str(), &info) == 0) {
    throw Error(ErrorCode::not_found, fmt::format("{} is a symbolic link to a file that does not exist", named),
                "is the disk that it points to mounted?");
  }
  const auto directory = resolved(directory_of(named));
  if (!directory) {
    throw Error(ErrorCode::not_found, fmt::format("there is no directory {} ({})", directory_of(named), found.how_gravity),
                "is its disk mounted?");
  }
  found.gravity_database = (*directory == "/" ? "" : *directory) + named.substr(named.rfind('/'));
}

[[noreturn]] void refuse_own_mount(const std::string& path) {
  throw Error(ErrorCode::refused,
              fmt::format("{} is a mount of its own, so that no new version can be put in its place (nor can `pihole -g` do it)", path),
              "mount the directory that holds it, not the file alone");
}

/// The file as a container names it, whose links lead through the container's own mounts.
void locate_in_container(Installation& found, const std::vector<Mount>& mounts) {
  const auto inside = found.gravity_named;
  const auto directory = locate(mounts, directory_of(inside));
  const auto file = directory ? locate(mounts, inside) : std::nullopt;
  if (!file) {
    throw Error(ErrorCode::refused,
                fmt::format("{} ({}) is a path in the container that no directory of this host stands behind", inside, found.how_gravity),
                found.container ? fmt::format("start the container with a volume or directory for {}, as in -v /srv/pihole:{}",
                                              directory_of(inside), directory_of(inside))
                                : "set [pihole] gravity_database to where this host has that file");
  }
  if (file->is_mount) refuse_own_mount(inside);
  if (file->linked) found.how_gravity += fmt::format(", {} by symbolic links", inside);
  found.gravity_named = directory->path + inside.substr(inside.rfind('/'));
  found.gravity_database = file->path;
}

/// False also where the kernel (before 5.8) does not tell; then the exchange fails with EBUSY.
bool is_mount_point(const std::string& path) {
  struct statx info {};
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &info) == 0 && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/// Whose the database is, or the directory where there is none.
void look_at_gravity(Installation& found) {
  const auto& path = found.gravity_database;
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode))
      throw Error(ErrorCode::corrupt, fmt::format("{} is not a file", path), "see where " + found.how_gravity + " points");
    if (is_mount_point(path)) refuse_own_mount(path);
    readable(path);
  } else if (errno == EACCES) {
    refuse_unreadable(path);
  } else if (errno != ENOENT || ::stat(directory_of(path).c_str(), &info) != 0) {
    throw_errno(errno, "cannot look at " + path);
  }
  found.owner = info.st_uid;
  found.group = info.st_gid;
}

/// What Pi-hole's own files say, and which of them.
struct Setting {
  std::string value;
  std::string where;
};
struct Settings {
  Setting gravity_database;
  Setting pid_file;
  std::uint16_t dns_port = 53;
  std::string how_dns_port = "the default";
};

Settings read_settings(const Installation& found) {
  if (found.generation == Generation::v5) {
    const auto v5 = read_v5_settings(found.directory, found.dnsmasq_directory);
    const auto conf = found.directory + "/pihole-FTL.conf";
    Settings settings{{v5.gravity_database, "GRAVITYDB in " + conf}, {v5.pid_file, "PIDFILE in " + conf}};
    if (v5.dns_port) {
      settings.dns_port = *v5.dns_port;
      settings.how_dns_port = "port in " + v5.dns_port_file;
    }
    return settings;
  }
  // A Pi-hole 6 that was never started has no pihole.toml yet, and all defaults.
  if (!readable(found.toml_path())) return {};
  const auto toml = found.read_toml();
  return {{toml.gravity_database, "files.gravity in " + found.toml_path()},
          {toml.pid_file, "files.pid in " + found.toml_path()},
          toml.dns_port,
          "dns.port in " + found.toml_path()};
}

void locate_gravity(Installation& found, const std::string& configured, const Setting& setting, const std::vector<Mount>& mounts,
                    const std::string& inside) {
  bool in_container = !mounts.empty();
  if (!configured.empty()) {
    found.gravity_named = configured;
    found.how_gravity = "[pihole] gravity_database";
    in_container = found.container != nullptr;
  } else if (!setting.value.empty()) {
    found.gravity_named = setting.value;
    found.how_gravity = setting.where;
  } else {
    found.gravity_named = inside + "/gravity.db";
    found.how_gravity = "the default";
  }
  if (found.gravity_named.front() != '/') {
    throw Error(ErrorCode::refused,
                fmt::format("{} is {}, which is not a whole path", found.how_gravity, util::printable(found.gravity_named)),
                "write the path from /, so that it does not depend on who reads it");
  }
  if (in_container)
    locate_in_container(found, mounts);
  else
    locate_on_host(found);
  look_at_gravity(found);
}

/// FTL works on /etc/pihole, whatever we were told: another Pi-hole's FTL must neither get this one's settings nor its signals.
bool is_usual_directory(const std::string& directory) {
  struct stat ours {};
  struct stat usual {};
  return ::stat(directory.c_str(), &ours) == 0 && ::stat(pihole_directory, &usual) == 0 && ours.st_dev == usual.st_dev &&
         ours.st_ino == usual.st_ino;
}

/// A program of Pi-hole's: as configured, where its installer puts it, or in PATH; empty when there is none for this directory.
std::string find_program(const std::string& configured, std::string_view key, const std::string& usual, const std::string& directory) {
  const auto runnable = [](const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
  };
  if (!configured.empty()) {
    if (!runnable(configured)) {
      throw Error(ErrorCode::not_found, fmt::format("[pihole] {} is {}, and there is no program", key, configured),
                  "correct it, or remove it to have it found");
    }
    return configured;
  }
  if (!is_usual_directory(directory)) return {};
  // sshd gives a forced command a short PATH, so the usual place comes first.
  if (runnable(usual)) return usual;
  const char* path = std::getenv("PATH");
  for (auto entry : util::split(path ? path : "", ':')) {
    if (entry.empty() || entry.front() != '/') continue;
    auto candidate = std::string(entry) + usual.substr(usual.rfind('/'));
    if (runnable(candidate)) return candidate;
  }
  return {};
}

std::string locate_pid_file(const std::string& configured, const Setting& setting) {
  if (!configured.empty()) return configured;
  if (setting.value.empty()) return "/run/pihole-FTL.pid";
  if (setting.value.front() != '/') {
    throw Error(ErrorCode::refused, fmt::format("{} is {}, which is not a whole path", setting.where, util::printable(setting.value)),
                "write the path from /, or set [pihole] pid_file");
  }
  return setting.value;
}

/// The directory, as the host has it, of a Pi-hole in a container that can be asked.
void enter_container(Installation& found, const config::PiholeConfig& config, util::Fd helper) {
  found.container = Container::find(config.runtime, config.container, std::move(helper));
  found.runtime = config.runtime;
  found.how_runtime = "[pihole] runtime";
  const auto& mounts = found.container->inspection().mounts;
  const auto directory = locate(mounts, config.directory);
  if (!directory) {
    throw Error(ErrorCode::refused,
                fmt::format("{} of {} is in the container's own layer, where this host does not reach it", config.directory,
                            found.container->label()),
                fmt::format("start the container with a volume or directory for it, as in -v /srv/pihole:{}; [pihole] directory is the "
                            "path in the container",
                            config.directory));
  }
  found.directory = directory->path;
  // Pi-hole 6 does without.
  if (const auto dnsmasq = locate(mounts, config.dnsmasq_directory))
    found.dnsmasq_directory = dnsmasq->path;
  else
    found.dnsmasq_directory.clear();
}

/// Whether the FTL of this directory runs here, and not in a container.
bool ftl_runs_here(const Installation& found) {
  return !found.ftl_binary.empty() && Ftl(found).pid().has_value();
}

void decide_runtime(Installation& found, const config::PiholeConfig& config, const std::string& docker_version) {
  found.runtime = config.runtime;
  found.how_runtime = "[pihole] runtime";
  if (config.runtime != config::Runtime::automatic) return;
  // Written by a container's scripts; in the container itself we are as native as FTL is.
  const bool volume = !docker_version.empty() && !ftl_runs_here(found);
  found.runtime = volume ? config::Runtime::volume : config::Runtime::native;
  found.how_runtime = docker_version.empty() ? "the default" : fmt::format("DOCKER_VERSION in {}/versions", found.directory);
}

/// Where FTL can be asked on 127.0.0.1, as far as that is known.
void locate_dns_port(Installation& found, std::optional<std::uint16_t> configured, const Settings& settings) {
  if (configured) {
    found.dns_port = *configured;
    found.how_dns_port = "[pihole] dns_port";
  } else if (found.container) {
    found.dns_port = found.container->inspection().host_port(settings.dns_port);
    found.how_dns_port = "the ports of " + found.container->label();
  } else if (found.runtime == config::Runtime::volume) {
    found.dns_port = 0;
    found.how_dns_port = "in a container that is not known here";
  } else {
    found.dns_port = settings.dns_port;
    found.how_dns_port = settings.how_dns_port;
  }
}

}  // namespace

bool Installation::compiles_weekly() const {
  if (container || runtime == config::Runtime::volume) return false;
  const auto text = util::read_file("/etc/cron.d/pihole").value_or("");
  return std::ranges::any_of(util::split(text, '\n'), [](std::string_view line) {
    line = util::trim(line);
    return !line.starts_with('#') && line.find("updateGravity") != std::string_view::npos;
  });
}

std::vector<std::string> Installation::directories() const {
  std::vector<std::string> all;
  for (const auto& path : {directory, directory_of(gravity_database), directory_of(gravity_named), dnsmasq_directory}) {
    if (!path.empty() && std::find(all.begin(), all.end(), path) == all.end()) all.push_back(path);
  }
  return all;
}

std::string Installation::record_file(model::RecordKind kind) const {
  switch (kind) {
    case model::RecordKind::dns:
      return directory + "/custom.list";
    case model::RecordKind::cname:
      return dnsmasq_directory + "/05-pihole-custom-cname.conf";
    case model::RecordKind::dhcp:
      return dnsmasq_directory + "/04-pihole-static-dhcp.conf";
    case model::RecordKind::setting:
      break;
  }
  return {};
}

PiholeToml Installation::read_toml() const {
  std::optional<std::string> text;
  try {
    text = util::read_file(toml_path());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::refused) throw Error(ErrorCode::corrupt, error.what(), error.hint());
    throw;
  }
  if (!text) throw Error(ErrorCode::not_found, fmt::format("there is no {}", toml_path()), "start pihole-FTL once: it writes this file");
  return parse_pihole_toml(*text, toml_path());
}

Installation detect(const config::PiholeConfig& config, util::Fd container_helper) {
  Installation found;
  std::vector<Mount> mounts;
  std::string inside = config.directory;  // what Pi-hole itself calls its directory
  found.directory = config.directory;
  found.dnsmasq_directory = config.dnsmasq_directory;
  if (config.runtime == config::Runtime::docker || config.runtime == config::Runtime::podman) {
    enter_container(found, config, std::move(container_helper));
    mounts = found.container->inspection().mounts;
  }
  const auto versions = read_versions(found.directory + "/versions");
  std::tie(found.generation, found.how_generation) = generation_of(found.directory, versions);
  const auto version = [&](const char* key) {
    const auto entry = versions.find(key);
    return entry == versions.end() ? std::string() : entry->second;
  };
  found.core_version = version("CORE_VERSION");
  found.ftl_version = version("FTL_VERSION");
  found.web_version = version("WEB_VERSION");

  const auto settings = read_settings(found);
  if (!found.container) {
    found.ftl_binary = find_program(config.ftl_binary, "ftl_binary", "/usr/bin/pihole-FTL", found.directory);
    found.pid_file = locate_pid_file(config.pid_file, settings.pid_file);
    decide_runtime(found, config, version("DOCKER_VERSION"));
  }
  if (found.runtime == config::Runtime::native)
    found.pihole_command = find_program(config.pihole_command, "pihole_command", "/usr/local/bin/pihole", found.directory);
  if (found.runtime == config::Runtime::volume) {
    found.ftl_binary.clear();
    found.pid_file = config.pid_file;
    inside = pihole_directory;
    mounts = {{found.directory, inside}, {found.dnsmasq_directory, dnsmasq_directory}};
  }
  locate_gravity(found, config.gravity_database, settings.gravity_database, mounts, inside);
  locate_dns_port(found, config.dns_port, settings);
  return found;
}

}  // namespace gsync::pihole
