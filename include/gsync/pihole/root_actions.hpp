#pragma once
#include <cstdint>
#include <memory>

#include "gsync/model/records.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/util/deadline.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/file_ops.hpp"

namespace gsync::pihole {

/// What Pi-hole 5's own programs do for us, as root; in the container where it runs in one.
enum class PiholeCommand : std::uint8_t {
  restart_dns,         ///< `pihole restartdns`: DNS pauses
  reload_hosts,        ///< `pihole restartdns reload`
  reload_lists,        ///< `pihole restartdns reload-lists`
  test_configuration,  ///< `pihole-FTL dnsmasq-test`: whether FTL would start
  update_gravity,      ///< `pihole -g`
};
constexpr PiholeCommand last_of(PiholeCommand) {
  return PiholeCommand::update_gravity;
}

/// All that needs root on a Pi-hole 5 (PIHOLE.md §4): its record files, two of them in root's /etc/dnsmasq.d, and its service. No more than
/// this can be asked for, whoever asks.
class RootActions {
 public:
  virtual ~RootActions() = default;

  /// Makes the records of that kind what `lines` says; they are parsed again by our own grammar. The file is replaced in one step, keeps
  /// its owner and mode and the lines that are no records, and is left alone when nothing differs. What dnsmasq would not start with
  /// (`pihole-FTL dnsmasq-test`) is taken back. Errors: refused (the grammar, a file that is no plain one), conflict (somebody edited it
  /// meanwhile), io.
  virtual void set_records(model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) = 0;

  /// A restart is refused, Error{io}, while dnsmasq would not start with its configuration as it is. Error{io} with the script's words.
  virtual void run(PiholeCommand command, util::Deadline deadline) = 0;
};

/// Done by this process itself. Both must outlive it.
std::unique_ptr<RootActions> make_root_actions(const Installation& installation, util::FileOps& files);

/// Done by a child that stays root while this process becomes the owner of the Pi-hole, and that can do only this.
class RootHelper : public RootActions {
 public:
  /// A connection for a child of this process, which gives it to join_root_helper() (util::HelperProcess::share).
  virtual util::Fd share() = 0;
};

/// It ends with this process. To be called before any thread is started.
std::unique_ptr<RootHelper> start_root_helper(const Installation& installation);

/// Done by the helper of the process that started this one.
std::unique_ptr<RootHelper> join_root_helper(util::Fd connection);

}  // namespace gsync::pihole
