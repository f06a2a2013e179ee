#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>

#include "gsync/pihole/gravity.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

// Whatever the column's type says, SQLite keeps blobs in it, which sort behind all text: they would break the order that everything here relies on.
constexpr const char* rows_that_count = "typeof(domain)='text' AND typeof(adlist_id)='integer'";

/// Rows of one table, sorted by domain and adlist.
class SortedRows {
 public:
  SortedRows(sqlite::Database& database, const char* table) : statement_(database.prepare(fmt::format("SELECT domain, adlist_id FROM {} WHERE {} ORDER BY domain, adlist_id", table, rows_that_count))) {
    next();
  }
  bool more() const { return more_; }
  std::string_view domain() const { return statement_.text(0); }
  std::int64_t adlist() const { return statement_.integer(1); }
  void next() {
    do {
      more_ = statement_.step();
    } while (more_ && !can_travel(statement_.text(0)));
  }

 private:
  sqlite::Statement statement_;
  bool more_ = false;
};

/// Merges gravity and antigravity by domain; gives the adlists of one domain in the order of the wishes.
class ShadowReader final : public model::BlocklistReader {
 public:
  ShadowReader(sqlite::Database database, const Shape& shape, const std::vector<WholeSet>& sets, std::vector<model::BlocklistAnswer> answers)
      : database_(std::move(database)), answers_(std::move(answers)) {
    for (const auto& set : sets) wishes_[set.allow].emplace(set.id, set.index);
    if (!wishes_[0].empty()) tables_[0].emplace(database_, "gravity");
    if (!wishes_[1].empty() && shape.antigravity) tables_[1].emplace(database_, "antigravity");
  }

  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }

  std::optional<model::BlocklistRow> next() override {
    while (at_ == adlists_.size()) {
      if (!read_domain()) return std::nullopt;
    }
    return model::BlocklistRow{domain_, adlists_[at_++], false};
  }

 private:
  /// Collects the wished adlists of the next domain, of which there may be none. False at the end.
  bool read_domain() {
    adlists_.clear();
    at_ = 0;
    const SortedRows* first = nullptr;
    for (const auto& table : tables_) {
      if (table && table->more() && (first == nullptr || table->domain() < first->domain())) first = &*table;
    }
    if (first == nullptr) return false;
    domain_.assign(first->domain());
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      for (auto& table = tables_[t]; table && table->more() && table->domain() == domain_; table->next()) {
        if (auto wish = wishes_[t].find(table->adlist()); wish != wishes_[t].end()) adlists_.push_back(wish->second);
      }
    }
    std::sort(adlists_.begin(), adlists_.end());
    adlists_.erase(std::unique(adlists_.begin(), adlists_.end()), adlists_.end());
    return true;
  }

  sqlite::Database database_;
  std::vector<model::BlocklistAnswer> answers_;
  std::array<std::unordered_map<std::int64_t, std::uint32_t>, 2> wishes_;  // adlist id to wish, of gravity and of antigravity
  std::array<std::optional<SortedRows>, 2> tables_;
  std::string domain_;
  std::vector<std::uint32_t> adlists_;
  std::size_t at_ = 0;
};

/// One table of a target: compares what it has with what arrives, a stretch of domains at a time, so that memory stays small and nothing is written under a running query.
class TableMerger {
 public:
  TableMerger(sqlite::Database& database, const char* table, BlocklistWritten& written)
      : table_(table),
        written_(written),
        // Two parts, because a row value comparison would not let SQLite stop within a domain.
        read_(database.prepare(fmt::format("SELECT rowid, domain, adlist_id FROM {} WHERE domain > ? AND {} ORDER BY domain, adlist_id LIMIT {}", table, rows_that_count, stretch))),
        read_all_of_(database.prepare(fmt::format("SELECT rowid, adlist_id FROM {} WHERE domain = ? AND {} ORDER BY adlist_id", table, rows_that_count))),
        insert_(database.prepare(fmt::format("INSERT INTO {} (domain, adlist_id) VALUES (?, ?)", table))),
        remove_(database.prepare(fmt::format("DELETE FROM {} WHERE rowid=?", table))) {}

  void wish(std::int64_t id, bool whole) { (whole ? whole_ : delta_).insert(id); }

  /// A row that the source has (or, in a delta, has no more), in order.
  void row(std::string_view domain, std::int64_t id, bool removed) {
    if (delta_.contains(id)) {
      patch(domain, id, removed);
      return;
    }
    if (removed) throw Error(ErrorCode::protocol, "a whole blocklist holds a removed row");
    advance_to(domain);
    incoming_.emplace_back(std::string(domain), id);
    if (incoming_.size() >= stretch) flush(domain);
  }

  void finish() {
    if (whole_.empty()) return;
    while (!at_end_) {
      flush(std::nullopt);
      load();
    }
    flush(std::nullopt);
  }

 private:
  struct Own {
    std::int64_t rowid;
    std::string domain;
    std::int64_t adlist;
  };
  static constexpr std::size_t stretch = 4096;

  void patch(std::string_view domain, std::int64_t id, bool removed) {
    read_all_of_.bind(1, domain);
    std::vector<std::int64_t> there;
    while (read_all_of_.step()) {
      if (read_all_of_.integer(1) == id) there.push_back(read_all_of_.integer(0));
    }
    read_all_of_.reset();
    if (removed == there.empty()) throw Error(ErrorCode::corrupt, fmt::format("a change of the blocklist does not fit this Pi-hole's: {}", table_), "run it again with --full");
    for (auto rowid : there) remove_.bind(1, rowid).run();
    if (removed) {
      ++written_.removed;
      written_.sets[id].remove(domain);
    } else {
      insert(domain, id);
      written_.sets[id].add(domain);
    }
  }

  void insert(std::string_view domain, std::int64_t id) {
    insert_.bind(1, domain).bind(2, id).run();
    ++written_.added;
  }

  /// Makes the own rows in hand reach beyond `domain`, having settled those before it.
  void advance_to(std::string_view domain) {
    while (!at_end_ && loaded_to_ < domain) {
      flush(std::nullopt);
      load();
    }
  }

  /// The next stretch of own rows that belong to wished adlists, up to a whole number of domains.
  void load() {
    own_.clear();
    if (at_end_) return;
    read_.bind(1, loaded_to_);
    std::size_t rows = 0;
    std::string last;
    while (read_.step()) {
      ++rows;
      last.assign(read_.text(1));
      if (whole_.contains(read_.integer(2)) && can_travel(last)) own_.push_back({read_.integer(0), last, read_.integer(2)});
    }
    read_.reset();
    if (rows < stretch) {
      at_end_ = true;
      return;
    }
    // The last domain may go on behind the limit: read it anew, whole.
    while (!own_.empty() && own_.back().domain == last) own_.pop_back();
    read_all_of_.bind(1, last);
    while (read_all_of_.step()) {
      if (whole_.contains(read_all_of_.integer(1)) && can_travel(last)) own_.push_back({read_all_of_.integer(0), last, read_all_of_.integer(1)});
    }
    read_all_of_.reset();
    loaded_to_ = last;
  }

  /// Merges own and incoming rows up to what both sides are known to; both are sorted by domain, and incoming ones of a domain by the order of wishes. What is not before
  /// `before` waits: more of it may come.
  void flush(std::optional<std::string_view> before) {
    std::vector<std::pair<std::string, std::int64_t>> rest;
    if (before) {
      while (!incoming_.empty() && incoming_.back().first >= *before) {
        rest.push_back(std::move(incoming_.back()));
        incoming_.pop_back();
      }
      std::reverse(rest.begin(), rest.end());
    }
    std::sort(incoming_.begin(), incoming_.end());
    auto own = own_.begin();
    auto end = before ? std::find_if(own_.begin(), own_.end(), [&](const Own& o) { return o.domain >= *before; }) : own_.end();
    std::vector<const std::pair<std::string, std::int64_t>*> missing;
    for (const auto& row : incoming_) {
      for (; own != end && std::tie(own->domain, own->adlist) < std::tie(row.first, row.second); ++own) drop(*own);
      if (own != end && own->domain == row.first && own->adlist == row.second) {
        for (++own; own != end && own->domain == row.first && own->adlist == row.second; ++own) drop(*own);  // a row that is there twice
      } else {
        missing.push_back(&row);
      }
      written_.sets[row.second].add(row.first);
    }
    for (; own != end; ++own) drop(*own);
    for (const auto* row : missing) insert(row->first, row->second);
    own_.erase(own_.begin(), end);
    incoming_ = std::move(rest);
  }

  void drop(const Own& own) {
    remove_.bind(1, own.rowid).run();
    ++written_.removed;
  }

  const char* table_;
  BlocklistWritten& written_;
  sqlite::Statement read_;
  sqlite::Statement read_all_of_;
  sqlite::Statement insert_;
  sqlite::Statement remove_;
  std::set<std::int64_t> whole_;
  std::set<std::int64_t> delta_;
  std::vector<Own> own_;
  std::vector<std::pair<std::string, std::int64_t>> incoming_;
  std::string loaded_to_;  // own rows up to and with this domain are in hand or settled
  bool at_end_ = false;
};

void write_statistics(sqlite::Database& database, const Shape& shape, std::int64_t id, const model::AdlistStatistics& s) {
  auto statement = database.prepare(fmt::format("UPDATE adlist SET date_updated=?2, number=?3, invalid_domains=?4, status=?5{} WHERE id=?1",
                                                shape.abp_entries ? ", abp_entries=?6" : ""));
  statement.bind(1, id).bind(2, s.date_updated).bind(3, s.number).bind(4, s.invalid_domains).bind(5, s.status);
  if (shape.abp_entries) statement.bind(6, s.abp_entries);
  statement.run();
}

}  // namespace

std::unique_ptr<model::BlocklistReader> read_blocklist(sqlite::Database database, const Shape& shape, const std::vector<WholeSet>& sets,
                                                       std::vector<model::BlocklistAnswer> answers) {
  return std::make_unique<ShadowReader>(std::move(database), shape, sets, std::move(answers));
}

std::uint64_t remove_compiled(sqlite::Database& database, const Shape& shape, const std::vector<std::int64_t>& adlist_ids) {
  if (adlist_ids.empty()) return 0;
  std::string list;
  for (auto id : adlist_ids) list += fmt::format("{}{}", list.empty() ? "" : ",", id);
  std::int64_t removed = 0;
  for (const char* table : {"gravity", "antigravity"}) {
    if (table == std::string_view("antigravity") && !shape.antigravity) continue;
    database.execute(fmt::format("DELETE FROM {} WHERE adlist_id IN ({})", table, list));
    removed += database.changes();
  }
  return static_cast<std::uint64_t>(removed);
}

BlocklistWritten write_blocklist(sqlite::Database& database, const Shape& shape, const std::vector<std::int64_t>& ids, const std::vector<model::BlocklistWish>& wishes,
                                 model::BlocklistReader& rows) {
  const auto& answers = rows.answers();
  if (answers.size() != wishes.size()) throw Error(ErrorCode::protocol, "the source answered another number of adlists than were wished for");
  BlocklistWritten written;
  std::array<std::optional<TableMerger>, 2> tables;
  auto is_allow = [&](std::size_t wish) { return wishes[wish].key.kind == model::kind::allow_list; };
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    auto& table = tables[is_allow(i)];
    if (is_allow(i) && !shape.antigravity) throw Error(ErrorCode::incompatible, "this Pi-hole cannot hold allow lists", "update Pi-hole to version 6");
    if (!table) table.emplace(database, is_allow(i) ? "antigravity" : "gravity", written);
    table->wish(ids[i], !answers[i].delta);
    // A delta starts from what is there, and the caller wished with exactly that.
    written.sets[ids[i]] = answers[i].delta && wishes[i].have ? *wishes[i].have : model::SetDigest{};
  }
  std::pair<std::string, std::int64_t> last{"", -1};
  while (auto row = rows.next()) {
    // What is out of order could not be merged in constant memory.
    if (std::pair(row->domain, std::int64_t{row->adlist}) <= std::pair(std::string_view(last.first), last.second)) {
      throw Error(ErrorCode::protocol, "the source's rows are out of order");
    }
    last.first.assign(row->domain);
    last.second = row->adlist;
    if (row->adlist >= wishes.size()) throw Error(ErrorCode::protocol, "the source sent a row of an adlist that was not wished for");
    if (!can_travel(row->domain)) throw Error(ErrorCode::protocol, fmt::format("the source sent a row that is no domain: {}", util::printable(row->domain.substr(0, 100))));
    tables[is_allow(row->adlist)]->row(row->domain, ids[row->adlist], row->removed);
  }
  for (auto& table : tables) {
    if (table) table->finish();
  }
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    if (written.sets[ids[i]] != answers[i].rows) {
      throw Error(ErrorCode::corrupt, fmt::format("{} did not arrive as its source announced it", model::describe(wishes[i].key)), "run it again");
    }
    write_statistics(database, shape, ids[i], answers[i].statistics);
  }
  return written;
}

}  // namespace gsync::pihole
