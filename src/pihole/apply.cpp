#include "apply.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ftl_control.hpp"
#include "gsync/model/setting.hpp"
#include "gsync/pihole/compile_book.hpp"
#include "gsync/util/error.hpp"
#include "list_caches.hpp"
#include "new_version.hpp"
#include "pairs.hpp"
#include "pending_run.hpp"
#include "second_raise.hpp"

namespace gsync::pihole {
namespace {

constexpr auto writer_deadline = std::chrono::seconds(5);  // a writer that keeps its lock longer than this is not a web page
constexpr auto poll_time = std::chrono::seconds(3);        // FTL looks at info.updated once a second
constexpr auto restart_deadline = std::chrono::seconds(30);
constexpr auto record_deadline = std::chrono::seconds(30);
constexpr const char* damaged_name = "damaged.db";
constexpr const char* damaged_journal_name = "damaged.db-journal";
constexpr const char* left_journal_name = "gone.db-journal";  // not beside what SQLite would play it into

class Apply {
 public:
  Apply(const Parts& parts, const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy, AfterGravity after_gravity)
      : parts_(parts),
        change_(change),
        reader_(rows),
        copy_(copy),
        after_gravity_(after_gravity),
        ftl_(parts.installation),
        pending_(parts) {}

  /// What people did on the old version while the new one was published; for after run().
  const std::vector<model::RowChange>& late_edits() const { return late_edits_; }

  model::ApplyReport run(const model::Records& records_before) {
    entry_.action = change_.action;
    entry_.source = change_.source;
    entry_.target = parts_.name;
    entry_.started_by = change_.started_by;
    entry_.conflicts = change_.conflicts;
    entry_.counts.conflicts = change_.conflicts.size();
    check_records(records_before);
    records_before_ = records_before;
    load_before();
    bool database = change_.whole_copy || !change_.rows.empty() || !change_.wishes.empty();
    if (database) {
      version_.emplace(parts_, change_, before_ ? &*before_ : nullptr, reader_, copy_);
      version_->make();
      entry_.counts += version_->counts();
      entry_.rows = version_->rows();
      report_.warnings = version_->warnings();
      publish(records_before);
      look_after_ftl();
    } else if (!records_.empty()) {
      begin_pending(records_before, nullptr);
    }
    try {
      set_all_records();
    } catch (...) {
      if (database)
        finish_history();
      else
        after_publishing("the history could not be written, the next run does it", [&] { finish_interrupted(parts_); });
      throw;
    }
    if (database || !records_.empty()) finish_history();
    report_.counts = entry_.counts;
    report_.uncompiled = uncompiled_after();
    return std::move(report_);
  }

 private:
  /// Everything about the records that can be refused is refused before the database is touched.
  void check_records(const model::Records& before) {
    for (auto kind : model::record_kinds) {
      auto i = model::index_of(kind);
      if (!change_.records[i]) continue;
      if (!before[i]) {
        throw Error(ErrorCode::refused, fmt::format("{} cannot be set on this Pi-hole", plural_of(kind)), "leave them out with --only");
      }
      if (const auto& expected = change_.expected.records[i]; expected && model::digest_of(*before[i]) != *expected)
        throw Error(ErrorCode::conflict, fmt::format("the {} of {} have changed since the plan was made", plural_of(kind), parts_.name),
                    "run it again");
      auto lines = model::parse_records(kind, *change_.records[i]);
      if (kind == model::RecordKind::setting) {
        check_settings(*before[i], lines);
        continue;
      }
      if (lines == *before[i]) continue;
      auto changes = model::diff(kind, *before[i], lines);
      auto removed = static_cast<std::uint64_t>(std::count_if(changes.begin(), changes.end(), [](const auto& c) { return !c.added; }));
      if (!change_.force) {
        if (auto why = model::shrink_refusal(plural_of(kind), before[i]->size(),
                                             before[i]->size() - removed + std::min<std::uint64_t>(removed, changes.size() - removed),
                                             parts_.config.sync.shrink)) {
          refuse(*why);
        }
      }
      entry_.counts.records_removed += removed;
      entry_.counts.records_added += changes.size() - removed;
      entry_.records.insert(entry_.records.end(), changes.begin(), changes.end());
      parts_.records.require_settable(kind, lines);
      records_.emplace_back(kind, std::move(lines));
    }
  }

  /// Each goes to FTL by itself. What [sync] settings does not name here no peer changes.
  void check_settings(const model::RecordLines& before, const model::RecordLines& lines) {
    constexpr auto kind = model::RecordKind::setting;
    for (const auto& line : lines) {
      const auto key = model::setting_key_of(line);
      if (std::ranges::find(before, key, model::setting_key_of) == before.end())
        throw Error(ErrorCode::refused, fmt::format("{} is not in [sync] settings here, or cannot be set on this Pi-hole", key),
                    "`gravity-sync info` says which settings travel");
    }
    auto changes = model::diff(kind, before, model::with_values_of(lines, before));
    for (const auto& change : changes)
      if (change.added) records_.emplace_back(kind, model::RecordLines{change.line});
    if (changes.empty()) return;
    entry_.counts.settings_changed = changes.size() / 2;
    entry_.records.insert(entry_.records.end(), changes.begin(), changes.end());
    parts_.records.require_settable(kind, lines);
  }

  void load_before() {
    if (change_.whole_copy) {
      damaged_ = present_file();
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
      if (after_gravity_ == AfterGravity::bring_back_first && gravity_swap_is_noticed(parts_.state))
        throw Error(ErrorCode::conflict, fmt::format("`pihole -g` has replaced the database of {} since the plan was made", parts_.name),
                    "run it again");
    }
  }

  model::Uncompiled uncompiled_after() const {
    if (version_) return version_->content().summary.uncompiled;
    return before_ ? before_->summary.uncompiled : model::Uncompiled{};
  }

  /// Adlists that block nothing, since this run.
  model::Uncompiled newly_uncompiled() const {
    return model::newly(before_ ? before_->summary.uncompiled : model::Uncompiled{}, uncompiled_after());
  }

  // --- the exchange

  void begin_pending(const model::Records& records, const replica::Identity* replacement) {
    pending_.begin(entry_, before_ ? &*before_ : nullptr, records, replacement, change_.pair);
    report_.version = entry_.version;
  }

  /// The new version is live: what goes wrong from here on is no failure of the run, and the next one looks for itself.
  template <class Work>
  void after_publishing(const char* what, Work work) {
    try {
      work();
    } catch (const Error& error) {
      report_.warnings.push_back(fmt::format("{}: {}", what, error.what()));
    }
  }

  replica::PublishHooks hooks() {
    return {[this] { return gravity_is_running(parts_.installation); }, [this] { have_ftl_reload(); }};
  }

  void publish(const model::Records& records_before) {
    remove_list_caches(parts_, version_->new_adlists());
    if (change_.source_compiles) CompileBook(parts_.state, parts_.clock).leave_to_others(newly_uncompiled());
    begin_pending(records_before, &version_->content().summary.identity);
    try {
      if (auto why = parts_.live.wal_mode()) throw Error(ErrorCode::refused, *why);
      ftl_was_running_ = ftl_.serves();
      if (const auto replaced = before_ ? before_->summary.identity : damaged_) {
        publication_.emplace(parts_.live, parts_.shadow, *replaced, hooks(), parts_.clock, util::Deadline::in(writer_deadline));
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
        if (present_file())
          throw Error(ErrorCode::conflict, fmt::format("{} has come back since the plan was made", parts_.live.path()), "run it again");
        publish_where_no_file_is();
      }
    } catch (...) {
      pending_.forget();
      throw;
    }
    report_.published = true;
  }

  /// Live, whatever is in it; nullopt where there is none, or what is no file.
  std::optional<replica::Identity> present_file() {
    try {
      return parts_.live.identity();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt) throw;
      return std::nullopt;
    }
  }

  /// Nobody reads or writes there. What stands in the way is kept under a name of ours.
  void publish_where_no_file_is() {
    auto& files = parts_.live.files();
    const auto ours = parts_.shadow.directory();
    const auto theirs = parts_.live.directory();
    const bool there = files.stat_at(theirs, parts_.live.name()).has_value();
    // FTL would play the journal of a database that has gone into ours.
    const auto journal = parts_.live.name() + "-journal";
    if (files.stat_at(theirs, journal)) {
      files.rename_at(theirs, journal, ours, left_journal_name);
      files.sync(theirs);
    }
    try {
      const bool exchanged = there && files.exchange_at(ours, replica::Shadow::name, theirs, parts_.live.name());
      if (!exchanged) {
        if (there) {
          files.unlink_at(ours, damaged_name);
          files.link_at(theirs, parts_.live.name(), ours, damaged_name);
        }
        files.rename_at(ours, replica::Shadow::name, theirs, parts_.live.name());
      }
    } catch (const Error&) {
      // What has failed may have happened all the same.
      if (parts_.live.identity() != version_->content().summary.identity) throw;
    }
    after_publishing("the damaged database could not be put aside", [&] { put_damaged_aside(there); });
    have_ftl_reload();
  }

  void put_damaged_aside(bool there) {
    auto& files = parts_.live.files();
    const auto ours = parts_.shadow.directory();
    if (there) files.unlink_at(ours, damaged_journal_name);  // of one before
    if (files.stat_at(ours, replica::Shadow::name)) files.rename_at(ours, replica::Shadow::name, ours, damaged_name);
    files.sync(parts_.live.directory());
    files.sync(ours);
    if (!there) return;
    const auto directory = parts_.shadow.path().substr(0, parts_.shadow.path().rfind('/'));
    report_.warnings.push_back(fmt::format("the damaged database was kept as {}/{}", directory, damaged_name));
  }

  // --- FTL

  void have_ftl_reload() { signalled_ = pihole::have_ftl_reload(parts_, report_.warnings); }

  void look_after_ftl() {
    const auto deadline = parts_.config.sync.ftl_deadline;
    if (publication_ && before_) {
      bool closed = publication_->wait_until_old_is_closed(
          util::Deadline::in(signalled_ ? deadline : std::min<std::chrono::milliseconds>(deadline, poll_time)));
      if (!closed && !signalled_) {
        have_poll_look_again();
        closed = publication_->wait_until_old_is_closed(util::Deadline::in(deadline));
      }
      if (!closed && publication_->watchable()) closed = ftl_did_not_reload();
      // While the old version can still be had.
      if (closed && parts_.config.sync.on_ftl_failure == config::FtlFailure::undo && old_can_be_had() && !ftl_answers())
        take_back(silence());
      after_publishing("the old database could not be put aside", [&] {
        if (!closed) return publication_->abandon_old();
        old_is_shadow_ = publication_->keep_old();
        if (!old_is_shadow_) read_late_edits();
      });
    } else {
      if (publication_)
        replace_damaged(util::Deadline::in(signalled_ ? deadline : std::min<std::chrono::milliseconds>(deadline, poll_time)));
      if (!signalled_ && (ftl_.pid() || ftl_.may_be_hidden())) {
        // What FTL could not read had no info.updated for it either.
        parts_.clock.sleep(poll_time);
        have_poll_look_again();
      }
    }
    if (!ftl_answers()) ftl_does_not_answer();
    publication_.reset();
  }

  /// Once nobody reads it any more, or not for a while.
  void replace_damaged(util::Deadline deadline) {
    after_publishing("the damaged database could not be put aside", [&] {
      const bool closed = publication_->wait_until_old_is_closed(deadline);
      if (!closed && signalled_ && publication_->watchable()) ftl_did_not_reload();
      put_damaged_aside(true);
      publication_.reset();
    });
  }

  /// FTL's poll came by, and did not take what was published.
  void have_poll_look_again() {
    if (parts_.installation.generation == Generation::v5) return;  // it has no poll
    if (publication_ && !publication_->watchable() && before_ && before_->rows.mark.updated != 0)
      return;  // nobody tells, and there is no reason to think so
    try {
      raised_ =
          raise_again(parts_, version_->content(), hooks(), [this](const replica::Identity& second) { pending_.replaced_again(second); });
      if (raised_->edited)
        report_.warnings.push_back("somebody wrote to the new database while it was published once more, and that is lost");
    } catch (const Error& error) {
      report_.warnings.push_back(fmt::format("pihole-FTL may go on with the old lists until they change again: {}", error.what()));
    }
  }

  /// Somebody wrote to the old file in spite of the lock (a filesystem without locks, a writer that takes none) after it had been replaced.
  void read_late_edits() {
    try {
      if (!old_can_be_had()) throw Error(ErrorCode::not_found, "it has no name any more");
      auto old = parts_.shadow.open_reader();
      if (before_) late_edits_ = model::diff(before_->rows.lists, read_rows(old, shape_of(old), nullptr).lists);
    } catch (const Error& error) {
      report_.warnings.push_back(
          fmt::format("somebody wrote to the old database while it was replaced, and what cannot be read any more: {}", error.what()));
    }
  }

  /// Somebody still has the old file open. True when nobody has any more.
  bool ftl_did_not_reload() {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(parts_.config.sync.ftl_deadline).count();
    if (!ftl_.pid()) {
      report_.warnings.push_back(
          ftl_.may_be_hidden()
              ? fmt::format("after {} s a program still has the old database open, perhaps a pihole-FTL that is not visible from here; if "
                            "it goes on blocking by the old lists, run `{}` where it runs",
                            seconds, reload_command(parts_.installation))
              : fmt::format("after {} s another program than pihole-FTL still has the old database open; it keeps the old one until it "
                            "opens the file again",
                            seconds));
      return false;
    }
    auto what = fmt::format("pihole-FTL did not take the new database within {} s", seconds);
    auto reaction = parts_.config.sync.on_ftl_failure;
    if (reaction == config::FtlFailure::undo && !old_can_be_had())
      reaction = config::FtlFailure::report;  // there is no old one to put back
    switch (reaction) {
      case config::FtlFailure::report:
        report_.warnings.push_back(fmt::format("{}; it serves the old lists until it reloads: run `{}`, or restart it", what,
                                               reload_command(parts_.installation)));
        return false;
      case config::FtlFailure::undo:
        take_back(what);
        return false;
      case config::FtlFailure::restart:
        report_.warnings.push_back(what + "; it was restarted");
        return restart_ftl(parts_, util::Deadline::in(restart_deadline), report_.warnings) &&
               publication_->wait_until_old_is_closed(util::Deadline::in(restart_deadline));
    }
    return false;
  }

  /// A second copy took the place of the old one, even where it failed.
  bool old_can_be_had() {
    const auto shadow = parts_.shadow.identity();
    return before_ && !raised_ && shadow && shadow->device == publication_->old_identity().device &&
           shadow->inode == publication_->old_identity().inode;
  }

  bool ftl_answers() const {
    return !ftl_was_running_ || parts_.installation.dns_port == 0 ||
           ftl_.answers(util::Deadline::in(std::min<std::chrono::milliseconds>(parts_.config.sync.ftl_deadline, std::chrono::seconds(5))));
  }

  std::string silence() const {
    return fmt::format("pihole-FTL does not answer DNS questions on port {} after the new database was published",
                       parts_.installation.dns_port);
  }

  /// Error{timeout}, or a warning where it could not be done.
  void take_back(const std::string& what) {
    try {
      publication_->revert();
    } catch (const Error& error) {
      report_.warnings.push_back(
          fmt::format("{}; the old database was not put back ({}): `gravity-sync undo` brings its lists back", what, error.what()));
      return;
    }
    pending_.forget();
    // Its poll does not notice that info.updated is lower again.
    have_ftl_reload();
    // Until then a writer's journal of the one that is live again would look like that of the one that FTL still reads.
    after_publishing("pihole-FTL may still read what was taken back",
                     [&] { publication_->wait_until_old_is_closed(util::Deadline::in(parts_.config.sync.ftl_deadline)); });
    throw Error(ErrorCode::timeout, what + "; the old database was put back",
                "see what FTL does: pihole tail-log, /var/log/pihole/FTL.log");
  }

  void ftl_does_not_answer() {
    auto what = silence();
    if (parts_.config.sync.on_ftl_failure == config::FtlFailure::restart) {
      if (restart_ftl(parts_, util::Deadline::in(restart_deadline), report_.warnings) &&
          ftl_.answers(util::Deadline::in(restart_deadline))) {
        report_.warnings.push_back(what + "; it was restarted and answers now");
        return;
      }
    }
    report_.warnings.push_back(what + ". Look at /var/log/pihole/FTL.log; `gravity-sync undo` brings the lists back as they were");
  }

  // --- records and the books

  /// Somebody may have edited them while lists were published, or another kind was set.
  void require_as_before(model::RecordKind kind, const model::RecordLines& lines) const {
    const auto i = model::index_of(kind);
    const auto now = parts_.records.read().records[i];
    if (!now || !records_before_[i]) return;  // set() says what is wrong
    const auto of_key = [&](const model::RecordLines& all) {
      const auto line = std::ranges::find(all, model::setting_key_of(lines.front()), model::setting_key_of);
      return line == all.end() ? std::string() : *line;
    };
    const bool same = kind == model::RecordKind::setting ? of_key(*now) == of_key(*records_before_[i]) : *now == *records_before_[i];
    if (!same)
      throw Error(ErrorCode::conflict, fmt::format("the {} of {} were edited meanwhile", plural_of(kind), parts_.name), "run it again");
  }

  void set_all_records() {
    if (records_.empty()) return;
    std::vector<model::RecordKind> kinds;
    try {
      set_records_one_by_one(kinds);
    } catch (...) {
      // The others are in their files.
      if (!kinds.empty())
        after_publishing("FTL may not know of all records that were set",
                         [&] { parts_.records.settle(kinds, util::Deadline::in(record_deadline)); });
      throw;
    }
    parts_.records.settle(kinds, util::Deadline::in(record_deadline));
    if (failures_.empty()) return;
    std::string what;
    for (const auto& failure : failures_) what.append(what.empty() ? "" : "; ").append(failure.what());
    throw Error(failures_.front().code(), what, failures_.front().hint());
  }

  /// `set`: those that were.
  void set_records_one_by_one(std::vector<model::RecordKind>& set) {
    auto& access = parts_.records;
    bool restarts = false;
    bool first = true;
    for (const auto& [kind, lines] : records_) {
      if (!std::exchange(first, false) && access.needs_spacing()) parts_.clock.sleep(parts_.config.sync.record_spacing);
      // An FTL that starts writes pihole.toml as well.
      if (kind == model::RecordKind::setting && restarts && ftl_.serves()) ftl_.answers(util::Deadline::in(restart_deadline));
      require_as_before(kind, lines);
      restarts = access.pauses_dns(kind, lines);
      try {
        for (auto& warning : access.set(kind, lines, util::Deadline::in(record_deadline))) report_.warnings.push_back(std::move(warning));
        if (restarts) report_.dns_paused = entry_.dns_paused = true;
      } catch (const Error& error) {
        // One value that this FTL refuses says nothing about the other settings.
        if (kind != model::RecordKind::setting || error.code() != ErrorCode::io) throw;
        failures_.push_back(error);
      }
      set.push_back(kind);
    }
  }

  void finish_history() {
    if (change_.transferred) {
      auto [sent, received] = change_.transferred();
      entry_.bytes_sent = sent;
      entry_.bytes_received = received;
    }
    entry_.text = model::to_text(newly_uncompiled());
    for (const auto& warning : report_.warnings) entry_.text += (entry_.text.empty() ? "" : "; ") + warning;
    after_publishing("the history could not be written, the next run does it", [&] {
      replica::StateStore::Batch batch(parts_.state);
      if (report_.published) remember_published();
      report_.history_id = pending_.finish(entry_);
      batch.commit();
    });
  }

  /// In the transaction that is open.
  void remember_published() {
    static const RepeatableChange nothing;
    const auto& after = version_->content();
    if (raised_)
      parts_.live_state.published(raised_->content, raised_->kept ? &after : nullptr, &nothing);
    else
      parts_.live_state.published(after, before_ && old_is_shadow_ ? &*before_ : nullptr, version_->repeatable());
  }

  const Parts& parts_;
  const model::Change& change_;
  model::BlocklistReader* reader_;
  util::ByteReader* copy_;
  AfterGravity after_gravity_;
  Ftl ftl_;
  PendingRun pending_;
  std::optional<LiveContent> before_;         // absent when live is damaged and a whole copy replaces it
  std::optional<replica::Identity> damaged_;  // what is replaced then; absent when there is no file
  std::optional<NewVersion> version_;
  model::Records records_before_;
  std::vector<std::pair<model::RecordKind, model::RecordLines>> records_;
  std::vector<Error> failures_;  ///< of settings that this FTL refuses
  std::optional<replica::Publication> publication_;
  bool ftl_was_running_ = false;
  bool signalled_ = false;
  bool old_is_shadow_ = false;
  std::optional<RaisedAgain> raised_;
  std::vector<model::RowChange> late_edits_;
  model::HistoryEntry entry_;
  model::ApplyReport report_;
};

}  // namespace

/// Makes edits that were made on the old version on the new one, in a publish of their own; the edit wins where the new version has changed
/// the same row.
void make_again(const Parts& parts, const model::Change& change, const std::vector<model::RowChange>& edits, model::ApplyReport& report) {
  std::string names;
  for (std::size_t i = 0; i < edits.size() && i < 5; ++i) names += (i ? ", " : "") + model::describe(edits[i].key);
  if (edits.size() > 5) names += fmt::format(" and {} more", edits.size() - 5);
  try {
    const auto& now = parts.live_state.content();
    model::Change again;
    again.action = change.action;
    again.source = fmt::format("{} itself: edits made while it was published", parts.name);
    again.started_by = change.started_by;
    again.force = true;  // a person's own edits
    again.expected.lists = now.summary.lists;
    again.expected.blocklist = now.summary.blocklist;
    auto wanted = now.rows.lists;
    for (const auto& edit : edits) {
      if (edit.after)
        wanted.insert_or_assign(edit.key, *edit.after);
      else
        wanted.erase(edit.key);
    }
    again.rows = model::diff(now.rows.lists, wanted);
    if (!again.rows.empty()) Apply(parts, again, nullptr, nullptr, AfterGravity::anyway).run({});
    report.warnings.push_back(fmt::format("edited while the new version was published, and edited again in it: {}", names));
  } catch (const Error& error) {
    report.warnings.push_back(fmt::format("edited while the new version was published, and not in it: {} ({})", names, error.what()));
  }
}

model::ApplyReport apply_change(const Parts& parts, const model::Change& change, const model::Records& records_before,
                                model::BlocklistReader* rows, util::ByteReader* copy, AfterGravity after_gravity) {
  std::vector<model::RowChange> late_edits;
  model::ApplyReport report;
  {
    Apply apply(parts, change, rows, copy, after_gravity);
    report = apply.run(records_before);
    late_edits = apply.late_edits();
  }
  if (!late_edits.empty()) make_again(parts, change, late_edits, report);
  return report;
}

}  // namespace gsync::pihole
