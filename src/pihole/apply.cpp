#include "apply.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

/// Written before the exchange, with everything that the history must say after it.
struct Pending {
  model::HistoryEntry entry;
  replica::Identity replacement;  // of the file that becomes live; zero when only records are set
};
template <class Archive>
void fields(Archive& a, Pending& p) {
  a(p.entry, p.replacement);
}

constexpr auto writer_deadline = std::chrono::seconds(5);  // a writer that keeps its lock longer than this is not a web page
constexpr auto restart_deadline = std::chrono::seconds(30);

class Apply {
 public:
  Apply(const Parts& parts, const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy)
      : parts_(parts), change_(change), reader_(rows), copy_(copy), ftl_(parts.installation) {}

  model::ApplyReport run(const model::Records& records_before) {
    entry_.action = change_.action;
    entry_.source = change_.source;
    entry_.target = parts_.config.node.name;
    entry_.started_by = change_.started_by;
    check_records(records_before);
    load_before();
    bool database = change_.whole_copy || !change_.rows.empty() || !change_.wishes.empty();
    if (database) {
      build();
      publish(records_before);
      look_after_ftl();
    } else if (!records_.empty()) {
      remember_before(records_before, {});
    }
    try {
      set_all_records();
    } catch (...) {
      if (database) finish_history();
      throw;
    }
    if (database || !records_.empty()) finish_history();
    report_.counts = entry_.counts;
    return std::move(report_);
  }

 private:
  // --- what is asked for, against what is there

  /// Everything about the records that can be refused is refused before the database is touched.
  void check_records(const model::Records& before) {
    for (auto kind : model::record_kinds) {
      auto i = model::index_of(kind);
      if (!change_.records[i]) continue;
      if (!before[i]) {
        throw Error(ErrorCode::refused, fmt::format("{} records cannot be set on this Pi-hole", to_string(kind)),
                    "leave them out with --only");
      }
      auto lines = model::parse_records(kind, *change_.records[i]);
      if (lines == *before[i]) continue;
      auto changes = model::diff(kind, *before[i], lines);
      auto removed = static_cast<std::uint64_t>(std::count_if(changes.begin(), changes.end(), [](const auto& c) { return !c.added; }));
      if (!change_.force) {
        if (auto why = model::shrink_refusal(fmt::format("{} records", to_string(kind)), before[i]->size(),
                                             before[i]->size() - removed + std::min<std::uint64_t>(removed, changes.size() - removed),
                                             parts_.config.sync.shrink)) {
          refuse(*why);
        }
      }
      entry_.counts.records_removed += removed;
      entry_.counts.records_added += changes.size() - removed;
      entry_.records.insert(entry_.records.end(), changes.begin(), changes.end());
      records_.emplace_back(kind, std::move(lines));
    }
  }

  [[noreturn]] static void refuse(const std::string& why) {
    throw Error(ErrorCode::refused, why, "if that is meant, run it again with --force; --dry-run shows every row");
  }

  void load_before() {
    if (change_.whole_copy) {
      if (parts_.live_state.damage()) return;
      try {
        before_ = parts_.live_state.content();
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt) throw;
        return;
      }
    } else {
      before_ = parts_.live_state.content();
      if (before_->summary.lists != change_.expected.lists || before_->summary.blocklist != change_.expected.blocklist) {
        throw Error(ErrorCode::conflict, "the target has changed since the plan was made", "run it again");
      }
    }
  }

  /// The blocklist's size after the change, from what the source announced.
  void check_blocklist_shrink(const model::Lists& after) {
    if (change_.force) return;
    std::map<model::RowKey, std::uint64_t> sizes;
    std::uint64_t had = 0;
    for (const auto& adlist : blocklist_of(before_->rows, before_->compiled)) {
      had += adlist.rows.count;
      if (after.contains(adlist.key)) sizes[adlist.key] = adlist.rows.count;
    }
    for (std::size_t i = 0; i < change_.wishes.size(); ++i) sizes[change_.wishes[i].key] = reader_->answers().at(i).rows.count;
    std::uint64_t will = 0;
    for (const auto& [key, size] : sizes) will += size;
    if (auto why = model::shrink_refusal("blocked domains", had, will, parts_.config.sync.shrink)) refuse(*why);
  }

  // --- the new version, in the shadow

  void build() {
    auto like = target_file();
    try {
      if (change_.whole_copy)
        receive_copy();
      else
        change_rows();
      parts_.shadow.finish(like);
    } catch (...) {
      parts_.shadow.discard();
      throw;
    }
    auto identity = parts_.shadow.identity();
    GSYNC_ASSERT(identity.has_value());
    after_.summary = summarise(*identity, after_.shape, after_.rows, after_.compiled);
  }

  /// Whose owner and mode the new file gets: those of the file that it replaces, or of the directory where there is none.
  struct stat target_file() {
    auto& files = parts_.live.files();
    if (auto st = files.stat_at(parts_.live.directory(), parts_.live.name())) return *st;
    struct stat st = files.stat(parts_.live.directory());
    st.st_mode = S_IFREG | 0664;
    return st;
  }

  void change_rows() {
    auto after = model::patched(before_->rows.lists, change_.rows);
    model::check_lists(after);
    if (!change_.force) {
      if (auto why = model::shrink_refusal(before_->rows.lists, after, parts_.config.sync.shrink)) refuse(*why);
    }
    GSYNC_ASSERT(change_.wishes.empty() || reader_ != nullptr);
    if (reader_ != nullptr) check_blocklist_shrink(after);

    bool undo = change_.action == model::Action::undo || change_.action == model::Action::restore;
    parts_.live_state.copy_live_to_building(*before_, undo ? replica::Shadow::Previous::keep : replica::Shadow::Previous::reuse);
    auto database = parts_.shadow.open_building();
    after_.shape = before_->shape;
    after_.compiled = before_->compiled;
    {
      sqlite::Transaction transaction(database);
      auto written = write_rows(database, after_.shape, change_.rows, before_->compiled.greatest_id());
      new_adlists_ = written.added_adlists;
      entry_.counts.blocklist_removed += remove_compiled(database, after_.shape, compiled_of(written.removed_adlists));
      forget_compiled(written.removed_adlists);
      bool compiled = entry_.counts.blocklist_removed > 0;
      if (reader_ != nullptr && !change_.wishes.empty()) compiled |= write_compiled(database, change_.wishes, *reader_);
      if (undo) compiled |= bring_back_compiled(database);
      if (compiled) write_counts(database);
      raise_updated(database, before_->rows.mark.updated, 0);
      transaction.commit();
      blocklist_changed_ = compiled;
    }
    count_rows();
    check_database(database, blocklist_changed_);
    after_.rows = read_rows(database, after_.shape, nullptr);
    if (model::digest_of(after_.rows.lists) != model::digest_of(after)) {
      throw Error(ErrorCode::corrupt, "the changed lists do not read back as they were written", "please report this; nothing was changed");
    }
  }

  /// Those that have rows: most adlists that go were never compiled or are empty, and looking through the table costs.
  std::vector<std::int64_t> compiled_of(const std::vector<std::int64_t>& ids) const {
    std::vector<std::int64_t> result;
    for (auto id : ids) {
      for (const auto* sets : {&before_->compiled.gravity, &before_->compiled.antigravity}) {
        if (std::any_of(sets->begin(), sets->end(), [&](const CompiledSet& s) { return s.id == id; })) {
          result.push_back(id);
          break;
        }
      }
    }
    return result;
  }

  void forget_compiled(const std::vector<std::int64_t>& ids) {
    for (auto* sets : {&after_.compiled.gravity, &after_.compiled.antigravity}) {
      std::erase_if(*sets, [&](const CompiledSet& s) { return std::find(ids.begin(), ids.end(), s.id) != ids.end(); });
    }
  }

  bool write_compiled(sqlite::Database& database, const std::vector<model::BlocklistWish>& wishes, model::BlocklistReader& reader) {
    auto rows = read_rows(database, after_.shape, nullptr);
    std::vector<std::int64_t> ids;
    for (const auto& wish : wishes) {
      auto id = rows.adlist_ids.find(wish.key);
      if (id == rows.adlist_ids.end())
        throw Error(ErrorCode::protocol, fmt::format("the change fills {}, which is not there", model::describe(wish.key)));
      ids.push_back(id->second);
    }
    auto written = write_blocklist(database, after_.shape, ids, wishes, reader);
    entry_.counts.adlists_compiled += wishes.size();
    entry_.counts.blocklist_added += written.added;
    entry_.counts.blocklist_removed += written.removed;
    for (std::size_t i = 0; i < wishes.size(); ++i) {
      auto& sets = wishes[i].key.kind == model::kind::allow_list ? after_.compiled.antigravity : after_.compiled.gravity;
      std::erase_if(sets, [&](const CompiledSet& s) { return s.id == ids[i]; });
      if (written.sets[ids[i]].count > 0) sets.push_back({ids[i], written.sets[ids[i]]});
      std::sort(sets.begin(), sets.end());
    }
    return written.added + written.removed > 0;
  }

  /// Adlists that an undo brings back get the rows that they have in the version before, if the shadow still is that.
  bool bring_back_compiled(sqlite::Database& database) {
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
      report_.warnings.push_back(fmt::format("{} came back without {} compiled domains; `pihole -g` fetches them",
                                             util::plural(missing, "adlist"), missing == 1 ? "its" : "their"));
    }
    return reader && write_compiled(database, wishes, *reader);
  }

  void receive_copy() {
    GSYNC_ASSERT(copy_ != nullptr);
    parts_.shadow.begin();
    {
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
    }
    auto database = parts_.shadow.open_building();
    check_database(database, true);
    check_schema(database);
    after_.shape = shape_of(database);
    {
      sqlite::Transaction transaction(database);
      raise_updated(database, before_ ? before_->rows.mark.updated : parts_.clock.unix_time() - 1, read_updated(database));
      transaction.commit();
    }
    after_.rows = read_rows(database, after_.shape, nullptr);
    after_.compiled = read_compiled(database, after_.shape);
    auto summary = summarise({}, after_.shape, after_.rows, after_.compiled);
    if (summary.lists != change_.copy_lists || summary.blocklist != change_.copy_blocklist) {
      // It is whole, so somebody edited it between the plan and the copy.
      throw Error(ErrorCode::conflict, "the database that arrived is not the one that the source announced", "run it again");
    }
    if (before_) {
      if (!change_.force) {
        if (auto why = model::shrink_refusal(before_->rows.lists, after_.rows.lists, parts_.config.sync.shrink)) refuse(*why);
        if (auto why = model::shrink_refusal("blocked domains", before_->summary.blocklist_rows, summary.blocklist_rows,
                                             parts_.config.sync.shrink))
          refuse(*why);
      }
      entry_.rows = model::diff(before_->rows.lists, after_.rows.lists);
    }
    count_rows();
    entry_.counts.whole_database = true;
    for (const auto& [key, id] : after_.rows.adlist_ids) {
      auto had = before_ ? before_->rows.adlist_ids.find(key) : after_.rows.adlist_ids.end();
      if (!before_ || had == before_->rows.adlist_ids.end() || had->second != id) new_adlists_.push_back(id);
    }
    blocklist_changed_ = true;
  }

  /// A peer's database may hold only what this Pi-hole's has: a trigger or a view is code that FTL would run.
  void check_schema(sqlite::Database& arrived) {
    auto theirs = schema_of(arrived);
    std::set<std::string> ours;
    std::string from;
    if (before_) {
      auto reader = parts_.live.open_reader();
      ours = schema_of(*reader);
    } else {
      // Live is damaged; `pihole -g` keeps the versions before.
      for (const char* name : {"/gravity_backups/gravity.db.1", "/gravity_old.db"}) {
        from = parts_.installation.directory + name;
        if (::access(from.c_str(), R_OK) != 0) continue;
        try {
          sqlite::Database backup(from, sqlite::OpenMode::read_only);
          shape_of(backup);
          ours = schema_of(backup);
          break;
        } catch (const Error&) {
          continue;
        }
      }
      if (ours.empty()) {
        throw Error(ErrorCode::refused,
                    "this Pi-hole's database is damaged and there is no backup of it, so nothing tells which schema it should have",
                    "run `pihole -r` (repair) or `pihole -g` once; then take the database again");
      }
    }
    for (const auto& object : theirs) {
      if (!ours.contains(object)) {
        auto name = object.substr(0, object.find(' ', object.find(' ') + 1));
        throw Error(
            ErrorCode::incompatible,
            fmt::format("the source's database has a {} that differs from this Pi-hole's, or that it does not have", util::printable(name)),
            "bring both Pi-holes to the same version (`pihole -up`), or leave out --full: rows can be taken from another schema");
      }
    }
    for (const auto& object : ours) {
      if (!theirs.contains(object)) {
        auto name = object.substr(0, object.find(' ', object.find(' ') + 1));
        throw Error(ErrorCode::incompatible, fmt::format("the source's database lacks the {} of this Pi-hole's", util::printable(name)),
                    "bring both Pi-holes to the same version");
      }
    }
  }

  static void check_database(sqlite::Database& database, bool whole) {
    if (auto found = database.check_integrity(!whole); found != "ok") {
      throw Error(ErrorCode::corrupt,
                  fmt::format("the new version does not pass {}: {}", whole ? "integrity_check" : "quick_check", util::printable(found)),
                  "nothing was changed; if live itself is damaged, take a whole database with `gravity-sync pull --full`");
    }
  }

  void count_rows() {
    if (!change_.whole_copy) entry_.rows = change_.rows;
    for (const auto& row : entry_.rows) {
      ++(!row.before ? entry_.counts.rows_added : !row.after ? entry_.counts.rows_removed : entry_.counts.rows_changed);
    }
  }

  // --- the exchange

  std::int64_t keep_version(const model::Records& records) {
    static constexpr std::array verbs{"pull from", "push from", "undo to", "restore of"};
    auto reason = fmt::format("before {} {}", verbs[static_cast<std::size_t>(change_.action)], change_.source);
    return parts_.state.add_version(reason, before_ ? before_->rows.lists : model::Lists{}, records);
  }

  /// What was there, and what the history must say if we do not live to write it.
  void remember_before(const model::Records& records, const replica::Identity& replacement) {
    replica::StateStore::Batch batch(parts_.state);
    if (before_) report_.version = keep_version(records);
    entry_.version = report_.version;
    entry_.time = parts_.clock.unix_time();
    parts_.state.set_value("pending", util::encode(Pending{entry_, replacement}));
    batch.commit();
  }

  replica::PublishHooks hooks() {
    return {[this] { return gravity_is_running(parts_.installation); }, [this] { signalled_ = ftl_.signal_reload(); }};
  }

  void publish(const model::Records& records_before) {
    remove_list_caches();
    remember_before(records_before, after_.summary.identity);
    try {
      if (auto why = parts_.live.wal_mode()) throw Error(ErrorCode::refused, *why);
      ftl_was_running_ = ftl_.pid().has_value();
      if (before_) {
        publication_.emplace(parts_.live, parts_.shadow, before_->summary.identity, hooks(), parts_.clock,
                             util::Deadline::in(writer_deadline));
        report_.publish_microseconds = publication_->held().count();
        if (!publication_->durable()) {
          report_.warnings.push_back(fmt::format("{} could not be brought to the disk: after a power cut the old lists may be back",
                                                 parts_.installation.directory));
        }
        if (!publication_->atomic()) {
          report_.warnings.push_back(
              "this filesystem cannot exchange two files in one step; the database was renamed over the old one instead");
        }
      } else {
        replace_damaged();
      }
    } catch (...) {
      parts_.state.set_value("pending", {});
      throw;
    }
    report_.published = true;
  }

  /// There is no database whose readers or writers could be disturbed; what is there is kept under a name of ours.
  void replace_damaged() {
    auto& files = parts_.live.files();
    if (files.stat_at(parts_.live.directory(), parts_.live.name())) {
      files.rename_at(parts_.live.directory(), parts_.live.name(), parts_.shadow.directory(), "damaged.db");
      report_.warnings.push_back(
          fmt::format("the damaged database was kept as {}/damaged.db", parts_.shadow.path().substr(0, parts_.shadow.path().rfind('/'))));
    }
    // The damaged file's journal would be played into the new one.
    files.unlink_at(parts_.live.directory(), parts_.live.name() + "-journal");
    files.rename_at(parts_.shadow.directory(), replica::Shadow::name, parts_.live.directory(), parts_.live.name());
    files.sync(parts_.live.directory());
    files.sync(parts_.shadow.directory());
    signalled_ = ftl_.signal_reload();
  }

  /// A new adlist must not be compiled from what another one with its id left in Pi-hole's cache (a 304 from the server would make it so).
  void remove_list_caches() {
    for (const auto& directory : {parts_.installation.directory, parts_.installation.directory + "/listsCache"}) {
      if (new_adlists_.empty()) return;
      std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
      if (!open) continue;
      while (const dirent* entry = ::readdir(open.get())) {
        std::string_view name = entry->d_name;
        for (auto id : new_adlists_) {
          if (name.starts_with(fmt::format("list.{}.", id))) parts_.live.files().unlink_at(::dirfd(open.get()), std::string(name));
        }
      }
    }
  }

  // --- FTL

  void look_after_ftl() {
    auto deadline = parts_.config.sync.ftl_deadline;
    bool kept = false;
    if (publication_) {
      bool closed = publication_->wait_until_old_is_closed(util::Deadline::in(deadline));
      if (!closed) closed = ftl_did_not_reload();
      // While the old version can still be had.
      if (closed && parts_.config.sync.on_ftl_failure == config::FtlFailure::undo && !ftl_answers()) take_back(silence());
      if (closed) {
        kept = publication_->keep_old();
        if (!kept) report_.warnings.push_back("somebody wrote to the old database while it was replaced; that edit is not in the new one");
      } else {
        publication_->abandon_old();
      }
    }
    {
      replica::StateStore::Batch batch(parts_.state);
      const bool only_rows = !change_.whole_copy && !blocklist_changed_ && change_.wishes.empty();
      parts_.live_state.published(after_, before_ && kept ? &*before_ : nullptr, only_rows ? &change_.rows : nullptr);
      batch.commit();
    }
    if (!ftl_answers()) ftl_does_not_answer();
    publication_.reset();
  }

  /// Somebody still has the old file open. True when nobody has any more.
  bool ftl_did_not_reload() {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(parts_.config.sync.ftl_deadline).count();
    if (!ftl_.pid()) {
      report_.warnings.push_back(fmt::format(
          "after {} s another program than pihole-FTL still has the old database open; it keeps the old one until it opens the file again",
          seconds));
      return false;
    }
    auto what = fmt::format("pihole-FTL did not take the new database within {} s", seconds);
    switch (parts_.config.sync.on_ftl_failure) {
      case config::FtlFailure::report:
        report_.warnings.push_back(what + "; it serves the old lists until it reloads: run `pihole reloadlists`, or restart it");
        return false;
      case config::FtlFailure::undo:
        take_back(what);
      case config::FtlFailure::restart:
        report_.warnings.push_back(what + "; it was restarted");
        return restart_ftl() && publication_->wait_until_old_is_closed(util::Deadline::in(restart_deadline));
    }
    return false;
  }

  bool ftl_answers() const {
    return !ftl_was_running_ || parts_.installation.dns_port == 0 ||
           ftl_.answers(util::Deadline::in(std::min<std::chrono::milliseconds>(parts_.config.sync.ftl_deadline, std::chrono::seconds(5))));
  }

  std::string silence() const {
    return fmt::format("pihole-FTL does not answer DNS questions on port {} after the new database was published",
                       parts_.installation.dns_port);
  }

  [[noreturn]] void take_back(const std::string& what) {
    publication_->revert();
    parts_.state.set_value("pending", {});
    // Its poll does not notice that info.updated is lower again.
    ftl_.signal_reload();
    throw Error(ErrorCode::timeout, what + "; the old database was put back",
                "see what FTL does: pihole tail-log, /var/log/pihole/FTL.log");
  }

  void ftl_does_not_answer() {
    auto what = silence();
    if (parts_.config.sync.on_ftl_failure == config::FtlFailure::restart) {
      if (restart_ftl() && ftl_.answers(util::Deadline::in(restart_deadline))) {
        report_.warnings.push_back(what + "; it was restarted and answers now");
        return;
      }
    }
    report_.warnings.push_back(what + ". Look at /var/log/pihole/FTL.log; `gravity-sync undo` brings the lists back as they were");
  }

  /// Ends FTL; its service starts it again. True when it is gone.
  bool restart_ftl() {
    auto pid = ftl_.pid();
    if (!pid) return false;
    for (int signal : {SIGTERM, SIGKILL}) {
      if (::kill(*pid, signal) != 0) return errno == ESRCH;
      auto gone = util::Deadline::in(std::chrono::seconds(5));
      while (!gone.passed()) {
        if (::kill(*pid, 0) != 0) return true;
        parts_.clock.sleep(std::chrono::milliseconds(50));
      }
    }
    return false;
  }

  // --- records and the books

  void set_all_records() {
    bool first = true;
    for (const auto& [kind, lines] : records_) {
      // FTL re-reads and rewrites the file after each change; a second write in between is lost (PIHOLE.md §3).
      if (!first) parts_.clock.sleep(parts_.config.sync.record_spacing);
      first = false;
      set_records(parts_.installation, kind, lines, util::Deadline::in(std::chrono::seconds(30)));
      if (kind != model::RecordKind::dns) report_.dns_paused = entry_.dns_paused = true;
    }
  }

  void finish_history() {
    if (change_.transferred) {
      auto [sent, received] = change_.transferred();
      entry_.bytes_sent = sent;
      entry_.bytes_received = received;
    }
    for (const auto& warning : report_.warnings) entry_.text += (entry_.text.empty() ? "" : "; ") + warning;
    replica::StateStore::Batch batch(parts_.state);
    report_.history_id = parts_.state.add_history(entry_);
    parts_.state.set_value("pending", {});
    batch.commit();
  }

  const Parts& parts_;
  const model::Change& change_;
  model::BlocklistReader* reader_;
  util::ByteReader* copy_;
  Ftl ftl_;
  std::optional<LiveContent> before_;  // absent when live is damaged and a whole copy replaces it
  LiveContent after_;
  std::vector<std::int64_t> new_adlists_;
  std::vector<std::pair<model::RecordKind, model::RecordLines>> records_;
  std::optional<replica::Publication> publication_;
  bool blocklist_changed_ = false;
  bool signalled_ = false;
  bool ftl_was_running_ = false;
  model::HistoryEntry entry_;
  model::ApplyReport report_;
};

}  // namespace

model::ApplyReport apply_change(const Parts& parts, const model::Change& change, const model::Records& records_before,
                                model::BlocklistReader* rows, util::ByteReader* copy) {
  return Apply(parts, change, rows, copy).run(records_before);
}

void finish_interrupted(const Parts& parts) {
  auto bytes = parts.state.value("pending");
  if (!bytes) return;
  replica::StateStore::Batch batch(parts.state);
  try {
    auto pending = util::decode<Pending>(*bytes);
    auto live = parts.live.identity();
    const bool exchanged = live && live->device == pending.replacement.device && live->inode == pending.replacement.inode;
    const bool records_only = pending.replacement == replica::Identity{};
    if (exchanged || records_only) {
      pending.entry.text = records_only ? "the run was interrupted while it set records; the next one sets what is missing"
                                        : "the run was interrupted after the new database was published";
      pending.entry.outcome = model::Outcome::interrupted;
      parts.state.add_history(pending.entry);
    }
  } catch (const Error&) {
    // Written by another version of ours: what it would have said is lost, the databases are not concerned.
  }
  parts.state.set_value("pending", {});
  batch.commit();
}

}  // namespace gsync::pihole
