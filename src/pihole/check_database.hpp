#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gsync/pihole/gravity.hpp"
#include "gsync/sqlite/database.hpp"

namespace gsync::pihole {

/// Names of the tables, without those that SQLite keeps for itself.
std::vector<std::string> tables_of(sqlite::Database& database);

/// SQLite's quick_check: everything but that indexes and tables agree. Throws Error{corrupt} with what was found.
void check_structure(sqlite::Database& database);

/// Checks a version that rows of the lists were written to. Where all else in it is what was checked whole at `checked` (nothing but SQLite
/// has written to it since, for us), that is the lists, with SQLite's integrity_check: what an edit costs does not grow with the blocklist.
/// Otherwise, and once a day, for what a disk does to files at rest, it is check_structure. Returns when all of it was checked last. Throws
/// Error{corrupt}. Times are of the calendar.
std::int64_t check_edited(sqlite::Database& database, std::optional<std::int64_t> checked, std::int64_t now);

/// Finds what SQLite's integrity_check finds, in a gravity.db that nobody writes to. Throws Error{corrupt}.
///
/// integrity_check looks up every row of a table in every index, which for gravity takes ten times as long as all the rest. Here the rows
/// of `gravity` and `antigravity` and the entries of their index on (domain, adlist_id) are added up instead, each in their own order and
/// the two at the same time: the sums are equal when the index has exactly the rows of the table, and a lookup finds them when the entries
/// are in order. For any other index and for rows of odd types it is SQLite's own check. `open` gives a new connection for reading each
/// time; one is used by another thread.
struct CheckedDatabase {
  std::optional<std::uint64_t> domains;  ///< how many different ones `gravity` has, where the walk through its index has told
  Compiled compiled;                     ///< as read_compiled() has it, if asked for
};
enum class AlsoRead : bool { nothing, compiled };
CheckedDatabase check_database(const std::function<sqlite::Database()>& open, AlsoRead also = AlsoRead::nothing);

}  // namespace gsync::pihole
