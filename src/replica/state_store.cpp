#include "gsync/replica/state_store.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <zstd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <tuple>

#include "gsync/sqlite/database.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/text.hpp"

namespace gsync::replica {
namespace {

// Of everything in the file: the tables, what stands in their columns, and the values that the modules above keep here by name. Raised by
// whoever changes any of it; an older one is migrated from then on.
constexpr std::int64_t format = 1;
// SQLite's application_id: "gsyn". Versions under development numbered what they wrote 1, whatever it was, and wrote none.
constexpr std::int64_t application = 0x6773796e;
constexpr std::size_t max_unpacked = 256u << 20;

// The rows of an entry stand beside it, so that a list of entries does not read them.
constexpr const char* schema = R"(
CREATE TABLE value (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, summary BLOB NOT NULL, rows BLOB NOT NULL);
CREATE TABLE version (id INTEGER PRIMARY KEY AUTOINCREMENT, info BLOB NOT NULL, content BLOB NOT NULL);
)";

std::string packed(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  auto n = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3);
  GSYNC_ASSERT(!ZSTD_isError(n));
  out.resize(n);
  return out;
}

std::string unpacked(std::string_view bytes) {
  auto size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > max_unpacked) throw Error(ErrorCode::corrupt, "state.db holds a damaged entry");
  std::string out(static_cast<std::size_t>(size), '\0');
  auto n = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(n) || n != out.size()) throw Error(ErrorCode::corrupt, "state.db holds a damaged entry");
  return out;
}

struct HistoryRows {
  std::vector<model::RowChange> rows;
  std::vector<model::RecordChange> records;
  std::vector<model::Conflict> conflicts;
};
template <class Archive>
void fields(Archive& a, HistoryRows& r) {
  a(r.rows, r.records, r.conflicts);
}

/// Splits an entry into what stands in a list and what does not.
std::pair<std::string, std::string> encoded(model::HistoryEntry entry) {
  if (entry.rows.size() > model::HistoryEntry::max_rows) {
    entry.rows_left_out += entry.rows.size() - model::HistoryEntry::max_rows;
    entry.rows.resize(model::HistoryEntry::max_rows);
  }
  if (entry.conflicts.size() > model::HistoryEntry::max_rows) entry.conflicts.resize(model::HistoryEntry::max_rows);
  HistoryRows rows{std::move(entry.rows), std::move(entry.records), std::move(entry.conflicts)};
  entry.rows.clear();
  entry.records.clear();
  entry.conflicts.clear();
  return {util::encode(entry), packed(util::encode(rows))};
}

/// What stands in the database is not a peer's message: if it does not read back, it is damaged.
template <class T>
T stored(std::string_view bytes) {
  try {
    return util::decode<T>(bytes);
  } catch (const Error& error) {
    throw Error(ErrorCode::corrupt, fmt::format("state.db holds a damaged entry: {}", error.what()));
  }
}

std::string real_path(const std::string& directory) {
  std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(directory.c_str(), nullptr), &std::free);
  if (!resolved) throw_errno(errno, "cannot open the state directory " + directory, "run the command once with sudo: it makes the directory");
  return resolved.get();
}

std::string begin_anew(const std::string& directory) {
  return fmt::format(
      "move it away: sudo mv {0}/state.db {0}/state.db.old; then history, kept versions, this node's id and what it remembers of its syncs "
      "begin anew",
      directory);
}

}  // namespace

class StateStore::Impl {
 public:
  Impl(const std::string& directory, util::Clock& clock, const Bounds& bounds)
      : clock_(clock), bounds_(bounds), database_(open(real_path(directory) + "/state.db")) {
    database_.set_busy_timeout(std::chrono::seconds(10));
    database_.execute("PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL;");
    if (number("user_version") == 0) create();
    require_format(directory);
    auto id = value("node_id");
    if (!id) throw Error(ErrorCode::corrupt, fmt::format("{} has lost this node's id", database_.path()));
    node_id_ = *id;
  }

  static sqlite::Database open(const std::string& path) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode)) throw Error(ErrorCode::corrupt, path + " is not a file");
    // The file appears with its final mode: a household's lists are nobody else's business. Only a file that is made here is closed again, so that no lock of another
    // connection of this process is dropped.
    const bool made(util::Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)));
    // SQLite would only say that it is not there.
    if (!made && errno != EEXIST) throw_errno(errno, "cannot make " + path);
    return sqlite::Database(path, sqlite::OpenMode::create);
  }

  std::int64_t number(std::string_view pragma) { return database_.query_int(fmt::format("PRAGMA {}", pragma)).value_or(0); }

  /// What another version wrote would be misread: digests that look like differences, or a base of which deletions are derived.
  void require_format(const std::string& directory) {
    const auto found = number("user_version");
    if (number("application_id") != application) {
      const bool ours = database_.query_int("SELECT count(*) FROM sqlite_master WHERE name IN ('value', 'history', 'version')") == 3;
      if (!ours) throw Error(ErrorCode::corrupt, fmt::format("{} is a database of another program", database_.path()));
      throw Error(ErrorCode::incompatible,
                  fmt::format("{} was written by a version of gravity-sync from before 0.1.0, and is not read", database_.path()),
                  begin_anew(directory));
    }
    if (found == format) return;
    throw Error(
        ErrorCode::incompatible,
        fmt::format("{} was written by another version of gravity-sync (format {}, this one knows {})", database_.path(), found, format),
        "install the newer version again, or " + begin_anew(directory));
  }

  void create() {
    sqlite::Transaction transaction(database_);
    if (number("user_version") != 0) return;  // another process was quicker
    if (database_.query_int("SELECT count(*) FROM sqlite_master").value_or(0) != 0) throw Error(ErrorCode::corrupt, fmt::format("{} is a database of another program", database_.path()));
    database_.execute(schema);
    auto insert = database_.prepare("INSERT INTO value VALUES ('node_id', ?)");
    insert.bind_blob(1, util::random_hex(16)).run();
    database_.execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", application, format));
    transaction.commit();
  }

  std::optional<std::string> value(const std::string& name) {
    auto statement = database_.prepare("SELECT value FROM value WHERE name=?");
    statement.bind(1, name);
    if (!statement.step()) return std::nullopt;
    return std::string(statement.text(0));
  }

  /// Removes the oldest rows of `table` until at most `count` are left with at most `bytes` in `column`; the newest always stays.
  void trim(const char* table, const char* column, std::size_t count, std::uint64_t bytes) {
    auto rows = database_.prepare(fmt::format("SELECT id, length({}) FROM {} ORDER BY id DESC", column, table));
    std::uint64_t total = 0;
    std::size_t kept = 0;
    std::optional<std::int64_t> last_to_go;
    while (rows.step()) {
      total += static_cast<std::uint64_t>(rows.integer(1));
      if (kept > 0 && (kept >= count || total > bytes)) {
        last_to_go = rows.integer(0);
        break;
      }
      ++kept;
    }
    rows.reset();
    if (last_to_go) database_.prepare(fmt::format("DELETE FROM {} WHERE id<=?", table)).bind(1, *last_to_go).run();
  }

  /// Runs `work` in a transaction of its own, or in the batch that is open.
  template <class Work>
  auto in_transaction(Work work) {
    if (batch_) return work();
    sqlite::Transaction transaction(database_);
    auto result = work();
    transaction.commit();
    return result;
  }

  util::Clock& clock_;
  Bounds bounds_;
  sqlite::Database database_;
  std::string node_id_;
  std::optional<sqlite::Transaction> batch_;
};

StateStore::Batch::Batch(StateStore& store) : store_(store.impl_->batch_ ? nullptr : &store) {
  if (store_ != nullptr) store.impl_->batch_.emplace(store.impl_->database_);
}
StateStore::Batch::~Batch() {
  if (store_ != nullptr) store_->impl_->batch_.reset();
}
void StateStore::Batch::commit() {
  if (store_ == nullptr) return;
  store_->impl_->batch_->commit();
  store_->impl_->batch_.reset();
  store_ = nullptr;
}

StateStore::StateStore(const std::string& directory, util::Clock& clock, const Bounds& bounds) {
  try {
    impl_ = std::make_unique<Impl>(directory, clock, bounds);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    throw Error(ErrorCode::corrupt, error.what(), begin_anew(directory));
  }
}
StateStore::~StateStore() = default;

const std::string& StateStore::node_id() const { return impl_->node_id_; }

std::int64_t StateStore::add_history(model::HistoryEntry entry) {
  if (entry.time == 0) entry.time = impl_->clock_.unix_time();
  entry.id = 0;
  std::string summary, rows;
  std::tie(summary, rows) = encoded(std::move(entry));
  return impl_->in_transaction([&] {
    impl_->database_.prepare("INSERT INTO history (summary, rows) VALUES (?, ?)").bind_blob(1, summary).bind_blob(2, rows).run();
    auto id = impl_->database_.last_insert_rowid();
    impl_->trim("history", "rows", impl_->bounds_.history_entries, impl_->bounds_.history_bytes);
    return id;
  });
}

void StateStore::update_history(const model::HistoryEntry& entry) {
  auto [summary, rows] = encoded(entry);
  impl_->database_.prepare("UPDATE history SET summary=?, rows=? WHERE id=?").bind_blob(1, summary).bind_blob(2, rows).bind(3, entry.id).run();
}

bool HistoryFilter::matches(const model::HistoryEntry& entry) const {
  if (entry.time < since || (conflicts && entry.counts.conflicts == 0)) return false;
  // "agent for ph2": a push from there.
  return peer.empty() || entry.source == peer || entry.target == peer || entry.started_by.ends_with(" " + peer);
}

std::vector<model::HistoryEntry> StateStore::history(std::size_t limit, bool with_rows, const HistoryFilter& filter) const {
  auto statement = impl_->database_.prepare(with_rows ? "SELECT id, summary, rows FROM history ORDER BY id DESC"
                                                      : "SELECT id, summary FROM history ORDER BY id DESC");
  std::vector<model::HistoryEntry> entries;
  while (entries.size() < limit && statement.step()) {
    auto entry = stored<model::HistoryEntry>(statement.text(1));
    if (!filter.matches(entry)) continue;
    entry.id = statement.integer(0);
    if (with_rows) {
      auto rows = stored<HistoryRows>(unpacked(statement.text(2)));
      entry.rows = std::move(rows.rows);
      entry.records = std::move(rows.records);
      entry.conflicts = std::move(rows.conflicts);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::optional<model::HistoryEntry> StateStore::history_entry(std::int64_t id) const {
  auto statement = impl_->database_.prepare("SELECT summary, rows FROM history WHERE id=?");
  statement.bind(1, id);
  if (!statement.step()) return std::nullopt;
  auto entry = stored<model::HistoryEntry>(statement.text(0));
  entry.id = id;
  auto rows = stored<HistoryRows>(unpacked(statement.text(1)));
  entry.rows = std::move(rows.rows);
  entry.records = std::move(rows.records);
  entry.conflicts = std::move(rows.conflicts);
  return entry;
}

std::int64_t StateStore::add_version(const std::string& reason, const model::Lists& lists, const model::Records& records) {
  model::Version version;
  version.lists = lists;
  version.records = records;
  auto content = packed(util::encode(version));
  version.info.time = impl_->clock_.unix_time();
  version.info.reason = reason;
  version.info.list_rows = lists.size();
  for (const auto& lines : records) version.info.records += lines ? lines->size() : 0;
  version.info.bytes = content.size();
  return impl_->in_transaction([&] {
    impl_->database_.prepare("INSERT INTO version (info, content) VALUES (?, ?)").bind_blob(1, util::encode(version.info)).bind_blob(2, content).run();
    auto id = impl_->database_.last_insert_rowid();
    impl_->trim("version", "content", impl_->bounds_.versions, impl_->bounds_.version_bytes);
    return id;
  });
}

std::vector<model::VersionInfo> StateStore::versions() const {
  auto statement = impl_->database_.prepare("SELECT id, info FROM version ORDER BY id DESC");
  std::vector<model::VersionInfo> versions;
  while (statement.step()) {
    auto& info = versions.emplace_back(stored<model::VersionInfo>(statement.text(1)));
    info.id = statement.integer(0);
  }
  return versions;
}

std::optional<model::Version> StateStore::version(std::int64_t id) const {
  auto statement = impl_->database_.prepare("SELECT info, content FROM version WHERE id=?");
  statement.bind(1, id);
  if (!statement.step()) return std::nullopt;
  auto version = stored<model::Version>(unpacked(statement.text(1)));
  version.info = stored<model::VersionInfo>(statement.text(0));
  version.info.id = id;
  return version;
}

void StateStore::remove_version(std::int64_t id) { impl_->database_.prepare("DELETE FROM version WHERE id=?").bind(1, id).run(); }

std::optional<std::string> StateStore::value(const std::string& name) const { return impl_->value(name); }

void StateStore::set_value(const std::string& name, const std::string& value) {
  if (impl_->value(name).value_or("") == value) return;
  if (value.empty()) {
    impl_->database_.prepare("DELETE FROM value WHERE name=?").bind(1, name).run();
  } else {
    impl_->database_.prepare("INSERT OR REPLACE INTO value VALUES (?, ?)").bind(1, name).bind_blob(2, value).run();
  }
}

}  // namespace gsync::replica
