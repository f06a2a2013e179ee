#include "../src/pihole/compile_delta.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "gsync/replica/live_file.hpp"
#include "gsync/util/file_ops.hpp"
#include "unit/pihole/gravity_files.hpp"

namespace gsync::pihole {
namespace {

class CompileDeltaTest : public test::GravityFiles {
 protected:
  void SetUp() override {
    test::AdlistRow list{"https://deny.example/list"};
    list.entries = 100;
    build(test::GravityBuilder().adlist(list));
    for (const auto* version : {"before.db", "now.db"}) std::filesystem::copy_file(file(), file(version));
    open(file("now.db"))
        .execute("DELETE FROM gravity WHERE rowid=7; INSERT INTO gravity (domain, adlist_id) SELECT 'new.example', id FROM adlist");
    std::filesystem::create_directory(file(".gravity-sync"));
    gone_ = *open(file()).query_text("SELECT domain FROM gravity WHERE rowid=7");
  }

  std::vector<std::string> changes() {
    std::vector<std::pair<std::int64_t, std::uint32_t>> steps;
    for (const auto& step : delta_.steps()) steps.emplace_back(step.id, 0);
    auto rows = delta_.read(steps, {});
    std::vector<std::string> result;
    while (auto row = rows->next()) result.push_back((row->removed ? "-" : "+") + std::string(row->domain));
    return result;
  }
  std::vector<std::string> expected() const {
    auto lines = std::vector{"-" + gone_, std::string("+new.example")};
    std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.substr(1) < b.substr(1); });
    return lines;
  }

  util::PosixFileOps files_;
  replica::LiveFile live_{file(), files_};
  replica::Shadow shadow_{live_};
  CompileDelta delta_{shadow_};
  std::string gone_;
};

TEST_F(CompileDeltaTest, HoldsWhatWasAddedAndRemoved) {
  delta_.record({file("before.db"), std::nullopt}, {file("now.db"), std::nullopt});
  EXPECT_EQ(changes(), expected());
}

TEST_F(CompileDeltaTest, TakesWhatIsRememberedForWhatThereIs) {
  delta_.record({file("before.db"), compiled(file("before.db"))}, {file("now.db"), compiled(file("now.db"))});
  EXPECT_EQ(changes(), expected());
}

TEST_F(CompileDeltaTest, IsNoneWhereTheVersionBeforeIsNotWhatIsRemembered) {
  const auto remembered = compiled(file("before.db"));
  open(file("before.db")).execute("DELETE FROM gravity WHERE rowid=9");
  delta_.record({file("before.db"), remembered}, {file("now.db"), std::nullopt});
  EXPECT_TRUE(delta_.steps().empty());
  EXPECT_FALSE(std::filesystem::exists(file(".gravity-sync/delta.db.building")));
}

TEST_F(CompileDeltaTest, IsNoneWhereMostHasChanged) {
  open(file("now.db")).execute("UPDATE gravity SET domain='other-' || domain WHERE rowid > 30");
  delta_.record({file("before.db"), std::nullopt}, {file("now.db"), std::nullopt});
  EXPECT_TRUE(delta_.steps().empty());
}

TEST_F(CompileDeltaTest, IsOfTheAdlistsOfWhichMostHasNotChanged) {
  for (const auto* version : {"before.db", "now.db"})
    open(file(version))
        .execute(
            "INSERT INTO adlist (id, address) VALUES (900, 'https://other.example/list');"
            "INSERT INTO gravity (domain, adlist_id) SELECT 'other-' || domain, 900 FROM gravity WHERE rowid BETWEEN 11 AND 30");
  open(file("now.db")).execute("UPDATE gravity SET domain = 'new-' || domain WHERE adlist_id = 900");
  delta_.record({file("before.db"), std::nullopt}, {file("now.db"), std::nullopt});
  ASSERT_EQ(delta_.steps().size(), 1u);
  EXPECT_EQ(changes(), expected());
  EXPECT_EQ(open(file(".gravity-sync/delta.db")).query_int("SELECT count(*) FROM change"), 2);
}

TEST_F(CompileDeltaTest, StaysAsItIsWhereAFileIsMissing) {
  delta_.record({file("before.db"), std::nullopt}, {file("now.db"), std::nullopt});
  delta_.record({file("absent.db"), std::nullopt}, {file("now.db"), std::nullopt});
  EXPECT_EQ(changes(), expected());
}

class CompileDeltaPath : public CompileDeltaTest {
 protected:
  /// What a `pihole -g` changes by `sql`.
  void compile(const std::string& sql) {
    std::filesystem::copy_file(file("now.db"), file("before.db"), std::filesystem::copy_options::overwrite_existing);
    open(file("now.db")).execute(sql);
    delta_.record({file("before.db"), std::nullopt}, {file("now.db"), std::nullopt});
  }
  model::SetDigest state() const { return compiled(file("now.db")).gravity.at(0).rows; }
  /// From one state to the one now.
  std::vector<std::string> since(const model::SetDigest& from) {
    const auto steps = delta_.steps();
    const auto path = CompileDelta::path(steps, steps.at(0).key, from, state());
    if (path.empty()) return {"no path"};
    std::vector<std::pair<std::int64_t, std::uint32_t>> wanted;
    for (const auto step : path) wanted.emplace_back(step, 0);
    auto rows = delta_.read(wanted, {});
    std::vector<std::string> result;
    while (auto row = rows->next()) result.push_back((row->removed ? "-" : "+") + std::string(row->domain));
    return result;
  }
  static constexpr auto add = "INSERT INTO gravity (domain, adlist_id) SELECT '{}', id FROM adlist";
};

TEST_F(CompileDeltaPath, AddsUpWhatSeveralCompilesChanged) {
  const auto first = state();
  compile(fmt::format(add, "a.example") + ";" + fmt::format(add, "b.example"));
  const auto second = state();
  compile("DELETE FROM gravity WHERE domain='a.example'");
  compile(fmt::format(add, "a.example") + "; DELETE FROM gravity WHERE domain IN ('b.example', 'new.example')");
  EXPECT_EQ(since(first), (std::vector<std::string>{"+a.example", "-new.example"}));
  EXPECT_EQ(since(second), (std::vector<std::string>{"-b.example", "-new.example"}));
}

TEST_F(CompileDeltaPath, IsOfWhatWasLastWhereASetCameBack) {
  const auto first = state();
  compile(fmt::format(add, "a.example"));
  const auto second = state();
  compile("DELETE FROM gravity WHERE domain='a.example'");
  compile(fmt::format(add, "z.example"));
  EXPECT_EQ(since(first), (std::vector<std::string>{"+z.example"}));
  EXPECT_EQ(since(second), (std::vector<std::string>{"-a.example", "+z.example"}));
}

TEST_F(CompileDeltaPath, EndsWhereACompileWasNotSeen) {
  compile(fmt::format(add, "a.example"));
  const auto before = state();
  open(file("now.db")).execute(fmt::format(add, "b.example"));
  const auto after = state();
  compile(fmt::format(add, "c.example"));
  EXPECT_EQ(since(before), std::vector<std::string>{"no path"});
  EXPECT_EQ(since(after), std::vector<std::string>{"+c.example"});
}

TEST_F(CompileDeltaPath, IsForgottenWhenItIsLong) {
  std::vector<model::SetDigest> states;
  for (int i = 0; i < 20; ++i) {
    states.push_back(state());
    compile(fmt::format(add, "n" + std::to_string(i) + ".example"));
  }
  EXPECT_EQ(since(states.front()), std::vector<std::string>{"no path"}) << "of a hundred rows";
  EXPECT_EQ(since(states[10]).size(), 10u);
  EXPECT_LE(delta_.steps().size(), 120u / 8 + 1);
}

}  // namespace
}  // namespace gsync::pihole
