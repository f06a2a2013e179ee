// Two Pi-holes that are both edited.

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "support/ftl_gravity_run.hpp"
#include "support/paths.hpp"
#include "support/sanitizer.hpp"
#include "support/sql.hpp"
#include "support/two_nodes_test.hpp"

namespace gsync::test {
namespace {

class Sync : public TwoNodesTest {
 protected:
  static std::unique_ptr<TwoNodes> two_in_step() {
    auto nodes = std::make_unique<TwoNodes>();
    nodes->set_peer({.lines = "mode = \"sync\"\n"});
    EXPECT_TRUE(succeeded(nodes->run({"pull", "ph1"})));
    return nodes;
  }
};

constexpr const char* one_client_goes = "DELETE FROM client WHERE id = (SELECT min(id) FROM client)";

void edit(const PiholeDirectory& pihole, const std::string& statement) {
  Sql(pihole.gravity()).execute(statement);
}

TEST_F(Sync, GivesEachPiholeTheEditsOfTheOther) {
  const auto nodes = two_in_step();
  const auto& [ph1, ph2, sshd] = *nodes;
  deny(ph1, "new.on.ph1.example");
  deny(ph2, "new.on.ph2.example");
  edit(ph2, one_client_goes);
  const auto run = nodes->run({"sync", "ph1"});
  EXPECT_TRUE(succeeded(run));
  EXPECT_TRUE(same_content(ph1, ph2));
  for (const auto* pihole : {&ph1, &ph2}) {
    EXPECT_TRUE(denies(*pihole, "new.on.ph1.example"));
    EXPECT_TRUE(denies(*pihole, "new.on.ph2.example"));
    EXPECT_EQ(integrity(pihole->gravity()), "ok");
  }
  const auto again = nodes->run({});
  EXPECT_TRUE(succeeded(again)) << "gravity-sync alone does the same";
  EXPECT_TRUE(contains(again.output, "nothing to do")) << again.output;
}

TEST_F(Sync, WritesNothingWhenNothingChanged) {
  const auto nodes = two_in_step();
  const std::vector<std::string> all{nodes->ph1.directory(), nodes->ph1.state(), nodes->ph2.directory(), nodes->ph2.state()};
  const auto before = files_below(all);
  EXPECT_TRUE(succeeded(nodes->run({"sync"})));
  EXPECT_EQ(files_below(all), before);
}

TEST_F(Sync, SaysWhoseEditLostAndToWhat) {
  const auto nodes = two_in_step();
  deny(nodes->ph1, "both.edited.example");
  EXPECT_TRUE(succeeded(nodes->run({"sync"})));
  edit(nodes->ph1, "UPDATE domainlist SET comment='of ph1' WHERE domain='both.edited.example'");
  edit(nodes->ph2, "UPDATE domainlist SET comment='of ph2' WHERE domain='both.edited.example'");
  const auto run = nodes->run({"sync", "--prefer", "ph2"});
  EXPECT_TRUE(succeeded(run));
  EXPECT_TRUE(same_content(nodes->ph1, nodes->ph2));
  EXPECT_TRUE(contains(content_of(nodes->ph1.gravity()), "of ph2"));
  for (const auto* pihole : {&nodes->ph1, &nodes->ph2}) {
    const auto history = nodes->run_on(*pihole, {"history", "--conflicts"});
    EXPECT_TRUE(succeeded(history));
    EXPECT_TRUE(contains(history.output, "lost, of ph1: of ph1")) << history.output;
    EXPECT_TRUE(contains(history.output, "kept, of ph2: of ph2")) << history.output;
  }
  const auto unknown = nodes->run({"sync", "--prefer", "ph9"});
  EXPECT_EQ(unknown.exit_code, 2) << unknown.errors;
}

TEST_F(Sync, TheFirstTimeAsksForADirectionAndThenGoesOn) {
  TwoNodes nodes;
  const auto refused = nodes.run({"sync", "ph1"});
  EXPECT_EQ(refused.exit_code, 4) << refused.errors;
  EXPECT_TRUE(contains(refused.errors, "gravity-sync sync ph1 --union")) << refused.errors;
  EXPECT_TRUE(succeeded(nodes.run({"sync", "ph1", "--union"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  const auto clients = Sql(nodes.ph2.gravity()).number("SELECT count(*) FROM client");
  edit(nodes.ph1, one_client_goes);
  EXPECT_TRUE(succeeded(nodes.run({"sync", "ph1"})));
  EXPECT_TRUE(same_content(nodes.ph1, nodes.ph2));
  EXPECT_EQ(Sql(nodes.ph2.gravity()).number("SELECT count(*) FROM client"), clients - 1);
  EXPECT_TRUE(succeeded(nodes.run({"forget", "ph1"})));
  deny(nodes.ph1, "after.example");
  EXPECT_EQ(nodes.run({"sync", "ph1"}).exit_code, 4);
}

TEST_F(Sync, ADryRunShowsBothSidesAndChangesNothing) {
  const auto nodes = two_in_step();
  deny(nodes->ph1, "new.on.ph1.example");
  deny(nodes->ph2, "new.on.ph2.example");
  const auto run = nodes->run({"sync", "--dry-run"});
  EXPECT_TRUE(succeeded(run));
  EXPECT_TRUE(contains(run.output, "new.on.ph1.example")) << run.output;
  EXPECT_TRUE(contains(run.output, "new.on.ph2.example")) << run.output;
  EXPECT_FALSE(denies(nodes->ph1, "new.on.ph2.example"));
  EXPECT_FALSE(denies(nodes->ph2, "new.on.ph1.example"));
  EXPECT_TRUE(contains(nodes->run({"sync", "--dry-run", "--json"}).output, "\"conflicts\": []"));
}

/// Pi-hole 6 keeps the database that it replaced as gravity_backups/gravity.db.1.
TEST_F(Sync, BringsBackWhatPiholeGLost) {
  const auto nodes = two_in_step();
  const auto& ph2 = nodes->ph2;
  const auto copy = ph2.directory() + "/copied.db";
  std::filesystem::copy_file(ph2.gravity(), copy);  // what `pihole -g` copied when it began
  deny(ph2, "swallowed.example");
  deny(nodes->ph1, "published.meanwhile.example");
  EXPECT_TRUE(succeeded(nodes->run({"sync"})));
  EXPECT_TRUE(denies(ph2, "published.meanwhile.example"));
  deny(ph2, "swallowed.too.example");
  EXPECT_TRUE(succeeded(nodes->run({"compare"}))) << "somebody has looked at the live file";
  swap_gravity(ph2.directory(), copy);
  EXPECT_TRUE(succeeded(nodes->run({"sync"})));
  EXPECT_TRUE(same_content(nodes->ph1, ph2));
  for (const char* domain : {"swallowed.example", "published.meanwhile.example", "swallowed.too.example"}) {
    EXPECT_TRUE(denies(nodes->ph1, domain)) << domain;
    EXPECT_TRUE(denies(ph2, domain)) << domain;
  }
}

TEST_F(Sync, BringsBackWhatPiholeGLostHoweverTheClockIsSet) {
  if (sanitized) GTEST_SKIP() << "the sanitizer must be the first library";
  for (const char* ahead : {"31536000", "-31536000"}) {
    SCOPED_TRACE(ahead);
    const auto nodes = two_in_step();
    const auto& ph2 = nodes->ph2;
    const auto sync = [&](const std::string& new_on_ph1) {
      deny(nodes->ph1, new_on_ph1);
      EXPECT_TRUE(succeeded(nodes->run({"sync"}, {{"LD_PRELOAD", paths::clock_off}, {"GSYNC_CLOCK_OFF", ahead}})));
      EXPECT_TRUE(denies(ph2, new_on_ph1));
    };
    sync("earlier.example");
    // It began long ago, and is still downloading.
    const auto temporary = ph2.gravity() + "_temp";
    std::filesystem::copy_file(ph2.gravity(), temporary);
    std::filesystem::last_write_time(temporary, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    deny(ph2, "swallowed.example");
    sync("meanwhile.example");
    sync("meanwhile.too.example");
    swap_gravity(ph2.directory(), temporary);
    EXPECT_TRUE(succeeded(nodes->run({"sync"})));
    EXPECT_TRUE(same_content(nodes->ph1, ph2));
    for (const char* domain : {"earlier.example", "swallowed.example", "meanwhile.example", "meanwhile.too.example"})
      EXPECT_TRUE(denies(ph2, domain)) << domain;
  }
}

}  // namespace
}  // namespace gsync::test
