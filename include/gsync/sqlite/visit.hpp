#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "gsync/sqlite/database.hpp"

struct sqlite3_value;

namespace gsync::sqlite {

/// A row in the hands of a visitor, valid for that call.
class VisitedRow {
 public:
  explicit VisitedRow(sqlite3_value** columns) : columns_(columns) {}
  bool is_text(int column) const;
  bool is_integer(int column) const;
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;  ///< the bytes as they are; empty for NULL

 private:
  sqlite3_value** columns_;
};

/// Calls `visit` with each row of "SELECT `columns` FROM `rest`", in the order in which SQLite comes upon them: `rest` has no ORDER BY. For
/// walks through whole tables: the rows go to an aggregate function, so SQLite does not leave its loop for each of them. Throws what `visit`
/// throws, and as Statement::step().
void visit_rows(Database& database, const std::string& columns, const std::string& rest,
                const std::function<void(const VisitedRow&)>& visit);

}  // namespace gsync::sqlite
