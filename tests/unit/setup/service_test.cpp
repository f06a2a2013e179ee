#include "gsync/setup/service.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "gsync/util/error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace gsync::setup {
namespace {

/// A Pi-hole 6 of somebody whom no passwd knows.
pihole::Installation installation_in(const std::string& directory) {
  pihole::Installation installation;
  installation.directory = directory;
  installation.gravity_database = directory + "/gravity.db";
  installation.owner = 54321;
  installation.group = 54322;
  return installation;
}

const std::string service_drop_in = "/etc/systemd/system/gravity-sync.service.d/auto.conf";

TEST(TheService, RunsAsTheOwnerByNumberWhereHeIsNotTheUserPihole) {
  const auto plan = plan_service({}, installation_in("/srv/pi hole/100%"));
  ASSERT_EQ(plan.drop_ins.size(), 3u);
  const auto& text = plan.drop_ins.at(service_drop_in);
  EXPECT_NE(text.find("\nUser=54321\nGroup=54322\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\"-/srv/pi hole/100%%\""), std::string::npos) << text;
  EXPECT_EQ(text.find("ProtectHome"), std::string::npos) << text;
  const auto& socket = plan.drop_ins.at("/etc/systemd/system/gravity-sync-agent.socket.d/auto.conf");
  EXPECT_NE(socket.find("\nSocketUser=54321\n"), std::string::npos) << socket;
  EXPECT_NE(socket.find("\nExecStartPre=\nExecStartPre=/usr/bin/install -d -m 0755 -o 54321 -g 54322 /run/gravity-sync\n"),
            std::string::npos)
      << "what the packaged unit does for the user pihole must go: " << socket;
  EXPECT_EQ(plan.on.size(), 3u);
  EXPECT_TRUE(plan.off.empty());
  EXPECT_NE(plan_service({}, installation_in("/home/me/pihole")).drop_ins.at(service_drop_in).find("ProtectHome=no"), std::string::npos);
}

TEST(TheService, MayWriteMetricsWhereTheyAreWanted) {
  config::Config config;
  config.daemon.metrics_file = "/var/lib/node exporter/gravity-sync.prom";
  const auto plan = plan_service(config, installation_in("/srv/pihole"));
  const auto& text = plan.drop_ins.at("/etc/systemd/system/gravity-sync.service.d/metrics.conf");
  EXPECT_NE(text.find("[Service]\nReadWritePaths=\"-/var/lib/node exporter\"\n"), std::string::npos) << text;
}

TEST(TheService, IsStartedByRootWhereRecordsAskForIt) {
  auto installation = installation_in("/etc/pihole");
  installation.generation = pihole::Generation::v5;
  const auto plan = plan_service({}, installation);
  const auto packaged = test::read_text(std::string(test::paths::source) + "/packaging/systemd/started-by-root.conf");
  ASSERT_EQ(plan.drop_ins.size(), 1u);
  EXPECT_EQ(plan.drop_ins.begin()->second, packaged);
  EXPECT_EQ(plan.on, std::vector<std::string>{"gravity-sync.service"});
  EXPECT_EQ(plan.off.size(), 2u);
  EXPECT_FALSE(plan.why.empty());
}

TEST(TheService, CannotFollowEveryConfiguration) {
  config::Config config;
  config.daemon.run_directory = "/run/elsewhere";
  EXPECT_THROW(plan_service(config, installation_in("/etc/pihole")), Error);
  EXPECT_THROW(plan_service({}, installation_in("/srv/a\nExecStart=/bin/sh")), Error);
}

TEST(ACrontab, HasALineForEachPeer) {
  const auto config = config::parse("[[peer]]\nname = \"a\"\nhost = \"a\"\nmode = \"sync\"\n[[peer]]\nname = \"b\"\nhost = \"b\"\n",
                                    "/etc/gravity-sync/gravity-sync.toml");
  const auto table = cron_table(config, "/usr/bin/gravity-sync");
  EXPECT_NE(table.find("\n*/5 * * * * root /usr/bin/gravity-sync sync a --cron --quiet\n"), std::string::npos) << table;
  EXPECT_NE(table.find("\n*/5 * * * * root /usr/bin/gravity-sync pull b --cron --quiet\n"), std::string::npos) << table;
  EXPECT_THROW(cron_table({}, "/usr/bin/gravity-sync"), Error) << "nobody to sync with";
  EXPECT_THROW(cron_table(config, "/usr/bin/100%"), Error);
}

TEST(ACrontab, NamesAConfigurationByItsWholePath) {
  const std::string peer = "[[peer]]\nname = \"a\"\nhost = \"a\"\n";
  const auto table = cron_table(config::parse(peer, "../mine.toml"), "/usr/bin/gravity-sync");
  const auto whole = std::filesystem::current_path().parent_path() / "mine.toml";
  EXPECT_NE(table.find(" --config " + whole.string() + " pull a "), std::string::npos) << table;
  EXPECT_THROW(cron_table(config::parse(peer, "/etc/my own.toml"), "/usr/bin/gravity-sync"), Error);
}

}  // namespace
}  // namespace gsync::setup
