#pragma once
#include <functional>

#include "gsync/sqlite/database.hpp"

namespace gsync::pihole {

/// SQLite's quick_check: everything but that indexes and tables agree. Throws Error{corrupt} with what was found.
void check_structure(sqlite::Database& database);

/// Finds what SQLite's integrity_check finds, in a gravity.db that nobody writes to. Throws Error{corrupt}.
///
/// integrity_check looks up every row of a table in every index, which for gravity takes ten times as long as all the rest. Here the rows
/// of `gravity` and `antigravity` and the entries of their index on (domain, adlist_id) are added up instead, each in their own order and
/// the two at the same time: the sums are equal when the index has exactly the rows of the table, and a lookup finds them when the entries
/// are in order. For any other index and for rows of odd types it is SQLite's own check. `open` gives a new connection for reading each
/// time; one is used by another thread.
void check_database(const std::function<sqlite::Database()>& open);

}  // namespace gsync::pihole
