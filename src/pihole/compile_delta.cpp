#include "compile_delta.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "read_ahead.hpp"

namespace gsync::pihole {
namespace {

// A row of a delta costs about as much on the wire as a row of a whole set.
constexpr std::uint64_t worth_share = 2;

constexpr const char* building = ".building";
constexpr const char* schema = R"(
CREATE TABLE step (id INTEGER PRIMARY KEY, key BLOB NOT NULL, digests BLOB NOT NULL);
CREATE TABLE change (domain TEXT NOT NULL, step INTEGER NOT NULL, removed INTEGER NOT NULL, PRIMARY KEY (domain, step)) WITHOUT ROWID;
)";

struct Digests {
  model::SetDigest from;
  model::SetDigest to;
};
template <class Archive>
void fields(Archive& a, Digests& d) {
  a(d.from, d.to);
}

struct Content {
  Content(sqlite::Database& database, const std::optional<Compiled>& compiled)
      : shape(shape_of(database)),
        rows(read_rows(database, shape, nullptr)),
        blocklist(blocklist_of(rows, compiled ? *compiled : read_compiled(database, shape))) {}
  const model::AdlistState* find(const model::RowKey& key) const {
    auto at = std::find_if(blocklist.begin(), blocklist.end(), [&](const model::AdlistState& s) { return s.key == key; });
    return at == blocklist.end() ? nullptr : &*at;
  }

  Shape shape;
  GravityRows rows;
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

std::string CompileDelta::path() const {
  return shadow_.path().substr(0, shadow_.path().rfind('/')) + "/delta.db";
}

void CompileDelta::forget() noexcept {
  ::unlink(path().c_str());
  remove_unfinished();
}

void CompileDelta::remove_unfinished() noexcept {
  ::unlink((path() + building).c_str());
}

/// Whole or absent after a crash, like the shadow.
void CompileDelta::finish() {
  auto from = path() + building;
  util::Fd file(::open(from.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file || ::fsync(file.get()) != 0 || ::rename(from.c_str(), path().c_str()) != 0) throw_errno(errno, "cannot keep " + path());
}

void CompileDelta::record(const Version& before, const Version& now) noexcept {
  forget();
  try {
    sqlite::Database old_database(before.path, sqlite::OpenMode::read_only);
    sqlite::Database new_database(now.path, sqlite::OpenMode::read_only);
    Content old_version(old_database, before.compiled);
    Content new_version(new_database, now.compiled);
    std::vector<CompileDelta::Step> steps;
    std::array<std::vector<WholeSet>, 2> sets;
    std::uint64_t rows = 0;
    for (const auto& adlist : new_version.blocklist) {
      const auto* old_state = old_version.find(adlist.key);
      if (old_state == nullptr || old_state->rows == adlist.rows || old_state->rows.count == 0) continue;
      auto index = static_cast<std::uint32_t>(steps.size());
      bool allow = adlist.key.kind == model::kind::allow_list;
      steps.push_back({adlist.key, old_state->rows, adlist.rows});
      sets[0].push_back({old_version.rows.adlist_ids.at(adlist.key), allow, index});
      sets[1].push_back({new_version.rows.adlist_ids.at(adlist.key), allow, index});
      rows += adlist.rows.count;
    }
    if (steps.empty()) return;
    sqlite::Database delta(path() + building, sqlite::OpenMode::create);
    delta.write_without_journal();
    sqlite::Transaction transaction(delta);
    delta.execute(schema);
    auto insert = delta.prepare("INSERT INTO change VALUES (?, ?, ?)");
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
    for (std::uint64_t changes = 0; more_a || more_b;) {
      if (more_a && more_b && a == b) {
        more_a = advance_before();
        more_b = advance(*now_rows, b);
        continue;
      }
      if (++changes > rows / worth_share) {
        transaction.commit();
        forget();  // the whole sets are cheaper
        return;
      }
      bool removed = more_a && (!more_b || a < b);
      const auto& row = removed ? a : b;
      insert.bind(1, row.domain).bind(2, std::int64_t{row.adlist}).bind(3, std::int64_t{removed}).run();
      if (removed)
        more_a = advance_before();
      else
        more_b = advance(*now_rows, b);
    }
    for (std::size_t i = 0; i < steps.size(); ++i)
      if (read_before[i] != steps[i].from) throw Error(ErrorCode::corrupt, fmt::format("{} is not the version before", before.path));
    auto add = delta.prepare("INSERT INTO step VALUES (?, ?, ?)");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      add.bind(1, static_cast<std::int64_t>(i))
          .bind_blob(2, util::encode(steps[i].key))
          .bind_blob(3, util::encode(Digests{steps[i].from, steps[i].to}))
          .run();
    }
    transaction.commit();
    finish();
  } catch (const std::exception&) {
    forget();
  }
}

std::vector<CompileDelta::Step> CompileDelta::steps() const noexcept {
  std::vector<Step> steps;
  if (::access(path().c_str(), R_OK) != 0) return steps;
  try {
    sqlite::Database delta(path(), sqlite::OpenMode::read_only);
    if (delta.quick_check() != "ok") return steps;
    auto read = delta.prepare("SELECT key, digests FROM step");
    while (read.step()) {
      auto digests = util::decode<Digests>(read.text(1));
      steps.push_back({util::decode<model::RowKey>(read.text(0)), digests.from, digests.to});
    }
  } catch (const Error&) {
    steps.clear();  // the whole sets go
  }
  return steps;
}

CompileDelta::Reader::Reader(const std::string& path, const std::vector<std::pair<model::RowKey, std::uint32_t>>& wishes)
    : database_(path, sqlite::OpenMode::read_only) {
  database_.execute("CREATE TEMP TABLE wish (step INTEGER PRIMARY KEY, wish INTEGER NOT NULL)");
  for (const auto& [key, wish] : wishes) {
    database_.prepare("INSERT INTO wish SELECT id, ? FROM step WHERE key=?")
        .bind(1, std::int64_t{wish})
        .bind_blob(2, util::encode(key))
        .run();
  }
  rows_ = std::make_unique<sqlite::Statement>(
      database_.prepare("SELECT domain, wish, removed FROM change JOIN wish USING (step) ORDER BY domain, wish"));
}

std::optional<model::BlocklistRow> CompileDelta::Reader::next() {
  if (!rows_->step()) return std::nullopt;
  return model::BlocklistRow{rows_->text(0), static_cast<std::uint32_t>(rows_->integer(1)), rows_->integer(2) != 0};
}

std::unique_ptr<CompileDelta::Reader> CompileDelta::read(const std::vector<std::pair<model::RowKey, std::uint32_t>>& wishes) const {
  return std::make_unique<Reader>(path(), wishes);
}

}  // namespace gsync::pihole
