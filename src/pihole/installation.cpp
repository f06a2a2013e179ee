#include "gsync/pihole/installation.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <system_error>
#include <vector>

#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->pw_name;
  return fmt::format("with id {}", uid);
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Whose the file is, or the nearest directory above it that we can see.
[[noreturn]] void refuse_unreadable(const std::string& path) {
  std::string seen = path;
  struct stat info {};
  while (::stat(seen.c_str(), &info) != 0 && seen != "/") seen = directory_of(seen);
  const auto owner = user_name(info.st_uid);
  throw Error(ErrorCode::refused, fmt::format("{} may not be read by us: {} belongs to user {}", path, seen == path ? "it" : seen, owner),
              fmt::format("run it with sudo, or as user {}", owner));
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

/// v6 has pihole.toml; v5 has setupVars.conf and no pihole.toml; the versions file may be stale and is asked last (PIHOLE.md §6).
Generation generation_of(const std::string& directory, const std::map<std::string, std::string>& versions) {
  if (!readable(directory, R_OK | X_OK)) {
    throw Error(ErrorCode::not_found, fmt::format("there is no Pi-hole here: no directory {}", directory),
                "set [pihole] directory to where Pi-hole keeps pihole.toml");
  }
  if (readable(directory + "/pihole.toml")) return Generation::v6;
  if (readable(directory + "/setupVars.conf", F_OK)) return Generation::v5;
  if (const auto ftl = versions.find("FTL_VERSION"); ftl != versions.end()) {
    if (ftl->second.starts_with("v6")) return Generation::v6;
    if (ftl->second.starts_with("v5")) return Generation::v5;
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

void locate_gravity(Installation& found, const std::string& configured, const std::string& from_toml) {
  if (!configured.empty()) {
    found.gravity_named = configured;
    found.how_gravity = "[pihole] gravity_database";
  } else if (!from_toml.empty()) {
    found.gravity_named = from_toml;
    found.how_gravity = "files.gravity in " + found.toml_path();
  } else {
    found.gravity_named = found.directory + "/gravity.db";
    found.how_gravity = "the default";
  }
  const auto& named = found.gravity_named;
  if (named.front() != '/') {
    throw Error(ErrorCode::refused, fmt::format("{} is {}, which is not a whole path", found.how_gravity, util::printable(named)),
                "write the path from /, so that it does not depend on who reads it");
  }

  struct stat info {};
  if (const auto real = resolved(named)) {
    found.gravity_database = *real;
    if (::lstat(named.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) found.how_gravity += fmt::format(", a symbolic link in {}", named);
    if (::stat(real->c_str(), &info) != 0) throw_errno(errno, "cannot look at " + *real);
    if (!S_ISREG(info.st_mode))
      throw Error(ErrorCode::corrupt, fmt::format("{} is not a file", *real), "see where " + found.how_gravity + " points");
    readable(*real);
  } else {
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
    if (::stat(directory->c_str(), &info) != 0) throw_errno(errno, "cannot look at " + *directory);
  }
  found.owner = info.st_uid;
  found.group = info.st_gid;
}

std::string find_ftl(const std::string& configured) {
  const auto runnable = [](const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
  };
  if (!configured.empty()) {
    if (!runnable(configured)) {
      throw Error(ErrorCode::not_found, fmt::format("[pihole] ftl_binary is {}, and there is no program", configured),
                  "correct it, or remove it to have it found");
    }
    return configured;
  }
  // sshd gives a forced command a short PATH, so the usual place comes first.
  if (runnable("/usr/bin/pihole-FTL")) return "/usr/bin/pihole-FTL";
  const char* path = std::getenv("PATH");
  for (auto directory : util::split(path ? path : "", ':')) {
    if (directory.empty() || directory.front() != '/') continue;
    auto candidate = std::string(directory) + "/pihole-FTL";
    if (runnable(candidate)) return candidate;
  }
  return {};
}

std::string locate_pid_file(const std::string& configured, const PiholeToml& toml, const std::string& toml_path) {
  if (!configured.empty()) return configured;
  if (toml.pid_file.empty()) return "/run/pihole-FTL.pid";
  if (toml.pid_file.front() != '/') {
    throw Error(ErrorCode::refused,
                fmt::format("files.pid in {} is {}, which is not a whole path", toml_path, util::printable(toml.pid_file)),
                "write the path from /, or set [pihole] pid_file");
  }
  return toml.pid_file;
}

}  // namespace

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

Installation detect(const config::PiholeConfig& config) {
  if (config.runtime == config::Runtime::docker || config.runtime == config::Runtime::podman) {
    throw Error(ErrorCode::incompatible, "a Pi-hole in a container is not supported by this version yet",
                "set [pihole] runtime = \"native\" if Pi-hole is installed on this host");
  }
  Installation found;
  found.directory = config.directory;
  found.dnsmasq_directory = config.dnsmasq_directory;
  const auto versions = read_versions(config.directory + "/versions");
  found.generation = generation_of(config.directory, versions);
  if (found.generation == Generation::v5) {
    throw Error(ErrorCode::incompatible, fmt::format("{} is a Pi-hole 5: Pi-hole 5 is not supported by this version yet", config.directory),
                "update it to Pi-hole 6 (pihole -up)");
  }
  const auto version = [&](const char* key) {
    const auto entry = versions.find(key);
    return entry == versions.end() ? std::string() : entry->second;
  };
  found.core_version = version("CORE_VERSION");
  found.ftl_version = version("FTL_VERSION");
  found.web_version = version("WEB_VERSION");

  // A Pi-hole 6 that was never started has no pihole.toml yet, and all defaults.
  PiholeToml toml;
  if (readable(found.toml_path())) toml = found.read_toml();
  locate_gravity(found, config.gravity_database, toml.gravity_database);
  found.pid_file = locate_pid_file(config.pid_file, toml, found.toml_path());
  found.ftl_binary = find_ftl(config.ftl_binary);
  found.dns_port = config.dns_port.value_or(toml.dns_port);
  return found;
}

}  // namespace gsync::pihole
