#pragma once
#include <map>
#include <string>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/fit.hpp"
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
/// an edit beats a deletion; of two edits of one field the one of the side that wins. Pure, and the same on both nodes, which is which does not matter: outcome and notes are equal, and what
/// a call notes is sorted. Merging an outcome again changes nothing.
///
/// Rows. Groups of a row are merged one by one; only where that would leave it in none although each side has it in some, those of the side that wins stay. A row that went out of a group
/// because the group was deleted has not been edited. A group that one side deleted while the other edited it or put something into it stays, with all that was in it. Renaming a group is
/// deleting one and adding another, with edits of all that was in it. The default group gets another name where its own has become that of another group. With a fit in which an address has
/// one adlist (base, ours and theirs hold no more than fits) the one of the side that wins stays.
///
/// Without a common base an empty one gives the union: everything that either side has, and nothing is deleted. What Pi-hole gives to its default group is nobody's edit there.
Lists merge_lists(const Lists& base, const Lists& ours, const Lists& theirs, const Sides& sides, std::vector<Conflict>& conflicts, Fit fit = Fit::everything);

/// One kind's lines. A record is what shares a name (dns: with addresses of the same family; cname: an alias) or an IPv4 address, MAC or
/// client id (dhcp; the host name of one without MAC and id): two lines of which dnsmasq would take only one, or none, are never both added
/// by the outcome. Where both edited a record differently it is as on the side that wins, whole; so are cnames of both that would lead in a
/// circle. Keeps the order: that of the side that changed it, else of the side that wins. A line is there once in what had to be merged.
/// Each side's lines are valid; the outcome is, but for their number.
///
/// A setting is merged whole, by its key. One that only one side has stays as it is there, and is in the outcome: nobody deletes a setting.
RecordLines merge_records(RecordKind kind, const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, const Sides& sides,
                          std::vector<Conflict>& conflicts);

/// For each adlist of `lists` the compile that is to be on both. One whose download failed, or that was never made, does not count where the other is better; of the others the one that
/// is not the base's, and if neither is, the one with the later date of its own (then the greater digest). `pihole -g` makes them anew: nothing is noted.
Blocklist merge_blocklists(const std::map<RowKey, SetDigest>& base, const Blocklist& ours, const Blocklist& theirs, const Lists& lists);

/// The sets of a blocklist as a base keeps them.
std::map<RowKey, SetDigest> compiled_sets(const Blocklist& blocklist);

template <class Archive>
void fields(Archive& a, Base& b) {
  a(b.lists, b.records, b.compiled);
}

}  // namespace gsync::model
