#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/history.hpp"
#include "gsync/model/node_info.hpp"
#include "gsync/model/pair.hpp"
#include "gsync/model/plan.hpp"
#include "gsync/util/byte_stream.hpp"
#include "gsync/util/deadline.hpp"

namespace gsync::model {

/// What a copy of a database is to be good for.
enum class CopyOf : std::uint8_t {
  live,           ///< it is live as it is now
  compiled_sets,  ///< its compiled sets are live's; the lists in it may be older. Made without reading live where the shadow is such a one
};
constexpr CopyOf last_of(CopyOf) {
  return CopyOf::compiled_sets;
}

/// A Pi-hole that can be a source or a target, here (pihole::LocalNode) or far away (protocol::RemoteNode). The engine does not know which.
/// One thread uses a Node at a time. All calls throw Error. After one that the node itself answered (busy, conflict, refused…) it can be
/// asked again; after a lost connection, a deadline or a violation of the protocol a far node is gone.
class Node {
 public:
  virtual ~Node() = default;

  /// The name for messages: the host's, or the peer's in our configuration.
  virtual std::string label() const = 0;

  /// Who it is and the digests of what it holds. Costs no database read when nothing changed since the last call of any process.
  virtual NodeInfo describe() = 0;

  /// Makes this process the only one that works on this node, and waits until no `pihole -g` runs there. Gives the description under the
  /// lock. Error{busy} at the deadline. unlock() is implied when the node is destroyed, the connection ends or the process dies.
  virtual NodeInfo lock(util::Deadline deadline) = 0;
  virtual void unlock() = 0;
  /// Whether somebody else waits for this node's lock while we hold it. May be asked by any thread at any time. A far node's holder is its
  /// agent, which asks there.
  virtual bool lock_is_wanted() const { return false; }

  /// What people edit, read from live in short steps. Error{busy} when somebody edits without pause.
  virtual Lists lists() = 0;
  /// The same for a caller who has `known`, whatever that is: rows that are equal there need not travel, and have the dates that they have
  /// there.
  virtual Lists lists_beside(const Lists& /*known*/) { return lists(); }
  virtual Records records() = 0;
  /// The compiled sets' digests and statistics. May bring the shadow up to live.
  virtual Blocklist blocklist() = 0;
  /// The rows wished for, from this node's shadow. Needs the lock; the reader must be gone before the next call.
  virtual std::unique_ptr<BlocklistReader> blocklist_rows(const std::vector<BlocklistWish>& wishes) = 0;
  /// The database as bytes of a consistent copy, its size, and the digest of its schema. Needs the lock.
  struct Copy {
    std::uint64_t bytes = 0;
    Digest schema;
    std::unique_ptr<util::ByteReader> reader;
  };
  virtual Copy copy(CopyOf of) = 0;

  /// Makes the change and publishes it: afterwards live is the whole new version, or, after any error and any crash, the whole old one.
  /// `rows` answers change.wishes (null when there are none), `copy` is there when change.brings_copy(). Keeps what was there as a version
  /// and writes the history line. Needs the lock. Error{conflict}: the target is not (any more) what the change was made for; {refused}: a
  /// safety check; {incompatible}, {corrupt}, {no_space}.
  virtual ApplyReport apply(const Change& change, BlocklistReader* rows, util::ByteReader* copy) = 0;

  /// Newest first.
  virtual std::vector<VersionInfo> versions() = 0;
  /// Error{not_found}.
  virtual Version version(std::int64_t id) = 0;

  /// What two-way syncs are made of (sync::synchronise), for the pair of this node and the one with that node id. All but the first two
  /// need the lock; what they write is on the disk when they return. A node serves these only for the pair with the one that asks.
  virtual PairInfo pair(const std::string& peer) = 0;
  virtual Base base(const std::string& peer) = 0;
  /// Keeps what is about to happen to this node. Error{conflict}: it is not as `expected`.
  virtual void intend(const std::string& peer, const Intent& intent) = 0;
  /// Does here what is left to do of the intent, keeping what was edited meanwhile. Compiled sets are not brought.
  /// Error{conflict}: records that were being set cannot be read now.
  virtual void catch_up(const std::string& peer) = 0;
  /// What was intended is the base from now on. Error{conflict}: something else was intended.
  virtual void settle(const std::string& peer, const Settlement& settlement) = 0;
  /// Forgets the intent, of which nothing was published on either node; with `all` the base too, as if the two had never synced.
  virtual void forget(const std::string& peer, bool all) = 0;

  /// Writes a line into this node's history (a refusal, a push that this node started). Not to be counted on: a read-only node keeps none.
  virtual void note(const HistoryEntry& entry) = 0;
};

}  // namespace gsync::model
