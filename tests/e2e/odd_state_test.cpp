#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>

#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// Databases in odd places, and what others left behind: handled, or refused with a reason, never damaged.

namespace gsync::test {
namespace {

namespace fs = std::filesystem;

constexpr int failed = 1;
constexpr int refused = 4;
constexpr int busy = 75;
constexpr std::chrono::seconds patience{60};

const PiholeDirectory& side(const TwoNodes& nodes, bool source) {
  return source ? nodes.ph1 : nodes.ph2;
}

std::string live_of_both(const TwoNodes& nodes) {
  return read_text(nodes.ph1.gravity()) + read_text(nodes.ph2.gravity());
}

ino_t number_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

/// A database in the place of `path` with its pages as they are, but for some.
std::string damaged(std::string bytes) {
  for (std::size_t at = 2 * 4096; at + 4096 < bytes.size(); at += 2 * 4096) bytes.replace(at, 200, 200, '\xff');
  return bytes;
}

class OddPlaces : public TwoNodesTest {};

TEST_F(OddPlaces, ADatabaseBehindASymbolicLinkIsReplacedWhereItIs) {
  for (const bool source : {true, false}) {
    SCOPED_TRACE(source ? "source" : "target");
    TwoNodes nodes;
    const auto& pihole = side(nodes, source);
    const auto disk = pihole.root() + "/disk";
    fs::create_directory(disk);
    fs::rename(pihole.gravity(), disk + "/lists.db");
    fs::create_symlink("../disk/lists.db", pihole.gravity());
    FtlProcess ftl(nodes.ph2);
    deny(nodes.ph1, "new.example");
    EXPECT_TRUE(succeeded(nodes.run({"pull"})));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_EQ(fs::read_symlink(pihole.gravity()), "../disk/lists.db");
    EXPECT_TRUE(fs::exists(disk + "/.gravity-sync/shadow.db")) << "an exchange needs both on one filesystem";
    EXPECT_FALSE(fs::exists(pihole.directory() + "/.gravity-sync"));
    EXPECT_EQ(lookup(ftl.port(), "new.example", patience), "blocked");
    EXPECT_TRUE(contains(nodes.run_on(pihole, {"info"}).output, "a symbolic link"));
  }
}

TEST_F(OddPlaces, WhatIsNoFileIsNamedAtOnce) {
  struct Case {
    const char* name;
    std::function<void(const std::string&)> make;
  };
  const std::vector<Case> cases{{"a directory", [](const std::string& path) { fs::create_directory(path); }},
                                {"a pipe", [](const std::string& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0644), 0); }},
                                {"a link to a pipe", [](const std::string& path) {
                                   ASSERT_EQ(::mkfifo((path + ".pipe").c_str(), 0644), 0);
                                   fs::create_symlink(path + ".pipe", path);
                                 }}};
  for (const bool source : {true, false}) {
    for (const auto& [name, make] : cases) {
      SCOPED_TRACE(std::string(source ? "source: " : "target: ") + name);
      TwoNodes nodes;
      const auto& pihole = side(nodes, source);
      const auto& other = side(nodes, !source);
      const auto before = read_text(other.gravity());
      fs::remove(pihole.gravity());
      make(pihole.gravity());
      const auto result = nodes.run({"pull"});
      EXPECT_TRUE(result.exit_code == failed || result.exit_code == 5) << result.exit_code;
      EXPECT_TRUE(contains(result.errors, "is not a file")) << result.errors;
      EXPECT_TRUE(read_text(other.gravity()) == before);
    }
  }
}

TEST_F(OddPlaces, ASettingsFileThatIsAPipeHoldsNobodyUp) {
  TwoNodes nodes;
  for (const auto& path : {nodes.ph2.toml(), nodes.ph2.directory() + "/versions"}) {
    SCOPED_TRACE(path);
    const auto before = read_text(path);
    fs::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0644), 0);
    const auto result = nodes.run({"info"});
    EXPECT_TRUE(path == nodes.ph2.toml() ? result.exit_code == failed && contains(result.errors, "is not a file") : result.exit_code == 0)
        << result.exit_code << result.errors;
    fs::remove(path);
    write_text(path, before);
  }
}

class LeftBehind : public TwoNodesTest {};

TEST_F(LeftBehind, AWalFileBesideADatabaseIsRefused) {
  for (const bool source : {true, false}) {
    SCOPED_TRACE(source ? "source" : "target");
    TwoNodes nodes;
    write_text(side(nodes, source).gravity() + "-wal", "frames");
    const auto before = live_of_both(nodes);
    const auto result = nodes.run({"pull"});
    EXPECT_EQ(result.exit_code, refused) << result.errors;
    EXPECT_TRUE(contains(result.errors, "gravity.db-wal exists")) << result.errors;
    EXPECT_TRUE(live_of_both(nodes) == before);
    EXPECT_EQ(read_text(side(nodes, source).gravity() + "-wal"), "frames");
  }
}

TEST_F(LeftBehind, AnOldTemporaryDatabaseOfPiholeIsLeftWhereItIs) {
  TwoNodes nodes;
  for (const bool source : {true, false}) {
    const auto path = side(nodes, source).gravity() + "_temp";
    write_text(path, "half a database");
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(read_text(nodes.ph2.gravity() + "_temp"), "half a database");
}

TEST_F(LeftBehind, JournalsThatAreNotHotAreNoHindrance) {
  for (const auto& journal : {std::string(), std::string(512, '\0'), std::string(8192, '\0')}) {
    SCOPED_TRACE(journal.size());
    TwoNodes nodes;
    for (const bool source : {true, false}) write_text(side(nodes, source).gravity() + "-journal", journal);
    EXPECT_TRUE(succeeded(nodes.run({"pull"})));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  }
}

/// What a writer leaves that is killed in the middle of a commit.
void leave_hot_journal(const std::string& path) {
  const pid_t writer = ::fork();
  if (writer == 0) {
    try {
      auto* sql = new Sql(path);  // never closed
      sql->execute("PRAGMA cache_size = 1; BEGIN; UPDATE domainlist SET comment = 'lost'; UPDATE gravity SET domain = 'lost' || domain");
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 1;
  ::waitpid(writer, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_GT(fs::file_size(path + "-journal"), 512U);
}

TEST_F(LeftBehind, AHotJournalIsLeftForFtlToPlay) {
  for (const bool source : {true, false}) {
    SCOPED_TRACE(source ? "source" : "target");
    TwoNodes nodes;
    const auto& pihole = side(nodes, source);
    const auto content = content_of(pihole.gravity());
    leave_hot_journal(pihole.gravity());
    const auto before = live_of_both(nodes);
    const auto journal = read_text(pihole.gravity() + "-journal");
    nodes.ph2.set_sync_lines("lock_deadline_seconds = 1");
    const auto result = nodes.run({"pull"});
    EXPECT_EQ(result.exit_code, busy) << result.errors;
    EXPECT_TRUE(contains(result.errors, "journal")) << result.errors;
    EXPECT_TRUE(live_of_both(nodes) == before);
    EXPECT_TRUE(read_text(pihole.gravity() + "-journal") == journal);
    // What FTL does when it next uses the database.
    execute(pihole.gravity(), "SELECT count(*) FROM domainlist");
    EXPECT_TRUE(content_of(pihole.gravity()) == content);
    EXPECT_TRUE(succeeded(nodes.run({"pull"})));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  }
}

/// A file of ours, and something that is not what we wrote there.
struct Rubbish {
  const char* name;
  std::function<void(const std::string& path, const std::string& gravity)> make;
};

const std::vector<Rubbish>& rubbish() {
  static const std::vector<Rubbish> all{
      {"text", [](const std::string& path, const std::string&) { write_text(path, std::string(9'000, 'x')); }},
      {"nothing", [](const std::string& path, const std::string&) { write_text(path, ""); }},
      {"half a database",
       [](const std::string& path, const std::string& gravity) { write_text(path, read_text(gravity).substr(0, 20 * 4096)); }},
      {"a damaged database", [](const std::string& path, const std::string& gravity) { write_text(path, damaged(read_text(gravity))); }},
      {"another database",
       [](const std::string& path, const std::string&) {
         Sql(path, Sql::Mode::create).execute("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)");
       }},
      {"a database in WAL mode",
       [](const std::string& path, const std::string&) {
         Sql(path, Sql::Mode::create).execute("PRAGMA journal_mode = WAL; CREATE TABLE mine (x); INSERT INTO mine VALUES (1)");
       }},
      {"a pipe", [](const std::string& path, const std::string&) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); }},
      {"a link into nowhere", [](const std::string& path, const std::string&) { fs::create_symlink("/nonexistent", path); }},
  };
  return all;
}

/// Every run must end well, whatever stands in our own directory.
void expect_runs_in_spite_of(const std::string& file) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  int number_of_run = 0;
  for (const bool source : {true, false}) {
    for (const auto& [name, make] : rubbish()) {
      SCOPED_TRACE(fmt::format("{} in {} on the {}", name, file, source ? "source" : "target"));
      const auto& pihole = side(nodes, source);
      const auto path = pihole.directory() + "/.gravity-sync/" + file;
      fs::remove_all(path);
      for (const char* suffix : {"-journal", "-wal", "-shm"}) fs::remove(path + suffix);
      make(path, pihole.gravity());
      // Both an edit and a compile, so that both sides need their shadows.
      deny(nodes.ph1, fmt::format("new{}.example", ++number_of_run));
      execute(nodes.ph1.gravity(), fmt::format("INSERT INTO gravity SELECT 'compiled{}.example', min(id) FROM adlist; "
                                               "UPDATE info SET value = value + 10 WHERE property = 'updated'",
                                               number_of_run));
      const auto result = nodes.run({"pull"});
      EXPECT_TRUE(succeeded(result));
      EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
      EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
    }
    EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
  }
}

TEST_F(LeftBehind, RubbishInThePlaceOfTheShadowIsNoHindrance) {
  expect_runs_in_spite_of("shadow.db");
}

TEST_F(LeftBehind, AShadowThatWentBadWithoutATraceIsMadeAnewAndLiveIsNotBlamed) {
  for (const bool source : {true, false}) {
    SCOPED_TRACE(source ? "source" : "target");
    TwoNodes nodes;
    ASSERT_TRUE(succeeded(nodes.run({"pull"})));
    deny(nodes.ph1, "another.example");
    ASSERT_TRUE(succeeded(nodes.run({"pull"})));
    // As a failing card does it: the same file of the same date, with other bytes.
    const auto path = side(nodes, source).directory() + "/.gravity-sync/shadow.db";
    const auto date = fs::last_write_time(path);
    const auto inode = number_of(path);
    write_text(path, damaged(read_text(path)));
    fs::last_write_time(path, date);
    ASSERT_EQ(number_of(path), inode);
    deny(nodes.ph1, "new.example");
    // Taken by nobody yet: the source must read it from its shadow.
    execute(nodes.ph2.gravity(),
            "DELETE FROM gravity WHERE adlist_id = (SELECT min(adlist_id) FROM gravity); UPDATE info SET value = value + 10 WHERE property "
            "= 'updated'");
    const auto result = nodes.run({"pull", "--force"});
    EXPECT_TRUE(succeeded(result));
    EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
    EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  }
}

TEST_F(LeftBehind, ADirectoryInThePlaceOfAFileOfOursIsSomebodyElses) {
  for (const bool source : {true, false}) {
    for (const std::string file : {"shadow.db", "shadow.building", "shadow.previous"}) {
      SCOPED_TRACE(file + (source ? " on the source" : " on the target"));
      TwoNodes nodes;
      const auto path = side(nodes, source).directory() + "/.gravity-sync/" + file;
      fs::create_directories(path);
      write_text(path + "/file", "precious");
      const auto before = live_of_both(nodes);
      const auto result = nodes.run({"pull"});
      EXPECT_EQ(result.exit_code, refused) << result.errors;
      EXPECT_TRUE(contains(result.errors, path + " is a directory")) << result.errors;
      EXPECT_TRUE(contains(result.errors, "rm -r")) << result.errors;
      EXPECT_TRUE(live_of_both(nodes) == before);
      EXPECT_EQ(read_text(path + "/file"), "precious");
    }
  }
}

TEST_F(LeftBehind, RubbishInThePlaceOfAShadowUnderConstructionIsNoHindrance) {
  expect_runs_in_spite_of("shadow.building");
}

TEST_F(LeftBehind, RubbishInThePlaceOfThePreviousShadowIsNoHindrance) {
  expect_runs_in_spite_of("shadow.previous");
}

TEST_F(LeftBehind, RubbishInThePlaceOfTheLastCompilesChangesIsNoHindrance) {
  expect_runs_in_spite_of("delta.db");
}

TEST_F(LeftBehind, JournalsBesideTheShadowAreRemoved) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  for (const char* name : {"shadow.db-journal", "shadow.db-wal", "shadow.db-shm", "shadow.building-journal"})
    write_text(nodes.ph2.directory() + "/.gravity-sync/" + name, std::string(5'000, '\xd9'));
  deny(nodes.ph1, "new.example");
  EXPECT_TRUE(succeeded(nodes.run({"pull"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(own_files(nodes.ph2), (std::vector<std::string>{"lock", "shadow.db"}));
}

TEST_F(LeftBehind, RubbishInThePlaceOfOurStateIsNamedWithWhatToDo) {
  TwoNodes nodes;
  ASSERT_TRUE(succeeded(nodes.run({"pull"})));
  const auto path = nodes.ph2.state() + "/state.db";
  deny(nodes.ph1, "new.example");
  for (const auto& [name, make] : rubbish()) {
    if (std::string(name) == "nothing") continue;  // as on the first day
    SCOPED_TRACE(name);
    fs::remove_all(path);
    for (const char* suffix : {"-journal", "-wal", "-shm"}) fs::remove(path + suffix);
    make(path, nodes.ph2.gravity());
    const auto before = live_of_both(nodes);
    const auto result = nodes.run({"pull"});
    EXPECT_TRUE(result.exit_code == failed || result.exit_code == refused) << result.exit_code;
    EXPECT_TRUE(contains(result.errors, path)) << result.errors;
    EXPECT_TRUE(contains(result.errors, "move it away")) << result.errors;
    EXPECT_TRUE(live_of_both(nodes) == before);
  }
  fs::remove_all(path);
  EXPECT_TRUE(succeeded(nodes.run({"pull"}))) << "without its state a node begins anew";
}

}  // namespace
}  // namespace gsync::test
