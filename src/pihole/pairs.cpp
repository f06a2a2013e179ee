#include "pairs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "gsync/pihole/gravity.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t versions_looked_at = 10;
constexpr const char* swapped = "gravity swap";  // what `pihole -g` has moved away and put there
constexpr const char* meanwhile = "meanwhile";   // what was kept while `pihole -g` ran

struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};
template <class Archive>
void fields(Archive& a, FileId& f) {
  a(f.device, f.inode);
}

struct Swap {
  FileId moved_away;
  model::Lists copied;  ///< of the file that `pihole -g` put there, at first sight
};
template <class Archive>
void fields(Archive& a, Swap& s) {
  a(s.moved_away, s.copied);
}

/// Makes the lists what they should be, in a publish of its own. `now` is what `wanted` was made of: an edit since then must end in a
/// conflict, as it is not in `wanted`.
void publish_lists(const Parts& parts, model::Change change, const LiveContent& now, const model::Lists& wanted,
                   const model::Records& records, AfterGravity after_gravity) {
  change.action = model::Action::sync;
  change.force = true;  // what is brought was accepted once
  change.expected.lists = now.summary.lists;
  change.expected.blocklist = now.summary.blocklist;
  change.expected.records = model::digests_of(records);
  change.rows = model::diff(now.rows.lists, wanted);
  const bool any_records = std::any_of(change.records.begin(), change.records.end(), [](const auto& lines) { return lines.has_value(); });
  if (!change.rows.empty() || any_records) {
    apply_change(parts, change, records, nullptr, nullptr, after_gravity);
  } else if (!change.conflicts.empty()) {
    model::HistoryEntry entry;
    entry.action = change.action;
    entry.source = change.source;
    entry.target = parts.name;
    entry.started_by = change.started_by;
    entry.counts.conflicts = change.conflicts.size();
    entry.conflicts = std::move(change.conflicts);
    parts.state.add_history(entry);
  }
}

/// The file of one run of `pihole -g`, from its beginning, when it copies the lists into it, to its end, when it becomes live. An inode's
/// number alone may have been another file's before; when it was made is compared with nothing but itself, as clocks are set.
struct GravityFile {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t made = 0;
  bool operator==(const GravityFile&) const = default;
};
template <class Archive>
void fields(Archive& a, GravityFile& f) {
  a(f.device, f.inode, f.made);
}

/// What is kept from then on may have edits that the copy of `pihole -g` has not.
struct Meanwhile {
  GravityFile file;
  std::int64_t first_version = 0;
  std::vector<model::Lists> agreed;  ///< PairBook::last_agreed() before that
};
template <class Archive>
void fields(Archive& a, Meanwhile& m) {
  a(m.file, m.first_version, m.agreed);
}

std::optional<GravityFile> gravity_file(const std::string& path) {
  struct statx file {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &file) != 0) return std::nullopt;
  return GravityFile{std::uint64_t{file.stx_dev_major} << 32 | file.stx_dev_minor, file.stx_ino,
                     file.stx_btime.tv_sec * 1'000'000'000 + file.stx_btime.tv_nsec};
}

std::optional<Meanwhile> kept_meanwhile(const replica::StateStore& state) {
  const auto bytes = state.value(meanwhile);
  if (!bytes) return std::nullopt;
  try {
    return util::decode<Meanwhile>(*bytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The database that `pihole -g` moved away, if it is still one of those that Pi-hole keeps.
std::optional<std::string> moved_away(const std::string& live_path, const FileId& file) {
  const auto directory = live_path.substr(0, live_path.rfind('/'));
  for (const auto* name : {"/gravity_backups/gravity.db.1", "/gravity_old.db"}) {
    const auto path = directory + name;
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0 && S_ISREG(there.st_mode) && there.st_dev == file.device && there.st_ino == file.inode)
      return path;
  }
  return std::nullopt;
}

}  // namespace

model::PairBook pair_book(replica::StateStore& state, const std::string& name) {
  return {{state.node_id(), name},
          {[&state](const std::string& key) { return state.value(key); },
           [&state](const std::vector<std::pair<std::string, std::string>>& values) {
             replica::StateStore::Batch batch(state);
             for (const auto& [key, value] : values) state.set_value(key, value);
             batch.commit();
           }}};
}

void catch_up(const Parts& parts, const std::string& peer, const model::Records& records) {
  auto book = pair_book(parts.state, parts.name);
  // `pihole -g` may have come in the middle of the sync. What it has lost is brought back to what it made, not to what we make of that: a
  // row that only comes with the sync is not in what it moved away, and would look as if somebody had deleted it there.
  parts.live_state.content();
  bring_back(parts, records);
  const auto& now = parts.live_state.content();
  auto rest = book.unfinished(peer, now.rows.lists, records, model::fit_of(now.summary.capabilities));
  if (!rest) return;
  model::Change change;
  change.source = "an interrupted sync";
  change.started_by = fmt::format("sync on {}", parts.name);
  change.pair = peer;
  change.records = std::move(rest->records);
  change.conflicts = std::move(rest->conflicts);
  publish_lists(parts, std::move(change), now, rest->lists, records, AfterGravity::bring_back_first);
}

void notice_gravity_swap(replica::StateStore& state, const std::string& live_path, const replica::Identity& before,
                         const replica::Identity& now, const model::Lists& lists) {
  if (before.inode == now.inode && before.device == now.device) return;
  const FileId file{before.device, before.inode};
  if (moved_away(live_path, file)) state.set_value(swapped, util::encode(Swap{file, lists}));
}

bool gravity_swap_is_noticed(const replica::StateStore& state) {
  const auto bytes = state.value(swapped);
  return bytes && !bytes->empty();
}

void note_gravity_meanwhile(replica::StateStore& state, const Installation& installation) {
  auto file = gravity_file(installation.gravity_named + "_temp");
  if (!file) file = gravity_file(installation.gravity_database + "_temp");
  if (!file) return;
  if (const auto known = kept_meanwhile(state); known && known->file == *file) return;
  const auto versions = state.versions();
  const auto next = versions.empty() ? 1 : versions.front().id + 1;
  state.set_value(meanwhile, util::encode(Meanwhile{*file, next, pair_book(state, {}).last_agreed()}));
}

bool bring_back(const Parts& parts, const model::Records& records) {
  const auto bytes = parts.state.value(swapped);
  if (!bytes || bytes->empty()) return false;
  try {
    const auto swap = util::decode<Swap>(*bytes);
    const auto path = moved_away(parts.live.path(), swap.moved_away);
    if (path) {
      sqlite::Database old(*path, sqlite::OpenMode::read_only);
      auto replaced = read_rows(old, shape_of(old), nullptr).lists;
      model::Change change;
      change.source = "what `pihole -g` had lost";
      change.started_by = fmt::format("sync on {}", parts.name);
      std::vector<model::Lists> before;
      const auto during = kept_meanwhile(parts.state);
      const bool of_this_run = during && gravity_file(parts.live.path()) == during->file;
      for (const auto& info : parts.state.versions()) {
        if (before.size() == versions_looked_at) break;
        if (of_this_run && info.id >= during->first_version) continue;
        if (auto version = parts.state.version(info.id)) before.push_back(std::move(version->lists));
      }
      for (auto& lists : of_this_run ? during->agreed : pair_book(parts.state, parts.name).last_agreed()) before.push_back(lists);
      const auto& now = parts.live_state.content();
      const auto fit = model::fit_of(now.summary.capabilities);
      if (const auto lists = model::brought_back(before, swap.copied, now.rows.lists, std::move(replaced), change.conflicts, fit))
        publish_lists(parts, std::move(change), now, *lists, records, AfterGravity::anyway);
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::busy || error.code() == ErrorCode::conflict) throw;  // the next run does it
    model::HistoryEntry entry;
    entry.action = model::Action::sync;
    entry.source = entry.target = parts.name;
    entry.outcome = model::Outcome::failed;
    entry.text = fmt::format("what was edited while `pihole -g` ran may be lost: {}", error.what());
    parts.state.add_history(entry);
  }
  parts.state.set_value(swapped, {});
  return true;
}

}  // namespace gsync::pihole
