#include "live_state.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/statvfs.h>

#include <utility>

#include "compile_delta.hpp"
#include "gsync/model/fit.hpp"
#include "gsync/replica/abilities.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "pairs.hpp"

namespace gsync::pihole {
namespace {

constexpr int read_attempts = 6;
constexpr auto copy_deadline = std::chrono::minutes(10);

/// What is wrong with our own books must not be taken for damage of the live database.
template <class Work>
auto in_books(Work work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    throw Error(ErrorCode::io, error.what(), "remove that file: history and kept versions go with it, the Pi-hole is not concerned");
  }
}

template <class T>
std::optional<T> remembered(const replica::StateStore& state, const char* name) {
  auto bytes = in_books([&] { return state.value(name); });
  if (!bytes) return std::nullopt;
  try {
    return util::decode<T>(*bytes);
  } catch (const Error&) {
    return std::nullopt;  // written by an older version of ours: read anew
  }
}

}  // namespace

LiveSummary summarise(const replica::Identity& identity, const Shape& shape, const GravityRows& rows, const Compiled& compiled) {
  LiveSummary summary;
  summary.identity = identity;
  summary.version = shape.version;
  summary.capabilities = shape.capabilities();
  summary.unknown_columns = shape.unknown_columns;
  summary.lists = model::digest_of(rows.lists);
  auto blocklist = blocklist_of(rows, compiled);
  summary.blocklist = model::digest_of(blocklist);
  summary.fitted = model::fitted_digests(rows.lists, blocklist);
  summary.list_rows = rows.lists.size();
  for (const auto& adlist : blocklist) summary.blocklist_rows += adlist.rows.count;
  summary.uncompiled = model::uncompiled(rows.lists, blocklist);
  return summary;
}

std::optional<std::string> LiveState::damage() {
  auto identity = live_.identity();
  if (!identity) return fmt::format("{} does not exist", live_.path());
  // What looks damaged may be half of a commit that FTL plays back.
  if (sqlite::journal_is_hot(live_.directory(), (live_.name() + "-journal").c_str())) return std::nullopt;
  if (identity->size == 0) return fmt::format("{} is empty", live_.path());
  auto header = live_.header();
  if (!header) return fmt::format("{} is not an SQLite database", live_.path());
  auto expected = std::uint64_t{header->pages} * header->page_size;
  if (expected > static_cast<std::uint64_t>(identity->size)) {
    if (live_.identity() != identity) return std::nullopt;  // a commit made it longer between the two looks
    return fmt::format("{} is truncated: it has {} of {} bytes", live_.path(), identity->size, expected);
  }
  return std::nullopt;
}

LiveSummary LiveState::summary() {
  auto identity = live_.identity();
  if (identity) {
    if (auto known = remembered<LiveSummary>(state_, "live"); known && known->identity == *identity) return *known;
  }
  return content().summary;
}

const LiveContent& LiveState::content() {
  for (int attempt = 1;; ++attempt) {
    auto identity = live_.identity();
    if (!identity)
      throw Error(ErrorCode::corrupt, fmt::format("{} does not exist", live_.path()),
                  "run `pihole -g`, or take a whole database with --full");
    if (content_ && content_->summary.identity == *identity) return *content_;
    if (auto why = live_.wal_mode())
      throw Error(ErrorCode::refused, *why,
                  fmt::format("stop that program, then: pihole-FTL sqlite3 {} 'PRAGMA journal_mode=DELETE'", live_.path()));
    try {
      content_ = read(*identity);
      if (live_.identity() != identity) throw Error(ErrorCode::conflict, fmt::format("{} was edited while it was read", live_.path()));
      remember(*content_);
      return *content_;
    } catch (const Error& error) {
      content_.reset();
      if (error.code() != ErrorCode::conflict || attempt == read_attempts) {
        if (error.code() == ErrorCode::conflict) throw Error(ErrorCode::busy, error.what(), "it is edited all the time; try again later");
        throw;
      }
    }
  }
}

GravityRows LiveState::read_rows_in_steps(sqlite::Database& database, const Shape& shape) {
  sqlite::Pacer pacer({}, clock_);
  for (int attempt = 1; attempt < read_attempts; ++attempt) {
    try {
      return read_rows(database, shape, &pacer);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::conflict) throw;
    }
  }
  // Somebody edits faster than we can read in steps. One read transaction then: a few milliseconds for the lists of a household.
  sqlite::Transaction transaction(database, sqlite::Transaction::Kind::deferred);
  return read_rows(database, shape, nullptr);
}

LiveContent LiveState::read(const replica::Identity& identity) {
  LiveContent content;
  {
    auto reader = live_.open_reader();
    sqlite::Pacer({}, clock_).begin_after_writers(*reader);
    content.shape = shape_of(*reader);
    content.rows = read_rows_in_steps(*reader, content.shape);
  }
  if (auto known = remembered_compile(identity.device, identity.inode, content.rows.mark)) {
    content.compiled = *std::move(known);
  } else {
    std::optional<util::FileLock> lock;
    if (!locked_) lock = shadow_.lock(util::Deadline::in(lock_deadline_));
    content.summary.identity = identity;
    content.compiled = read_compiled_from_copy(content);
  }
  content.summary = summarise(identity, content.shape, content.rows, content.compiled);
  return content;
}

std::optional<Compiled> LiveState::remembered_compile(std::uint64_t device, std::uint64_t inode, const CompileMark& mark) {
  auto known = remembered<CompileSummary>(state_, "compile");
  if (!known || known->device != device || known->inode != inode || known->mark != mark) return std::nullopt;
  return std::move(known->compiled);
}

Compiled LiveState::read_compiled_from_copy(const LiveContent& content) {
  auto read = [&](auto open) {
    try {
      sqlite::Database database = open();
      return read_compiled(database, shape_of(database));
    } catch (const Error& error) {
      shadow_.discard();
      distrust_copy(error);
    }
  };
  if (shadow_is_copy_of(content.summary.identity, content.rows.mark)) {
    copy_is_new_ = false;
    return read([&] { return shadow_.open_reader(); });
  }
  // Without a version before there is nothing to tell the change from.
  auto before = remembered<ShadowSummary>(state_, "shadow");
  const bool compare = before && shadow_.identity() == before->shadow;
  copy_live_to_building(content, compare ? replica::Shadow::Previous::keep : replica::Shadow::Previous::reuse);
  auto compiled = read([&] { return shadow_.open_building_reader(); });
  if (compare)
    CompileDelta(shadow_).record({shadow_.previous_path(), remembered_compile(before->device, before->inode, before->mark)},
                                 {shadow_.building_path(), compiled});
  finish_copy(content);
  return compiled;
}

bool LiveState::shadow_is_copy_of(const replica::Identity& identity, const CompileMark& mark) {
  auto known = remembered<ShadowSummary>(state_, "shadow");
  return known && known->device == identity.device && known->inode == identity.inode && known->mark == mark &&
         shadow_.identity() == known->shadow;
}

void LiveState::require_room(std::uint64_t bytes, replica::Shadow::Previous previous) {
  constexpr std::uint64_t margin = 1u << 20;
  // What a killed run has left takes room that the next copy may need.
  shadow_.discard();
  CompileDelta(shadow_).remove_unfinished();
  // One that a reader still has is not written to, and its room not given back.
  const bool reuse =
      previous == replica::Shadow::Previous::reuse && !replica::is_open_elsewhere(shadow_.directory(), replica::Shadow::name);
  const auto there = reuse ? shadow_.identity() : std::nullopt;
  const auto have = there ? static_cast<std::uint64_t>(there->size) : 0;
  if (bytes + margin <= have) return;
  bytes += margin - have;
  struct statvfs fs {};
  if (::fstatvfs(shadow_.directory(), &fs) != 0) return;
  auto free = std::uint64_t{fs.f_bavail} * fs.f_frsize;
  if (free < bytes) {
    throw Error(ErrorCode::no_space,
                fmt::format("{} has {} free; a second copy of the database needs {}", installation_.directory, util::human_bytes(free),
                            util::human_bytes(bytes)),
                "free some space there");
  }
}

std::optional<std::int64_t> LiveState::copy_live_to_building(const LiveContent& content, replica::Shadow::Previous previous) {
  const auto& expected = content.summary.identity;
  require_room(static_cast<std::uint64_t>(expected.size), previous);
  const bool there = previous == replica::Shadow::Previous::reuse && shadow_.identity();
  copy_is_new_ = !there;
  if (there) {
    if (auto replay = replay_last_publish(content)) return replay->change.sets.empty() ? std::optional(replay->checked) : std::nullopt;
  }
  try {
    copy_by_backup(expected, previous);
  } catch (const Error& error) {
    // Before live is blamed: what could not be used may have been our own old shadow, which is gone now.
    if (!there || (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::io)) throw;
    copy_by_backup(expected, previous);
    copy_is_new_ = true;
  }
  return std::nullopt;
}

void LiveState::copy_by_backup(const replica::Identity& expected, replica::Shadow::Previous previous) {
  shadow_.begin(previous);
  try {
    {
      auto live = live_.open_reader(sqlite::Vfs::page_copying);
      auto building = shadow_.open_building();
      sqlite::backup(*live, building, {}, clock_, util::Deadline::in(copy_deadline));
    }
    if (live_.identity() != expected)
      throw Error(ErrorCode::conflict, fmt::format("{} was edited while it was copied", live_.path()), "run it again");
  } catch (...) {
    shadow_.discard();
    throw;
  }
}

std::optional<Replay> LiveState::replay_last_publish(const LiveContent& content) {
  auto replay = remembered<Replay>(state_, "replay");
  if (!replay || replay->live != content.summary.identity || shadow_.identity() != replay->shadow) return std::nullopt;
  shadow_.begin();
  try {
    auto database = shadow_.open_building();
    auto shape = shape_of(database);
    {
      sqlite::Transaction transaction(database);
      write_rows(database, shape, replay->change.rows, replay->greatest_compiled_id);
      if (!replay->change.sets.empty()) {
        write_sets_again(database, shape, replay->change.sets);
        write_counts(database, static_cast<std::uint64_t>(content.rows.mark.gravity_count));
      }
      raise_updated(database, replay->updated - 1, replay->updated);
      transaction.commit();
    }
    auto rows = read_rows(database, shape, nullptr);
    if (rows.mark == content.rows.mark && model::digest_of(rows.lists) == content.summary.lists) return replay;
  } catch (const Error&) {
    // It was not what we thought; the backup copies live, whatever is there.
  }
  shadow_.discard();
  return std::nullopt;
}

/// The compiled sets' part of replay_last_publish(). Error{} where CompileDelta does not hold these changes, or they do not fit.
void LiveState::write_sets_again(sqlite::Database& database, const Shape& shape, const std::vector<RepeatableChange::Set>& sets) {
  const CompileDelta delta(shadow_);
  const auto steps = delta.steps();
  const auto adlists = read_rows(database, shape, nullptr).adlist_ids;
  std::vector<std::int64_t> ids;
  std::vector<model::BlocklistWish> wishes;
  std::vector<model::BlocklistAnswer> answers;
  std::vector<std::pair<std::int64_t, std::uint32_t>> changed;
  for (const auto& set : sets) {
    const auto id = adlists.find(set.key);
    const auto path = CompileDelta::path(steps, set.key, set.from, set.to);
    if (id == adlists.end() || (path.empty() && set.from != set.to))
      throw Error(ErrorCode::not_found, fmt::format("the changes of {} are not kept", model::describe(set.key)));
    for (const auto step : path) changed.emplace_back(step, static_cast<std::uint32_t>(ids.size()));
    ids.push_back(id->second);
    wishes.push_back({set.key, set.from});
    answers.push_back({true, set.to, set.statistics});
  }
  write_blocklist(database, shape, ids, wishes, *delta.read(changed, std::move(answers)));
}

void LiveState::refresh_shadow(const LiveContent& content) {
  if (shadow_is_copy_of(content.summary.identity, content.rows.mark)) {
    copy_is_new_ = false;
    return;
  }
  copy_live_to_building(content, replica::Shadow::Previous::reuse);
  finish_copy(content);
}

void LiveState::finish_copy(const LiveContent& content) {
  const auto& identity = content.summary.identity;
  auto like = live_.files().stat_at(live_.directory(), live_.name());
  if (!like) throw Error(ErrorCode::conflict, fmt::format("{} has gone", live_.path()));
  shadow_.finish(*like);
  auto shadow = shadow_.identity();
  GSYNC_ASSERT(shadow.has_value());
  in_books([&] { state_.set_value("shadow", util::encode(ShadowSummary{*shadow, identity.device, identity.inode, content.rows.mark})); });
}

void LiveState::distrust_copy(const Error& error) {
  if (error.code() != ErrorCode::corrupt) throw error;
  shadow_.remove();
  if (std::exchange(copy_is_new_, false)) {
    throw Error(ErrorCode::corrupt, fmt::format("{} is damaged: a new copy of it cannot be read ({})", live_.path(), error.what()),
                "run `pihole -g`, which compiles the blocklist anew, or take a whole database with --full");
  }
  throw Error(ErrorCode::conflict, fmt::format("our own copy of {} was damaged ({}); it is made anew", live_.path(), error.what()),
              "run it again");
}

void LiveState::remember(const LiveContent& content) {
  const auto& identity = content.summary.identity;
  in_books([&] {
    replica::StateStore::Batch batch(state_);
    if (const auto before = remembered<LiveSummary>(state_, "live"))
      notice_gravity_swap(state_, live_.path(), before->identity, content.summary.identity, content.rows.lists);
    state_.set_value("compile", util::encode(CompileSummary{identity.device, identity.inode, content.rows.mark, content.compiled}));
    state_.set_value("live", util::encode(content.summary));
    if (const auto updated = content.rows.mark.updated; updated > highest_updated()) state_.set_value("updated", util::encode(updated));
    batch.commit();
  });
}

std::int64_t LiveState::highest_updated() const {
  return remembered<std::int64_t>(state_, "updated").value_or(0);
}

void LiveState::published(LiveContent content, const LiveContent* before, const RepeatableChange* change) {
  std::string shadow, replay;
  if (before != nullptr) {
    const auto& old = before->summary.identity;
    shadow = util::encode(ShadowSummary{old, old.device, old.inode, before->rows.mark});
    if (change != nullptr && content.checked && change->rows.size() <= Replay::max_rows) {
      replay = util::encode(
          Replay{content.summary.identity, old, *change, before->compiled.greatest_id(), content.rows.mark.updated, *content.checked});
    }
  }
  state_.set_value("shadow", shadow);
  state_.set_value("replay", replay);
  remember(content);
  content_ = std::move(content);
}

}  // namespace gsync::pihole
