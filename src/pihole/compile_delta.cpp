#include "compile_delta.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "read_ahead.hpp"

namespace gsync::pihole {
namespace {

// A row of a delta costs about as much on the wire as a row of a whole set.
constexpr std::uint64_t worth_share = 2;

constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS step (id INTEGER PRIMARY KEY, key BLOB NOT NULL, digests BLOB NOT NULL, changes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS change (domain TEXT NOT NULL, step INTEGER NOT NULL, removed INTEGER NOT NULL, PRIMARY KEY (domain, step)) WITHOUT ROWID;
)";

constexpr auto select_changes = "SELECT domain, wish, removed FROM change JOIN wish USING (step) ORDER BY domain, wish";

// What is kept of steps before: a target that was off for longer gets whole sets.
constexpr std::uint64_t kept_share = 8;  // of the rows of all sets, at most one in so many
constexpr int kept_steps = 500;

struct Digests {
  model::SetDigest from;
  model::SetDigest to;
};
template <class Archive>
void fields(Archive& a, Digests& d) {
  a(d.from, d.to);
}

struct Content {
  Content(sqlite::Database& database, const std::optional<Compiled>& known)
      : shape(shape_of(database)),
        rows(read_rows(database, shape, nullptr)),
        compiled(known ? *known : read_compiled(database, shape)),
        blocklist(blocklist_of(rows, compiled)) {}
  const model::AdlistState* find(const model::RowKey& key) const {
    auto at = std::find_if(blocklist.begin(), blocklist.end(), [&](const model::AdlistState& s) { return s.key == key; });
    return at == blocklist.end() ? nullptr : &*at;
  }

  Shape shape;
  GravityRows rows;
  Compiled compiled;
  model::Blocklist blocklist;
};

/// A BlocklistRow that outlives its reader's next step.
struct Held {
  std::string domain;
  std::uint32_t adlist = 0;
  auto operator<=>(const Held&) const = default;
};

bool advance(model::BlocklistReader& reader, Held& held) {
  auto row = reader.next();
  if (!row) return false;
  held.domain.assign(row->domain);
  held.adlist = row->adlist;
  return true;
}

}  // namespace

/// Writes the file anew: what is still worth keeping in the old one, and the steps that lead to sets of `sizes` rows. `rows`: of all sets.
class CompileDelta::Writer {
 public:
  Writer(const CompileDelta& delta, std::uint64_t rows, std::vector<std::uint64_t> sizes)
      : database_(begun(delta)), sizes_(std::move(sizes)), changes_of_(sizes_.size()) {
    database_.write_without_journal();
    transaction_.emplace(database_);
    database_.execute(schema);
    first_ = database_.query_int("SELECT max(id) FROM step").value_or(0) + 1;
    forget_oldest(rows);
    insert_.emplace(database_.prepare("INSERT INTO change VALUES (?, ?, ?)"));
  }
  void add(std::string_view domain, std::size_t step, bool removed) {
    if (!is_worth_it(step)) return;
    ++changes_of_[step];
    if (!is_worth_it(step)) return void(++given_up_);
    insert_->bind(1, domain).bind(2, id_of(step)).bind(3, std::int64_t{removed}).run();
  }
  /// After its rows. False where the whole set is cheaper, and none of them is kept.
  bool add(std::size_t step, const Step& which) {
    if (!is_worth_it(step)) {
      database_.execute(fmt::format("DELETE FROM change WHERE step = {}", id_of(step)));
      return false;
    }
    database_.prepare("INSERT INTO step VALUES (?, ?, ?, ?)")
        .bind(1, id_of(step))
        .bind_blob(2, util::encode(which.key))
        .bind_blob(3, util::encode(Digests{which.from, which.to}))
        .bind(4, static_cast<std::int64_t>(changes_of_[step]))
        .run();
    kept_changes_ += changes_of_[step];
    return true;
  }
  bool gave_up() const { return given_up_ == sizes_.size(); }
  void commit() { transaction_->commit(); }
  std::uint64_t kept_changes() const { return kept_changes_; }

 private:
  static sqlite::Database begun(const CompileDelta& delta) {
    const auto path = delta.building_path();
    ::unlink(path.c_str());
    if (!delta.steps().empty()) std::filesystem::copy_file(delta.path(), path);
    return sqlite::Database(path, sqlite::OpenMode::create);
  }

  std::int64_t id_of(std::size_t step) const { return first_ + static_cast<std::int64_t>(step); }
  bool is_worth_it(std::size_t step) const { return changes_of_[step] <= sizes_[step] / worth_share; }

  void forget_oldest(std::uint64_t rows) {
    auto oldest = first_ - kept_steps;
    std::uint64_t changes = 0;
    for (auto step = database_.prepare("SELECT id, changes FROM step ORDER BY id DESC"); step.step();) {
      changes += static_cast<std::uint64_t>(step.integer(1));
      if (changes > rows / kept_share) oldest = std::max(oldest, step.integer(0) + 1);
    }
    if (database_.query_int(fmt::format("SELECT 1 FROM step WHERE id < {}", oldest)))
      database_.execute(fmt::format("DELETE FROM step WHERE id < {0}; DELETE FROM change WHERE step < {0}", oldest));
  }

  sqlite::Database database_;
  std::int64_t first_ = 0;
  const std::vector<std::uint64_t> sizes_;
  std::vector<std::uint64_t> changes_of_;
  std::optional<sqlite::Transaction> transaction_;
  std::optional<sqlite::Statement> insert_;
  std::size_t given_up_ = 0;
  std::uint64_t kept_changes_ = 0;
};

class CompileDelta::Reader final : public model::BlocklistReader {
 public:
  Reader(const std::string& path, const std::vector<std::pair<std::int64_t, std::uint32_t>>& steps,
         std::vector<model::BlocklistAnswer> answers)
      : database_(path, sqlite::OpenMode::read_only), answers_(std::move(answers)) {
    database_.execute("CREATE TEMP TABLE wish (step INTEGER PRIMARY KEY, wish INTEGER NOT NULL)");
    auto insert = database_.prepare("INSERT INTO wish VALUES (?, ?)");
    for (const auto& [step, wish] : steps) insert.bind(1, step).bind(2, std::int64_t{wish}).run();
    rows_.emplace(database_.prepare(select_changes));
    more_ = rows_->step();
  }

  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override {
    while (more_) {
      domain_.assign(rows_->text(0));
      const auto wish = rows_->integer(1);
      // A path's steps add and remove a domain in turn. Added up here, for SQLite would sort all of it in a temporary file.
      int added = 0;
      for (; more_ && rows_->text(0) == domain_ && rows_->integer(1) == wish; more_ = rows_->step())
        added += rows_->integer(2) != 0 ? -1 : 1;
      if (added != 0) return model::BlocklistRow{domain_, static_cast<std::uint32_t>(wish), added < 0};
    }
    return std::nullopt;
  }

 private:
  sqlite::Database database_;
  std::vector<model::BlocklistAnswer> answers_;
  std::optional<sqlite::Statement> rows_;
  bool more_ = false;
  std::string domain_;
};

std::string CompileDelta::path() const {
  return shadow_.path().substr(0, shadow_.path().rfind('/')) + "/delta.db";
}

std::string CompileDelta::building_path() const {
  return path() + ".building";
}

void CompileDelta::remove_unfinished() noexcept {
  ::unlink(building_path().c_str());
}

/// Whole or absent after a crash, like the shadow.
void CompileDelta::finish() {
  const auto from = building_path();
  util::Fd file(::open(from.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file || ::fsync(file.get()) != 0 || ::rename(from.c_str(), path().c_str()) != 0) throw_errno(errno, "cannot keep " + path());
}

void CompileDelta::record(const Version& before, const Version& now) noexcept {
  try {
    sqlite::Database old_database(before.path, sqlite::OpenMode::read_only);
    sqlite::Database new_database(now.path, sqlite::OpenMode::read_only);
    Content old_version(old_database, before.compiled);
    Content new_version(new_database, now.compiled);
    std::vector<Step> steps;
    std::array<std::vector<WholeSet>, 2> sets;
    std::vector<std::uint64_t> sizes;
    for (const auto& adlist : new_version.blocklist) {
      const auto* old_state = old_version.find(adlist.key);
      if (old_state == nullptr || old_state->rows == adlist.rows || old_state->rows.count == 0) continue;
      auto index = static_cast<std::uint32_t>(steps.size());
      bool allow = adlist.key.kind == model::kind::allow_list;
      steps.push_back({0, adlist.key, old_state->rows, adlist.rows});
      sets[0].push_back({old_version.rows.adlist_ids.at(adlist.key), allow, index});
      sets[1].push_back({new_version.rows.adlist_ids.at(adlist.key), allow, index});
      sizes.push_back(adlist.rows.count);
    }
    if (steps.empty()) return;
    Writer writer(*this, new_version.compiled.rows(), std::move(sizes));
    auto before_rows = read_blocklist(std::move(old_database), old_version.shape, sets[0], {});
    auto now_rows = read_blocklist(std::move(new_database), new_version.shape, sets[1], {});
    std::vector<model::SetDigest> read_before(steps.size());
    ReadAhead before_ahead(*before_rows);
    Held a, b;
    auto advance_before = [&] {
      if (!advance(before_ahead, a)) return false;
      read_before[a.adlist].add(a.domain);
      return true;
    };
    bool more_a = advance_before();
    bool more_b = advance(*now_rows, b);
    while (more_a || more_b) {
      if (more_a && more_b && a == b) {
        more_a = advance_before();
        more_b = advance(*now_rows, b);
        continue;
      }
      if (writer.gave_up()) throw Error(ErrorCode::refused, "the whole sets are cheaper");
      bool removed = more_a && (!more_b || a < b);
      const auto& row = removed ? a : b;
      writer.add(row.domain, row.adlist, removed);
      if (removed)
        more_a = advance_before();
      else
        more_b = advance(*now_rows, b);
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (read_before[i] != steps[i].from) throw Error(ErrorCode::corrupt, fmt::format("{} is not the version before", before.path));
      writer.add(i, steps[i]);
    }
    writer.commit();
    finish();
  } catch (const std::exception&) {
    remove_unfinished();
  }
}

std::vector<CompileDelta::Step> CompileDelta::steps() const noexcept {
  std::vector<Step> steps;
  // To open a pipe would take until somebody else opens it.
  struct stat st {};
  if (::lstat(path().c_str(), &st) != 0 || !S_ISREG(st.st_mode)) return steps;
  try {
    sqlite::Database delta(path(), sqlite::OpenMode::read_only);
    if (delta.quick_check() != "ok") return steps;
    auto read = delta.prepare("SELECT id, key, digests, changes FROM step ORDER BY id");
    while (read.step()) {
      auto digests = util::decode<Digests>(read.text(2));
      steps.push_back({read.integer(0), util::decode<model::RowKey>(read.text(1)), digests.from, digests.to});
    }
  } catch (const Error&) {
    steps.clear();  // the whole sets go
  }
  return steps;
}

std::vector<std::int64_t> CompileDelta::path(const std::vector<Step>& steps, const model::RowKey& key, const model::SetDigest& from,
                                             const model::SetDigest& to) {
  std::vector<std::int64_t> path;
  auto at = to;
  for (auto step = steps.rbegin(); step != steps.rend() && at != from; ++step) {
    if (step->key != key || step->to != at) continue;
    path.push_back(step->id);
    at = step->from;
  }
  if (at != from) path.clear();
  return path;
}

std::unique_ptr<model::BlocklistReader> CompileDelta::read(const std::vector<std::pair<std::int64_t, std::uint32_t>>& steps,
                                                           std::vector<model::BlocklistAnswer> answers) const {
  return std::make_unique<Reader>(path(), steps, std::move(answers));
}

CompileDelta::Keeper::Keeper(CompileDelta delta, model::BlocklistReader& rows, const std::vector<model::BlocklistWish>& wishes,
                             std::uint64_t all_rows)
    : delta_(delta), rows_(rows), wishes_(wishes) {
  delta_.remove_unfinished();
  const auto& answers = rows.answers();
  if (answers.size() != wishes.size() || !std::ranges::any_of(answers, &model::BlocklistAnswer::delta)) return;
  try {
    std::vector<std::uint64_t> sizes;
    sizes.reserve(answers.size());
    for (const auto& answer : answers) sizes.push_back(answer.rows.count);
    writer_ = std::make_unique<Writer>(delta_, all_rows, std::move(sizes));
  } catch (const std::exception&) {
    delta_.remove_unfinished();  // the disk is full: there may be room for what matters
  }
}

CompileDelta::Keeper::~Keeper() {
  writer_.reset();
  delta_.remove_unfinished();
}

std::optional<model::BlocklistRow> CompileDelta::Keeper::next() {
  auto row = rows_.next();
  if (!row || !writer_ || row->adlist >= answers().size() || !answers()[row->adlist].delta) return row;
  try {
    writer_->add(row->domain, row->adlist, row->removed);
  } catch (const Error&) {
    writer_.reset();
    delta_.remove_unfinished();
  }
  return row;
}

std::optional<std::uint64_t> CompileDelta::Keeper::finish() noexcept {
  if (!writer_) return std::nullopt;
  try {
    bool all = true;
    for (std::size_t i = 0; i < wishes_.size(); ++i) {
      const auto& answer = answers()[i];
      const bool kept = answer.delta && writer_->add(i, {0, wishes_[i].key, wishes_[i].have.value_or(model::SetDigest{}), answer.rows});
      all = all && kept;
    }
    writer_->commit();
    const auto changes = writer_->kept_changes();
    writer_.reset();
    delta_.finish();
    if (all) return changes;
  } catch (const std::exception&) {
    // The same.
  }
  return std::nullopt;
}

}  // namespace gsync::pihole
