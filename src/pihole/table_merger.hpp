#pragma once
#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gsync/pihole/gravity.hpp"

namespace gsync::pihole {

/// Whatever the columns' types say, SQLite keeps blobs in them, which sort behind all text: they would break the order that everything here
/// relies on.
inline constexpr const char* rows_that_count = "typeof(domain)='text' AND typeof(adlist_id)='integer'";

/// One compiled table of a target: compares what it has with what arrives, a stretch of domains at a time, so that memory stays small and
/// nothing is written under a running query.
class TableMerger {
 public:
  TableMerger(sqlite::Database& database, std::string table, BlocklistWritten& written);

  /// The set of adlist `id` arrives, `whole` or as what was added and removed, in rows that have the number `wish`. `digest` becomes that
  /// of its rows; of a delta it is that of the rows that are there.
  void wish(std::uint32_t wish, std::int64_t id, bool whole, model::SetDigest& digest);

  /// To be called after the wishes and before the first row. Where `new_rows`, a lower bound of what will be added, is more than the table
  /// has now, its indexes are dropped, and made again at the end: sorting once is cheaper than finding each row's place.
  void begin(std::uint64_t new_rows);
  /// A row that the source has (or, in a delta, has no more). In order of the domains. Error{corrupt} when a delta does not fit.
  void row(const model::BlocklistRow& row);
  void finish();

 private:
  struct Own {
    std::int64_t rowid;
    std::string domain;
    std::int64_t adlist;
  };
  struct Incoming {
    std::string domain;
    std::uint32_t wish;
  };
  struct Wish {
    std::int64_t id = 0;
    bool whole = false;
    model::SetDigest* digest = nullptr;
  };

  bool has_index_on_domain();
  void patch(const model::BlocklistRow& row);
  std::vector<std::int64_t> rows_of(std::string_view domain, std::int64_t id);
  void insert(const std::vector<const Incoming*>& rows);
  void drop(const Own& own);
  void advance_to(std::string_view domain);
  void load();
  void load_by_index();
  void load_in_order();
  void flush(std::optional<std::string_view> before);
  void settle(std::size_t incoming, std::optional<std::string_view> before);

  sqlite::Database& database_;
  const std::string table_;
  BlocklistWritten& written_;
  sqlite::Statement insert_;
  sqlite::Statement insert_many_;
  sqlite::Statement remove_;
  /// With an index on domain: the next rows behind a domain, and all of one. Two statements, because a row value comparison would not let
  /// SQLite stop within a domain.
  std::optional<sqlite::Statement> next_;
  std::optional<sqlite::Statement> all_of_;
  /// Without one: all rows, which SQLite sorts, and so copies, before it gives out the first; writing under it is safe.
  std::optional<sqlite::Statement> sorted_;
  std::vector<Wish> wishes_;  // by their numbers, which leave gaps: other tables have wishes as well
  std::set<std::int64_t> whole_;
  std::set<std::int64_t> delta_;
  std::vector<std::string> dropped_indexes_;  // the SQL that makes them again
  std::vector<Own> own_;
  std::optional<Own> first_of_next_;  // read already, by sorted_
  std::vector<Incoming> incoming_;    // the first incoming_count_; the rest keep their memory for the next ones
  std::size_t incoming_count_ = 0;
  std::string loaded_to_;  // own rows up to and with this domain are in hand or settled
  bool at_end_ = false;
};

}  // namespace gsync::pihole
