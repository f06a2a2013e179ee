#include "gsync/pihole/local_node.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <tuple>

#include "apply.hpp"
#include "compile_delta.hpp"
#include "gsync/model/setting.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "pairs.hpp"

namespace gsync::pihole {
namespace {

/// The shadow's bytes. Nobody writes to it while its node's lock is held.
class FileReader final : public util::ByteReader {
 public:
  explicit FileReader(util::Fd fd) : fd_(std::move(fd)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    auto n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n < 0) throw_errno(errno, "cannot read the copy of the database");
    return static_cast<std::size_t>(n);
  }

 private:
  util::Fd fd_;
};

/// Whole sets and changes of sets, merged by domain and adlist.
class MergedReader final : public model::BlocklistReader {
 public:
  MergedReader(std::unique_ptr<model::BlocklistReader> whole, std::unique_ptr<model::BlocklistReader> changed,
               std::vector<model::BlocklistAnswer> answers)
      : answers_(std::move(answers)), whole_(std::move(whole)), changed_(std::move(changed)) {
    if (whole_) row_of_whole_ = whole_->next();
    if (changed_) row_of_changed_ = changed_->next();
  }
  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override {
    // What was given out last stays valid until now.
    if (given_ == &row_of_whole_) row_of_whole_ = whole_->next();
    if (given_ == &row_of_changed_) row_of_changed_ = changed_->next();
    given_ = nullptr;
    if (row_of_whole_ && (!row_of_changed_ || std::tie(row_of_whole_->domain, row_of_whole_->adlist) <
                                                  std::tie(row_of_changed_->domain, row_of_changed_->adlist))) {
      given_ = &row_of_whole_;
    } else if (row_of_changed_) {
      given_ = &row_of_changed_;
    }
    return given_ == nullptr ? std::nullopt : *given_;
  }

 private:
  std::vector<model::BlocklistAnswer> answers_;
  std::unique_ptr<model::BlocklistReader> whole_;
  std::unique_ptr<model::BlocklistReader> changed_;
  std::optional<model::BlocklistRow> row_of_whole_;
  std::optional<model::BlocklistRow> row_of_changed_;
  std::optional<model::BlocklistRow>* given_ = nullptr;
};

/// Rows from the shadow, which may turn out to be damaged.
class ShadowReader final : public model::BlocklistReader {
 public:
  ShadowReader(std::unique_ptr<model::BlocklistReader> rows, LiveState& state) : rows_(std::move(rows)), state_(state) {}
  const std::vector<model::BlocklistAnswer>& answers() const override { return rows_->answers(); }
  std::optional<model::BlocklistRow> next() override {
    try {
      return rows_->next();
    } catch (const Error& error) {
      state_.distrust_copy(error);
    }
  }

 private:
  std::unique_ptr<model::BlocklistReader> rows_;
  LiveState& state_;
};

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// FTL 5 does since 5.22. Of an unknown one it is believed, because nothing but a warning hangs on it.
bool understands_abp_entries(const Installation& installation) {
  constexpr std::string_view prefix = "v5.";
  const auto version = std::string_view(installation.ftl_version);
  if (installation.generation != Generation::v5 || !version.starts_with(prefix)) return true;
  int minor = 22;
  std::from_chars(version.data() + prefix.size(), version.data() + version.size(), minor);
  return minor >= 22;
}

/// What we remember of the records, so that an unchanged Pi-hole's are not parsed again.
struct RecordSummary {
  std::string identity;
  model::PerKind<std::optional<model::Digest>> digests;
  model::PerKind<std::string> unavailable;
  model::PerKind<std::string> read_only;
  std::vector<std::string> notes;
};
template <class Archive>
void fields(Archive& a, RecordSummary& s) {
  a(s.identity, s.digests, s.unavailable, s.read_only, s.notes);
}

}  // namespace

class LocalNode::Impl {
 public:
  Impl(const Installation& installation, const config::Config& config, replica::StateStore& state, util::FileOps& files, util::Clock& clock,
       std::string software, RootActions* helper)
      : installation_(installation),
        config_(config),
        state_(state),
        clock_(clock),
        software_(std::move(software)),
        live_(installation.gravity_database, files),
        shadow_(live_),
        live_state_(installation, live_, shadow_, state, clock, config.sync.lock_deadline),
        own_root_actions_(::geteuid() == 0 && installation.generation == Generation::v5 ? make_root_actions(installation, files) : nullptr),
        root_(helper != nullptr ? helper : own_root_actions_.get()),
        records_(make_record_access(installation, files, root_, config.sync.settings)) {}

  std::string name() const { return config_.node.name.empty() ? host_name() : config_.node.name; }
  model::PairBook book() { return pair_book(state_, name()); }
  Parts parts() { return {name(), installation_, config_, state_, clock_, live_, shadow_, live_state_, *records_, root_}; }

  model::NodeInfo describe() {
    if (!lock_) finish_interrupted_if_free();
    auto info = live_info();
    info.node_id = state_.node_id();
    info.name = name();
    info.software = software_;
    info.core_version = installation_.core_version;
    info.ftl_version = installation_.ftl_version;
    info.runs_gravity = runs_gravity_;
    auto records = record_summary();
    info.digests.records = records.digests;
    info.capabilities.records_unavailable = records.unavailable;
    info.capabilities.records_read_only = records.read_only;
    info.notes.insert(info.notes.end(), records.notes.begin(), records.notes.end());
    info.notes.emplace_back(
        config_.sync.settings.empty()
            ? "not synced: upstream servers, DHCP ranges and leases, passwords, interfaces and all other settings of FTL; they belong to "
              "this host"
            : "not synced: DHCP ranges and leases, passwords, interfaces and all other settings of FTL that [sync] settings does not name; "
              "they belong to this host");
    return info;
  }

  /// When telling FTL is all that a dead run has left to do, nothing differs, and nobody would lock this node.
  void finish_interrupted_if_free() {
    if (state_.value("pending").value_or("").empty()) return;
    try {
      const auto lock = shadow_.lock(util::Deadline::in(std::chrono::milliseconds(0)));
      pihole::finish_interrupted(parts());
    } catch (const Error&) {
      // A run that is not dead, or the next one finishes it.
    }
  }

  /// What a description says of live. As long as the file looks as it did at the last one it is not opened.
  model::NodeInfo live_info() {
    const auto look = live_.look();
    if (look && look == described_look_) return described_;
    model::NodeInfo info;
    describe_live(info);
    described_look_ = info.damaged ? std::nullopt : look;
    described_ = info;
    return info;
  }

  void describe_live(model::NodeInfo& info) {
    if (auto why = live_state_.damage()) {
      info.damaged = true;
      info.damage = *why;
      return;
    }
    try {
      auto summary = live_state_.summary();
      info.schema = summary.version;
      info.capabilities = summary.capabilities;
      info.capabilities.abp_entries = understands_abp_entries(installation_);
      info.digests.lists = summary.lists;
      info.digests.blocklist = summary.blocklist;
      info.fitted = summary.fitted;
      info.live_identity = replica::to_string(summary.identity);
      info.live_bytes = static_cast<std::uint64_t>(summary.identity.size);
      info.list_rows = summary.list_rows;
      info.blocklist_rows = summary.blocklist_rows;
      info.uncompiled = summary.uncompiled;
      for (const auto& column : summary.unknown_columns)
        info.notes.push_back("not synced: " + column + ", a column that this version does not know");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt) throw;
      info.damaged = true;
      info.damage = error.what();
    }
  }

  /// Parsing them takes longer than all the rest of a run that finds nothing to do.
  RecordSummary record_summary() {
    const auto identity = records_->identity();
    if (auto bytes = state_.value("records"); bytes && !identity.empty()) {
      try {
        if (auto known = util::decode<RecordSummary>(*bytes); known.identity == identity) return known;
      } catch (const Error&) {
        // Written by an older version of ours: read anew.
      }
    }
    auto reading = records_->read();
    RecordSummary result{identity, model::digests_of(reading.records), std::move(reading.unavailable), std::move(reading.read_only),
                         std::move(reading.notes)};
    if (!reading.passing) state_.set_value("records", util::encode(result));
    return result;
  }

  model::NodeInfo lock(util::Deadline deadline) {
    if (!lock_) {
      auto lock = shadow_.lock(deadline);
      hold(std::move(lock));
      live_state_.set_locked(true);
    }
    try {
      while (gravity_is_running(installation_)) {
        if (deadline.passed())
          throw Error(ErrorCode::busy, fmt::format("`pihole -g` is still running on {}", name()), "run it again when it is done");
        clock_.sleep(std::chrono::milliseconds(200));
      }
      finish_interrupted(parts());
      auto info = describe();
      if (!info.damaged && bring_back(parts(), records_->read().records)) info = describe();
      return info;
    } catch (...) {
      unlock();
      throw;
    }
  }

  void unlock() {
    hold(std::nullopt);
    live_state_.set_locked(false);
  }

  void hold(std::optional<util::FileLock> lock) {
    const std::lock_guard guard(lock_mutex_);
    lock_ = std::move(lock);
  }

  bool lock_is_wanted() const {
    const std::lock_guard guard(lock_mutex_);
    return lock_ && lock_->wanted();
  }

  void require_lock() const { GSYNC_ASSERT(lock_.has_value()); }

  /// A wish of a target that has a compile before is answered with what was changed since, where that is kept; any other with the whole
  /// set, from the shadow.
  std::unique_ptr<model::BlocklistReader> blocklist_rows(const std::vector<model::BlocklistWish>& wishes) {
    const auto& content = live_state_.content();
    const CompileDelta delta(shadow_);
    const auto steps = delta.steps();
    auto blocklist = blocklist_of(content.rows, content.compiled);
    std::vector<model::BlocklistAnswer> answers;
    std::vector<std::pair<std::int64_t, std::uint32_t>> changed;
    std::vector<WholeSet> whole;
    for (std::uint32_t i = 0; i < wishes.size(); ++i) {
      const auto& wish = wishes[i];
      auto state = std::find_if(blocklist.begin(), blocklist.end(), [&](const model::AdlistState& s) { return s.key == wish.key; });
      if (state == blocklist.end()) {
        throw Error(ErrorCode::conflict, fmt::format("{} is not on {} any more", model::describe(wish.key), name()), "run it again");
      }
      const auto path = wish.have ? CompileDelta::path(steps, wish.key, *wish.have, state->rows) : std::vector<std::int64_t>();
      answers.push_back({!path.empty(), state->rows, state->statistics});
      for (const auto step : path) changed.emplace_back(step, i);
      if (path.empty()) whole.push_back({content.rows.adlist_ids.at(wish.key), wish.key.kind == model::kind::allow_list, i});
    }
    std::unique_ptr<model::BlocklistReader> sets;
    if (!whole.empty()) {
      live_state_.refresh_shadow(content);
      try {
        sets = read_blocklist(shadow_.open_reader(), content.shape, whole, answers);
      } catch (const Error& error) {
        live_state_.distrust_copy(error);
      }
      sets = std::make_unique<ShadowReader>(std::move(sets), live_state_);
    }
    if (changed.empty() && sets) return sets;
    return std::make_unique<MergedReader>(std::move(sets), changed.empty() ? nullptr : delta.read(changed, {}), std::move(answers));
  }

  Copy copy(model::CopyOf of) {
    const auto& content = live_state_.content();
    if (of == model::CopyOf::compiled_sets)
      live_state_.refresh_shadow(content);
    else
      make_shadow_live(content);
    const auto identity = shadow_.identity();
    GSYNC_ASSERT(identity.has_value());
    auto database = shadow_.open_reader();
    return {static_cast<std::uint64_t>(identity->size), digest_of_schema(schema_of(database)),
            std::make_unique<FileReader>(shadow_.open_raw())};
  }

  void make_shadow_live(const LiveContent& content) {
    live_state_.copy_live_to_building(content, replica::Shadow::Previous::reuse);
    auto like = live_.files().stat_at(live_.directory(), live_.name());
    if (!like) throw Error(ErrorCode::conflict, fmt::format("{} has gone", live_.path()));
    shadow_.finish(*like);
    auto identity = shadow_.identity();
    GSYNC_ASSERT(identity.has_value());
    const auto& live = content.summary.identity;
    state_.set_value("shadow", util::encode(ShadowSummary{*identity, live.device, live.inode, content.rows.mark}));
  }

  const Installation& installation_;
  const config::Config& config_;
  replica::StateStore& state_;
  util::Clock& clock_;
  std::string software_;
  replica::LiveFile live_;
  replica::Shadow shadow_;
  LiveState live_state_;
  std::unique_ptr<RootActions> own_root_actions_;  // where the owner of the Pi-hole is root himself
  RootActions* root_;
  std::unique_ptr<RecordAccess> records_;
  bool runs_gravity_ = false;
  mutable std::mutex lock_mutex_;
  std::optional<util::FileLock> lock_;           // changed under the mutex
  std::optional<replica::Look> described_look_;  // live as it looked when it was described
  model::NodeInfo described_;
};

LocalNode::LocalNode(const Installation& installation, const config::Config& config, replica::StateStore& state, util::FileOps& files,
                     util::Clock& clock, std::string software, RootActions* helper)
    : impl_(std::make_unique<Impl>(installation, config, state, files, clock, std::move(software), helper)) {}
LocalNode::~LocalNode() = default;

void LocalNode::set_runs_gravity(bool runs) {
  impl_->runs_gravity_ = runs;
}

std::string LocalNode::label() const {
  return impl_->name();
}
model::NodeInfo LocalNode::describe() {
  return impl_->describe();
}
model::NodeInfo LocalNode::lock(util::Deadline deadline) {
  return impl_->lock(deadline);
}
void LocalNode::unlock() {
  impl_->unlock();
}
bool LocalNode::lock_is_wanted() const {
  return impl_->lock_is_wanted();
}
model::Lists LocalNode::lists() {
  return impl_->live_state_.content().rows.lists;
}

model::Records LocalNode::records() {
  return impl_->records_->read().records;
}

std::vector<std::string> LocalNode::settings() {
  std::vector<std::string> keys;
  if (impl_->config_.sync.settings.empty()) return keys;
  for (const auto& line : records()[model::index_of(model::RecordKind::setting)].value_or(model::RecordLines{}))
    keys.emplace_back(model::setting_key_of(line));
  return keys;
}

model::Blocklist LocalNode::blocklist() {
  const auto& content = impl_->live_state_.content();
  return blocklist_of(content.rows, content.compiled);
}

std::unique_ptr<model::BlocklistReader> LocalNode::blocklist_rows(const std::vector<model::BlocklistWish>& wishes) {
  impl_->require_lock();
  return impl_->blocklist_rows(wishes);
}

model::Node::Copy LocalNode::copy(model::CopyOf of) {
  impl_->require_lock();
  return impl_->copy(of);
}

model::ApplyReport LocalNode::apply(const model::Change& change, model::BlocklistReader* rows, util::ByteReader* copy) {
  impl_->require_lock();
  const auto records_before = records();
  if (!change.whole_copy) {
    // `pihole -g` may have come since the lock.
    impl_->live_state_.content();
    bring_back(impl_->parts(), records_before);
  }
  auto report = apply_change(impl_->parts(), change, records_before, rows, copy);
  // We know the new records already: the next run has nothing to write down.
  if (report.counts.records_added || report.counts.records_removed || report.counts.settings_changed) impl_->record_summary();
  return report;
}

std::vector<model::VersionInfo> LocalNode::versions() {
  return impl_->state_.versions();
}

model::Version LocalNode::version(std::int64_t id) {
  auto version = impl_->state_.version(id);
  if (!version)
    throw Error(ErrorCode::not_found, fmt::format("{} keeps no version {}", impl_->name(), id),
                "`gravity-sync restore` lists those that are kept");
  return std::move(*version);
}

void LocalNode::note(const model::HistoryEntry& entry) {
  impl_->state_.add_history(entry);
}

model::PairInfo LocalNode::pair(const std::string& peer) {
  return impl_->book().info(peer);
}

model::Base LocalNode::base(const std::string& peer) {
  return impl_->book().base(peer);
}

void LocalNode::intend(const std::string& peer, const model::Intent& intent) {
  impl_->require_lock();
  // What is remembered must be what was planned for: an edit between a look and the reading would be in this node's base and not in the
  // other's.
  const auto lists_now = lists();
  const auto records_now = records();
  const auto blocklist_now = blocklist();
  if (model::digest_of(lists_now) != intent.expected.lists || model::digests_of(records_now) != intent.expected.records ||
      impl_->describe().digests != intent.expected)
    throw Error(ErrorCode::conflict, fmt::format("{} has changed since the sync was planned", impl_->name()), "run it again");
  note_gravity_meanwhile(impl_->state_, impl_->installation_);
  impl_->book().intend(peer, intent, lists_now, records_now, blocklist_now);
}

void LocalNode::catch_up(const std::string& peer) {
  impl_->require_lock();
  pihole::catch_up(impl_->parts(), peer, records());
}

void LocalNode::settle(const std::string& peer, const model::Settlement& settlement) {
  impl_->require_lock();
  impl_->book().settle(peer, settlement);
}

void LocalNode::forget(const std::string& peer, bool all) {
  impl_->require_lock();
  impl_->book().forget(peer, all);
}

std::vector<std::pair<model::NodeName, std::string>> LocalNode::paired() {
  return impl_->book().peers();
}

}  // namespace gsync::pihole
