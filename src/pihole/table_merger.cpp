#include "table_merger.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "gravity_tables.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t stretch = 4096;
constexpr std::size_t rows_at_once = 32;  // one statement for so many takes a third of the time

std::string insert_sql(const std::string& table, std::size_t rows) {
  auto sql = fmt::format("INSERT INTO {} (domain, adlist_id) VALUES (?, ?)", table);
  for (std::size_t i = 1; i < rows; ++i) sql += ", (?, ?)";
  return sql;
}

}  // namespace

TableMerger::TableMerger(sqlite::Database& database, std::string table, BlocklistWritten& written)
    : database_(database),
      table_(std::move(table)),
      written_(written),
      insert_(database.prepare(insert_sql(table_, 1))),
      insert_many_(database.prepare(insert_sql(table_, rows_at_once))),
      remove_(database.prepare(fmt::format("DELETE FROM {} WHERE rowid=?", table_))) {}

void TableMerger::wish(std::uint32_t wish, std::int64_t id, bool whole, model::SetDigest& digest) {
  if (wishes_.size() <= wish) wishes_.resize(wish + 1);
  wishes_[wish] = {id, whole, &digest};
  (whole ? whole_ : delta_).insert(id);
}

bool TableMerger::has_index_on_domain() {
  auto found = database_.prepare(
      "SELECT 1 FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS c WHERE c.seqno=0 AND c.name='domain' AND l.partial=0");
  found.bind(1, table_);
  return found.step();
}

void TableMerger::begin(std::uint64_t new_rows) {
  const bool empty = !database_.query_int(fmt::format("SELECT 1 FROM {} LIMIT 1", table_));
  const auto there = database_.query_int(fmt::format("SELECT max(rowid) FROM {}", table_)).value_or(0);
  // Into an empty table they go in the order of the index, which is as good as sorting.
  if (!empty && new_rows > static_cast<std::uint64_t>(std::max<std::int64_t>(there, stretch))) {
    std::vector<std::string> names;
    {
      auto indexes = database_.prepare("SELECT name, sql FROM sqlite_master WHERE type='index' AND tbl_name=? AND sql IS NOT NULL");
      indexes.bind(1, table_);
      while (indexes.step()) {
        names.emplace_back(indexes.text(0));
        dropped_indexes_.emplace_back(indexes.text(1));
      }
    }
    for (const auto& name : names) database_.execute("DROP INDEX " + identifier(name));
  }
  const auto columns = fmt::format("SELECT rowid, domain, adlist_id FROM {} WHERE {}", table_, rows_that_count);
  if (has_index_on_domain()) {
    next_.emplace(database_.prepare(fmt::format("{} AND domain > ? ORDER BY domain, adlist_id LIMIT {}", columns, stretch)));
    all_of_.emplace(database_.prepare(fmt::format("{} AND domain = ? ORDER BY adlist_id", columns)));
  } else {
    sorted_.emplace(database_.prepare(fmt::format("{} ORDER BY domain, adlist_id", columns)));
  }
}

void TableMerger::row(const model::BlocklistRow& row) {
  if (!wishes_[row.adlist].whole) {
    patch(row);
    return;
  }
  if (row.removed) throw Error(ErrorCode::protocol, "a whole blocklist holds a removed row");
  advance_to(row.domain);
  if (incoming_count_ == incoming_.size()) incoming_.emplace_back();
  incoming_[incoming_count_].domain.assign(row.domain);
  incoming_[incoming_count_].wish = row.adlist;
  if (++incoming_count_ >= stretch) flush(row.domain);
}

void TableMerger::finish() {
  while (!whole_.empty() && !at_end_) {
    flush(std::nullopt);
    load();
  }
  flush(std::nullopt);
  sorted_.reset();
  for (const auto& sql : dropped_indexes_) database_.execute(sql);
}

void TableMerger::patch(const model::BlocklistRow& row) {
  const auto& wish = wishes_[row.adlist];
  const auto there = rows_of(row.domain, wish.id);
  if (row.removed == there.empty()) {
    throw Error(ErrorCode::corrupt, fmt::format("a change of the blocklist does not fit this Pi-hole's: {}", table_),
                "run it again with --full");
  }
  for (auto rowid : there) remove_.bind(1, rowid).run();
  if (row.removed) {
    ++written_.removed;
    wish.digest->remove(row.domain);
  } else {
    insert_.bind_borrowed(1, row.domain).bind(2, wish.id).run();
    ++written_.added;
    wish.digest->add(row.domain);
  }
}

std::vector<std::int64_t> TableMerger::rows_of(std::string_view domain, std::int64_t id) {
  std::vector<std::int64_t> rows;
  if (all_of_) {
    all_of_->bind(1, domain);
    while (all_of_->step()) {
      if (all_of_->integer(2) == id) rows.push_back(all_of_->integer(0));
    }
    all_of_->reset();
    return rows;
  }
  advance_to(domain);
  auto own = std::lower_bound(own_.begin(), own_.end(), domain, [](const Own& o, std::string_view d) { return o.domain < d; });
  for (; own != own_.end() && own->domain == domain; ++own) {
    if (own->adlist == id) rows.push_back(own->rowid);
  }
  return rows;
}

void TableMerger::insert(const std::vector<const Incoming*>& rows) {
  std::size_t done = 0;
  for (; done + rows_at_once <= rows.size(); done += rows_at_once) {
    int parameter = 0;
    for (std::size_t i = done; i < done + rows_at_once; ++i) {
      insert_many_.bind_borrowed(++parameter, rows[i]->domain);
      insert_many_.bind(++parameter, wishes_[rows[i]->wish].id);
    }
    insert_many_.run();
  }
  for (; done < rows.size(); ++done) insert_.bind_borrowed(1, rows[done]->domain).bind(2, wishes_[rows[done]->wish].id).run();
  written_.added += rows.size();
}

void TableMerger::drop(const Own& own) {
  if (!whole_.contains(own.adlist)) return;  // of a delta, and looked at already
  remove_.bind(1, own.rowid).run();
  ++written_.removed;
}

/// Makes the own rows in hand reach beyond `domain`, having settled those before it.
void TableMerger::advance_to(std::string_view domain) {
  while (!at_end_ && loaded_to_ < domain) {
    flush(std::nullopt);
    load();
  }
}

/// The next stretch of own rows that are wished for, up to a whole number of domains.
void TableMerger::load() {
  own_.clear();
  if (next_)
    load_by_index();
  else
    load_in_order();
}

void TableMerger::load_by_index() {
  auto take = [&](const sqlite::Statement& row) {
    if (whole_.contains(row.integer(2)) && can_travel(row.text(1)))
      own_.push_back({row.integer(0), std::string(row.text(1)), row.integer(2)});
  };
  next_->bind(1, loaded_to_);
  std::size_t rows = 0;
  std::string last;
  while (next_->step()) {
    if (++rows == stretch) last.assign(next_->text(1));
    take(*next_);
  }
  next_->reset();
  if (rows < stretch) {
    at_end_ = true;
    return;
  }
  // The last domain may go on behind the limit: read it anew, whole.
  while (!own_.empty() && own_.back().domain == last) own_.pop_back();
  all_of_->bind(1, last);
  while (all_of_->step()) take(*all_of_);
  all_of_->reset();
  loaded_to_ = std::move(last);
}

void TableMerger::load_in_order() {
  if (first_of_next_) own_.push_back(std::move(*std::exchange(first_of_next_, std::nullopt)));
  while (sorted_->step()) {
    if (!whole_.contains(sorted_->integer(2)) && !delta_.contains(sorted_->integer(2))) continue;
    if (!can_travel(sorted_->text(1))) continue;
    Own own{sorted_->integer(0), std::string(sorted_->text(1)), sorted_->integer(2)};
    if (own_.size() >= stretch && own_.back().domain != own.domain) {
      first_of_next_ = std::move(own);
      loaded_to_ = own_.back().domain;
      return;
    }
    own_.push_back(std::move(own));
  }
  at_end_ = true;
}

/// What is not before `before` waits: more of it may come.
void TableMerger::flush(std::optional<std::string_view> before) {
  auto count = incoming_count_;
  while (before && count > 0 && incoming_[count - 1].domain >= *before) --count;
  settle(count, before);
  // Those that wait come to the front, and the others' memory behind them.
  std::rotate(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(count),
              incoming_.begin() + static_cast<std::ptrdiff_t>(incoming_count_));
  incoming_count_ -= count;
}

/// Merges own and incoming rows up to what both sides are known to. Both are sorted by domain, and the incoming ones of a domain by the
/// order of the wishes.
void TableMerger::settle(std::size_t incoming, std::optional<std::string_view> before) {
  auto own = own_.begin();
  auto end = before ? std::find_if(own_.begin(), own_.end(), [&](const Own& o) { return o.domain >= *before; }) : own_.end();
  std::vector<const Incoming*> missing;
  for (std::size_t first = 0, next = 0; first < incoming; first = next) {
    const auto& domain = incoming_[first].domain;
    while (next < incoming && incoming_[next].domain == domain) ++next;
    std::sort(incoming_.begin() + static_cast<std::ptrdiff_t>(first), incoming_.begin() + static_cast<std::ptrdiff_t>(next),
              [&](const Incoming& a, const Incoming& b) { return wishes_[a.wish].id < wishes_[b.wish].id; });
    for (auto i = first; i < next; ++i) {
      const auto& row = incoming_[i];
      const auto& wish = wishes_[row.wish];
      for (; own != end && std::tie(own->domain, own->adlist) < std::tie(row.domain, wish.id); ++own) drop(*own);
      if (own != end && own->domain == row.domain && own->adlist == wish.id) {
        for (++own; own != end && own->domain == row.domain && own->adlist == wish.id; ++own) drop(*own);  // a row that is there twice
      } else {
        missing.push_back(&row);
      }
      wish.digest->add(row.domain);
    }
  }
  for (; own != end; ++own) drop(*own);
  insert(missing);
  own_.erase(own_.begin(), end);
}

}  // namespace gsync::pihole
