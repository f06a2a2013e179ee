#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gsync/model/history.hpp"
#include "gsync/util/clock.hpp"

namespace gsync::replica {

/// Which runs are wanted: all by default.
struct HistoryFilter {
  std::string peer;        ///< the source or the target, or who started it
  std::int64_t since = 0;  ///< not older than this
  bool conflicts = false;  ///< only those in which something was lost to something else
  bool matches(const model::HistoryEntry& entry) const;
};

/// What this node remembers, in `state.db` (SQLite) in the state directory: its id, the history, the versions, and what we know of the live file. Survives crashes as SQLite
/// does; every call is one transaction, unless a Batch is open. Processes share it; one thread uses an object at a time. Opening it writes only the first time ever.
class StateStore {
 public:
  struct Bounds {
    std::size_t versions = 50;
    std::uint64_t version_bytes = 20u << 20;
    std::size_t history_entries = 1'000;
    std::uint64_t history_bytes = 20u << 20;
  };

  /// Makes the directory's database when there is none (with a new node id). Error{io, no_space, corrupt}; {incompatible} for one of
  /// another format, which is left as it is; {refused} when the directory may not be written to.
  StateStore(const std::string& directory, util::Clock& clock) : StateStore(directory, clock, Bounds{}) {}
  StateStore(const std::string& directory, util::Clock& clock, const Bounds& bounds);
  ~StateStore();

  const std::string& node_id() const;

  /// Makes what is written while it lives one transaction (each fsync is dear on an SD card); undone unless commit() is called. One in another is a part of it.
  class Batch {
   public:
    explicit Batch(StateStore& store);
    ~Batch();
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    void commit();

   private:
    StateStore* store_;
  };

  /// Gives it an id and, if it has none, the present time; removes the oldest ones beyond the bounds.
  std::int64_t add_history(model::HistoryEntry entry);
  void update_history(const model::HistoryEntry& entry);
  /// Newest first, at most `limit`. Entries without their rows unless `with_rows`.
  std::vector<model::HistoryEntry> history(std::size_t limit, bool with_rows, const HistoryFilter& filter = {}) const;
  std::optional<model::HistoryEntry> history_entry(std::int64_t id) const;

  std::int64_t add_version(const std::string& reason, const model::Lists& lists, const model::Records& records);
  std::vector<model::VersionInfo> versions() const;
  std::optional<model::Version> version(std::int64_t id) const;
  /// Of a publish that did not happen. Does nothing where there is no such version.
  void remove_version(std::int64_t id);

  /// Small values of the modules above, by name: digests of the live file, the last publish. Empty: forget. Not written when unchanged.
  std::optional<std::string> value(const std::string& name) const;
  void set_value(const std::string& name, const std::string& value);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gsync::replica
