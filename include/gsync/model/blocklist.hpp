#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "gsync/model/digest.hpp"
#include "gsync/model/lists.hpp"

namespace gsync::model {

/// What `pihole -g` writes into an adlist's row.
struct AdlistStatistics {
  std::int64_t date_updated = 0;  ///< 0: never
  std::int64_t number = 0;
  std::int64_t invalid_domains = 0;
  std::int64_t status = 0;        ///< 1 updated, 2 unchanged, 3 failed with cache, 4 failed without; 0 not yet compiled
  std::int64_t abp_entries = 0;
  bool operator==(const AdlistStatistics&) const = default;
};

/// One adlist's compiled set: its rows in `gravity` (block) or `antigravity` (allow).
struct AdlistState {
  RowKey key;       ///< Table::adlist
  SetDigest rows;
  AdlistStatistics statistics;
};

/// All adlists' states in the order of their keys.
using Blocklist = std::vector<AdlistState>;
/// Of keys and rows; statistics do not count as a difference (dates differ when two nodes compile the same list).
Digest digest_of(const Blocklist& blocklist);

/// A wish of a target: the rows of this adlist, of which it has `have` (nullopt: nothing).
struct BlocklistWish {
  RowKey key;
  std::optional<SetDigest> have;
};

/// One row of a transfer. Rows come sorted by domain (bytewise), then adlist; each at most once.
struct BlocklistRow {
  std::string_view domain;  ///< valid until the next call of next()
  std::uint32_t adlist = 0; ///< index into the wishes
  bool removed = false;     ///< only in a delta: the target has it and must not
};

/// How the source chose to answer a wish.
struct BlocklistAnswer {
  bool delta = false;       ///< rows added and removed since `have`, else the whole set
  SetDigest rows;           ///< the set as it is on the source
  AdlistStatistics statistics;
};

/// Streams the rows of the adlists that were wished for, in constant memory.
class BlocklistReader {
 public:
  virtual ~BlocklistReader() = default;
  /// One answer per wish, in their order. Known before the first row.
  virtual const std::vector<BlocklistAnswer>& answers() const = 0;
  /// nullopt at the end.
  virtual std::optional<BlocklistRow> next() = 0;
};

template <class Archive>
void fields(Archive& a, AdlistStatistics& s) {
  a(s.date_updated, s.number, s.invalid_domains, s.status, s.abp_entries);
}
template <class Archive>
void fields(Archive& a, AdlistState& s) {
  a(s.key, s.rows, s.statistics);
}
template <class Archive>
void fields(Archive& a, BlocklistWish& w) {
  a(w.key, w.have);
}
template <class Archive>
void fields(Archive& a, BlocklistAnswer& b) {
  a(b.delta, b.rows, b.statistics);
}

}  // namespace gsync::model
