#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/diff.hpp"
#include "gsync/model/keep_local.hpp"
#include "gsync/model/uncompiled.hpp"

/// What a peer sees of a node that keeps a part to itself, and what becomes of the whole when the peer changes what it sees.
namespace gsync::model {

/// Without the rows that are kept; rows that stay are in none of the groups that are kept.
Lists without(Lists lists, const KeepLocal& keep);
Blocklist without(Blocklist blocklist, const KeepLocal& keep);
Uncompiled without(Uncompiled uncompiled, const KeepLocal& keep);
Records without(Records records, const KeepLocal& keep);
RecordLines without(RecordKind kind, RecordLines lines, const KeepLocal& keep);

/// The part that no peer sees. Of settings `[sync] settings` says enough.
struct Kept {
  std::vector<RowKey> rows;
  PerKind<RecordLines> records;
};
Kept kept_of(const Lists& lists, const Records& records, const KeepLocal& keep);

/// Changes of what a peer sees, as changes of the whole: a row stays in the kept groups that it is in. A kept row changes in one case, when
/// a group goes that it is in. Error{refused} when a kept row is among those to change. `changes` must fit what is seen of `whole`.
std::vector<RowChange> changes_of_whole(const std::vector<RowChange>& changes, const Lists& whole, const KeepLocal& keep);

/// The whole, when what a peer sees of it becomes `shared`: each kept line stays behind the line that it stood behind. Error{refused} when
/// a line of `shared` is one that is kept. All lines in canonical form. Settings stay sorted.
RecordLines whole_with(RecordKind kind, const RecordLines& shared, const RecordLines& whole, const KeepLocal& keep);

}  // namespace gsync::model
