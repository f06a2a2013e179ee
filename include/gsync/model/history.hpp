#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "gsync/model/diff.hpp"

namespace gsync::model {

enum class Outcome : std::uint8_t { done, refused, failed, interrupted };
constexpr Outcome last_of(Outcome) { return Outcome::interrupted; }
std::string_view to_string(Outcome outcome);

enum class Action : std::uint8_t { pull, push, undo, restore, sync };
constexpr Action last_of(Action) {
  return Action::sync;
}
std::string_view to_string(Action action);

/// How much changed, by component.
struct ChangeCounts {
  std::uint64_t rows_added = 0;
  std::uint64_t rows_changed = 0;
  std::uint64_t rows_removed = 0;
  std::uint64_t adlists_compiled = 0;   ///< adlists whose compiled set was replaced or patched
  std::uint64_t blocklist_added = 0;    ///< rows
  std::uint64_t blocklist_removed = 0;
  std::uint64_t records_added = 0;
  std::uint64_t records_removed = 0;
  std::uint64_t settings_changed = 0;
  std::uint64_t conflicts = 0;  ///< of a two-way sync: what was lost to something else
  bool whole_database = false;

  ChangeCounts& operator+=(const ChangeCounts& other);
  bool any() const {
    return rows_added || rows_changed || rows_removed || adlists_compiled || blocklist_added || blocklist_removed || records_added ||
           records_removed || settings_changed || whole_database;
  }
};

/// Where two nodes contradicted each other in a sync: what went, in full.
struct Conflict {
  std::string subject;    ///< "deny  ads.example.com", "dns record nas"
  std::string field;      ///< "comment"; empty: the whole row or record
  std::string kept;       ///< the value that is on both now; "deleted"
  std::string kept_from;  ///< name of the node
  std::string lost;
  std::string lost_from;
  auto operator<=>(const Conflict&) const = default;
  bool operator==(const Conflict&) const = default;
};

/// One run that changed or refused something, as it is kept on a node.
struct HistoryEntry {
  std::int64_t id = 0;         ///< given by the store
  std::int64_t time = 0;
  Action action = Action::pull;
  std::string source;          ///< name of the node that the content came from; "version 12" for a restore
  std::string target;
  std::string started_by;      ///< "pull on ph2", "agent for ph1"
  Outcome outcome = Outcome::done;
  std::string text;            ///< why it was refused or failed; warnings
  ChangeCounts counts;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::int64_t version = 0;    ///< what was there before is kept under this id; 0: not kept
  bool dns_paused = false;     ///< FTL had to restart for cname or dhcp records, or for settings
  std::vector<RowChange> rows; ///< on the target, `before` is what a person had there and what went; at most max_rows of them
  std::vector<RecordChange> records;
  std::uint64_t rows_left_out = 0;
  std::vector<Conflict> conflicts;  ///< at most max_rows of them

  static constexpr std::size_t max_rows = 10'000;
};

/// What one version keeps: lists and records as they were before a publish.
struct VersionInfo {
  std::int64_t id = 0;
  std::int64_t time = 0;
  std::string reason;  ///< "before pull from ph1"
  std::uint64_t list_rows = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< as stored
};
struct Version {
  VersionInfo info;
  Lists lists;
  Records records;
};

template <class Archive>
void fields(Archive& a, ChangeCounts& c) {
  a(c.rows_added, c.rows_changed, c.rows_removed, c.adlists_compiled, c.blocklist_added, c.blocklist_removed, c.records_added,
    c.records_removed, c.settings_changed, c.conflicts, c.whole_database);
}
template <class Archive>
void fields(Archive& a, Conflict& c) {
  a(c.subject, c.field, c.kept, c.kept_from, c.lost, c.lost_from);
}
template <class Archive>
void fields(Archive& a, HistoryEntry& e) {
  a(e.id, e.time, e.action, e.source, e.target, e.started_by, e.outcome, e.text, e.counts, e.bytes_sent, e.bytes_received, e.version,
    e.dns_paused, e.rows, e.records, e.rows_left_out, e.conflicts);
}
template <class Archive>
void fields(Archive& a, VersionInfo& v) {
  a(v.id, v.time, v.reason, v.list_rows, v.records, v.bytes);
}
template <class Archive>
void fields(Archive& a, Version& v) {
  a(v.info, v.lists, v.records);
}

}  // namespace gsync::model
