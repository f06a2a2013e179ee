#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/diff.hpp"
#include "gsync/model/lists.hpp"
#include "gsync/model/node_info.hpp"
#include "gsync/sqlite/database.hpp"

/// Pi-hole's gravity.db as rows (PIHOLE.md §1). Works on any connection: live (read in steps), the shadow, a copy that has arrived.
namespace gsync::pihole {

/// What a database looks like, found by looking at its tables; the version number does not tell.
struct Shape {
  std::int64_t version = 0;  ///< info.version
  bool adlist_type = false;  ///< column adlist.type
  bool antigravity = false;
  bool abp_entries = false;
  bool address_unique = false;               ///< adlist is unique on address alone
  std::vector<std::string> unknown_columns;  ///< "adlist.colour": of the tables that people edit; not synced

  model::Capabilities capabilities() const;  ///< what the database alone tells
};
/// Error{incompatible} when a table or column that we need is missing, is a view or a virtual table, or the version is older than 15
/// (Pi-hole 5.0).
Shape shape_of(sqlite::Database& database);

/// The SQL of every table, index, trigger and view: "TYPE NAME SQL", for comparing two databases.
std::set<std::string> schema_of(sqlite::Database& database);
model::Digest digest_of_schema(const std::set<std::string>& schema);

/// Changes whenever `pihole -g` has compiled: a web edit does not change it.
struct CompileMark {
  std::int64_t updated = 0;
  std::int64_t gravity_count = 0;
  std::int64_t last_gravity = 0;  ///< greatest rowid
  std::int64_t last_antigravity = 0;
  bool operator==(const CompileMark&) const = default;
};
template <class Archive>
void fields(Archive& a, CompileMark& m) {
  a(m.updated, m.gravity_count, m.last_gravity, m.last_antigravity);
}

/// What people edit, with what is needed to find it again.
struct GravityRows {
  model::Lists lists;
  std::map<model::RowKey, std::int64_t> adlist_ids;
  std::map<model::RowKey, model::AdlistStatistics> statistics;
  CompileMark mark;
};
/// Reads a database in one go (`pacer` null) or, where FTL has it open, in steps with pauses; then Error{conflict} when it changed in
/// between.
GravityRows read_rows(sqlite::Database& database, const Shape& shape, sqlite::Pacer* pacer);

/// Whether a row of gravity is one that Pi-hole compiles: not empty, at most 1,024 bytes, no control characters. Others are left where they
/// are and do not count.
bool can_travel(std::string_view domain);

/// An adlist's compiled set by its id in one database.
struct CompiledSet {
  std::int64_t id = 0;
  model::SetDigest rows;
  auto operator<=>(const CompiledSet&) const = default;
};
template <class Archive>
void fields(Archive& a, CompiledSet& s) {
  a(s.id, s.rows);
}
/// Of every adlist_id that occurs in gravity, and of every one in antigravity; also of those that have no adlist any more. Reads both
/// tables.
struct Compiled {
  std::vector<CompiledSet> gravity;
  std::vector<CompiledSet> antigravity;
  std::int64_t greatest_id() const;
  std::uint64_t rows() const;
};
template <class Archive>
void fields(Archive& a, Compiled& c) {
  a(c.gravity, c.antigravity);
}
Compiled read_compiled(sqlite::Database& database, const Shape& shape);
/// Those of one of the two tables, in the order of their ids.
std::vector<CompiledSet> read_compiled(sqlite::Database& database, const char* table);
/// The compiled sets of the adlists that there are, by their natural keys.
model::Blocklist blocklist_of(const GravityRows& rows, const Compiled& compiled);

/// One adlist to stream: its id in the database, where its rows are, and the index that they get.
struct WholeSet {
  std::int64_t id = 0;
  bool allow = false;  ///< antigravity, else gravity
  std::uint32_t index = 0;
};
/// Streams whole sets in the order that BlocklistReader promises. `answers` are the caller's.
std::unique_ptr<model::BlocklistReader> read_blocklist(sqlite::Database database, const Shape& shape, const std::vector<WholeSet>& sets,
                                                       std::vector<model::BlocklistAnswer> answers);

struct RowsWritten {
  std::vector<std::int64_t> removed_adlists;  ///< ids
  std::vector<std::int64_t> added_adlists;
};
/// Makes the changes inside the caller's transaction. Ids of rows that stay do not change; dates are carried over; triggers do not run (see
/// sqlite::Database). A new adlist gets an id greater than `greatest_compiled_id`, so that orphaned rows of a removed one are not taken for
/// its own. Error{conflict} when a row to change is not there.
RowsWritten write_rows(sqlite::Database& database, const Shape& shape, const std::vector<model::RowChange>& changes,
                       std::int64_t greatest_compiled_id);

/// Removes the compiled sets of these adlists.
std::uint64_t remove_compiled(sqlite::Database& database, const Shape& shape, const std::vector<std::int64_t>& adlist_ids);

struct BlocklistWritten {
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
  std::map<std::int64_t, model::SetDigest> sets;  ///< what each wished adlist has now
};
/// Makes the compiled sets of `ids` (by wish, whose key says block or allow) what `rows` says, row by row, and writes their statistics.
/// Error{corrupt} when the rows do not have the digests that their source announced.
BlocklistWritten write_blocklist(sqlite::Database& database, const Shape& shape, const std::vector<std::int64_t>& ids,
                                 const std::vector<model::BlocklistWish>& wishes, model::BlocklistReader& rows);

/// Writes what a compile leaves in the adlist's row.
void write_statistics(sqlite::Database& database, const Shape& shape, std::int64_t adlist_id, const model::AdlistStatistics& statistics);

/// info.updated, 0 when there is no such row.
std::int64_t read_updated(sqlite::Database& database);
/// Raises info.updated to more than `above`, preferring `wanted` (the source's time of compilation). FTL 6 reloads when it increases.
void raise_updated(sqlite::Database& database, std::int64_t above, std::int64_t wanted);
/// Writes what `pihole -g` leaves in info: gravity_count and abp_domains (of both tables). `domains`: how many different ones gravity has;
/// without it they are counted, which takes a walk through all of them.
void write_counts(sqlite::Database& database, std::optional<std::uint64_t> domains = {});

}  // namespace gsync::pihole
