#include "check_database.hpp"

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "compiled_rows.hpp"
#include "gravity_tables.hpp"
#include "gsync/model/blocklist.hpp"
#include "gsync/sqlite/visit.hpp"
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
  std::uint64_t domains = 0;      ///< different ones; only an index, which is in their order, tells
  std::vector<CompiledSet> sets;  ///< the same, where asked for
  bool odd = false;               ///< a value of another type than the column should have
  std::string out_of_order;       ///< the first domain that stands before one that must come first

  void add(const Walk& other) {
    rows.count += other.rows.count;
    rows.low += other.rows.low;
    rows.high += other.rows.high + (rows.low < other.rows.low ? 1 : 0);
    domains += other.domains;
    sets.insert(sets.end(), other.sets.begin(), other.sets.end());
    odd = odd || other.odd;
    if (out_of_order.empty()) out_of_order = other.out_of_order;
  }
};

bool is_compiled(std::string_view table) {
  return table == "gravity" || table == "antigravity";
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

/// A walk through an index, or through those rows of its table whose rowid is from `first` to `last`.
struct Task {
  const CompiledIndex* index = nullptr;
  bool by_index = false;
  bool with_sets = false;
  std::int64_t first = 0;
  std::int64_t last = 0;
  Walk walk;
};

void run(sqlite::Database& database, Task& task) {
  const auto& index = *task.index;
  // With nothing else to go by, INDEXED BY is a walk through that index, in its order.
  const auto rest = task.by_index
                        ? fmt::format("{} INDEXED BY {}", identifier(index.table), identifier(index.name))
                        : fmt::format("{} NOT INDEXED WHERE rowid BETWEEN {} AND {}", identifier(index.table), task.first, task.last);
  auto& result = task.walk;
  std::string bytes;
  std::string last_domain;
  std::array<std::int64_t, 2> last{};
  bool first = true;
  CompiledSums sums;
  sqlite::visit_rows(database, "rowid, domain, adlist_id", rest, [&](const sqlite::VisitedRow& row) {
    // Before they are asked for as what they should be, which changes what they are.
    if (!row.is_text(1) || !row.is_integer(2)) result.odd = true;
    const auto domain = row.text(1);
    const std::array numbers{row.integer(2), row.integer(0)};
    bytes.assign(reinterpret_cast<const char*>(numbers.data()), sizeof numbers);
    bytes += domain;
    result.rows.add(bytes);
    if (!task.by_index) return;
    const auto order = first ? -1 : std::string_view(last_domain).compare(domain);
    if (order != 0) ++result.domains;
    if (task.with_sets && can_travel(domain)) sums.add(domain, numbers[0], order == 0 && last[0] == numbers[0]);
    const bool follows = order < 0 || (order == 0 && (index.unique ? last[0] < numbers[0] : last < numbers));
    if (!follows && result.out_of_order.empty()) result.out_of_order = domain;
    last_domain.assign(domain);
    last = numbers;
    first = false;
  });
  result.sets = sums.sets();
}

/// The work of two threads, about as long for each beside one's quick_check. What each of them does is the same in every run, and so is
/// where one of them fails.
struct Plan {
  std::vector<Task> mine;
  std::vector<Task> other;
};

Plan plan_for(sqlite::Database& database, const std::vector<CompiledIndex>& indexes, bool with_sets) {
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  Plan plan;
  for (const auto& index : indexes) {
    const auto middle = database.query_int("SELECT max(rowid) FROM " + identifier(index.table)).value_or(0) / 4 * 3;
    plan.mine.push_back({&index, false, false, least, middle, {}});
    plan.other.push_back({&index, true, with_sets, 0, 0, {}});
    if (middle < most) plan.other.push_back({&index, false, false, middle + 1, most, {}});
  }
  return plan;
}

/// Runs tasks in a thread of its own.
class Other {
 public:
  Other(const std::function<sqlite::Database()>& open, std::vector<Task>& tasks)
      : database_(open()), thread_(util::thread_without_signals([this, &tasks] {
          try {
            for (auto& task : tasks) run(database_, task);
          } catch (...) {
            failure_ = std::current_exception();
          }
        })) {}
  ~Other() {
    if (thread_.joinable()) thread_.join();
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

  void wait() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  sqlite::Database database_;
  std::exception_ptr failure_;
  std::thread thread_;
};

constexpr const char* hint = "nothing was changed; if live itself is damaged, take a whole database with `gravity-sync pull --full`";

void require_ok(const std::string& check, const std::string& found) {
  if (found == "ok") return;
  throw Error(ErrorCode::corrupt, fmt::format("the new version does not pass {}: {}", check, util::printable(found)), hint);
}

std::string difference(const CompiledIndex& index, const Walk& rows, const Walk& entries) {
  if (!entries.out_of_order.empty()) return fmt::format("{} is not where it belongs in index {}", entries.out_of_order, index.name);
  if (rows.rows == entries.rows) return "ok";
  return fmt::format("index {} does not hold the rows of {}: {} entries, {} rows", index.name, index.table, entries.rows.count,
                     rows.rows.count);
}

}  // namespace

std::vector<std::string> tables_of(sqlite::Database& database) {
  std::vector<std::string> result;
  for (auto row = database.prepare("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
       row.step();)
    result.emplace_back(row.text(0));
  return result;
}

void check_structure(sqlite::Database& database) {
  require_ok("quick_check", database.quick_check());
}

std::int64_t check_edited(sqlite::Database& database, std::optional<std::int64_t> checked, std::int64_t now) {
  constexpr std::int64_t day = 86'400;
  // A clock that was set back, too, lets it be checked whole.
  if (!checked || now < *checked || now - *checked >= day) {
    check_structure(database);
    return now;
  }
  for (const auto& table : tables_of(database)) {
    if (!is_compiled(table)) require_ok("integrity_check", database.integrity_check(table));
  }
  return *checked;
}

CheckedDatabase check_database(const std::function<sqlite::Database()>& open, AlsoRead also) try {
  auto database = open();
  // Held to the end, so that it is always this connection that asks the kernel for the lock that SQLite shares between the two threads'.
  sqlite::Transaction reading(database, sqlite::Transaction::Kind::deferred);
  std::vector<CompiledIndex> indexes;
  std::vector<std::string> others;
  for (auto& table : tables_of(database)) {
    if (auto index = is_compiled(table) ? compiled_index(database, table) : std::nullopt)
      indexes.push_back(std::move(*index));
    else
      others.push_back(std::move(table));
  }
  auto plan = plan_for(database, indexes, also == AlsoRead::compiled);
  Other other(open, plan.other);
  check_structure(database);
  for (auto& task : plan.mine) run(database, task);
  other.wait();
  CheckedDatabase checked;
  auto sets_of = [&](std::string_view table) -> auto& {
    return table == "gravity" ? checked.compiled.gravity : checked.compiled.antigravity;
  };
  for (const auto& index : indexes) {
    Walk rows;
    Walk entries;
    for (const auto* tasks : {&plan.mine, &plan.other}) {
      for (const auto& task : *tasks) {
        if (task.index == &index) (task.by_index ? entries : rows).add(task.walk);
      }
    }
    if (rows.odd || entries.odd) {
      others.push_back(index.table);
    } else {
      require_ok("the check of its indexes", difference(index, rows, entries));
      if (index.table == "gravity") checked.domains = entries.domains;
      sets_of(index.table) = std::move(entries.sets);
    }
  }
  for (const auto& table : others) {
    require_ok("integrity_check", database.integrity_check(table));
    if (also == AlsoRead::compiled && is_compiled(table)) sets_of(table) = read_compiled(database, table.c_str());
  }
  return checked;
} catch (const Error& error) {
  // Where the damage keeps us from looking at all.
  if (error.code() != ErrorCode::corrupt || !error.hint().empty()) throw;
  throw Error(error.code(), error.what(), hint);
}

}  // namespace gsync::pihole
