#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "apply.hpp"

namespace gsync::pihole {

/// What the books say of a run that is about to change this Pi-hole: its line in the history and the version before it, written down before
/// anything happens, so that neither is lost if we die right after it. finish_interrupted() finds them.
class PendingRun {
 public:
  explicit PendingRun(const Parts& parts) : parts_(parts) {}

  /// Keeps the version before, gives its id and the present time to `entry`, and keeps the entry. `before` is null when live is damaged;
  /// `replacement` is the file that is about to become live, null when only records are set; `pair` as in model::Change.
  void begin(model::HistoryEntry& entry, const LiveContent* before, const model::Records& records, const replica::Identity* replacement,
             const std::string& pair);
  /// Another file is about to replace the replacement.
  void replaced_again(const replica::Identity& file);
  /// Nothing was changed after all. Where this fails, too, the next run does it.
  void forget() noexcept;
  /// Writes the line, in the caller's Batch. Gives its id.
  std::int64_t finish(const model::HistoryEntry& entry);

 private:
  const Parts& parts_;
  model::HistoryEntry entry_;
  std::vector<replica::Identity> replacements_;
  replica::Identity replaced_;
  std::string pair_;
};

}  // namespace gsync::pihole
