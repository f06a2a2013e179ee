#include "gsync/model/pair.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gsync/model/setting.hpp"
#include "gsync/model/shared_view.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::model {
namespace {

/// Small, and read by each look.
struct Entry {
  NodeName peer;
  std::string label;
  std::string base;
  Digest lists;
  PerKind<std::optional<Digest>> records;
  std::vector<NodeName> reach;
  std::string intent;
};
template <class Archive>
void fields(Archive& a, Entry& e) {
  a(e.peer, e.label, e.base, e.lists, e.records, e.reach, e.intent);
}

/// An intent as it is kept, with what there was on this node when it was told.
struct Begun {
  std::string id;
  bool ours_wins = true;
  std::set<RowKey> only_here;
  Components components;
  Lists lists;
  Records records;
  Base after;
  std::vector<Conflict> conflicts;
  KeepLocal kept_local;
};
template <class Archive>
void fields(Archive& a, Begun& b) {
  a(b.id, b.ours_wins, b.only_here, b.components, b.lists, b.records, b.after, b.conflicts, b.kept_local);
}

constexpr const char* directory = "pairs";

std::string entry_name(const std::string& peer) {
  return "pair:" + peer;
}
std::string base_name(const std::string& peer) {
  return "base:" + peer;
}
std::string begun_name(const std::string& peer) {
  return "begun:" + peer;
}
std::string published_name(const std::string& peer) {
  return "published:" + peer;
}

template <class T>
std::optional<T> read(const PairBook::Store& store, const std::string& name) {
  const auto bytes = store.value(name);
  if (!bytes || bytes->empty()) return std::nullopt;
  try {
    return util::decode<T>(*bytes);
  } catch (const Error&) {
    return std::nullopt;  // written by another version of ours: as if it were lost, and nothing is deleted for it
  }
}

Entry entry_of(const PairBook::Store& store, const std::string& peer) {
  return read<Entry>(store, entry_name(peer)).value_or(Entry{});
}

std::set<std::string> known_peers(const PairBook::Store& store) {
  return read<std::set<std::string>>(store, directory).value_or(std::set<std::string>{});
}

/// A kind is set whole, so it is one or the other but for what was edited since: the one that is nearer. Settings are set one by one: each
/// that was set is in `now` as it is in `after`, which a merge sees.
bool were_set(RecordKind kind, const RecordLines& before, const RecordLines& after, const RecordLines& now) {
  if (now == after) return true;
  if (now == before || kind == RecordKind::setting) return false;
  return diff(kind, after, now).size() < diff(kind, before, now).size();
}

}  // namespace

PairInfo PairBook::info(const std::string& peer) const {
  const auto entry = entry_of(store_, peer);
  PairInfo info{entry.base, entry.intent, entry.label, entry.lists, entry.records, {self_}};
  for (const auto& other : known_peers(store_)) {
    if (other == peer) continue;
    auto theirs = entry_of(store_, other);
    if (theirs.base.empty()) continue;
    info.reach.push_back(theirs.peer);
    info.reach.insert(info.reach.end(), theirs.reach.begin(), theirs.reach.end());
  }
  return info;
}

Base PairBook::base(const std::string& peer) const {
  return read<Base>(store_, base_name(peer)).value_or(Base{});
}

std::vector<Lists> PairBook::last_agreed() const {
  std::vector<Lists> agreed;
  if (const auto peer = store_.value("last_pair"); peer && !peer->empty())
    if (auto base = read<Base>(store_, base_name(*peer))) agreed.push_back(std::move(base->lists));
  if (auto parent = read<Lists>(store_, "parent_lists")) agreed.push_back(std::move(*parent));
  return agreed;
}

void PairBook::intend(const std::string& peer, const Intent& intent, const Lists& lists, const Records& records,
                      const Blocklist& blocklist) {
  Begun begun{intent.id, intent.ours_wins, intent.only_here, intent.components, lists, records, {}, intent.conflicts, intent.kept_local};
  begun.after.lists = patched(lists, intent.rows);
  for (auto kind : record_kinds) {
    const auto i = index_of(kind);
    if (intent.components.records[i]) begun.after.records[i] = intent.records[i] ? intent.records[i] : records[i];
  }
  for (const auto& state : blocklist)
    if (begun.after.lists.contains(state.key)) begun.after.compiled.emplace(state.key, state.rows);
  for (const auto& [key, rows] : intent.compiled) begun.after.compiled.insert_or_assign(key, rows);
  auto entry = entry_of(store_, peer);
  entry.intent = intent.id;
  auto peers = known_peers(store_);
  peers.insert(peer);
  store_.set({{begun_name(peer), util::encode(begun)},
              {published_name(peer), intent.rows.empty() ? intent.id : std::string()},
              {entry_name(peer), util::encode(entry)},
              {directory, util::encode(peers)}});
}

std::vector<std::pair<std::string, std::string>> PairBook::published(const std::string& peer) const {
  return {{published_name(peer), entry_of(store_, peer).intent}};
}

std::optional<Unfinished> PairBook::unfinished(const std::string& peer, const Lists& now, const Records& records_now, Fit fit) const {
  const auto begun = read<Begun>(store_, begun_name(peer));
  if (!begun) return std::nullopt;
  Unfinished rest;
  const auto entry = entry_of(store_, peer);
  // What is here now are edits of this node's people, and what was intended came from the other.
  const Sides sides{self_.name, entry.peer.name.empty() ? std::string("the other node") : entry.peer.name, begun->ours_wins};
  const bool lists_are_live = store_.value(published_name(peer)) == begun->id;
  // The publish of the lists has written them into the history. Where there was nothing to publish nobody has.
  if (!lists_are_live || diff(begun->lists, begun->after.lists).empty()) rest.conflicts = begun->conflicts;
  rest.lists = lists_are_live ? now : merge_lists(begun->lists, now, begun->after.lists, sides, rest.conflicts, fit);
  for (auto kind : record_kinds) {
    const auto i = index_of(kind);
    const auto& before = begun->records[i];
    const auto& after = begun->after.records[i];
    if (!before || !after || *before == *after) continue;
    // Settled without them, what came from the other would look as if it had been deleted here.
    if (!records_now[i])
      throw Error(ErrorCode::conflict,
                  fmt::format("the {} of {} cannot be read, and a sync was interrupted while it set them", plural_of(kind), self_.name),
                  "`gravity-sync doctor` says why; then run it again");
    if (were_set(kind, *before, *after, *records_now[i])) continue;
    auto merged = merge_records(kind, *before, *records_now[i], *after, sides, rest.conflicts);
    // What this node does not give any more it does not take either.
    if (kind == RecordKind::setting) merged = with_values_of(merged, *records_now[i]);
    if (merged != *records_now[i]) rest.records[i] = std::move(merged);
  }
  return rest;
}

void PairBook::settle(const std::string& peer, const Settlement& settlement) {
  auto begun = read<Begun>(store_, begun_name(peer));
  if (!begun || begun->id != settlement.id)
    throw Error(ErrorCode::conflict, "the sync that is to be settled is not the one that was begun here", "run it again");
  auto entry = entry_of(store_, peer);
  auto base = this->base(peer);
  const auto parent = util::encode(base.lists);
  // What only one of the two has must never look as if the other had deleted it, not even when it is not kept local any more.
  const auto& keep = begun->kept_local;
  begun->after.lists = without(std::move(begun->after.lists), keep);
  begun->after.records = without(std::move(begun->after.records), keep);
  std::erase_if(begun->after.compiled, [&](const auto& set) { return keep.keeps(set.first); });
  if (begun->components.lists) {
    entry.lists = digest_of(begun->after.lists);
    base.lists = std::move(begun->after.lists);
    for (const auto& key : begun->only_here) base.lists.erase(key);
  }
  for (std::size_t i = 0; i < base.records.size(); ++i)
    if (begun->components.records[i]) base.records[i] = std::move(begun->after.records[i]);
  if (begun->components.blocklist && !settlement.caught_up) base.compiled = std::move(begun->after.compiled);
  entry.base = settlement.id;
  entry.intent.clear();
  entry.peer = settlement.peer;
  if (!settlement.label.empty()) entry.label = settlement.label;
  entry.reach = settlement.reach;
  entry.records = digests_of(base.records);
  store_.set({{base_name(peer), util::encode(base)},
              {entry_name(peer), util::encode(entry)},
              {begun_name(peer), {}},
              {published_name(peer), {}},
              {"last_pair", peer},
              {"parent_lists", parent}});
}

void PairBook::forget(const std::string& peer, bool all) {
  auto entry = entry_of(store_, peer);
  entry.intent.clear();
  std::vector<std::pair<std::string, std::string>> values{
      {entry_name(peer), util::encode(entry)}, {begun_name(peer), {}}, {published_name(peer), {}}};
  if (all) {
    auto peers = known_peers(store_);
    peers.erase(peer);
    values[0].second.clear();
    values.emplace_back(base_name(peer), std::string());
    values.emplace_back(directory, util::encode(peers));
    if (store_.value("last_pair") == peer) values.emplace_back("last_pair", std::string());
  }
  store_.set(values);
}

std::vector<std::pair<NodeName, std::string>> PairBook::peers() const {
  std::vector<std::pair<NodeName, std::string>> result;
  for (const auto& peer : known_peers(store_)) {
    auto entry = entry_of(store_, peer);
    if (entry.peer.id.empty()) entry.peer.id = peer;
    result.emplace_back(std::move(entry.peer), std::move(entry.label));
  }
  return result;
}

std::optional<Lists> brought_back(const std::vector<Lists>& before, const Lists& copied, const Lists& now, Lists replaced,
                                  std::vector<Conflict>& conflicts, Fit fit) {
  const Lists* nearest = nullptr;
  std::size_t distance = 0;
  for (const auto& lists : before) {
    const auto changes = diff(lists, copied).size();
    if (nearest != nullptr && changes >= distance) continue;
    nearest = &lists;
    distance = changes;
  }
  if (nearest == nullptr) return std::nullopt;
  // What was edited while it ran is younger than what it copied, but for what was edited when it was done and nobody had looked yet.
  for (auto& entry : replaced) {
    auto& row = entry.second;
    const auto copy = copied.find(entry.first);
    const auto known = nearest->find(entry.first);
    if (copy == copied.end() || copy->second.modified <= row.modified) continue;
    if (known == nearest->end() || !(known->second.same_edit(row) || known->second.same_edit(copy->second))) row = copy->second;
  }
  auto lists = merge_lists(*nearest, copied, replaced, {"the copy of `pihole -g`", "the database before it", false}, conflicts, fit);
  lists = merge_lists(copied, now, lists, {"what came after `pihole -g`", "the database before it", true}, conflicts, fit);
  return diff(now, lists).empty() ? std::nullopt : std::optional(std::move(lists));
}

std::vector<NodeName> ring_of(const PairInfo& a, const PairInfo& b) {
  std::vector<NodeName> both;
  for (const auto& node : a.reach) {
    const bool there = std::any_of(b.reach.begin(), b.reach.end(), [&](const NodeName& other) { return other.id == node.id; });
    const bool known = std::any_of(both.begin(), both.end(), [&](const NodeName& other) { return other.id == node.id; });
    if (there && !known) both.push_back(node);
  }
  return both;
}

}  // namespace gsync::model
