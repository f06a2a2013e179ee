#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gsync/model/digest.hpp"
#include "gsync/model/uncompiled.hpp"

namespace gsync::model {

/// What this Pi-hole's schema and runtime can hold. Decided by looking at tables and files, not at version numbers (PIHOLE.md §1: "the number does not tell
/// the shape").
struct Capabilities {
  bool allow_lists = false;         ///< adlist.type and the table antigravity
  bool address_unique = false;      ///< adlist is unique on address alone: one address cannot be both a block and an allow list
  bool abp_entries = false;         ///< its FTL blocks by entries like ||example.com^
  PerKind<std::string> records_unavailable;  ///< why that kind cannot be given or taken here; empty when it can
  PerKind<std::string> records_read_only;    ///< why it can be given but not taken; empty when it can
};

/// How much of the lists a schema can hold; each holds less than those before it.
enum class Fit : std::uint8_t {
  everything,
  one_list_per_address,  ///< an address cannot be both a block list and an allow list (migrated databases)
  block_lists_only,      ///< Pi-hole 5
};
Fit fit_of(const Capabilities& capabilities);

/// What a Pi-hole that holds less would have of a node's lists and blocklist, so that two of different versions see when they are in step.
struct FittedDigests {
  Digest lists;
  Digest blocklist;
  std::uint64_t rows_left_out = 0;  ///< list rows that it cannot hold
  bool operator==(const FittedDigests&) const = default;
};

/// A node as it presents itself. Strings are for people and logs; nothing is decided by them.
struct NodeInfo {
  std::string node_id;      ///< 32 hex digits, made once at random; equal ids mean a cloned card
  std::string name;         ///< host name
  std::string software;     ///< our version on that node
  std::string core_version; ///< Pi-hole's, "" when unknown
  std::string ftl_version;
  std::int64_t schema = 0;  ///< info.version
  Capabilities capabilities;
  Digests digests;
  std::array<FittedDigests, 2> fitted;  ///< of `digests`, for the fits behind Fit::everything
  std::string live_identity;      ///< opaque: changes with every change of the live file
  std::uint64_t live_bytes = 0;
  std::uint64_t list_rows = 0;
  std::uint64_t blocklist_rows = 0;
  bool read_only = false;         ///< the agent was started with --read-only: no lock as a target, no apply
  bool damaged = false;           ///< live cannot be read as a gravity.db; only a whole copy helps. Digests are zero
  std::string damage;             ///< how we know
  std::vector<std::string> notes; ///< what is not synced and why
  std::vector<std::string> kept_local;  ///< the patterns of what is left out here because one of the two keeps it, see SharedNode
  std::uint64_t entries_kept = 0;       ///< rows and records of this node that they leave out
  Uncompiled uncompiled;                ///< adlists that block nothing here
  bool runs_gravity = false;            ///< it starts `pihole -g` by itself for what is uncompiled and not left to another node
};

template <class Archive>
void fields(Archive& a, Capabilities& c) {
  a(c.allow_lists, c.address_unique, c.abp_entries, c.records_unavailable, c.records_read_only);
}
template <class Archive>
void fields(Archive& a, FittedDigests& f) {
  a(f.lists, f.blocklist, f.rows_left_out);
}
template <class Archive>
void fields(Archive& a, NodeInfo& n) {
  a(n.node_id, n.name, n.software, n.core_version, n.ftl_version, n.schema, n.capabilities, n.digests, n.fitted, n.live_identity,
    n.live_bytes, n.list_rows, n.blocklist_rows, n.read_only, n.damaged, n.damage, n.notes, n.kept_local, n.entries_kept, n.uncompiled,
    n.runs_gravity);
}

}  // namespace gsync::model
