#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "gsync/pihole/installation.hpp"
#include "gsync/util/deadline.hpp"

namespace gsync::pihole {

/// The running pihole-FTL, seen from outside. Looks afresh at each call: FTL may restart at any time.
class Ftl {
 public:
  explicit Ftl(const Installation& installation) : installation_(installation) {}

  /// From the pid file, when that process is an FTL (its comm is the binary's name), or below a container's first process; nullopt when none runs or /proc hides it.
  std::optional<pid_t> pid() const;

  /// An FTL may run that pid() does not find: in a container, or because /proc hides it (hidepid).
  bool may_be_hidden() const;

  /// Whether it runs, as far as can be told: it is visible, or it may be hidden and answers on dns_port.
  bool serves() const;

  /// The number of SIGRTMIN in *that process*, whose C library may not be ours: the lowest real-time signal in SigCgt of /proc/PID/status, if it is 34 (glibc) or
  /// 35 (musl, which 34 would kill). nullopt when it cannot be told: then its own poll must do.
  std::optional<int> reload_signal() const;

  /// Asks for a reload of the lists with the signal, sent to one idle thread only (v6: `timer`, v5: `housekeeper`): a signal that interrupts the DNS thread can hang
  /// FTL for good (PIHOLE.md §7). False when there is no process, no such thread or no permission; FTL 6 then reloads by its poll of info.updated.
  bool signal_reload() const;

  /// Has FTL end with a failure (SIGRTMIN+2, to the same thread), so that its service, which has Restart=on-failure, starts it again: after SIGTERM it would not. False
  /// as above.
  bool signal_failure() const;

  /// v5: has custom.list read again (SIGHUP, to the same thread). False as above.
  bool signal_hosts() const;

  /// Asks FTL one DNS question (A pi.hole, over UDP to 127.0.0.1 and the installation's dns_port) until something well-formed with our id answers. False at the deadline.
  /// True without asking where dns_port is 0.
  bool answers(util::Deadline deadline) const;

  /// How `info` describes it: "pid 1234, signal 35 to thread 1236 (timer)", or why not.
  std::string describe() const;

 private:
  std::string describe_none() const;
  std::string otherwise() const;
  bool signal(int (*number)(int reload_signal)) const;

  const Installation& installation_;
};

/// The setting of v6 that holds a kind of record: "dns.hosts". Not of the kind that is settings.
std::string_view setting_of(model::RecordKind kind);

/// The variable that forces a setting in FTL's environment: "FTLCONF_dns_hosts".
std::string variable_of(std::string_view key);
/// Those that FTL has settings from, and that a command of ours would not have.
std::vector<std::string> missing_variables(const Installation& installation);

/// What stands behind `pihole-FTL --config`.
struct ConfigWords {
  std::string key;
  std::string value;
};
/// `text` is the JSON of a kind's lines, or the line of a setting, which is parsed again. Error{refused}.
ConfigWords config_words(model::RecordKind kind, const std::string& text);

/// Why the records of a v6 can neither be given nor taken here, in a sentence; empty when they can.
std::string why_no_records(const Installation& installation);

/// Error{refused} for what set_records() can be known to refuse: no way to set them here, a line that is not UTF-8, lines that are more than one argument can carry (128 KiB), or settings that FTL has from
/// FTLCONF_ variables which `pihole-FTL --config` would be run without: it would reset them, and may keep FTL from starting again (PIHOLE.md §3).
void require_settable(const Installation& installation, model::RecordKind kind, const model::RecordLines& lines);

/// Sets one of the record lists of v6 with `pihole-FTL --config KEY JSON` (PIHOLE.md §3): in the container if it is in one, else in our environment with CAP_CHOWN for the child if we have it. The caller has
/// parsed the lines and spaces the calls. Afterwards reads pihole.toml back until it holds exactly these lines. Error{io} with FTL's words when it refuses, {refused}
/// for exit codes 1 and 5 (no rights, misc.readOnly, set by an environment variable) with what to do, {timeout}. Nothing is run where require_settable() refuses.
void set_records(const Installation& installation, model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline);
/// The same for one setting, a line in canonical form.
void set_setting(const Installation& installation, const std::string& line, util::Deadline deadline);

/// `pihole -g` runs: gravity.db_temp is beside the database and either a process named gravity.sh is there, or the file was written to within the last ten seconds
/// (another user's /proc may be hidden). A stale file alone is not a run (PIHOLE.md §2).
bool gravity_is_running(const Installation& installation);

}  // namespace gsync::pihole
