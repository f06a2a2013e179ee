#pragma once
#include <string>
#include <vector>

#include "gsync/model/history.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"
#include "node_report.hpp"

/// What commands print with --json: one object each, without a line break at its end. Keys are stable: scripts depend on them, so they may
/// be added but not changed. Bytes that are not UTF-8 become U+FFFD.
namespace gsync::cli {

std::string error_json(const Error& error);

struct RunFacts {
  std::string source;
  std::string target;
  bool dry_run = false;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};
/// Of pull, push, undo and restore.
std::string result_json(const sync::Result& result, model::Action action, const RunFacts& facts);
/// Of a two-way sync; the target is this node.
std::string two_way_json(const sync::TwoWayResult& result, const RunFacts& facts);
std::string comparison_json(const sync::Comparison& comparison, const std::string& here, const std::string& there);
std::string history_json(const std::vector<model::HistoryEntry>& entries, bool with_rows = false);
std::string history_entry_json(const model::HistoryEntry& entry);
std::string versions_json(const std::vector<model::VersionInfo>& versions);
std::string report_json(const NodeReport& report);

struct TrustFacts {
  std::string peer;
  std::string fingerprint;
  std::string key_type;
  std::string state;     ///< "known", "unknown", "changed"
  bool trusted = false;  ///< it has just been written
  std::string public_key;  ///< "type base64"
};
std::string trust_json(const TrustFacts& facts);
std::string version_json(const std::string& version, unsigned protocol);

}  // namespace gsync::cli
