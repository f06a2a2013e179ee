#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <regex>

#include "gsync/util/error.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/paths.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

// Databases and settings that Pi-hole itself has made, where they are at hand.

namespace gsync::test {
namespace {

const std::string fixtures = paths::fixtures;

class RealPihole : public TwoNodesTest {
 protected:
  void SetUp() override {
    TwoNodesTest::SetUp();
    if (!std::filesystem::exists(fixtures)) GTEST_SKIP() << "there is no " << fixtures;
  }

  /// False where zstd is missing.
  static bool unpack(const std::string& name, const std::string& to) {
    ::unlink(to.c_str());
    try {
      const auto done = util::run({.argv = {"zstd", "-dq", fixtures + "/" + name, "-o", to}}, util::Deadline::in(std::chrono::minutes(2)));
      // zstd gives it the mode of the fixture, which nobody may write to.
      return done.exit_code == 0 && ::chmod(to.c_str(), 0664) == 0;
    } catch (const Error&) {
      return false;
    }
  }

  /// The real pihole.toml, with the paths of this directory.
  static void take_settings(const PiholeDirectory& pihole) {
    auto text = read_text(fixtures + "/pihole.toml");
    const auto set = [&](const std::string& key, const std::string& value) {
      text = std::regex_replace(text, std::regex("\n  " + key + " = \"[^\"\n]*\""), "\n  " + key + " = \"" + value + "\"");
    };
    set("gravity", pihole.gravity());
    set("pid", pihole.pid_file());
    write_text(pihole.toml(), text, 0640);
  }

  /// The one's database on ph1, the other's on ph2.
  static void replicate(const std::string& source, const std::string& target) {
    TwoNodes nodes;
    if (!unpack(source, nodes.ph1.gravity()) || !unpack(target, nodes.ph2.gravity())) GTEST_SKIP() << "there is no zstd";
    take_settings(nodes.ph1);
    const auto schema = dump_schema(nodes.ph2.gravity());
    const auto ids = row_ids(nodes.ph2.gravity(), "domainlist");
    FtlProcess ftl(nodes.ph2);
    const auto result = nodes.run({"pull", "--force"});
    ASSERT_TRUE(succeeded(result));
    EXPECT_EQ(dump_schema(nodes.ph2.gravity()), schema);
    EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
    for (const auto& [key, id] : row_ids(nodes.ph2.gravity(), "domainlist")) {
      if (ids.contains(key)) {
        EXPECT_EQ(ids.at(key), id) << key;
      }
    }
    EXPECT_TRUE(contains(nodes.run({"pull"}).output, "nothing to do"));
    EXPECT_TRUE(succeeded(nodes.run({"compare", "--exit-code", "--only", "dns,cname,dhcp"})));
    EXPECT_EQ(nodes.ph2.settings().dns_hosts.size(), 6U);
    EXPECT_EQ(nodes.ph2.settings().cname_records.size(), 3U);
    EXPECT_EQ(nodes.ph2.settings().dhcp_hosts.size(), 8U);
    ASSERT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.restarts >= 1; }, std::chrono::minutes(1)));
    for (const auto& name : blocked_names(nodes.ph1.gravity(), 20)) EXPECT_EQ(lookup(ftl.port(), name, std::chrono::minutes(1)), "blocked");
    EXPECT_TRUE(succeeded(nodes.run({"undo"})));
    EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
  }
};

TEST_F(RealPihole, TakesTheRowsOfAnother) {
  replicate("gravity-v6.db.zst", "gravity-v6-migrated.db.zst");
}

TEST_F(RealPihole, TakesTheRowsOfOneThatCameFromVersion5) {
  replicate("gravity-v6-migrated.db.zst", "gravity-v6.db.zst");
}

TEST_F(RealPihole, IsCopiedWhole) {
  TwoNodes nodes;
  if (!unpack("gravity-v6.db.zst", nodes.ph1.gravity()) || !unpack("gravity-v6.db.zst", nodes.ph2.gravity()))
    GTEST_SKIP() << "there is no zstd";
  execute(nodes.ph1.gravity(), "UPDATE domainlist SET enabled = 1 - enabled WHERE id % 3 = 0");
  ASSERT_TRUE(succeeded(nodes.run({"pull", "--full"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(integrity(nodes.ph2.gravity()), "ok");
}

}  // namespace
}  // namespace gsync::test
