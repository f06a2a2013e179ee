#pragma once
#include <optional>
#include <string>
#include <utility>

#include "gsync/pihole/gravity.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/replica/live_file.hpp"
#include "gsync/replica/shadow.hpp"
#include "gsync/replica/state_store.hpp"
#include "gsync/util/clock.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {

/// What we remember of one version of the live file, so that an unchanged one is not read again.
struct LiveSummary {
  replica::Identity identity;
  std::int64_t version = 0;
  model::Capabilities capabilities;
  std::vector<std::string> unknown_columns;
  model::Digest lists;
  model::Digest blocklist;
  std::array<model::FittedDigests, 2> fitted;
  std::uint64_t list_rows = 0;
  std::uint64_t blocklist_rows = 0;
  model::Uncompiled uncompiled;
};
template <class Archive>
void fields(Archive& a, LiveSummary& s) {
  a(s.identity, s.version, s.capabilities, s.unknown_columns, s.lists, s.blocklist, s.fitted, s.list_rows, s.blocklist_rows, s.uncompiled);
}

/// What we remember of one compile. A web edit changes the live file but not this: `pihole -g` and our own publishes always make a new
/// inode.
struct CompileSummary {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  CompileMark mark;
  Compiled compiled;
};
template <class Archive>
void fields(Archive& a, CompileSummary& s) {
  a(s.device, s.inode, s.mark, s.compiled);
}

/// Which version of live the shadow is a copy of, as far as the blocklist goes.
struct ShadowSummary {
  replica::Identity shadow;
  std::uint64_t device = 0;  ///< of the live file that was copied
  std::uint64_t inode = 0;
  CompileMark mark;
};
template <class Archive>
void fields(Archive& a, ShadowSummary& s) {
  a(s.shadow, s.device, s.inode, s.mark);
}

/// Changes that lead from one version to the next: those of rows that people edit, and those of compiled sets that CompileDelta holds.
struct RepeatableChange {
  struct Set {
    model::RowKey key;
    model::SetDigest from;
    model::SetDigest to;
    model::AdlistStatistics statistics;
  };
  std::vector<model::RowChange> rows;
  std::vector<Set> sets;
};
template <class Archive>
void fields(Archive& a, RepeatableChange::Set& s) {
  a(s.key, s.from, s.to, s.statistics);
}
template <class Archive>
void fields(Archive& a, RepeatableChange& c) {
  a(c.rows, c.sets);
}

/// What our last publish changed, as long as live is what we published and the shadow what it was before: then the shadow becomes a copy of
/// live by making the same changes again, which costs what the change costs and reads nothing of live.
struct Replay {
  replica::Identity live;
  replica::Identity shadow;
  RepeatableChange change;
  std::int64_t greatest_compiled_id = 0;
  std::int64_t updated = 0;
  std::int64_t checked = 0;  ///< of `live`: see LiveContent
  static constexpr std::size_t max_rows = 2'000;
};
template <class Archive>
void fields(Archive& a, Replay& r) {
  a(r.live, r.shadow, r.change, r.greatest_compiled_id, r.updated, r.checked);
}

/// Everything that was read of one version of the live file.
struct LiveContent {
  LiveSummary summary;
  Shape shape;
  GravityRows rows;
  Compiled compiled;
  /// When all of it was checked last, or of the version that it was made from by writing rows; nullopt for what somebody else wrote.
  std::optional<std::int64_t> checked;
};

/// Reads the live database through what is remembered of it. May write the shadow; then `locked()` tells whether the node's lock is ours,
/// and it is taken for that moment if not.
class LiveState {
 public:
  LiveState(const Installation& installation, replica::LiveFile& live, replica::Shadow& shadow, replica::StateStore& state,
            util::Clock& clock, std::chrono::milliseconds lock_deadline)
      : installation_(installation), live_(live), shadow_(shadow), state_(state), clock_(clock), lock_deadline_(lock_deadline) {}

  /// Why live cannot be read as a database: it is missing, empty, truncated or not SQLite; nullopt when nothing is known against it.
  std::optional<std::string> damage();

  /// Costs no database read when live is what it was. Error{corrupt, incompatible, busy}.
  LiveSummary summary();
  /// Reads rows and, when `pihole -g` has run, the compiled sets.
  const LiveContent& content();

  /// The highest info.updated that live ever had, as far as we know.
  std::int64_t highest_updated() const;

  /// Error{no_space} where there is no room for a shadow.building of so many bytes, even without what a killed run has left unfinished,
  /// which is removed.
  void require_room(std::uint64_t bytes, replica::Shadow::Previous previous);
  /// Makes shadow.building a copy of live, which must be what `content` says (else Error{conflict}). Returns when what it
  /// was made from was checked, if nobody but us has written to that and no compiled set was made again: see LiveContent.
  std::optional<std::int64_t> copy_live_to_building(const LiveContent& content, replica::Shadow::Previous previous);
  /// Makes the shadow a whole copy of live as far as the blocklist goes, if it is not yet. Needs the lock.
  void refresh_shadow(const LiveContent& content);

  /// After a publish: live is now `content`. `before` is what the shadow still holds, or null; `change` what leads from it to `content`, or
  /// null when that cannot be made again.
  void published(LiveContent content, const LiveContent* before, const RepeatableChange* change);

  /// What reading a copy of live threw. If it says that the copy is damaged, the shadow is removed. It is Error{corrupt} that names live
  /// where the copy has nothing but what was just read of live; else our own old shadow may be to blame, and it is Error{conflict}: the
  /// next attempt begins with a new copy.
  [[noreturn]] void distrust_copy(const Error& error);
  /// Whether the copy that was made or found last has nothing of an old shadow's.
  bool copy_is_new() const { return copy_is_new_; }

  void set_locked(bool locked) { locked_ = locked; }

 private:
  LiveContent read(const replica::Identity& identity);
  /// The compiled sets, which are read from a copy, where nobody waits for us. What `pihole -g` changed is kept when the copy is made.
  Compiled read_compiled_from_copy(const LiveContent& content);
  void finish_copy(const LiveContent& content);
  GravityRows read_rows_in_steps(sqlite::Database& database, const Shape& shape);
  std::optional<Compiled> remembered_compile(std::uint64_t device, std::uint64_t inode, const CompileMark& mark);
  void copy_by_backup(const replica::Identity& expected, replica::Shadow::Previous previous);
  std::optional<Replay> replay_last_publish(const LiveContent& content);
  void write_sets_again(sqlite::Database& database, const Shape& shape, const std::vector<RepeatableChange::Set>& sets);
  bool shadow_is_copy_of(const replica::Identity& identity, const CompileMark& mark);
  void remember(const LiveContent& content);

  const Installation& installation_;
  replica::LiveFile& live_;
  replica::Shadow& shadow_;
  replica::StateStore& state_;
  util::Clock& clock_;
  std::chrono::milliseconds lock_deadline_;
  std::optional<LiveContent> content_;
  bool copy_is_new_ = false;
  bool locked_ = false;
};

/// The digests and counts of some content, for its summary.
LiveSummary summarise(const replica::Identity& identity, const Shape& shape, const GravityRows& rows, const Compiled& compiled);

}  // namespace gsync::pihole
