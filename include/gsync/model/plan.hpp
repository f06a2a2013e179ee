#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/diff.hpp"
#include "gsync/model/history.hpp"
#include "gsync/model/node_info.hpp"

namespace gsync::model {

/// What a run may touch. `--only lists,blocklist,dns,cname,dhcp,settings`.
struct Components {
  bool lists = true;
  bool blocklist = true;
  PerKind<bool> records{true, true, true, true};
  bool any() const { return *this != none(); }
  bool all() const { return *this == Components{}; }
  static constexpr Components none() { return {false, false, {}}; }
  bool operator==(const Components&) const = default;
};

/// When a change looks like an accident: something is emptied, or loses more than `share` percent and more than `handful` entries.
struct ShrinkLimits {
  unsigned share_percent = 50;
  unsigned handful = 5;
  bool operator==(const ShrinkLimits&) const = default;
};

/// Everything that one node knows about itself and that a plan is made from.
struct NodeState {
  NodeInfo info;
  Lists lists;
  Records records;
  Blocklist blocklist;
};

/// What a target is asked to do, in one piece. It is made for exactly the target that `expected` describes; another one refuses with
/// Error{conflict}.
struct Change {
  Action action = Action::pull;
  std::string source;  ///< name of the node the content comes from
  std::string started_by;
  Digests expected;
  bool force = false;       ///< overrides the shrink check, nothing else
  bool whole_copy = false;  ///< the source's database itself follows as bytes; `rows` and `wishes` are empty
  /// Not empty: a copy of the source's database follows as bytes and answers the wishes, all of them for whole sets. The target takes its
  /// pages, which is quicker than rows, with lists as they are after `rows`; it gets the source's row ids. See
  /// answers_of_copy().
  std::vector<BlocklistAnswer> copied;
  bool brings_copy() const { return whole_copy || !copied.empty(); }
  std::uint64_t copy_bytes = 0;
  Digest copy_schema;  ///< with `copied`; a target of another schema says Error{incompatible} before it takes a byte
  Digest copy_lists;   ///< the digests that a whole copy must have when it has arrived
  Digest copy_blocklist;
  std::vector<RowChange> rows;
  std::vector<BlocklistWish> wishes;  ///< adlists (as they are after `rows`) whose compiled sets follow
  Records records;                    ///< nullopt: leave that kind alone
  std::string pair;                 ///< node id of the other node of the two-way sync that this carries out, see Node::intend; empty: none
  std::vector<Conflict> conflicts;  ///< of that sync, for the history
  bool source_compiles = false;  ///< what is uncompiled is left to the source, which runs `pihole -g` or has left it to another one itself

  struct Transferred {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };
  /// Bytes on the wire so far, seen from the target, for its history. Does not travel: an agent counts its own stream. May be empty.
  std::function<Transferred()> transferred;
};

/// What a target did.
struct ApplyReport {
  ChangeCounts counts;
  std::int64_t version = 0;  ///< what was there before, see Node::version
  std::int64_t history_id = 0;
  bool published = false;  ///< the database was exchanged (records alone do not)
  bool dns_paused = false;
  std::int64_t publish_microseconds = 0;  ///< the lock was held on live for so long
  std::vector<std::string> warnings;      ///< FTL did not come back, records that could not be set…
  Uncompiled uncompiled;                  ///< on the target, afterwards
};

struct Plan {
  Change change;
  std::vector<RecordChange> records;     ///< of `change.records` against what is there
  std::vector<BlocklistAnswer> by_copy;  ///< see answers_of_copy()
  std::vector<std::string> warnings;     ///< what the target cannot hold
  std::optional<std::string> refusal;    ///< why the target would refuse without --force
  bool nothing_to_do() const;
};

/// What must be done to `target` so that it is as `source` in `components`. Pure. Rows that the target's schema cannot hold are left out,
/// and rows of the target that the source's cannot hold stay (that they are not there says nothing); a warning for each. So do settings
/// that only one of the two has.
Plan plan_replication(const NodeState& source, const NodeState& target, const Components& components, const ShrinkLimits& limits);

/// The answers to the wishes of a change with which a copy of the source's database can bring them (Change::copied); empty where rows must
/// do. A copy has all of the source's sets, and its row ids: so it is for a first copy, which takes most of a large blocklist at once, of
/// two that keep nothing local and can hold the same, and for a target that has compiled next to nothing, or in whose lists are only
/// adlists. `large`: for fewer new rows a copy is not worth its pages. Pure.
inline constexpr std::uint64_t large_blocklist = 50'000;
std::vector<BlocklistAnswer> answers_of_copy(const Change& change, const NodeState& source, const NodeState& target,
                                             std::uint64_t large = large_blocklist);

/// The sentence for a person when going from `before` to `after` looks like an accident, per table.
std::optional<std::string> shrink_refusal(const Lists& before, const Lists& after, const ShrinkLimits& limits);
std::optional<std::string> shrink_refusal(std::string_view what, std::uint64_t before, std::uint64_t after, const ShrinkLimits& limits);

template <class Archive>
void fields(Archive& a, Components& c) {
  a(c.lists, c.blocklist, c.records);
}
template <class Archive>
void fields(Archive& a, Change& c) {
  a(c.action, c.source, c.started_by, c.expected, c.force, c.whole_copy, c.copied, c.copy_bytes, c.copy_schema, c.copy_lists,
    c.copy_blocklist, c.rows, c.wishes, c.records, c.pair, c.conflicts, c.source_compiles);
}
template <class Archive>
void fields(Archive& a, ApplyReport& r) {
  a(r.counts, r.version, r.history_id, r.published, r.dns_paused, r.publish_microseconds, r.warnings, r.uncompiled);
}

}  // namespace gsync::model
