#include "../src/pihole/compile_delta.hpp"

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
    std::vector<std::string> result;
    for (const auto& step : delta_.steps()) {
      auto rows = delta_.read({{step.key, 0}}, {});
      while (auto row = rows->next()) result.push_back((row->removed ? "-" : "+") + std::string(row->domain));
    }
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

TEST_F(CompileDeltaTest, IsNoneWhereAFileIsMissing) {
  delta_.record({file("before.db"), std::nullopt}, {file("now.db"), std::nullopt});
  delta_.record({file("absent.db"), std::nullopt}, {file("now.db"), std::nullopt});
  EXPECT_TRUE(delta_.steps().empty()) << "nor what was before";
}

}  // namespace
}  // namespace gsync::pihole
