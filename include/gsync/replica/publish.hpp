#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "gsync/replica/live_file.hpp"
#include "gsync/replica/shadow.hpp"
#include "gsync/sqlite/file_format.hpp"
#include "gsync/util/clock.hpp"

namespace gsync::replica {

/// What publishing must know of Pi-hole.
struct PublishHooks {
  std::function<bool()> gravity_is_running;  ///< `pihole -g`, looked at under the lock
  std::function<void()> signal_reload;       ///< best effort; FTL's own poll does it otherwise
};

/// One exchange of shadow and live, from the lock to the end of the old file (DESIGN.md, "Publishing"). The shadow must be whole, fsynced, with live's owner and mode.
///
/// Killed before the exchange: live is the old version, shadow.db the new one. Killed after it: the other way round. There is no state in between; locks die with the process.
class Publication {
 public:
  /// Steps 2 to 5. `expected` is the version of live that the shadow was made from: another one is Error{conflict}, as is a hot journal or a running `pihole -g` (Error{busy}).
  /// Whoever holds a write lock on live is waited for until `deadline`, then Error{busy}. On any Error live is as it was.
  Publication(LiveFile& live, Shadow& shadow, const Identity& expected, const PublishHooks& hooks, util::Clock& clock, util::Deadline deadline);

  /// Step 6: keeps writers off the old file until nobody has it open any more; false at the deadline (a reader has not reloaded), or, where watchable() turns out false, after a
  /// time in which FTL's poll comes by. May be called again.
  bool wait_until_old_is_closed(util::Deadline deadline);
  /// False once it has shown that this filesystem does not tell who has a file open: then nobody can be blamed for not reloading.
  bool watchable() const { return watchable_; }

  /// Step 7: the old file becomes the shadow; false when somebody wrote to it in spite of the lock, and what it holds must be looked at.
  bool keep_old();
  /// Leaves the old file to its last readers: it has no name any more. The lock goes: should such a reader outlive it, a writer's journal beside the new file could still be taken
  /// for its own, which is why this is the last resort.
  void abandon_old();
  /// Exchanges the two back, for a reader that never took the new one. Error{conflict} when the new one was edited or replaced since, Error{busy} when
  /// somebody keeps it locked; both leave things as they are. Afterwards "old" is the version that was taken back, kept from writers in its turn.
  void revert();

  const Identity& old_identity() const { return old_; }
  const Identity& new_identity() const { return new_; }
  /// How long writers were kept from live: from the lock to the exchange.
  std::chrono::microseconds held() const { return held_; }
  /// False where the filesystem cannot exchange two names and link + rename was used.
  bool atomic() const { return atomic_; }
  /// False when the directories could not be brought to the disk: the new version is live, but after a power cut the old one may be again.
  bool durable() const { return durable_; }

 private:
  void exchange();
  bool exchange_names();
  void replace_by_link();
  void sync_directories();
  bool is_called(const Identity& file, int directory, const std::string& name);
  /// The same, but false when one cannot look.
  bool certainly_called(const Identity& file, int directory, const std::string& name);

  LiveFile& live_;
  Shadow& shadow_;
  util::Clock& clock_;
  LiveFile::Raw raw_;
  std::optional<sqlite::WriterLock> lock_;
  Identity old_;
  Identity new_;
  std::chrono::microseconds held_{0};
  bool atomic_ = true;
  bool durable_ = true;
  bool watchable_ = true;
};

}  // namespace gsync::replica
