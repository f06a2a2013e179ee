/// A gravity.db that was damaged or made by somebody who means no good: as the file that lies here, and as the copy that a peer sends.
#include <sys/stat.h>

#include <filesystem>

#include "fuzz/target.hpp"
#include "gsync/model/diff.hpp"
#include "gsync/pihole/gravity.hpp"
#include "gsync/sqlite/database.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"
#include "support/node_fixture.hpp"
#include "support/sql.hpp"

namespace gsync::fuzz {
namespace {

using test::GravityBuilder;
using test::LocalFixture;
using test::Shape;
using test::Sql;

/// Schemas that do something when they are read or written, or that are not what they look like. All leave the names as they are.
constexpr const char* hostile[] = {
    "CREATE TRIGGER t1 AFTER INSERT ON domainlist BEGIN DELETE FROM adlist; END",
    "CREATE TRIGGER t2 AFTER DELETE ON gravity BEGIN INSERT INTO domainlist(type,domain) VALUES(0,'evil.example'); END",
    "DROP TABLE client; CREATE VIEW client AS SELECT 1 AS id, 'x' AS ip, 0 AS date_added, 0 AS date_modified, load_extension('x') AS "
    "comment",
    "CREATE TABLE other(a CHECK (a <> hex(randomblob(1000000000))))",
    "DROP TABLE info",
    "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql='CREATE TABLE x' WHERE name='adlist'; PRAGMA writable_schema=OFF",
    "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage=1 WHERE name='gravity'; PRAGMA writable_schema=OFF",
    "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage=(SELECT rootpage FROM sqlite_master WHERE name='adlist') WHERE "
    "name='domainlist'; PRAGMA writable_schema=OFF",
    "CREATE INDEX evil ON gravity(abs(-9223372036854775807 - adlist_id))",
    "ALTER TABLE adlist ADD COLUMN g TEXT AS (zeroblob(100000000)) VIRTUAL",
    "UPDATE info SET value='99' WHERE property='version'",
    "UPDATE info SET value=zeroblob(1000000) WHERE property='updated'",
    "UPDATE adlist SET address=x'00FF00', comment=CAST(x'80' AS TEXT)",
    "UPDATE domainlist SET type=77",
    "UPDATE \"group\" SET name=CAST(zeroblob(100000) AS TEXT) WHERE id<>0",
    "DELETE FROM \"group\" WHERE id=0",
    "INSERT INTO gravity SELECT zeroblob(5000), id FROM adlist",
    "INSERT INTO domainlist_by_group VALUES(12345, 67890)",
    "PRAGMA journal_mode=WAL",
    "PRAGMA encoding='UTF-16'; PRAGMA user_version=1",
    "PRAGMA application_id=1; PRAGMA foreign_keys=OFF; DROP TABLE adlist_by_group",
};

test::Household small(std::uint64_t seed) {
  test::HouseholdSize size;
  size.groups = 2;
  size.adlists = 3;
  size.domains = 6;
  size.clients = 2;
  size.gravity = 60;
  return test::realistic(seed, size);
}

test::PiholeOptions with(Shape shape, std::uint64_t seed = 3) {
  test::PiholeOptions options;
  options.gravity = GravityBuilder(shape).household(shape == Shape::v5 ? test::realistic(3, {2, 3, 6, 2, 60}, false) : small(seed));
  return options;
}

const std::string& database(Shape shape) {
  static std::map<Shape, std::string> made;
  auto& bytes = made[shape];
  if (bytes.empty()) {
    const test::TempDirectory directory;
    with(shape).gravity.build(directory / "gravity.db");
    bytes = test::read_text(directory / "gravity.db");
  }
  return bytes;
}

/// What becomes of the spoiled database.
enum class Use : unsigned char { live, target, copy, source };
constexpr Use uses[] = {Use::live, Use::target, Use::copy, Use::source};

/// The input as a small program that spoils a good database.
class Spoiler {
 public:
  explicit Spoiler(std::string_view input) : input_(input) {}

  Use use = Use::live;
  std::string database() {
    static constexpr Shape shapes[] = {Shape::v6_template, Shape::v5, Shape::v21};
    const auto how = byte();
    use = static_cast<Use>(how >> 6);
    auto bytes = fuzz::database(shapes[how % std::size(shapes)]);
    for (int steps = 0; steps < 64 && !input_.empty(); ++steps) spoil(bytes);
    return bytes;
  }

 private:
  unsigned byte() {
    if (input_.empty()) return 0;
    const auto value = static_cast<unsigned char>(input_.front());
    input_.remove_prefix(1);
    return value;
  }
  std::size_t place(const std::string& bytes) {
    const auto value = byte() << 16 | byte() << 8 | byte();
    return bytes.empty() ? 0 : value % bytes.size();
  }
  void spoil(std::string& bytes) {
    constexpr std::size_t page = 4096;
    switch (byte() % 6) {
      case 0:  // a bit or more
        if (const auto at = place(bytes); !bytes.empty()) bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ byte());
        break;
      case 1:  // the header of the file or of a page
        if (const auto at = place(bytes) / page * page + byte() % 100; at < bytes.size()) bytes[at] = static_cast<char>(byte());
        break;
      case 2:
        bytes.resize(place(bytes));
        break;
      case 3: {  // one page over another
        const auto from = place(bytes) / page * page, to = place(bytes) / page * page;
        if (from + page <= bytes.size() && to + page <= bytes.size()) bytes.replace(to, page, bytes.substr(from, page));
        break;
      }
      case 4:
        execute(bytes, hostile[byte() % std::size(hostile)]);
        break;
      default:
        bytes.append(byte(), static_cast<char>(byte()));
    }
  }
  static void execute(std::string& bytes, const char* sql) {
    const test::TempDirectory directory;
    const auto path = directory / "gravity.db";
    test::write_text(path, bytes);
    try {
      Sql connection(path);
      connection.try_execute(sql);
      connection.try_execute("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (const std::exception&) {
      return;  // it is too damaged for that
    }
    bytes = test::read_text(path);
  }

  std::string_view input_;
};

bool is_whole(const std::string& path) {
  try {
    return Sql(path, Sql::Mode::read_only).value("PRAGMA integrity_check") == "ok";
  } catch (const std::exception&) {
    return false;
  }
}

std::set<std::string> schema(const std::string& path) {
  auto connection = sqlite::Database(path, sqlite::OpenMode::read_only);
  return pihole::schema_of(connection);
}

template <class Action>
bool succeeds(Action action) {
  try {
    action();
    return true;
  } catch (const Error& error) {
    GSYNC_ASSERT(!std::string_view(error.what()).empty());
    return false;
  }
}

class Reader final : public util::ByteReader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const auto n = std::min(buffer.size(), left_.size());
    std::copy_n(reinterpret_cast<const std::byte*>(left_.data()), n, buffer.data());
    left_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view left_;
};

model::Change denying(const std::string& domain, const model::NodeInfo& info) {
  model::Row row;
  row.groups = {model::default_group_key()};
  model::Change change;
  change.source = "ph2";
  change.expected = info.digests;
  change.force = true;
  change.rows.push_back({{model::Table::domain, model::kind::deny_exact, domain}, std::nullopt, row});
  return change;
}

/// All that a run would ask of a Pi-hole that has this file. Live stays as it was, or becomes what was asked for, whole.
void use_as_live(const std::string& bytes) {
  LocalFixture pihole(with(Shape::v6_template));
  const auto path = pihole.directory.gravity();
  test::replace_text(path, bytes, 0664);
  const bool was_whole = is_whole(path);
  const auto before = test::read_text(path);
  auto& node = *pihole.node;
  if (!succeeds([&] { node.describe(); })) return;
  succeeds([&] { model::check_lists(node.lists()); });
  succeeds([&] {
    const auto info = node.lock(util::Deadline::in(std::chrono::seconds(5)));
    succeeds([&] { node.blocklist(); });
    succeeds([&] {
      auto copy = node.copy(model::CopyOf::live);
      std::array<std::byte, 65536> buffer{};
      while (copy.reader->read(buffer) > 0) continue;
    });
    const bool applied = succeeds([&] { node.apply(denying("new.example", info), nullptr, nullptr); });
    if (applied)
      GSYNC_ASSERT(!was_whole || is_whole(path));
    else
      GSYNC_ASSERT(test::read_text(path) == before);
    node.unlock();
  });
}

enum class AsCopy : unsigned char { whole, of_sets };

/// A good Pi-hole that is sent this file as a copy, with the digests of the good one that it was made of.
void take_as_copy(const std::string& bytes, AsCopy how) {
  LocalFixture pihole(with(Shape::v6_template));
  const auto path = pihole.directory.gravity();
  const auto before = test::read_text(path);
  const auto schema_before = schema(path);
  auto& node = *pihole.node;
  const auto info = node.lock(util::Deadline::in(std::chrono::seconds(5)));
  auto change = denying("new.example", info);
  if (how == AsCopy::whole) {
    change.rows.clear();
    change.whole_copy = true;
  } else {
    for (const auto& adlist : node.blocklist()) {
      change.wishes.push_back({adlist.key, std::nullopt});
      change.copied.push_back({false, adlist.rows, adlist.statistics});
    }
    change.copy_schema = pihole::digest_of_schema(schema_before);
  }
  change.copy_bytes = bytes.size();
  change.copy_lists = info.digests.lists;
  change.copy_blocklist = info.digests.blocklist;
  Reader reader(bytes);
  if (succeeds([&] { node.apply(change, nullptr, &reader); })) {
    GSYNC_ASSERT(is_whole(path));
    GSYNC_ASSERT(schema(path) == schema_before);
  } else {
    GSYNC_ASSERT(test::read_text(path) == before);
  }
  node.unlock();
}

sync::Options at_once() {
  sync::Options options;
  options.lock_deadline = std::chrono::seconds(5);
  options.force = true;
  return options;
}

/// A whole run that fills this Pi-hole from a good one: sets of the blocklist, too.
void pull_into(const std::string& bytes) {
  LocalFixture good(with(Shape::v6_template, 4));
  LocalFixture spoiled(with(Shape::v6_template));
  const auto path = spoiled.directory.gravity();
  test::replace_text(path, bytes, 0664);
  const bool was_whole = is_whole(path);
  succeeds([&] { sync::replicate(*good.node, *spoiled.node, at_once()); });
  GSYNC_ASSERT(test::read_text(path) == bytes || !was_whole || is_whole(path));
}

/// The other way round.
void pull_from(const std::string& bytes) {
  LocalFixture good(with(Shape::v6_template, 4));
  LocalFixture spoiled(with(Shape::v6_template));
  const auto path = good.directory.gravity();
  const auto schema_before = schema(path);
  test::replace_text(spoiled.directory.gravity(), bytes, 0664);
  succeeds([&] { sync::replicate(*spoiled.node, *good.node, at_once()); });
  GSYNC_ASSERT(is_whole(path));
  GSYNC_ASSERT(schema(path) == schema_before);
}

}  // namespace

void run(std::string_view input) {
  Spoiler spoiler(input);
  const auto bytes = spoiler.database();
  switch (spoiler.use) {
    case Use::live:
      return use_as_live(bytes);
    case Use::target:
      return pull_into(bytes);
    case Use::copy:
      take_as_copy(bytes, AsCopy::whole);
      return take_as_copy(bytes, AsCopy::of_sets);
    case Use::source:
      return pull_from(bytes);
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (auto use : uses) {
    const auto how = static_cast<char>(static_cast<unsigned>(use) << 6);
    for (char shape = 0; shape < 3; ++shape) seeds.push_back(std::string(1, static_cast<char>(how + shape)));
    for (unsigned char i = 0; i < std::size(hostile); ++i) seeds.push_back({how, 4, static_cast<char>(i)});
  }
  return seeds;
}

std::vector<std::string> words() {
  std::vector<std::string> words;
  for (unsigned char i = 0; i < std::size(hostile); ++i) words.push_back({4, static_cast<char>(i)});
  return words;
}

void change(std::string& input, test::Random&, const ChangeBytes& change_bytes) {
  change_bytes(input);
}

}  // namespace gsync::fuzz
