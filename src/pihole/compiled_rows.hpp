#pragma once
#include <cstdint>
#include <string_view>

#include "gsync/pihole/gravity.hpp"

namespace gsync::pihole {

/// The rows of gravity or antigravity that Pi-hole compiles, sorted by domain and adlist. Whatever a column's type says, SQLite keeps
/// values of other types in it; they are passed over here and not in SQL, where a call for each row would cost as much as all the rest.
class CompiledRows {
 public:
  CompiledRows(sqlite::Database& database, const char* table);

  bool more() const { return more_; }
  std::string_view domain() const { return domain_; }  ///< valid until next()
  std::int64_t adlist() const { return statement_.integer(1); }
  void next();

 private:
  sqlite::Statement statement_;
  bool more_ = false;
  std::string_view domain_;
};

}  // namespace gsync::pihole
