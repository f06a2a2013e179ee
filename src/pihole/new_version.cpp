#include "new_version.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "compile_delta.hpp"
#include "gravity_tables.hpp"
#include "gsync/model/merge.hpp"
#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

/// To make a change of one row again costs about what it costs to copy so many.
constexpr std::uint64_t worth_repeating = 20;

}  // namespace

void refuse(const std::string& why) {
  throw Error(ErrorCode::refused, why, "if that is meant, run it again with --force; --dry-run shows every row");
}

/// The blocklist's size after the change, from what the source announced.
void NewVersion::check_blocklist_shrink(const model::Lists& after) {
  if (change_.force) return;
  std::map<model::RowKey, std::uint64_t> sizes;
  std::uint64_t had = 0;
  for (const auto& adlist : blocklist_of(before_->rows, before_->compiled)) {
    had += adlist.rows.count;
    if (after.contains(adlist.key)) sizes[adlist.key] = adlist.rows.count;
  }
  for (std::size_t i = 0; i < change_.wishes.size(); ++i) sizes[change_.wishes[i].key] = answers().at(i).rows.count;
  std::uint64_t will = 0;
  for (const auto& [key, size] : sizes) will += size;
  if (auto why = model::shrink_refusal("blocked domains", had, will, parts_.config.sync.shrink)) refuse(*why);
}

void NewVersion::make() {
  auto like = target_file();
  try {
    if (change_.whole_copy)
      receive_copy();
    else
      change_rows();
    parts_.shadow.finish(like);
  } catch (const Error& error) {
    parts_.shadow.discard();
    // The next attempt starts from a new copy of live, and tells which of the two it is that is damaged.
    if (!change_.brings_copy() && !parts_.live_state.copy_is_new()) parts_.live_state.distrust_copy(error);
    throw;
  } catch (...) {
    parts_.shadow.discard();
    throw;
  }
  auto identity = parts_.shadow.identity();
  GSYNC_ASSERT(identity.has_value());
  after_.summary = summarise(*identity, after_.shape, after_.rows, after_.compiled);
}

namespace {

/// Tables of which nothing is synced, as SQL says their names.
std::vector<std::string> other_tables(sqlite::Database& database) {
  std::set<std::string, std::less<>> known{"info", "gravity", "antigravity"};
  for (const auto& names : table_names) {
    known.emplace(unquoted(names.name));
    if (names.by_group != nullptr) known.emplace(names.by_group);
  }
  std::vector<std::string> result;
  for (const auto& table : tables_of(database))
    if (!known.contains(table)) result.push_back(identifier(table));
  return result;
}

/// A peer's database may hold only what this Pi-hole's has: a trigger or a view is code that FTL would run.
void check_schema(sqlite::Database& arrived, const std::set<std::string>& ours) {
  auto theirs = schema_of(arrived);
  auto first_not_in = [](const std::set<std::string>& some, const std::set<std::string>& others) -> std::optional<std::string> {
    for (const auto& object : some) {
      if (!others.contains(object)) return util::printable(object.substr(0, object.find(' ', object.find(' ') + 1)));  // "trigger NAME"
    }
    return std::nullopt;
  };
  if (auto extra = first_not_in(theirs, ours)) {
    throw Error(ErrorCode::incompatible,
                fmt::format("the source's database has a {} that differs from this Pi-hole's, or that it does not have", *extra),
                "bring both Pi-holes to the same version (`pihole -up`), or leave out --full: rows can be taken from another schema");
  }
  if (auto missing = first_not_in(ours, theirs)) {
    throw Error(ErrorCode::incompatible, fmt::format("the source's database lacks the {} of this Pi-hole's", *missing),
                "bring both Pi-holes to the same version");
  }
}

}  // namespace

/// Whose owner and mode the new file gets: those of the file that it replaces, or of the directory where there is none.
struct stat NewVersion::target_file() {
  auto& files = parts_.live.files();
  if (auto st = files.stat_at(parts_.live.directory(), parts_.live.name())) return *st;
  struct stat st = files.stat(parts_.live.directory());
  st.st_mode = S_IFREG | 0664;
  return st;
}

/// What info.updated must exceed to be noticed. FTL's poll takes a value that is higher than all that it has seen; `pihole -g` writes the
/// date, which is lower than that where the clock was set back. A signal makes no difference between them, and the date is shown to people.
std::int64_t NewVersion::seen_by_ftl() const {
  const auto live = before_->rows.mark.updated;
  return Ftl(parts_.installation).reload_signal() ? live : std::max(live, parts_.live_state.highest_updated());
}

void NewVersion::change_rows() {
  auto after = model::patched(before_->rows.lists, change_.rows);
  model::check_lists(after);
  if (!change_.force) {
    if (auto why = model::shrink_refusal(before_->rows.lists, after, parts_.config.sync.shrink)) refuse(*why);
  }
  GSYNC_ASSERT(change_.wishes.empty() || reader_ != nullptr || !change_.copied.empty());
  if (!change_.wishes.empty()) check_blocklist_shrink(after);

  const bool undo = change_.action == model::Action::undo || change_.action == model::Action::restore;
  const bool copied = !change_.copied.empty();
  std::vector<model::RowChange> other_rows;
  if (copied)
    other_rows = begin_with_copy(after);
  else
    after_.checked =
        parts_.live_state.copy_live_to_building(*before_, undo ? replica::Shadow::Previous::keep : replica::Shadow::Previous::reuse);
  // Opened before the connections and closed after them: closing it in between would drop SQLite's locks.
  auto raw = parts_.shadow.open_building_raw(O_RDONLY);
  if (!copied) {
    after_.shape = before_->shape;
    after_.compiled = before_->compiled;
    repeatable_.emplace(RepeatableChange{change_.rows, {}});
  }
  {
    auto database = parts_.shadow.open_building();
    sqlite::Transaction transaction(database);
    auto written = write_rows(database, after_.shape, copied ? other_rows : change_.rows, after_.compiled.greatest_id());
    new_adlists_ = written.added_adlists;
    counts_.blocklist_removed += remove_compiled(database, after_.shape, compiled_of(written.removed_adlists));
    forget_compiled(written.removed_adlists);
    bool compiled = copied || counts_.blocklist_removed > 0;
    if (undo) compiled |= bring_back_compiled(database);
    if (compiled) repeatable_.reset();
    if (reader_ != nullptr && !change_.wishes.empty()) compiled |= write_and_keep(database);
    if (copied) write_copied_statistics(database);
    raise_updated(database, seen_by_ftl(), 0);
    transaction.commit();
    blocklist_changed_ = compiled;
  }
  count_rows();
  std::optional<util::WriteBack> writing;
  if (blocklist_changed_) {
    writing.emplace(raw.get());
    if (copied && counts_.blocklist_removed == 0)
      check_counts(domains_);
    else
      check_compiled();
  }
  auto database = parts_.shadow.open_building_reader();
  if (!blocklist_changed_) after_.checked = check_edited(database, after_.checked, parts_.clock.unix_time());
  after_.rows = read_rows(database, after_.shape, nullptr);
  if (model::digest_of(after_.rows.lists) != model::digest_of(after)) {
    throw Error(ErrorCode::corrupt, "the changed lists do not read back as they were written", "please report this; nothing was changed");
  }
  if (copied) note_new_adlists();
}

/// Fills shadow.building with the source's database. Gives what makes of its lists those that are wanted.
std::vector<model::RowChange> NewVersion::begin_with_copy(const model::Lists& after) {
  require_only_lists();
  auto checked = take_copy();
  auto database = parts_.shadow.open_building_reader();
  auto arrived = read_rows(database, after_.shape, nullptr);
  domains_ = checked.domains;
  require_copied(arrived, after);
  return model::diff(arrived.lists, after);
}

/// A copy replaces all that is in the database, so there may be nothing in it but what is synced.
void NewVersion::require_only_lists() {
  auto stays = [](const std::string& what) {
    throw Error(ErrorCode::incompatible, fmt::format("a copy would replace {}, which is this Pi-hole's own", util::printable(what)));
  };
  if (!before_->shape.unknown_columns.empty()) stays(before_->shape.unknown_columns.front());
  auto live = parts_.live.open_reader();
  for (const auto& table : other_tables(*live))
    if (live->query_int(fmt::format("SELECT 1 FROM {} LIMIT 1", table))) stays(table);
}

/// Each set that this node will have is in the copy as it was announced, or as this node has it.
void NewVersion::require_copied(const GravityRows& arrived, const model::Lists& after) const {
  std::map<model::RowKey, model::SetDigest> expected;
  for (const auto& adlist : blocklist_of(before_->rows, before_->compiled))
    if (adlist.rows.count != 0 && after.contains(adlist.key)) expected[adlist.key] = adlist.rows;
  for (std::size_t i = 0; i < change_.wishes.size(); ++i) expected[change_.wishes[i].key] = change_.copied.at(i).rows;
  const auto sets = model::compiled_sets(blocklist_of(arrived, after_.compiled));
  for (const auto& [key, rows] : expected) {
    const auto set = sets.find(key);
    if ((set == sets.end() ? model::SetDigest{} : set->second) == rows) continue;
    throw Error(ErrorCode::conflict,
                fmt::format("the copy of the source's database has not the domains of {} that it announced", model::describe(key)),
                "run it again");
  }
}

/// The statistics may be newer than those in the copy.
void NewVersion::write_copied_statistics(sqlite::Database& database) {
  const auto ids = ids_of(change_.wishes, database);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    write_statistics(database, after_.shape, ids[i], change_.copied.at(i).statistics);
    const auto& have = change_.wishes[i].have;
    counts_.blocklist_added += change_.copied[i].rows.count - std::min(have ? have->count : 0, change_.copied[i].rows.count);
  }
  counts_.adlists_compiled += change_.wishes.size();
}

/// Those that have rows: most adlists that go were never compiled or are empty, and looking through the table costs.
std::vector<std::int64_t> NewVersion::compiled_of(const std::vector<std::int64_t>& ids) const {
  std::vector<std::int64_t> result;
  for (auto id : ids) {
    for (const auto* sets : {&after_.compiled.gravity, &after_.compiled.antigravity}) {
      if (std::any_of(sets->begin(), sets->end(), [&](const CompiledSet& s) { return s.id == id; })) {
        result.push_back(id);
        break;
      }
    }
  }
  return result;
}

void NewVersion::forget_compiled(const std::vector<std::int64_t>& ids) {
  for (auto* sets : {&after_.compiled.gravity, &after_.compiled.antigravity}) {
    std::erase_if(*sets, [&](const CompiledSet& s) { return std::find(ids.begin(), ids.end(), s.id) != ids.end(); });
  }
}

std::vector<std::int64_t> NewVersion::ids_of(const std::vector<model::BlocklistWish>& wishes, sqlite::Database& database) const {
  const auto rows = read_rows(database, after_.shape, nullptr);
  std::vector<std::int64_t> ids;
  for (const auto& wish : wishes) {
    auto id = rows.adlist_ids.find(wish.key);
    if (id == rows.adlist_ids.end())
      throw Error(ErrorCode::protocol, fmt::format("the change fills {}, which is not there", model::describe(wish.key)));
    ids.push_back(id->second);
  }
  return ids;
}

/// A change begins with what is there, which a peer that pushes can only believe to know.
void NewVersion::require_begun_from(const std::vector<model::BlocklistWish>& wishes, const std::vector<model::BlocklistAnswer>& answers,
                                    const std::vector<std::int64_t>& ids) const {
  for (std::size_t i = 0; i < std::min(wishes.size(), answers.size()); ++i) {
    if (!answers[i].delta) continue;
    const auto& sets = wishes[i].key.kind == model::kind::allow_list ? after_.compiled.antigravity : after_.compiled.gravity;
    const auto set = std::ranges::find(sets, ids[i], &CompiledSet::id);
    if ((set == sets.end() ? model::SetDigest{} : set->rows) != wishes[i].have)
      throw Error(ErrorCode::conflict, fmt::format("the domains of {} are not those that are changed", model::describe(wishes[i].key)),
                  "run it again");
  }
}

bool NewVersion::write_compiled(sqlite::Database& database, const std::vector<model::BlocklistWish>& wishes,
                                model::BlocklistReader& reader) {
  const auto ids = ids_of(wishes, database);
  require_begun_from(wishes, reader.answers(), ids);
  auto written = write_blocklist(database, after_.shape, ids, wishes, reader);
  counts_.adlists_compiled += wishes.size();
  counts_.blocklist_added += written.added;
  counts_.blocklist_removed += written.removed;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    auto& sets = wishes[i].key.kind == model::kind::allow_list ? after_.compiled.antigravity : after_.compiled.gravity;
    std::erase_if(sets, [&](const CompiledSet& s) { return s.id == ids[i]; });
    if (written.sets[ids[i]].count > 0) sets.push_back({ids[i], written.sets[ids[i]]});
    std::sort(sets.begin(), sets.end());
  }
  return written.added + written.removed > 0;
}

/// What the source tells of changes is kept, for targets of our own and for the next version.
bool NewVersion::write_and_keep(sqlite::Database& database) {
  CompileDelta::Keeper keeper(CompileDelta(parts_.shadow), *reader_, change_.wishes, after_.compiled.rows());
  const bool changed = write_compiled(database, change_.wishes, keeper);
  const auto kept = keeper.finish();
  if (!kept || *kept > after_.compiled.rows() / worth_repeating) {
    repeatable_.reset();
    return changed;
  }
  for (std::size_t i = 0; repeatable_ && i < change_.wishes.size(); ++i) {
    const auto& answer = reader_->answers()[i];
    repeatable_->sets.push_back(
        {change_.wishes[i].key, change_.wishes[i].have.value_or(model::SetDigest{}), answer.rows, answer.statistics});
  }
  return changed;
}

/// Adlists that an undo brings back get the rows that they have in the version before, if the shadow still is that.
bool NewVersion::bring_back_compiled(sqlite::Database& database) {
  std::vector<model::RowKey> keys;
  for (const auto& change : change_.rows) {
    if (change.key.table == model::Table::adlist && !change.before && change.after) keys.push_back(change.key);
  }
  if (keys.empty()) return false;
  std::vector<model::BlocklistWish> wishes;
  std::unique_ptr<model::BlocklistReader> reader;
  auto missing = keys.size();
  try {
    auto previous = parts_.shadow.open_previous();
    auto shape = shape_of(previous);
    auto rows = read_rows(previous, shape, nullptr);
    auto compiled = read_compiled(previous, shape);
    std::vector<WholeSet> sets;
    std::vector<model::BlocklistAnswer> answers;
    for (const auto& adlist : blocklist_of(rows, compiled)) {
      if (std::find(keys.begin(), keys.end(), adlist.key) == keys.end()) continue;
      --missing;
      if (adlist.rows.count == 0) continue;  // nor had it any then
      sets.push_back(
          {rows.adlist_ids.at(adlist.key), adlist.key.kind == model::kind::allow_list, static_cast<std::uint32_t>(wishes.size())});
      answers.push_back({false, adlist.rows, adlist.statistics});
      wishes.push_back({adlist.key, std::nullopt});
    }
    if (!sets.empty()) reader = read_blocklist(std::move(previous), shape, sets, std::move(answers));
  } catch (const Error&) {
    // No version before, or not a readable one: `pihole -g` fills the adlists.
    wishes.clear();
    missing = keys.size();
  }
  if (missing > 0) {
    warnings_.push_back(fmt::format("{} came back without {} compiled domains; `pihole -g` fetches them", util::plural(missing, "adlist"),
                                    missing == 1 ? "its" : "their"));
  }
  return reader && write_compiled(database, wishes, *reader);
}

/// What arrives, as it is, into shadow.building.
util::Fd NewVersion::receive_bytes() {
  auto file = parts_.shadow.open_building_raw(O_RDWR);
  auto& files = parts_.live.files();
  std::vector<std::byte> buffer(256u << 10);
  std::uint64_t size = 0;
  while (auto n = copy_->read(buffer)) {
    if (size + n > change_.copy_bytes) throw Error(ErrorCode::protocol, "the source sends more than it announced");
    files.write(file.get(), std::span(buffer).first(n), static_cast<off_t>(size));
    size += n;
  }
  if (size != change_.copy_bytes)
    throw Error(ErrorCode::protocol, fmt::format("the source announced {} bytes and sent {}", change_.copy_bytes, size));
  files.truncate(file.get(), static_cast<off_t>(size));
  auto header = sqlite::read_header(file.get());
  if (!header) throw Error(ErrorCode::corrupt, "what the source sent is not an SQLite database");
  if (header->wal) throw Error(ErrorCode::refused, "the source's database is in WAL mode");
  return file;
}

CheckedDatabase NewVersion::check_whole(AlsoRead also) {
  auto checked = check_database([this] { return parts_.shadow.open_building_reader(); }, also);
  after_.checked = parts_.clock.unix_time();
  return checked;
}

/// The check passes all domains in their order, so it counts them, too. What is written behind it is checked by itself.
void NewVersion::check_compiled() {
  check_counts(check_whole(AlsoRead::nothing).domains);
}

void NewVersion::check_counts(std::optional<std::uint64_t> domains) {
  auto database = parts_.shadow.open_building();
  sqlite::Transaction transaction(database);
  write_counts(database, domains);
  transaction.commit();
  after_.checked = check_edited(database, after_.checked, parts_.clock.unix_time());
}

/// What arrives, whole and of our schema, in shadow.building.
CheckedDatabase NewVersion::take_copy() {
  GSYNC_ASSERT(copy_ != nullptr);
  const auto schema = own_schema();
  // Known before a byte has come, so that rows can be asked for instead.
  if (!change_.copied.empty() && change_.copy_schema != digest_of_schema(schema))
    throw Error(ErrorCode::incompatible, "the source's database has another schema than this Pi-hole's");
  parts_.live_state.require_room(change_.copy_bytes, replica::Shadow::Previous::reuse);
  parts_.shadow.begin();
  const auto raw = receive_bytes();  // closed after the connections that are opened below
  const util::WriteBack writing(raw.get());
  auto checked = check_whole(AlsoRead::compiled);
  auto database = parts_.shadow.open_building_reader();
  check_schema(database, schema);
  after_.shape = shape_of(database);
  after_.compiled = std::move(checked.compiled);
  return checked;
}

void NewVersion::receive_copy() {
  take_copy();
  auto database = parts_.shadow.open_building();
  {
    sqlite::Transaction transaction(database);
    raise_updated(database, before_ != nullptr ? seen_by_ftl() : parts_.clock.unix_time() - 1, read_updated(database));
    transaction.commit();
  }
  after_.rows = read_rows(database, after_.shape, nullptr);
  auto summary = summarise({}, after_.shape, after_.rows, after_.compiled);
  if (summary.lists != change_.copy_lists || summary.blocklist != change_.copy_blocklist) {
    // It is whole, so somebody edited it between the plan and the copy.
    throw Error(ErrorCode::conflict, "the database that arrived is not the one that the source announced", "run it again");
  }
  if (before_ != nullptr) {
    if (!change_.force) {
      if (auto why = model::shrink_refusal(before_->rows.lists, after_.rows.lists, parts_.config.sync.shrink)) refuse(*why);
      if (auto why =
              model::shrink_refusal("blocked domains", before_->summary.blocklist_rows, summary.blocklist_rows, parts_.config.sync.shrink))
        refuse(*why);
    }
    rows_ = model::diff(before_->rows.lists, after_.rows.lists);
  }
  count_rows();
  counts_.whole_database = true;
  note_new_adlists();
  blocklist_changed_ = true;
}

/// Those that have another id than before, when the ids are the source's.
void NewVersion::note_new_adlists() {
  new_adlists_.clear();
  for (const auto& [key, id] : after_.rows.adlist_ids) {
    auto had = before_ != nullptr ? before_->rows.adlist_ids.find(key) : after_.rows.adlist_ids.end();
    if (before_ == nullptr || had == before_->rows.adlist_ids.end() || had->second != id) new_adlists_.push_back(id);
  }
}

/// Of live, or of a version before that `pihole -g` keeps.
std::set<std::string> NewVersion::own_schema() {
  if (before_ != nullptr) {
    auto reader = parts_.live.open_reader();
    return schema_of(*reader);
  }
  for (const char* name : {"/gravity_backups/gravity.db.1", "/gravity_old.db"}) {
    auto path = parts_.installation.directory + name;
    if (::access(path.c_str(), R_OK) != 0) continue;
    try {
      sqlite::Database backup(path, sqlite::OpenMode::read_only);
      shape_of(backup);
      return schema_of(backup);
    } catch (const Error&) {
      // Damaged as well: try the next one.
    }
  }
  throw Error(ErrorCode::refused,
              "this Pi-hole's database is damaged and there is no backup of it, so nothing tells which schema it should have",
              "run `pihole -r` (repair) or `pihole -g` once; then take the database again");
}

void NewVersion::count_rows() {
  if (!change_.whole_copy) rows_ = change_.rows;
  for (const auto& row : rows_) {
    ++(!row.before ? counts_.rows_added : !row.after ? counts_.rows_removed : counts_.rows_changed);
  }
}

}  // namespace gsync::pihole
