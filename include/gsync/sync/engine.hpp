#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gsync/model/node.hpp"
#include "gsync/model/shared_view.hpp"

namespace gsync::sync {

/// What a run is doing, for a progress bar. Called from the running thread, at most about ten times a second.
struct Progress {
  std::string step;         ///< "reading the blocklist of ph1"
  std::uint64_t done = 0;   ///< rows or bytes
  std::uint64_t total = 0;  ///< 0: unknown
  bool bytes = false;       ///< done and total are bytes, else rows
};

struct Options {
  model::Action action = model::Action::pull;
  model::Components components;
  model::ShrinkLimits shrink;
  bool dry_run = false;
  bool force = false;
  bool full = false;       ///< the whole database instead of rows
  std::string started_by;  ///< for the history
  std::chrono::milliseconds lock_deadline{60'000};
  std::function<void(const Progress&)> progress;
  std::function<std::uint64_t()> bytes_sent;  ///< of the connection, for the history; may be empty
  std::function<std::uint64_t()> bytes_received;
  std::uint64_t copy_from = model::large_blocklist;  ///< so many new rows may come as a copy of pages
  std::chrono::milliseconds copy_patience{40};       ///< such a one may keep us waiting so long before it must keep us at work
  bool agree = false;  ///< remember the outcome as the two nodes' base, so that they can be synced both ways from now on
};

/// Whose edit stays where both edited the same field.
enum class Prefer : std::uint8_t { lower_id, here, there };

/// What the name of a node means for a pair: `here`, `there`, or another of the `known` ones, which decides nothing here. Error{config}
/// when nobody is called so.
Prefer preferred(const std::string& name, const std::string& here, const std::string& there, const std::vector<std::string>& known);

struct TwoWayOptions : Options {
  Prefer prefer = Prefer::lower_id;
  bool unite = false;  ///< two that have no common base: everything that either has
};

/// One adlist whose compiled set differs, or that only one side has compiled.
struct AdlistDifference {
  model::RowKey key;
  std::optional<model::AdlistState> here;
  std::optional<model::AdlistState> there;
};

struct Result {
  model::NodeInfo source;
  model::NodeInfo target;                    ///< before the run
  model::Plan plan;                          ///< nothing_to_do() when the two were in step already
  std::optional<model::ApplyReport> report;  ///< absent after a dry run and when there was nothing to do
  std::vector<AdlistDifference> blocklist;   ///< what the plan's wishes are about; here: the target, there: the source
  model::Uncompiled uncompiled{};            ///< adlists that block nothing on either node, after the run
};

/// Makes `target` as `source` is. Nothing is locked, read or written when the digests are equal. Locks both in the order of their node ids,
/// plans, applies; plans again (at most three times) when a node changed meanwhile. Refusals and failures after the plan are written into
/// the target's history (and into the source's when it is the one that started) before the Error goes on. Error{refused} when both have one
/// node id (a cloned card, or a peer that is this host).
Result replicate(model::Node& source, model::Node& target, const Options& options);

/// What a two-way sync did on one of the two nodes.
struct HalfResult {
  model::NodeInfo info;  ///< before the run
  model::Plan plan;
  std::optional<model::ApplyReport> report;
};

struct TwoWayResult {
  HalfResult here;
  HalfResult there;
  std::vector<model::Conflict> conflicts;
  model::Uncompiled uncompiled{};  ///< adlists that block nothing on either node, after the run
  bool nothing_to_do() const { return here.plan.nothing_to_do() && there.plan.nothing_to_do(); }
};

/// Makes both nodes hold what their merge gives (model/merge.hpp), against the base of their last sync. Finishes first what an interrupted
/// sync left. Locks, plans again and writes into the histories as replicate() does. Without a common base it takes a fresh Pi-hole's other
/// side whole, joins both with `unite`, and is Error{refused} otherwise, as it is for nodes that would make a ring. After any error and any
/// crash nothing that anybody edited is lost, and the next run goes on.
TwoWayResult synchronise(model::Node& here, model::Node& there, const TwoWayOptions& options);

/// Whether there is nothing to sync and nothing to finish, as far as `here` knows of both.
bool agreed(model::Node& here, const model::NodeInfo& here_info, const model::NodeInfo& there_info, const model::Components& components);

/// Whether `components` are the same on both by digest, as far as both can hold them.
bool in_step(const model::NodeInfo& source, const model::NodeInfo& target, const model::Components& components);

/// Adlists that block nothing on either; where compiled sets are not among `components`, on `here`.
model::Uncompiled uncompiled(const model::NodeInfo& here, const model::NodeInfo& there, const model::Components& components);

/// A row that one side cannot hold (see model::Fit): neither a difference nor ever synced.
struct UnfitRow {
  model::RowKey key;
  bool here = false;  ///< this side has it
};

struct Comparison {
  model::NodeInfo here;
  model::NodeInfo there;
  std::vector<model::RowChange> rows;        ///< before: here, after: there
  std::vector<model::RecordChange> records;  ///< added: only there
  std::vector<AdlistDifference> blocklist;   ///< of adlists that both have
  std::vector<UnfitRow> unfit;
  model::Kept kept_here;                        ///< what `here` keeps local. For who knows it to fill in: neither side gives it
  std::vector<std::string> settings_only_here;  ///< keys that only one of the two gives; for him to fill in as well
  std::vector<std::string> settings_only_there;
  /// How many settings differ: each is in `records` twice.
  std::size_t settings() const;
  bool equal() const { return rows.empty() && records.empty() && blocklist.empty(); }
};

/// Reads only what differs by digest. Takes no lock.
Comparison compare(model::Node& here, model::Node& there, const model::Components& components);

/// Publishes lists and records of a kept version (the newest for an id of 0) on `node`. Error{not_found}. With dry_run nothing is changed.
Result restore(model::Node& node, std::int64_t version_id, const Options& options);

}  // namespace gsync::sync
