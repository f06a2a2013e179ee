#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "gsync/pihole/ftl.hpp"
#include "gsync/pihole/gravity.hpp"
#include "gsync/replica/abilities.hpp"
#include "gsync/replica/live_file.hpp"
#include "gsync/setup/doctor.hpp"
#include "gsync/setup/first_config.hpp"
#include "gsync/util/file_ops.hpp"
#include "gsync/util/text.hpp"

namespace gsync::setup {
namespace {

constexpr const char* pihole_subject = "Pi-hole";
constexpr const char* files_subject = "files";
constexpr const char* database_subject = "database";
constexpr const char* ftl_subject = "FTL";
constexpr const char* disk_subject = "disk";

std::string version_text(const std::string& version) {
  return version.empty() ? "of unknown version" : version;
}

/// What one variable of FTL's environment means for what is synced.
Finding check_variable(const std::string& variable, const config::SyncConfig& sync) {
  for (auto kind : model::record_kinds) {
    if (kind == model::RecordKind::setting || pihole::variable_of(pihole::setting_of(kind)) != variable) continue;
    return hint(pihole_subject,
                fmt::format("{} is forced by {}, so {} are given to others, and not taken from them", pihole::setting_of(kind), variable,
                            model::plural_of(kind)),
                fmt::format("remove the variable, or leave \"{}\" out of [sync] components", model::to_string(kind)));
  }
  for (const auto& key : sync.settings) {
    if (pihole::variable_of(key) == variable)
      return hint(pihole_subject, fmt::format("{} is forced by {}, so it is not synced, although [sync] settings names it", key, variable),
                  fmt::format("remove the variable, or take {} out of [sync] settings", key));
  }
  return good(pihole_subject, fmt::format("{} forces a setting, and none that is synced", variable));
}

/// FTLCONF_ variables, as FTL tells of them at the end of pihole.toml.
void check_environment(Findings& all, const pihole::Installation& installation, const pihole::PiholeToml& toml,
                       const config::SyncConfig& sync) {
  for (const auto& variable : toml.forced) all.push_back(check_variable(variable, sync));
  if (!pihole::why_no_records(installation).empty()) return;
  if (const auto missing = pihole::missing_variables(installation); !missing.empty())
    all.push_back(hint(
        pihole_subject,
        fmt::format("no records and settings can be set from here without {}: `pihole-FTL --config` would reset what FTL has from there",
                    fmt::join(missing, ", ")),
        installation.container ? "give them to the container itself (-e, environment)"
                               : "give them to gravity-sync as well: sudo systemctl edit gravity-sync"));
}

/// What keeps the records of a Pi-hole 6 from being synced.
Findings check_settable(const pihole::Installation& installation, const config::SyncConfig& sync) {
  if (installation.generation != pihole::Generation::v6) return {};
  Findings all;
  if (const auto why = pihole::why_no_records(installation); !why.empty())
    all.push_back(
        hint(pihole_subject, "local DNS, CNAME and DHCP records cannot be synced: " + why, "lists and blocklist are synced all the same"));
  look(all, pihole_subject, [&] {
    Findings found;
    const auto toml = installation.read_toml();
    check_environment(found, installation, toml, sync);
    if (toml.read_only)
      found.push_back(wrong(pihole_subject, "misc.readOnly is on: pihole-FTL lets nobody change records",
                            "turn it off in pihole.toml, or leave records out of [sync] components"));
    return found;
  });
  return all;
}

std::string how_to_start_ftl(const pihole::Installation& installation) {
  if (installation.container) return "start the container";
  if (!installation.ftl_binary.empty()) return "sudo systemctl start pihole-FTL";
  return "there is no pihole-FTL here either: if it is in a container, say so in [pihole] runtime (\"docker\" or \"podman\"; \"volume\" "
         "where only its directory can be seen)";
}

bool is_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0 || errno != ENOENT;
}

void check_access(Findings& all, const std::string& path, int access, const char* what) {
  if (::access(path.c_str(), access) == 0) return;
  all.push_back(wrong(files_subject, fmt::format("{} cannot be {}: {}", path, what, std::generic_category().message(errno)),
                      fmt::format("ls -ld {} shows whose it is; gravity-sync runs as the owner of gravity.db", path)));
}

/// A kind of left-over that stops us later, such as files of root's.
void check_own_directory(Findings& all, const std::string& path, uid_t owner) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return;
  const auto remedy = fmt::format("sudo chown -R --no-dereference {} {}", owner, path);
  if (!S_ISDIR(st.st_mode)) {
    all.push_back(wrong(files_subject, fmt::format("{} is not a directory", path), "move it away"));
    return;
  }
  if (st.st_uid != owner)
    all.push_back(wrong(files_subject, fmt::format("{} belongs to user {} and not to user {}", path, st.st_uid, owner), remedy));
  auto* directory = ::opendir(path.c_str());
  if (!directory) return;
  while (const auto* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::fstatat(::dirfd(directory), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != owner)
      all.push_back(wrong(files_subject, fmt::format("{}/{} belongs to user {} and not to user {}", path, name, st.st_uid, owner), remedy));
  }
  ::closedir(directory);
}

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

/// Room for a second database and what a run keeps, where a directory that is not there yet will be.
Finding check_space(std::string directory, std::uint64_t needed) {
  while (directory.size() > 1 && !is_there(directory)) directory = std::filesystem::path(directory).parent_path();
  struct statvfs fs {};
  if (::statvfs(directory.c_str(), &fs) != 0)
    return wrong(disk_subject, fmt::format("the free space of {} cannot be told", directory), "does it exist?");
  const auto free = static_cast<std::uint64_t>(fs.f_bavail) * fs.f_frsize;
  if (fs.f_flag & ST_RDONLY)
    return wrong(disk_subject, fmt::format("{} is on a filesystem that is mounted read-only", directory),
                 "a card that fails is often remounted so: look at dmesg");
  if (free < needed)
    return wrong(disk_subject,
                 fmt::format("{} has {} free, and a sync may need {}", directory, util::human_bytes(free), util::human_bytes(needed)),
                 "free some space there");
  if (fs.f_files > 0 && fs.f_favail < 16)
    return wrong(disk_subject, fmt::format("{} has no room for more files (inodes)", directory), "remove files there");
  return good(disk_subject, fmt::format("{} has {} free", directory, util::human_bytes(free)));
}

}  // namespace

Findings check_choice(const config::Config& config) {
  const auto names = several_piholes(config);
  if (names.empty()) return {};
  return {wrong(pihole_subject, fmt::format("there are several Pi-holes here: {}; and no configuration says which one is meant", names),
                "sudo gravity-sync config init --container NAME, or --directory /etc/pihole")};
}

Findings check_pihole(const pihole::Installation& installation, const config::SyncConfig& sync) {
  Findings all{
      good(pihole_subject, fmt::format("Pi-hole {} in {}, core {}, FTL {}", installation.generation == pihole::Generation::v6 ? 6 : 5,
                                       installation.container ? installation.container->label() : installation.directory,
                                       version_text(installation.core_version), version_text(installation.ftl_version)))};
  if (installation.container && !installation.container->inspection().running)
    all.push_back(wrong(pihole_subject, fmt::format("{} does not run", installation.container->label()),
                        "start it; lists and blocklist are synced meanwhile, records are not"));
  look(all, pihole_subject, [&] { return check_settable(installation, sync); });
  return all;
}

Findings check_files(const pihole::Installation& installation, const std::string& state_directory) {
  Findings all;
  check_access(all, directory_of(installation.gravity_database), R_OK | W_OK | X_OK, "written to");
  check_access(all, installation.gravity_database, R_OK | W_OK, "read and written");
  if (installation.generation == pihole::Generation::v6) check_access(all, installation.toml_path(), R_OK, "read");
  // One that is not there yet is made by the first command of root's.
  if (is_there(state_directory)) check_access(all, state_directory, R_OK | W_OK | X_OK, "written to");
  check_own_directory(all, state_directory, installation.owner);
  check_own_directory(all, directory_of(installation.gravity_database) + ".gravity-sync", installation.owner);
  if (all.empty()) all.push_back(good(files_subject, "all that is needed can be read and written"));
  return all;
}

Findings check_database(const pihole::Installation& installation) {
  util::PosixFileOps files;
  replica::LiveFile live(installation.gravity_database, files);
  if (const auto wal = live.wal_mode())
    return {wrong(database_subject, *wal,
                  fmt::format("stop what opened it so, then: sqlite3 {} 'PRAGMA journal_mode=DELETE'", installation.gravity_database))};
  if (!live.header())
    return {wrong(database_subject, fmt::format("{} is not a database", installation.gravity_database),
                  "`sudo gravity-sync pull PEER --full` takes another Pi-hole's; else: pihole -g")};
  auto reader = live.open_reader();
  const auto shape = pihole::shape_of(*reader);
  Findings all{good(database_subject, fmt::format("{} has schema {}", installation.gravity_database, shape.version))};
  if (!shape.unknown_columns.empty())
    all.push_back(hint(database_subject,
                       fmt::format("columns that gravity-sync does not know stay as they are: {}", fmt::join(shape.unknown_columns, ", ")),
                       "is there a newer gravity-sync?"));
  return all;
}

Findings check_ftl(const pihole::Installation& installation) {
  const pihole::Ftl ftl(installation);
  Findings all;
  if (ftl.pid())
    all.push_back(good(ftl_subject, ftl.describe()));
  else if (ftl.may_be_hidden())
    all.push_back(
        hint(ftl_subject, ftl.describe(), "it is not told of changes then, and notices them by itself within a second or two (Pi-hole 6)"));
  else
    all.push_back(wrong(ftl_subject, ftl.describe(), how_to_start_ftl(installation)));
  if (installation.dns_port == 0)
    all.push_back(
        hint(ftl_subject, "whether it answers is not asked: no port of this host is known to lead to it", "[pihole] dns_port names one"));
  else if (ftl.answers(util::Deadline::in(std::chrono::seconds(3))))
    all.push_back(good(ftl_subject, fmt::format("answers on port {}", installation.dns_port)));
  else
    all.push_back(
        wrong(ftl_subject,
              fmt::format("does not answer a question on port {} of 127.0.0.1 ({})", installation.dns_port, installation.how_dns_port),
              "does it run, and does it listen there? [pihole] dns_port names another port"));
  if (pihole::gravity_is_running(installation)) all.push_back(hint(ftl_subject, "`pihole -g` runs just now: syncs wait for its end", ""));
  return all;
}

Findings check_disk(const pihole::Installation& installation, const std::string& state_directory) {
  struct stat st {};
  const auto bytes = ::stat(installation.gravity_database.c_str(), &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
  const auto directory = directory_of(installation.gravity_database);
  const auto own = directory + ".gravity-sync";
  // With the shadow there it is only what a rebuilt index takes.
  const bool has_shadow = ::access((own + "/shadow.db").c_str(), F_OK) == 0;
  Findings all{check_space(directory, (has_shadow ? bytes / 2 : bytes + bytes / 2) + (16u << 20)), check_space(state_directory, 32u << 20)};
  if (::access(own.c_str(), F_OK) != 0) return all;
  const auto open = util::open_directory(own);
  const auto can = replica::try_abilities(open.get());
  if (can.exchange && can.leases)
    all.push_back(good(disk_subject, fmt::format("the filesystem of {} exchanges names and tells who has a file open", directory)));
  if (!can.exchange)
    all.push_back(
        hint(disk_subject,
             fmt::format("the filesystem of {} cannot exchange two names: a new database is put in place by a rename, which is weaker",
                         directory),
             "ext4, btrfs, xfs and f2fs can; network filesystems cannot"));
  if (!can.leases)
    all.push_back(
        hint(disk_subject,
             fmt::format("the filesystem of {} does not tell who has a file open: the old database is left to its last reader", directory),
             "ext4, btrfs, xfs and f2fs do; network filesystems do not"));
  return all;
}

Findings check_node(const model::NodeInfo& here) {
  if (here.damaged)
    return {wrong(database_subject, fmt::format("it is damaged: {}", here.damage),
                  "`sudo gravity-sync pull PEER --full` takes another Pi-hole's; else: pihole -g -r recover")};
  Findings all{good(database_subject, fmt::format("{}, {}", util::plural(here.list_rows, "list entry", "list entries"),
                                                  util::plural(here.blocklist_rows, "blocked domain")))};
  for (auto kind : model::record_kinds) {
    const auto& why = here.capabilities.records_read_only[index_of(kind)];
    if (!why.empty())
      all.push_back(
          hint(pihole_subject, fmt::format("{} records can be given to others, and not taken: {}", model::to_string(kind), why), ""));
  }
  return all;
}

Findings check_keep_local(const model::KeepLocal& keep, model::Node& here) {
  Findings all;
  if (keep.patterns().empty()) return all;
  for (const auto& pattern : keep.unused(here.lists(), here.records()))
    all.push_back(hint("configuration", fmt::format("[sync] keep_local names \"{}\", and this Pi-hole has nothing that fits", pattern),
                       "correct it or leave it out, unless it is to keep out something that only another Pi-hole has"));
  return all;
}

}  // namespace gsync::setup
