#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include <functional>

#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// Databases that are no gravity.db, or that try something.

namespace gsync::test {
namespace {

struct Damage {
  const char* name;
  std::function<void(const std::string&)> make;
  const char* said;  ///< part of the error
};

void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.name;
}

void replace_table_by_view(const std::string& path) {
  execute(path,
          "CREATE TABLE hidden AS SELECT * FROM domainlist; DROP TABLE domainlist;"
          "CREATE VIEW domainlist AS SELECT * FROM hidden WHERE load_extension('/tmp/x') IS NULL");
}

/// It is read only where compiled domains are.
void overwrite_index(const std::string& path) {
  const auto root = number(path, "SELECT rootpage FROM sqlite_master WHERE name = 'idx_gravity'");
  auto bytes = read_text(path);
  std::fill_n(bytes.begin() + (root - 1) * 4096, 4096, 'x');
  write_text(path, bytes);
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all{
      {"Empty", [](const std::string& path) { EXPECT_EQ(::truncate(path.c_str(), 0), 0); }, "is empty"},
      {"Truncated", [](const std::string& path) { EXPECT_EQ(::truncate(path.c_str(), 20 * 4096), 0); }, "truncated"},
      {"NotADatabase", [](const std::string& path) { write_text(path, std::string(9'000, 'x')); }, "not an SQLite database"},
      {"Overwritten",
       [](const std::string& path) {
         auto bytes = read_text(path);
         std::fill(bytes.begin() + 4096, bytes.begin() + 9 * 4096, 'x');
         write_text(path, bytes);
       },
       "damaged"},
      {"AnIndexOverwritten", overwrite_index, "damaged"},
      {"OfAnotherProgram",
       [](const std::string& path) {
         ::unlink(path.c_str());
         Sql(path, Sql::Mode::create).execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)");
       },
       "info"},
      {"OfAnUnknownSchema", [](const std::string& path) { execute(path, "ALTER TABLE domainlist RENAME COLUMN domain TO pattern"); },
       "domainlist"},
      {"TooOld", [](const std::string& path) { execute(path, "UPDATE info SET value = 10 WHERE property = 'version'"); }, "version"},
      {"AViewForATable", replace_table_by_view, "domainlist"},
      {"Missing", [](const std::string& path) { EXPECT_EQ(::unlink(path.c_str()), 0); }, ""},
  };
  return all;
}

class Damaged : public TwoNodesTest, public ::testing::WithParamInterface<Damage> {};
INSTANTIATE_TEST_SUITE_P(, Damaged, ::testing::ValuesIn(damages()), [](const auto& p) { return std::string(p.param.name); });

std::string bytes_of(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0 ? read_text(path) : "missing";
}

TEST_P(Damaged, ASourceOrTargetIsNamedAndNothingIsChangedOnEitherSide) {
  for (const bool on_source : {true, false}) {
    SCOPED_TRACE(on_source ? "source" : "target");
    TwoNodes nodes;
    GetParam().make((on_source ? nodes.ph1 : nodes.ph2).gravity());
    const auto ph1 = bytes_of(nodes.ph1.gravity());
    const auto ph2 = bytes_of(nodes.ph2.gravity());
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"pull"}, {"push"}, {"compare"}, {"pull", "--dry-run"}}) {
      const auto result = nodes.run(command);
      EXPECT_EQ(result.exit_code, 1) << command[0] << ": " << result.errors;
      EXPECT_TRUE(contains(result.errors, GetParam().said)) << command[0] << ": " << result.errors;
      EXPECT_TRUE(contains(result.errors, on_source ? "ph1" : "ph2") || contains(result.errors, nodes.ph2.directory())) << result.errors;
      EXPECT_GE(std::count(result.errors.begin(), result.errors.end(), '\n'), 2) << "there is nothing to try next: " << result.errors;
      EXPECT_TRUE(bytes_of(nodes.ph1.gravity()) == ph1) << command[0];
      EXPECT_TRUE(bytes_of(nodes.ph2.gravity()) == ph2) << command[0];
    }
    if (on_source) {
      const auto full = nodes.run({"pull", "--full", "--force"});
      EXPECT_EQ(full.exit_code, 1) << full.errors;
      EXPECT_TRUE(bytes_of(nodes.ph2.gravity()) == ph2) << "a damaged one is never copied";
    }
  }
}

TEST_F(TwoNodesTest, ADamagedTargetWithABackupIsMendedByAWholeCopy) {
  TwoNodesOptions options;
  options.ph2.backups = true;
  TwoNodes nodes(options);
  EXPECT_EQ(::truncate(nodes.ph2.gravity().c_str(), 20 * 4096), 0);
  const auto told = nodes.run({"pull"});
  EXPECT_TRUE(contains(told.errors, "gravity-sync pull ph1 --full")) << told.errors;
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--full"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
}

/// As a power cut in mid-commit leaves it, with the database of before.
void leave_hot_journal(const std::string& path) {
  Sql writer(path);
  writer.execute("PRAGMA cache_size = 2; BEGIN IMMEDIATE; UPDATE gravity SET domain = 'x' || domain");
  std::filesystem::copy_file(path + "-journal", path + ".kept");
  writer.execute("ROLLBACK");
  std::filesystem::rename(path + ".kept", path + "-journal");
}

TEST_F(TwoNodesTest, TheJournalOfADatabaseThatHasGoneIsNotPlayedIntoTheNewOne) {
  TwoNodesOptions options;
  options.ph2.backups = true;
  TwoNodes nodes(options);
  leave_hot_journal(nodes.ph2.gravity());
  std::filesystem::remove(nodes.ph2.gravity());
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--full"})));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  const auto ours = std::filesystem::path(nodes.ph2.gravity()).parent_path() / ".gravity-sync";
  EXPECT_TRUE(std::filesystem::exists(ours / "gone.db-journal"));
  EXPECT_FALSE(std::filesystem::exists(ours / "damaged.db-journal")) << "beside a database that it is not of";
}

TEST_F(TwoNodesTest, WhatWasPutAsideStaysUntilSomethingElseIs) {
  TwoNodesOptions options;
  options.ph2.backups = true;
  TwoNodes nodes(options);
  const auto aside = nodes.ph2.directory() + "/.gravity-sync/damaged.db";
  for (const int pages : {20, 30}) {
    EXPECT_EQ(::truncate(nodes.ph2.gravity().c_str(), pages * 4096), 0);
    EXPECT_TRUE(succeeded(nodes.run({"pull", "--full"})));
    EXPECT_EQ(std::filesystem::file_size(aside), static_cast<std::uintmax_t>(pages) * 4096);
    EXPECT_FALSE(std::filesystem::exists(aside + "-journal")) << "of another database";
    write_text(aside + "-journal", "of this one");
    std::filesystem::remove(nodes.ph2.gravity());
    EXPECT_TRUE(succeeded(nodes.run({"pull", "--full"})));
    EXPECT_EQ(std::filesystem::file_size(aside), static_cast<std::uintmax_t>(pages) * 4096) << "nothing has taken its place";
  }
}

TEST_F(TwoNodesTest, ADamagedDatabaseThatIsWrittenToIsNotExchangedMeanwhile) {
  TwoNodesOptions options;
  options.ph2.backups = true;
  TwoNodes nodes(options);
  overwrite_index(nodes.ph2.gravity());
  {
    Sql writer(nodes.ph2.gravity());
    writer.execute("BEGIN IMMEDIATE; INSERT INTO domainlist (type, domain) VALUES (1, 'half.example')");
    const auto told = nodes.run({"pull", "--full", "--force"});
    EXPECT_NE(told.exit_code, 0) << told.output;
    EXPECT_TRUE(contains(told.errors, "locked for writing")) << told.errors;
    writer.execute("COMMIT");
  }
  EXPECT_TRUE(succeeded(nodes.run({"pull", "--full", "--force"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
}

TEST_F(TwoNodesTest, DamageThatComesAfterTheCompileWasReadIsTheDatabasesAndNotOurCopys) {
  TwoNodes nodes;
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  // In the same file, so that what is remembered of its compile is still believed; the other one's is read anew.
  overwrite_index(nodes.ph1.gravity());
  std::filesystem::remove_all(std::filesystem::path(nodes.ph1.gravity()).parent_path() / ".gravity-sync");
  execute(nodes.ph2.gravity(),
          "UPDATE gravity SET domain = 'other.example' WHERE rowid = 1;"
          "UPDATE info SET value = value + 60 WHERE property = 'updated'");
  const auto told = nodes.run({"pull", "--force"});
  EXPECT_EQ(told.exit_code, 1) << told.output << told.errors;
  EXPECT_TRUE(contains(told.errors, "is damaged: a new copy of it cannot be read")) << told.errors;
  EXPECT_TRUE(contains(told.errors, "pihole -g")) << told.errors;
  EXPECT_FALSE(contains(told.errors, "our own copy")) << told.errors;
}

TEST_F(TwoNodesTest, ATriggerThatAPiholeDoesNotHaveIsNeitherRunNorCopied) {
  const std::string evil = "CREATE TRIGGER evil AFTER INSERT ON domainlist BEGIN DELETE FROM gravity; END";
  for (const bool on_source : {true, false}) {
    SCOPED_TRACE(on_source ? "source" : "target");
    TwoNodes nodes;
    deny(nodes.ph1, "new.example");
    execute((on_source ? nodes.ph1 : nodes.ph2).gravity(), evil);
    const auto before = bytes_of(nodes.ph2.gravity());
    const auto full = nodes.run({"pull", "--full"});
    EXPECT_EQ(full.exit_code, 1) << full.errors;
    EXPECT_TRUE(contains(full.errors, "trigger evil")) << full.errors;
    EXPECT_TRUE(bytes_of(nodes.ph2.gravity()) == before);

    // Rows can be taken: no trigger runs while they are written, and none comes with them.
    EXPECT_TRUE(succeeded(nodes.run({"pull"})));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_GT(number(nodes.ph2.gravity(), "SELECT count(*) FROM gravity"), 1'000);
    EXPECT_EQ(number(nodes.ph2.gravity(), "SELECT count(*) FROM sqlite_master WHERE name = 'evil'"), on_source ? 0 : 1);
  }
}

TEST_F(TwoNodesTest, ASourceWhoseIndexIsEmptyIsNotCopiedWhole) {
  // Passes quick_check, and FTL would block nothing.
  TwoNodes nodes;
  Sql sql(nodes.ph1.gravity());
  sql.execute(
      "PRAGMA writable_schema = ON; CREATE TABLE emptied (domain TEXT, adlist_id INTEGER); CREATE INDEX idx_emptied ON emptied(domain, "
      "adlist_id);"
      "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'idx_emptied') WHERE name = 'idx_gravity';"
      "DELETE FROM sqlite_master WHERE name IN ('idx_emptied', 'emptied'); PRAGMA writable_schema = OFF");
  const auto before = bytes_of(nodes.ph2.gravity());
  const auto result = nodes.run({"pull", "--full", "--force"});
  EXPECT_EQ(result.exit_code, 1) << result.output << result.errors;
  EXPECT_TRUE(bytes_of(nodes.ph2.gravity()) == before);
}

}  // namespace
}  // namespace gsync::test
