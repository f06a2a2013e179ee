#pragma once
#include <fmt/core.h>

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "gsync/pihole/gravity.hpp"
#include "gsync/util/error.hpp"

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

/// Adds such rows up by adlist, in that order. A database that a peer sends may name any number of them, and what is remembered of each
/// takes memory.
class CompiledSums {
 public:
  static constexpr std::size_t most_adlists = 65'536;  // as many as can be wished for

  /// `again`: domain and adlist are those of the row before. The schema allows a row to be there twice, and it means nothing.
  void add(std::string_view domain, std::int64_t adlist, bool again) {
    if (again) return;
    if (set_ == nullptr || adlist != adlist_) set_ = &sets_[adlist];
    if (sets_.size() > most_adlists)
      throw Error(ErrorCode::corrupt, fmt::format("there are domains of more than {} adlists", most_adlists));
    adlist_ = adlist;
    set_->add(domain);
  }
  /// In the order of their ids.
  std::vector<CompiledSet> sets() const {
    std::vector<CompiledSet> result;
    result.reserve(sets_.size());
    for (const auto& [id, rows] : sets_) result.push_back({id, rows});
    return result;
  }

 private:
  std::map<std::int64_t, model::SetDigest> sets_;
  model::SetDigest* set_ = nullptr;
  std::int64_t adlist_ = 0;
};

}  // namespace gsync::pihole
