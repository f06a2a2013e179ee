#pragma once
#include <map>
#include <string>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/history.hpp"
#include "gsync/model/lists.hpp"
#include "gsync/model/records.hpp"

namespace gsync::model {

/// What two nodes both had at the end of their last sync.
struct Base {
  Lists lists;
  Records records;                      ///< nullopt: that kind has never been on both
  std::map<RowKey, SetDigest> compiled; ///< by adlist
};

/// Who is who in a merge. The outcome does not depend on which of the two nodes is called ours.
struct Sides {
  std::string ours;         ///< names for the conflicts
  std::string theirs;
  bool ours_wins = true;    ///< of two edits of one field
};

/// Three-way merges, row by row and record by record: what only one side did is done, what both did alike is done once. What contradicts is settled like this, and noted in `conflicts`:
/// an edit beats a deletion; of two edits of one field the one of the side that wins. A row's groups are merged one by one and never contradict each other. A group that one side
/// deleted while the other put something into it (or edited it) stays, with all that was in it. Pure, and the same on both nodes.
///
/// Without a common base an empty one gives the union: everything that either side has, and nothing is deleted.
Lists merge_lists(const Lists& base, const Lists& ours, const Lists& theirs, const Sides& sides, std::vector<Conflict>& conflicts);

/// One kind's lines. A record is what shares a name (dns: with addresses of the same family; cname: an alias) or an address, MAC or client id (dhcp): two records of which dnsmasq would take
/// only one, or none, are never both in the outcome. Keeps the order; where both sides changed it, that of the side that wins.
RecordLines merge_records(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, const Sides& sides,
                          std::vector<Conflict>& conflicts);

/// For each adlist of `lists` the newer compile: the one that is not the base's, and if neither is, the one that was made later by the adlist's own date.
/// Nobody's work is in them: `pihole -g` makes them anew.
Blocklist merge_blocklists(const std::map<RowKey, SetDigest>& base, const Blocklist& ours, const Blocklist& theirs, const Lists& lists);

/// The sets of a blocklist as a base keeps them.
std::map<RowKey, SetDigest> compiled_sets(const Blocklist& blocklist);

template <class Archive>
void fields(Archive& a, Base& b) {
  a(b.lists, b.records, b.compiled);
}

}  // namespace gsync::model
