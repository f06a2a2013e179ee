#include "pending_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "ftl_control.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "pairs.hpp"

namespace gsync::pihole {
namespace {

constexpr auto settle_deadline = std::chrono::seconds(30);

struct Pending {
  model::HistoryEntry entry;
  std::vector<replica::Identity>
      replacements;            // of the file that becomes live, and of what replaces it in its turn; none when only records are set
  replica::Identity replaced;  // of the one that becomes the shadow; zero when there is none, or it was damaged
  std::string pair;            // see Change::pair
};
template <class Archive>
void fields(Archive& a, Pending& p) {
  a(p.entry, p.replacements, p.replaced, p.pair);
}

bool same_file(const std::optional<replica::Identity>& a, const replica::Identity& b) {
  return a && a->device == b.device && a->inode == b.inode;
}

bool was_published(const Parts& parts, const Pending& pending) {
  const auto live = parts.live.identity();
  if (std::any_of(pending.replacements.begin(), pending.replacements.end(), [&](const auto& file) { return same_file(live, file); }))
    return true;
  // `pihole -g` may have come afterwards and put a file of its own in the place of ours.
  return !pending.replacements.empty() && same_file(parts.shadow.identity(), pending.replaced);
}

bool records_were_set(const Parts& parts, const Pending& pending) {
  const auto before = parts.state.version(pending.entry.version);
  if (!before) return true;
  const auto now = parts.records.read().records;
  return std::any_of(pending.entry.records.begin(), pending.entry.records.end(), [&](const model::RecordChange& change) {
    const auto i = model::index_of(change.kind);
    return now[i] != before->records[i];
  });
}

/// What nobody told FTL because the run died: it may be the only thing that is left to do.
std::string tell_ftl(const Parts& parts, const std::vector<model::RecordChange>& records, bool published) {
  std::vector<std::string> problems;
  if (published) have_ftl_reload(parts, problems);
  std::vector<model::RecordKind> kinds;
  for (const auto& change : records) {
    if (kinds.empty() || kinds.back() != change.kind) kinds.push_back(change.kind);
  }
  try {
    parts.records.settle(kinds, util::Deadline::in(settle_deadline));
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
  return problems.empty() ? std::string() : fmt::format("; {}", fmt::join(problems, "; "));
}

/// In the transaction that is open.
void remember_published(const Parts& parts, const std::string& pair) {
  if (pair.empty()) return;
  for (const auto& [name, value] : pair_book(parts.state, parts.name).published(pair)) parts.state.set_value(name, value);
}

}  // namespace

void PendingRun::begin(model::HistoryEntry& entry, const LiveContent* before, const model::Records& records,
                       const replica::Identity* replacement, const std::string& pair) {
  pair_ = pair;
  static constexpr std::array verbs{"pull from", "push from", "undo to", "restore of", "sync with"};
  replica::StateStore::Batch batch(parts_.state);
  if (before != nullptr) {
    note_gravity_meanwhile(parts_.state, parts_.installation);
    auto reason = fmt::format("before {} {}", verbs[static_cast<std::size_t>(entry.action)], entry.source);
    entry.version = parts_.state.add_version(reason, before->rows.lists, records);
  }
  entry.time = parts_.clock.unix_time();
  entry_ = entry;
  if (replacement != nullptr) {
    replacements_ = {*replacement};
    if (before != nullptr) replaced_ = before->summary.identity;
  }
  parts_.state.set_value("pending", util::encode(Pending{entry_, replacements_, replaced_, pair_}));
  batch.commit();
}

void PendingRun::replaced_again(const replica::Identity& file) {
  replacements_.push_back(file);
  parts_.state.set_value("pending", util::encode(Pending{entry_, replacements_, replaced_, pair_}));
}

void PendingRun::forget() noexcept {
  try {
    replica::StateStore::Batch batch(parts_.state);
    parts_.state.remove_version(entry_.version);
    parts_.state.set_value("pending", {});
    batch.commit();
  } catch (const Error&) {
    // finish_interrupted() sees that nothing was changed.
  }
}

std::int64_t PendingRun::finish(const model::HistoryEntry& entry) {
  const auto id = parts_.state.add_history(entry);
  if (!replacements_.empty()) remember_published(parts_, pair_);
  parts_.state.set_value("pending", {});
  return id;
}

void finish_interrupted(const Parts& parts) {
  auto bytes = parts.state.value("pending");
  if (!bytes || bytes->empty()) return;
  std::optional<model::HistoryEntry> entry;
  std::int64_t version = 0;
  std::string pair;
  try {
    auto pending = util::decode<Pending>(*bytes);
    const bool records_only = pending.replacements.empty();
    if (records_only ? records_were_set(parts, pending) : was_published(parts, pending)) {
      entry = std::move(pending.entry);
      entry->text = records_only ? "the run was interrupted while it set records; the next one sets what is missing"
                                 : "the run was interrupted after the new database was published";
      entry->text += tell_ftl(parts, entry->records, !records_only);
      entry->outcome = model::Outcome::interrupted;
      if (!records_only) pair = pending.pair;
    } else {
      version = pending.entry.version;
    }
  } catch (const Error&) {
    // Written by another version of ours: what it would have said is lost, the databases are not concerned.
  }
  replica::StateStore::Batch batch(parts.state);
  if (entry) parts.state.add_history(*entry);
  remember_published(parts, pair);
  parts.state.remove_version(version);
  parts.state.set_value("pending", {});
  batch.commit();
}

}  // namespace gsync::pihole
