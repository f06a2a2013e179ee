#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/ftl_toml.hpp"
#include "support/gravity_builder.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {

struct PiholeOptions {
  std::string name = "ph1";
  GravityBuilder gravity = GravityBuilder().household(realistic(1));
  std::vector<std::string> dns_hosts{"192.168.1.2 nas.lan nas", "fd00::2 nas.lan", "192.168.1.3 printer.lan # 2nd floor"};
  std::vector<std::string> cname_records{"files.lan,nas.lan", "media.lan,nas.lan,600"};
  std::vector<std::string> dhcp_hosts{"AA:BB:CC:DD:EE:01,192.168.1.21,tv"};
  bool dhcp_active = false;
  bool read_only = false;    ///< misc.readOnly
  bool lists_cache = false;  ///< listsCache/list.ID.HOST.domains for each adlist
  bool backups = false;      ///< gravity_backups/gravity.db.1
  bool v5 = false;    ///< Pi-hole 5's files; `gravity` should be of Shape::v5. The records are lines of its files as they are given here
  bool musl = false;  ///< the stand-in plays the official static build: reload on 35, 34 kills
  /// It runs in a container, to which `directory()` is /etc/pihole; a stand-in for the docker command is in bin_directory().
  bool container = false;
  std::vector<std::string> variables{};  ///< of the container's environment, "FTLCONF_dns_upstreams=9.9.9.9"
  std::vector<std::string> forced{};     ///< settings that FTL has from its environment, "dns.upstreams"
  bool docker_needs_root = false;        ///< as where nobody is in the group docker
  bool pihole_script = false;            ///< v6: pihole_command() is there, and known by the configuration
  bool needs_chown = false;              ///< `--config` exits 1 without CAP_CHOWN, as the real one does
};

/// A Pi-hole in a directory of its own, with a gravity-sync.toml for it:
///
///   ROOT/pihole/           directory(): gravity.db, pihole.toml, versions; modes as FTL and gravity.sh leave them. v5: setupVars.conf,
///                          pihole-FTL.conf, custom.list and no pihole.toml
///   ROOT/dnsmasq.d/        v5: the cname and dhcp files
///   ROOT/pihole.sh         `pihole -g`, which fails where ROOT/gravity-fails is; v5: also what `pihole restartdns` does, for an
///                          FtlProcess with `respawn`; `pihole_command` of the configuration
///   ROOT/pihole-FTL        the stand-in with this directory in its environment; `ftl_binary` of the configuration
///   ROOT/run/              pihole-FTL.pid, the stand-in's port file and log
///   ROOT/state/            state_directory
///   ROOT/gravity-sync.toml config(): dns_port is 0 (do not ask) until set_dns_port()
class PiholeDirectory {
 public:
  /// In a temporary directory, which goes with this object.
  explicit PiholeDirectory(PiholeOptions options = {});
  /// In `root`, an empty directory or one to be made, which stays.
  PiholeDirectory(PiholeOptions options, const std::string& root);

  const PiholeOptions& options() const { return options_; }
  const std::string& root() const { return root_; }
  std::string directory() const { return root_ + "/pihole"; }
  std::string gravity() const { return directory() + "/gravity.db"; }
  std::string toml() const { return directory() + "/pihole.toml"; }
  std::string dnsmasq() const { return root_ + "/dnsmasq.d"; }
  std::string custom_list() const { return directory() + "/custom.list"; }
  std::string cname_file() const { return dnsmasq() + "/05-pihole-custom-cname.conf"; }
  std::string dhcp_file() const { return dnsmasq() + "/04-pihole-static-dhcp.conf"; }
  std::string pihole_command() const { return root_ + "/pihole.sh"; }
  /// One line for each call of it.
  std::string command_log() const { return root_ + "/run/commands.log"; }
  /// How often `pihole -g` was run.
  std::size_t gravity_runs() const;
  std::string ftl_binary() const { return root_ + "/pihole-FTL"; }
  std::string pid_file() const { return root_ + "/run/pihole-FTL.pid"; }
  std::string port_file() const { return root_ + "/run/port"; }
  std::string ftl_log() const { return root_ + "/run/ftl.log"; }
  std::string run_directory() const { return root_ + "/run"; }
  std::string state() const { return root_ + "/state"; }
  std::string config() const { return root_ + "/gravity-sync.toml"; }
  std::string bin_directory() const { return root_ + "/bin"; }
  /// What the program is started with in PATH.
  std::string path_variable() const { return (options_.container ? bin_directory() + ":" : "") + "/usr/bin:/bin"; }
  /// The container is said not to run, or to run again.
  void set_container_stopped(bool stopped) const;

  TomlSettings settings() const { return parse_settings(read_text(toml())); }
  /// Replaces pihole.toml by a rename, as FTL does when somebody saves in the web page.
  void save(const TomlSettings& settings) const;

  /// The following rewrite gravity-sync.toml.
  void set_dns_port(std::uint16_t port);
  /// TOML text of whole [[peer]] tables.
  void set_peers(std::vector<std::string> peers);
  /// Further lines of [sync], such as "ftl_deadline_seconds = 2".
  void set_sync_lines(std::string lines);
  /// Further lines of [daemon], which has run_directory already.
  void set_daemon_lines(std::string lines);
  /// Lines of [pihole] in place of all that stand there but dns_port.
  void set_pihole_lines(std::string lines);

  /// chown of everything, for tests that run as root and want an ordinary owner.
  void give_to(uid_t uid, gid_t gid) const;

 private:
  void make();
  void make_v5() const;
  void make_v6();
  /// What it does with other arguments than -g.
  void write_pihole_script(const std::string& more) const;
  void write_config() const;

  PiholeOptions options_;
  std::optional<TempDirectory> temporary_;
  std::string root_;
  std::uint16_t dns_port_ = 0;
  std::vector<std::string> peers_;
  std::string sync_lines_;
  std::string daemon_lines_;
  std::optional<std::string> pihole_lines_;
};

}  // namespace gsync::test
