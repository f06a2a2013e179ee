#pragma once
#include <sys/types.h>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gsync/config/config.hpp"
#include "gsync/model/records.hpp"
#include "gsync/model/setting.hpp"
#include "gsync/pihole/container.hpp"

namespace gsync::pihole {

/// The settings of v6's pihole.toml that concern us. Records are as FTL wrote them; parsing them by our grammar is the reader's business.
struct PiholeToml {
  std::string gravity_database;   ///< files.gravity
  std::string pid_file;           ///< files.pid
  std::uint16_t dns_port = 53;    ///< dns.port
  bool read_only = false;         ///< misc.readOnly
  bool dhcp_active = false;       ///< dhcp.active
  std::vector<std::string> forced;  ///< the FTLCONF_ variables of FTL's environment that it has settings from; `--config` run without one of them resets its setting
  model::PerKind<model::RecordLines> records;                        ///< dns.hosts, dns.cnameRecords, dhcp.hosts
  std::map<std::string, model::SettingValue, std::less<>> settings;  ///< those of model::setting_keys() that this FTL has
};
/// Error{corrupt} with file and line when it is not TOML or a value has another type than FTL writes.
PiholeToml parse_pihole_toml(const std::string& text, const std::string& path);

enum class Generation : std::uint8_t { v5, v6 };

/// What was found of the Pi-hole on this host, decided feature by feature by what is there (PIHOLE.md §6), and how (`how_…`, for `info`).
struct Installation {
  Generation generation = Generation::v6;
  std::string how_generation;     ///< "it has pihole.toml", "it has setupVars.conf and no pihole.toml"…
  std::string directory;          ///< /etc/pihole; of a container the path on this host
  std::string dnsmasq_directory;
  std::string gravity_database;   ///< absolute, symbolic links resolved: publishing exchanges the file itself
  std::string gravity_named;      ///< the same path as Pi-hole has it, links and all: `pihole -g` keeps its temporary file beside this name
  std::string how_gravity;        ///< "files.gravity in /etc/pihole/pihole.toml", "[pihole] gravity_database"…
  std::string pid_file;           ///< empty: in a container, where it says nothing about this host
  std::string ftl_binary;         ///< on this host; empty: none found, or none that could change the settings in `directory`
  std::string pihole_command;     ///< Pi-hole's own script on this host, which runs gravity, and restarts a v5; empty: none found
  std::uint16_t dns_port = 53;    ///< 0: do not ask
  std::string how_dns_port;       ///< "dns.port in /etc/pihole/pihole.toml", "the default"…
  std::string core_version;       ///< from /etc/pihole/versions; empty when unknown
  std::string ftl_version;
  std::string web_version;
  config::Runtime runtime = config::Runtime::native;  ///< never automatic
  std::string how_runtime;        ///< "[pihole] runtime", "DOCKER_VERSION in /srv/pihole/versions"…
  std::shared_ptr<Container> container;  ///< with runtime docker and podman
  uid_t owner = 0;                ///< of the gravity.db file, or of its directory when it is missing
  gid_t group = 0;

  /// Whether Pi-hole's cron of this host starts `pihole -g` every week. Of a container nobody can tell.
  bool compiles_weekly() const;
  /// Those that we work in, whether they are there or not.
  std::vector<std::string> directories() const;
  std::string toml_path() const { return directory + "/pihole.toml"; }
  /// v5 only: custom.list and two files in the dnsmasq directory. Settings have none.
  std::string record_file(model::RecordKind kind) const;
  /// v6 only; read afresh at each call. Error{not_found, io, corrupt}.
  PiholeToml read_toml() const;
};

/// Looks at the host. Error{not_found} when there is no Pi-hole where the configuration says (naming what was looked for and where), {refused} when we may not read it
/// (naming what to run instead), or where the database stands so that nothing can be put in its place (a mount of its own, a container's own layer).
Installation detect(const config::PiholeConfig& config, util::Fd container_helper = {});

}  // namespace gsync::pihole
