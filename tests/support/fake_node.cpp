#include "support/fake_node.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "gsync/model/fit.hpp"
#include "gsync/util/codec.hpp"

namespace gsync::test {
namespace {

/// What FakeNode::copy() encodes.
struct Image {
  model::Lists lists;
  std::map<model::RowKey, std::set<std::string>> compiled;
};
template <class Archive>
void fields(Archive& a, Image& i) {
  a(i.lists, i.compiled);
}

std::string read_all(util::ByteReader& reader) {
  std::string bytes;
  std::array<std::byte, 4096> buffer{};
  while (auto n = reader.read(buffer)) bytes.append(reinterpret_cast<const char*>(buffer.data()), n);
  return bytes;
}

model::Row member_of_default_group() {
  model::Row row;
  row.groups = {model::default_group_key()};
  return row;
}

}  // namespace

class FakeNode::Rows final : public model::BlocklistReader {
 public:
  Rows(const FakeNode& node, const std::vector<model::BlocklistWish>& wishes) : on_row_(node.on_row) {
    for (std::uint32_t i = 0; i < wishes.size(); ++i) {
      const auto& key = wishes[i].key;
      model::BlocklistAnswer answer;
      answer.rows = node.digest_of_set(key);
      if (auto s = node.statistics.find(key); s != node.statistics.end()) answer.statistics = s->second;
      auto delta = node.deltas_.find(key);
      if (wishes[i].have && delta != node.deltas_.end() && delta->second.before == *wishes[i].have) {
        answer.delta = true;
        for (const auto& domain : delta->second.added) rows_[{domain, i}] = false;
        for (const auto& domain : delta->second.removed) rows_[{domain, i}] = true;
      } else if (auto found = node.compiled.find(key); found != node.compiled.end()) {
        for (const auto& domain : found->second) rows_[{domain, i}] = false;
      }
      answers_.push_back(answer);
    }
    next_ = rows_.begin();
  }
  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override {
    if (on_row_) on_row_(done_);
    if (next_ == rows_.end()) return std::nullopt;
    ++done_;
    model::BlocklistRow row{next_->first.first, next_->first.second, next_->second};
    ++next_;
    return row;
  }

 private:
  std::function<void(std::uint64_t)> on_row_;
  std::vector<model::BlocklistAnswer> answers_;
  std::map<std::pair<std::string, std::uint32_t>, bool> rows_;
  std::map<std::pair<std::string, std::uint32_t>, bool>::iterator next_;
  std::uint64_t done_ = 0;
};

class FakeNode::Bytes final : public util::ByteReader {
 public:
  Bytes(std::string bytes, std::function<void(std::uint64_t)> on_row) : bytes_(std::move(bytes)), on_row_(std::move(on_row)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    if (on_row_) on_row_(done_);
    auto n = std::min(buffer.size(), bytes_.size() - done_);
    std::memcpy(buffer.data(), bytes_.data() + done_, n);
    done_ += n;
    return n;
  }

 private:
  std::string bytes_;
  std::function<void(std::uint64_t)> on_row_;
  std::size_t done_ = 0;
};

FakeNode::FakeNode(std::string name, std::string node_id) : name_(std::move(name)) {
  info.node_id = std::move(node_id);
  info.name = name_;
  info.software = "0.1.0";
  info.schema = 20;
  info.capabilities.allow_lists = true;
  lists_now[model::default_group_key()].title = "Default";
  records_now = {model::RecordLines{}, model::RecordLines{}, model::RecordLines{}};
}

model::NodeInfo FakeNode::describe() {
  called("describe");
  return described();
}

model::NodeInfo FakeNode::lock(util::Deadline deadline) {
  lock_times.push_back(deadline.remaining());
  called("lock");
  locked = true;
  if (replaced_) {
    std::vector<model::Conflict> conflicts;
    std::vector<model::Lists> before;
    for (const auto& [id, version] : kept) before.push_back(version.lists);
    for (auto& lists : book().last_agreed()) before.push_back(std::move(lists));
    if (auto lists = model::brought_back(before, lists_now, lists_now, *replaced_, conflicts, model::fit_of(info.capabilities))) {
      model::HistoryEntry entry;
      entry.rows = model::diff(lists_now, *lists);
      entry.conflicts = conflicts;
      notes.push_back(entry);
      lists_now = *lists;
    }
    replaced_.reset();
    std::erase_if(compiled, [&](const auto& set) { return !lists_now.contains(set.first); });
  }
  return described();
}

void FakeNode::unlock() {
  locked = false;
  called("unlock");
}

model::Lists FakeNode::lists() {
  called("lists");
  return lists_now;
}

model::Records FakeNode::records() {
  called("records");
  return records_now;
}

model::Blocklist FakeNode::blocklist() {
  called("blocklist");
  return states();
}

std::unique_ptr<model::BlocklistReader> FakeNode::blocklist_rows(const std::vector<model::BlocklistWish>& wishes) {
  called("blocklist_rows");
  return std::make_unique<Rows>(*this, wishes);
}

FakeNode::Copy FakeNode::copy(model::CopyOf) {
  called("copy");
  auto bytes = util::encode(Image{lists_now, compiled});
  auto size = bytes.size();
  return {size, schema, std::make_unique<Bytes>(std::move(bytes), on_row)};
}

model::ApplyReport FakeNode::apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy) {
  called("apply");
  const auto before = described();
  if (change.expected != before.digests) throw Error(ErrorCode::conflict, name_ + " is not what the change was made for");

  auto new_lists = lists_now;
  auto new_sets = compiled;
  auto new_records = records_now;
  model::ApplyReport report;
  if (change.whole_copy) {
    auto bytes = read_all(*copy);
    if (bytes.size() != change.copy_bytes) throw Error(ErrorCode::corrupt, "the copy has another size than was announced");
    auto image = util::decode<Image>(bytes);
    if (model::digest_of(image.lists) != change.copy_lists) throw Error(ErrorCode::corrupt, "the copy has other lists than were announced");
    model::check_lists(image.lists);
    new_lists = std::move(image.lists);
    new_sets = std::move(image.compiled);
    report.counts.whole_database = true;
  } else {
    new_lists = model::patched(new_lists, change.rows);
    report.counts.rows_changed = change.rows.size();
    for (const auto& row : change.rows)
      if (row.key.table == model::Table::adlist && !row.after) new_sets.erase(row.key);
    if (rows) take_rows(change, *rows, new_sets, report.counts);
    if (copy) take_copied(change, *copy, new_sets, report.counts);
  }
  for (auto kind : model::record_kinds) {
    const auto& lines = change.records[model::index_of(kind)];
    if (lines) new_records[model::index_of(kind)] = model::parse_records(kind, *lines);
  }
  if (on_call) on_call("publish");

  model::Version version{
      {static_cast<std::int64_t>(kept.size()) + 1, 0, "before a change", lists_now.size(), 0, 0}, lists_now, records_now};
  report.version = version.info.id;
  kept[version.info.id] = std::move(version);
  lists_now = std::move(new_lists);
  compiled = std::move(new_sets);
  if (!change.whole_copy)
    for (std::size_t i = 0; i < change.wishes.size(); ++i)
      statistics[change.wishes[i].key] = (rows ? rows->answers() : change.copied)[i].statistics;
  records_now = std::move(new_records);
  if (!change.pair.empty())
    for (auto& [key, value] : book().published(change.pair)) books[key] = value;
  applied.push_back(change);
  report.published = copy || !change.rows.empty() || rows;
  report.warnings = warnings;
  report.uncompiled = model::uncompiled(lists_now, states());
  return report;
}

void FakeNode::take_copied(const model::Change& change, util::ByteReader& copy, std::map<model::RowKey, std::set<std::string>>& sets,
                           model::ChangeCounts& counts) const {
  if (change.copy_schema != schema) throw Error(ErrorCode::incompatible, "the copy has another schema");
  const auto image = util::decode<Image>(read_all(copy));
  for (std::size_t i = 0; i < change.wishes.size(); ++i) {
    const auto& key = change.wishes[i].key;
    auto set = image.compiled.find(key);
    sets[key] = set == image.compiled.end() ? std::set<std::string>() : set->second;
    model::SetDigest digest;
    for (const auto& domain : sets[key]) digest.add(domain);
    if (digest != change.copied.at(i).rows) throw Error(ErrorCode::conflict, "the copy has other rows than were announced");
    counts.blocklist_added += digest.count;
  }
  counts.adlists_compiled = change.wishes.size();
}

void FakeNode::take_rows(const model::Change& change, model::BlocklistReader& rows, std::map<model::RowKey, std::set<std::string>>& sets,
                         model::ChangeCounts& counts) const {
  const auto answers = rows.answers();
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (!answers[i].delta) sets[change.wishes[i].key].clear();
  while (auto row = rows.next()) {
    auto& set = sets[change.wishes[row->adlist].key];
    if (row->removed) {
      set.erase(std::string(row->domain));
      ++counts.blocklist_removed;
    } else {
      set.emplace(row->domain);
      ++counts.blocklist_added;
    }
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    model::SetDigest digest;
    for (const auto& domain : sets[change.wishes[i].key]) digest.add(domain);
    if (digest != answers[i].rows) throw Error(ErrorCode::corrupt, "an adlist's rows are not what was announced");
  }
  counts.adlists_compiled = answers.size();
}

std::vector<model::VersionInfo> FakeNode::versions() {
  called("versions");
  std::vector<model::VersionInfo> infos;
  for (auto i = kept.rbegin(); i != kept.rend(); ++i) infos.push_back(i->second.info);
  return infos;
}

model::Version FakeNode::version(std::int64_t id) {
  called("version");
  auto found = kept.find(id);
  if (found == kept.end())
    throw Error(ErrorCode::not_found, "there is no version " + std::to_string(id), "gravity-sync history lists them");
  return found->second;
}

void FakeNode::note(const model::HistoryEntry& entry) {
  called("note");
  notes.push_back(entry);
}

model::PairBook FakeNode::book() {
  return {{info.node_id, name_},
          {[this](const std::string& key) -> std::optional<std::string> {
             auto found = books.find(key);
             return found == books.end() ? std::nullopt : std::optional(found->second);
           },
           [this](const std::vector<std::pair<std::string, std::string>>& values) {
             for (const auto& [key, value] : values) {
               if (value.empty())
                 books.erase(key);
               else
                 books[key] = value;
             }
           }}};
}

model::PairInfo FakeNode::pair(const std::string& peer) {
  called("pair");
  return book().info(peer);
}

model::Base FakeNode::base(const std::string& peer) {
  called("base");
  return book().base(peer);
}

void FakeNode::intend(const std::string& peer, const model::Intent& intent) {
  called("intend");
  if (intent.expected != described().digests) throw Error(ErrorCode::conflict, name_ + " is not what the sync was made for");
  book().intend(peer, intent, lists_now, records_now, states());
}

void FakeNode::catch_up(const std::string& peer) {
  called("catch_up");
  auto rest = book().unfinished(peer, lists_now, records_now, model::fit_of(info.capabilities));
  if (!rest) return;
  if (on_call) on_call("publish");
  model::HistoryEntry entry;
  entry.rows = model::diff(lists_now, rest->lists);
  entry.conflicts = rest->conflicts;
  lists_now = std::move(rest->lists);
  std::erase_if(compiled, [&](const auto& set) { return !lists_now.contains(set.first); });
  for (auto& [key, value] : book().published(peer)) books[key] = value;
  notes.push_back(entry);
  for (std::size_t i = 0; i < records_now.size(); ++i) {
    if (!rest->records[i]) continue;
    if (on_call) on_call("record");
    records_now[i] = rest->records[i];
  }
}

void FakeNode::settle(const std::string& peer, const model::Settlement& settlement) {
  called("settle");
  book().settle(peer, settlement);
}

void FakeNode::forget(const std::string& peer, bool all) {
  called("forget");
  book().forget(peer, all);
}

void FakeNode::swap_in(const model::Lists& copied) {
  replaced_ = std::exchange(lists_now, copied);
}

void FakeNode::add_group(const std::string& name) {
  lists_now[{model::Table::group, model::kind::named_group, name}] = {};
}

void FakeNode::add_domain(const std::string& domain, const std::string& comment, std::uint8_t kind) {
  auto row = member_of_default_group();
  row.comment = comment;
  lists_now[{model::Table::domain, kind, domain}] = row;
}

model::RowKey FakeNode::add_adlist(const std::string& address, const std::set<std::string>& domains, std::uint8_t kind) {
  model::RowKey key{model::Table::adlist, kind, address};
  lists_now[key] = member_of_default_group();
  compiled[key] = domains;
  statistics[key] = {1'700'000'000, static_cast<std::int64_t>(domains.size()), 0, 1, 0};
  return key;
}

void FakeNode::recompile(const model::RowKey& adlist, const std::set<std::string>& added, const std::set<std::string>& removed) {
  deltas_[adlist] = {digest_of_set(adlist), added, removed};
  for (const auto& domain : removed) compiled[adlist].erase(domain);
  compiled[adlist].insert(added.begin(), added.end());
}

model::SetDigest FakeNode::digest_of_set(const model::RowKey& adlist) const {
  model::SetDigest digest;
  auto found = compiled.find(adlist);
  if (found != compiled.end())
    for (const auto& domain : found->second) digest.add(domain);
  return digest;
}

std::size_t FakeNode::count(const std::string& call) const {
  return static_cast<std::size_t>(std::count(calls.begin(), calls.end(), call));
}

void FakeNode::called(const std::string& call) {
  calls.push_back(call);
  if (on_call) on_call(call);
}

model::Blocklist FakeNode::states() const {
  model::Blocklist result;
  for (const auto& [key, domains] : compiled) {
    auto s = statistics.find(key);
    result.push_back({key, digest_of_set(key), s == statistics.end() ? model::AdlistStatistics{} : s->second});
  }
  return result;
}

model::NodeInfo FakeNode::described() const {
  auto now = info;
  if (now.damaged) return now;
  now.digests.lists = model::digest_of(lists_now);
  now.digests.blocklist = model::digest_of(states());
  now.fitted = model::fitted_digests(lists_now, states());
  now.digests.records = model::digests_of(records_now);
  now.list_rows = lists_now.size();
  now.blocklist_rows = 0;
  for (const auto& [key, domains] : compiled) now.blocklist_rows += domains.size();
  now.uncompiled = model::uncompiled(lists_now, states());
  return now;
}

}  // namespace gsync::test
