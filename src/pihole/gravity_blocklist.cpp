#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>

#include "compiled_rows.hpp"
#include "gsync/pihole/gravity.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "read_ahead.hpp"
#include "table_merger.hpp"

namespace gsync::pihole {
namespace {

constexpr std::uint64_t worth_a_thread = 50'000;  // rows

/// Merges gravity and antigravity by domain; gives the adlists of one domain in the order of the wishes.
class ShadowReader final : public model::BlocklistReader {
 public:
  ShadowReader(sqlite::Database database, const Shape& shape, const std::vector<WholeSet>& sets,
               std::vector<model::BlocklistAnswer> answers)
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
    const CompiledRows* first = nullptr;
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
  std::array<std::optional<CompiledRows>, 2> tables_;
  std::string domain_;
  std::vector<std::uint32_t> adlists_;
  std::size_t at_ = 0;
};

/// Lets through what a source may send, and nothing else.
class CheckedRows final : public model::BlocklistReader {
 public:
  explicit CheckedRows(model::BlocklistReader& rows) : rows_(rows) {
    for (const auto& answer : rows.answers()) left_.push_back(answer.rows.count);
  }
  const std::vector<model::BlocklistAnswer>& answers() const override { return rows_.answers(); }
  std::optional<model::BlocklistRow> next() override {
    auto row = rows_.next();
    if (!row) return row;
    // What is out of order could not be merged in constant memory.
    const auto order = row->domain.compare(domain_);
    if (order < 0 || (order == 0 && row->adlist <= adlist_)) throw Error(ErrorCode::protocol, "the source's rows are out of order");
    if (row->adlist >= answers().size()) throw Error(ErrorCode::protocol, "the source sent a row of an adlist that was not wished for");
    if (!row->removed && left_[row->adlist]-- == 0)
      throw Error(ErrorCode::corrupt, "the source sends more rows than it announced", "run it again");
    if (!can_travel(row->domain)) {
      throw Error(ErrorCode::protocol,
                  fmt::format("the source sent a row that is no domain: {}", util::printable(row->domain.substr(0, 100))));
    }
    if (order != 0) domain_.assign(row->domain);
    adlist_ = row->adlist;
    return row;
  }

 private:
  model::BlocklistReader& rows_;
  std::vector<std::uint64_t> left_;  ///< that may be added still, by adlist
  std::string domain_;
  std::uint32_t adlist_ = 0;
};

}  // namespace

void write_statistics(sqlite::Database& database, const Shape& shape, std::int64_t adlist_id, const model::AdlistStatistics& statistics) {
  auto statement = database.prepare(fmt::format("UPDATE adlist SET date_updated=?2, number=?3, invalid_domains=?4, status=?5{} WHERE id=?1",
                                                shape.abp_entries ? ", abp_entries=?6" : ""));
  statement.bind(1, adlist_id)
      .bind(2, statistics.date_updated)
      .bind(3, statistics.number)
      .bind(4, statistics.invalid_domains)
      .bind(5, statistics.status);
  if (shape.abp_entries) statement.bind(6, statistics.abp_entries);
  statement.run();
}

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

BlocklistWritten write_blocklist(sqlite::Database& database, const Shape& shape, const std::vector<std::int64_t>& ids,
                                 const std::vector<model::BlocklistWish>& wishes, model::BlocklistReader& rows) {
  const auto& answers = rows.answers();
  if (answers.size() != wishes.size())
    throw Error(ErrorCode::protocol, "the source answered another number of adlists than were wished for");
  BlocklistWritten written;
  std::array<std::optional<TableMerger>, 2> tables;
  std::array<std::uint64_t, 2> new_rows{};
  std::uint64_t announced = 0;
  auto is_allow = [&](std::size_t wish) { return wishes[wish].key.kind == model::kind::allow_list; };
  for (std::uint32_t i = 0; i < wishes.size(); ++i) {
    auto& table = tables[is_allow(i)];
    if (is_allow(i) && !shape.antigravity)
      throw Error(ErrorCode::incompatible, "this Pi-hole cannot hold allow lists", "update Pi-hole to version 6");
    if (!table) table.emplace(database, is_allow(i) ? "antigravity" : "gravity", written);
    // A delta starts from what is there, which the caller has compared with what is wished with.
    auto& digest = written.sets[ids[i]];
    digest = answers[i].delta && wishes[i].have ? *wishes[i].have : model::SetDigest{};
    table->wish(i, ids[i], !answers[i].delta, digest);
    const auto have = wishes[i].have ? wishes[i].have->count : 0;
    new_rows[is_allow(i)] += answers[i].rows.count - std::min(have, answers[i].rows.count);
    if (!answers[i].delta) announced += answers[i].rows.count;
  }
  for (std::size_t t = 0; t < tables.size(); ++t) {
    if (tables[t]) tables[t]->begin(new_rows[t]);
  }
  {
    CheckedRows checked(rows);
    std::optional<ReadAhead> ahead;
    if (announced > worth_a_thread) ahead.emplace(checked);
    model::BlocklistReader& incoming = ahead ? static_cast<model::BlocklistReader&>(*ahead) : checked;
    while (auto row = incoming.next()) tables[is_allow(row->adlist)]->row(*row);
  }
  for (auto& table : tables) {
    if (table) table->finish();
  }
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    if (written.sets[ids[i]] != answers[i].rows) {
      throw Error(ErrorCode::corrupt, fmt::format("{} did not arrive as its source announced it", model::describe(wishes[i].key)),
                  "run it again");
    }
    write_statistics(database, shape, ids[i], answers[i].statistics);
  }
  return written;
}

}  // namespace gsync::pihole
