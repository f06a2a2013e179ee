#pragma once
#include <optional>
#include <vector>

#include "apply.hpp"
#include "check_database.hpp"

namespace gsync::pihole {

/// The version that a Change asks for, made in the shadow and checked: rows changed in a copy of live, or a whole database that arrives.
/// After make() it is shadow.db, whole and on the disk; after an Error there is none. Live is only read.
class NewVersion {
 public:
  /// `before` is null when live is damaged and a whole copy replaces it. All must outlive it.
  NewVersion(const Parts& parts, const model::Change& change, const LiveContent* before, model::BlocklistReader* rows,
             util::ByteReader* copy)
      : parts_(parts), change_(change), before_(before), reader_(rows), copy_(copy) {}

  /// Errors: refused (a safety check), incompatible (a schema that is not ours), corrupt, protocol (the source lies), conflict, busy,
  /// no_space, and whatever the readers throw.
  void make();

  const LiveContent& content() const { return after_; }
  const model::ChangeCounts& counts() const { return counts_; }
  const std::vector<model::RowChange>& rows() const { return rows_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// Ids under which Pi-hole's cache of downloaded lists may hold another list's content.
  const std::vector<std::int64_t>& new_adlists() const { return new_adlists_; }
  /// What leads here from the version before; null where it cannot be made again, or where that would cost more than a copy.
  const RepeatableChange* repeatable() const { return repeatable_ ? &*repeatable_ : nullptr; }

 private:
  struct stat target_file();
  void change_rows();
  std::vector<model::RowChange> begin_with_copy(const model::Lists& after);
  void require_copied(const GravityRows& arrived, const model::Lists& after) const;
  std::vector<std::int64_t> ids_of(const std::vector<model::BlocklistWish>& wishes, sqlite::Database& database) const;
  void require_begun_from(const std::vector<model::BlocklistWish>& wishes, const std::vector<model::BlocklistAnswer>& answers,
                          const std::vector<std::int64_t>& ids) const;
  void require_only_lists();
  void write_copied_statistics(sqlite::Database& database);
  void check_blocklist_shrink(const model::Lists& after);
  std::vector<std::int64_t> compiled_of(const std::vector<std::int64_t>& ids) const;
  void forget_compiled(const std::vector<std::int64_t>& ids);
  bool write_compiled(sqlite::Database& database, const std::vector<model::BlocklistWish>& wishes, model::BlocklistReader& reader);
  bool write_and_keep(sqlite::Database& database);
  bool bring_back_compiled(sqlite::Database& database);
  CheckedDatabase check_whole(AlsoRead also);
  void check_compiled();
  void check_counts(std::optional<std::uint64_t> domains);
  void receive_copy();
  CheckedDatabase take_copy();
  util::Fd receive_bytes();
  const std::vector<model::BlocklistAnswer>& answers() const { return change_.copied.empty() ? reader_->answers() : change_.copied; }
  void note_new_adlists();
  std::set<std::string> own_schema();
  void count_rows();
  std::int64_t seen_by_ftl() const;

  const Parts& parts_;
  const model::Change& change_;
  const LiveContent* before_;
  model::BlocklistReader* reader_;
  util::ByteReader* copy_;
  LiveContent after_;
  model::ChangeCounts counts_;
  std::vector<model::RowChange> rows_;
  std::vector<std::string> warnings_;
  std::vector<std::int64_t> new_adlists_;
  bool blocklist_changed_ = false;
  std::optional<RepeatableChange> repeatable_;
  std::optional<std::uint64_t> domains_;  ///< of gravity, in a copy that has arrived
};

/// Error{refused} for a safety check that --force overrides.
[[noreturn]] void refuse(const std::string& why);

}  // namespace gsync::pihole
