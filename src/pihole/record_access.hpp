#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gsync/model/records.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/pihole/root_actions.hpp"
#include "gsync/util/deadline.hpp"

namespace gsync::pihole {

/// How the records of one installation are read and set. LocalNode and Apply know no other way.
class RecordAccess {
 public:
  virtual ~RecordAccess() = default;

  /// Changes whenever what read() gives may have changed, so that an unchanged Pi-hole costs a look at a file or two. Empty: do not
  /// remember.
  virtual std::string identity() const = 0;

  struct Reading {
    model::Records records;                  ///< parsed by our own grammar; nullopt for the kinds that cannot be given or taken here
    model::PerKind<std::string> unavailable;  ///< why; empty for those that are in `records`
    model::PerKind<std::string> read_only;    ///< why it can be given but not set; empty when it can
    std::vector<std::string> notes;          ///< what stands there and is not synced, one sentence each, for NodeInfo
    bool passing = false;                    ///< a file could not be read this time: not to be remembered

    /// Why there are none; nobody needs to hear it where none were `wanted`.
    void no_settings(bool wanted, const std::string& why) {
      const auto i = model::index_of(model::RecordKind::setting);
      unavailable[i] = wanted ? why : std::string();
      records[i] = wanted ? std::nullopt : std::optional(model::RecordLines());
    }
  };
  /// Does not throw for what a person wrote there: that is a reason in `unavailable`.
  virtual Reading read() const = 0;

  /// Error{refused} when set() is known to be refused for these: asked before anything is changed.
  virtual void require_settable(model::RecordKind, const model::RecordLines&) const {}
  /// Makes one kind what `lines` says, which were parsed and differ from what read() gave; of settings `lines` is the one that is to be
  /// changed. Errors as those of pihole::set_records. Gives what the person should hear of it, one sentence each.
  virtual std::vector<std::string> set(model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) = 0;
  /// After the last set() of a run, or of one that was interrupted: what was set of these kinds takes effect. May be called once too often.
  virtual void settle(const std::vector<model::RecordKind>&, util::Deadline) {}

  /// Such a set() makes FTL restart, and DNS pause.
  virtual bool pauses_dns(model::RecordKind kind, const model::RecordLines& lines) const = 0;
  /// Whether two calls of set() must be [sync] record_spacing apart.
  virtual bool needs_spacing() const { return false; }
};

/// The one for this installation. All must outlive it; `root` is what does on a Pi-hole 5 what needs root, or null. `settings` are the keys
/// of [sync] settings, in their order: no other is read or set.
std::unique_ptr<RecordAccess> make_record_access(const Installation& installation, util::FileOps& files, RootActions* root,
                                                 const std::vector<std::string>& settings = {});
std::unique_ptr<RecordAccess> make_v5_record_access(const Installation& installation, util::FileOps& files, RootActions* root,
                                                    bool settings_wanted);

}  // namespace gsync::pihole
