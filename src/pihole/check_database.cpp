#include "check_database.hpp"

#include <fmt/core.h>

#include <array>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "gsync/util/thread.hpp"

namespace gsync::pihole {
namespace {

/// An index on (domain, adlist_id).
struct CompiledIndex {
  std::string table;
  std::string name;
  bool unique = false;
};

/// What a walk through a table or an index has seen.
struct Walk {
  model::SetDigest rows;
  bool odd = false;          ///< a value of another type than the column should have
  std::string out_of_order;  ///< the first domain that stands before one that must come first
};

std::vector<std::string> tables_of(sqlite::Database& database) {
  std::vector<std::string> result;
  for (auto row = database.prepare("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
       row.step();)
    result.emplace_back(row.text(0));
  return result;
}

/// The table's only index, if it is such a one.
std::optional<CompiledIndex> compiled_index(sqlite::Database& database, const std::string& table) {
  std::optional<CompiledIndex> result;
  auto indexes = database.prepare("SELECT name, \"unique\", partial FROM pragma_index_list(?)");
  indexes.bind(1, table);
  while (indexes.step()) {
    if (result || indexes.integer(2) != 0) return std::nullopt;
    result = {table, std::string(indexes.text(0)), indexes.integer(1) != 0};
  }
  if (!result) return std::nullopt;
  std::string columns;
  auto column = database.prepare("SELECT coalesce(name, 'rowid') || iif(\"desc\", ' DESC', '') || ' ' || coll FROM pragma_index_xinfo(?)");
  column.bind(1, result->name);
  while (column.step()) columns += std::string(column.text(0)) + ",";
  if (columns != "domain BINARY,adlist_id BINARY,rowid BINARY,") return std::nullopt;
  return result;
}

Walk walk(sqlite::Database& database, const CompiledIndex& index, bool by_index) {
  auto row =
      database.prepare(by_index ? fmt::format("SELECT rowid, domain, adlist_id FROM \"{}\" INDEXED BY \"{}\" ORDER BY domain, adlist_id",
                                              index.table, index.name)
                                : fmt::format("SELECT rowid, domain, adlist_id FROM \"{}\" NOT INDEXED", index.table));
  Walk result;
  std::string bytes;
  std::string last_domain;
  std::array<std::int64_t, 2> last{};
  for (bool first = true; row.step(); first = false) {
    const auto domain = row.text(1);
    const std::array numbers{row.integer(2), row.integer(0)};
    if (!row.is_text(1) || !row.is_integer(2)) result.odd = true;
    bytes.assign(reinterpret_cast<const char*>(numbers.data()), sizeof numbers);
    bytes += domain;
    result.rows.add(bytes);
    if (!by_index) continue;
    const auto order = first ? -1 : std::string_view(last_domain).compare(domain);
    const bool follows = order < 0 || (order == 0 && (index.unique ? last[0] < numbers[0] : last < numbers));
    if (!follows && result.out_of_order.empty()) result.out_of_order = domain;
    last_domain.assign(domain);
    last = numbers;
  }
  return result;
}

/// The walks through the indexes, in a thread of their own.
class IndexWalks {
 public:
  IndexWalks(const std::function<sqlite::Database()>& open, const std::vector<CompiledIndex>& indexes)
      : database_(open()), thread_(util::thread_without_signals([this, &indexes] {
          try {
            for (const auto& index : indexes) walks_.push_back(walk(database_, index, true));
          } catch (...) {
            failure_ = std::current_exception();
          }
        })) {}
  ~IndexWalks() {
    if (thread_.joinable()) thread_.join();
  }
  IndexWalks(const IndexWalks&) = delete;
  IndexWalks& operator=(const IndexWalks&) = delete;

  const std::vector<Walk>& wait() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    return walks_;
  }

 private:
  sqlite::Database database_;
  std::vector<Walk> walks_;
  std::exception_ptr failure_;
  std::thread thread_;
};

void require_ok(const std::string& check, const std::string& found) {
  if (found == "ok") return;
  throw Error(ErrorCode::corrupt, fmt::format("the new version does not pass {}: {}", check, util::printable(found)),
              "nothing was changed; if live itself is damaged, take a whole database with `gravity-sync pull --full`");
}

std::string difference(const CompiledIndex& index, const Walk& rows, const Walk& entries) {
  if (!entries.out_of_order.empty()) return fmt::format("{} is not where it belongs in index {}", entries.out_of_order, index.name);
  if (rows.rows == entries.rows) return "ok";
  return fmt::format("index {} does not hold the rows of {}: {} entries, {} rows", index.name, index.table, entries.rows.count,
                     rows.rows.count);
}

}  // namespace

void check_structure(sqlite::Database& database) {
  require_ok("quick_check", database.quick_check());
}

void check_database(const std::function<sqlite::Database()>& open) {
  auto database = open();
  std::vector<CompiledIndex> indexes;
  std::vector<std::string> others;
  for (auto& table : tables_of(database)) {
    const bool compiled = table == "gravity" || table == "antigravity";
    if (auto index = compiled ? compiled_index(database, table) : std::nullopt)
      indexes.push_back(std::move(*index));
    else
      others.push_back(std::move(table));
  }
  IndexWalks entries(open, indexes);
  check_structure(database);
  std::vector<Walk> rows;
  for (const auto& index : indexes) rows.push_back(walk(database, index, false));
  const auto& walks = entries.wait();
  for (std::size_t i = 0; i < indexes.size(); ++i) {
    if (rows[i].odd || walks[i].odd)
      others.push_back(indexes[i].table);
    else
      require_ok("the check of its indexes", difference(indexes[i], rows[i], walks[i]));
  }
  for (const auto& table : others) require_ok("integrity_check", database.integrity_check(table));
}

}  // namespace gsync::pihole
