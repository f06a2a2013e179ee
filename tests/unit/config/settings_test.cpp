#include "gsync/config/settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "../src/config/keys.hpp"
#include "gsync/util/error.hpp"

namespace gsync::config {
namespace {

Setting setting(const Config& config, const std::string& section, const std::string& key) {
  for (const auto& each : settings_of(config)) {
    if (each.section == section && each.key == key) return each;
  }
  ADD_FAILURE() << section << " " << key;
  return {};
}

TEST(Settings, AreAllKeysWithTheLineThatSetsThem) {
  const auto config = parse(
      "[sync]\nprefer = \"ph1\"\n\n[[peer]]\nname = \"ph1\"\nhost = \"h\"\n[[peer]]\nname = \"ph2\"\nhost = \"i\"\nport = 7\n", "x.toml");
  EXPECT_EQ(setting(config, "[sync]", "prefer").value, "\"ph1\"");
  EXPECT_EQ(setting(config, "[sync]", "prefer").line, 2u);
  EXPECT_EQ(setting(config, "[sync]", "shrink_percent").value, "50");
  EXPECT_EQ(setting(config, "[sync]", "shrink_percent").line, 0u);
  EXPECT_EQ(setting(config, "[[peer]] ph1", "port").line, 0u);
  EXPECT_EQ(setting(config, "[[peer]] ph2", "port").line, 10u);
  EXPECT_EQ(setting(config, "[[peer]] ph2", "port").value, "7");
  EXPECT_EQ(settings_of(config).size(),
            node_keys().size() + pihole_keys().size() + sync_keys().size() + daemon_keys().size() + 2 * peer_keys().size());
}

TEST(Settings, SayInWordsWhatHoldsWhereNothingIsSet) {
  for (const auto& each : settings_of(parse("[[peer]]\nname = \"a\"\nhost = \"b\"\n", "x.toml")))
    EXPECT_FALSE(each.value.empty() && each.otherwise.empty()) << each.section << " " << each.key;
}

/// A key that has no line in settings.cpp would not show what the file says.
TEST(Settings, ShowEveryKeyAsTheFileHasIt) {
  const std::string text =
      "[node]\nname = \"ph7\"\nstate_directory = \"/s\"\n"
      "[pihole]\ndirectory = \"/p\"\ndnsmasq_directory = \"/d\"\ngravity_database = \"/g\"\nruntime = \"podman\"\ncontainer = \"c\"\n"
      "ftl_binary = \"/f\"\npihole_command = \"/c\"\npid_file = \"/i\"\ndns_port = 5353\n"
      "[sync]\ncomponents = [\"lists\", \"dhcp\", \"settings\"]\nprefer = \"ph7\"\nkeep_local = [\"clients\", \"group:Kids\"]\n"
      "settings = [\"dns.upstreams\"]\nrun_gravity = true\nshrink_percent = 7\nshrink_handful = 8\n"
      "on_ftl_failure = \"undo\"\nftl_deadline_seconds = 9\nlock_deadline_seconds = 11\nrecord_spacing_ms = 12\n"
      "[daemon]\nrun_directory = \"/r\"\nagent_group = \"g\"\ninterval_seconds = 13\ndebounce_ms = 14\ndebounce_limit_ms = "
      "15\nmetrics_file = \"/m.prom\"\n"
      "on_success = [\"/ok\"]\non_failure = [\"/no\"]\nfailures_before_hook = 16\nhook_timeout_seconds = 17\n"
      "[[peer]]\nname = \"ph1\"\nhost = \"h\"\nport = 18\nuser = \"u\"\nidentity = \"/k\"\nknown_hosts = \"/h\"\nssh_config = \"/o\"\n"
      "remote_command = \"r\"\nmode = \"push\"\nconnect_timeout_seconds = 19\nidle_timeout_seconds = 20\n";
  std::string written;
  std::string section;
  for (const auto& each : settings_of(parse(text, "x.toml"))) {
    if (each.line == 0) continue;
    const auto header = each.section.starts_with("[[") ? "[[peer]]" : each.section;
    if (header != section) written += (section = header) + "\n";
    written += each.key + " = " + each.value + "\n";
  }
  EXPECT_EQ(parse(written, "x.toml").peers, parse(text, "x.toml").peers);
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), std::count(text.begin(), text.end(), '\n'));
  const auto again = parse(written, "x.toml");
  const auto before = parse(text, "x.toml");
  EXPECT_EQ(again.node, before.node);
  EXPECT_EQ(again.pihole, before.pihole);
  EXPECT_EQ(again.sync, before.sync);
  EXPECT_EQ(again.daemon, before.daemon);
}

TEST(Settings, GiveNoArgumentOfAHookAway) {
  const auto config = parse("[daemon]\non_failure = [\"/usr/bin/tell\", \"--token\", \"s3cret\"]\n", "x.toml");
  EXPECT_EQ(setting(config, "[daemon]", "on_failure").value, "[\"/usr/bin/tell\", …]");
}

TEST(APeersSection, IsReadAsThePeerThatItWasMadeOf) {
  PeerConfig peer;
  peer.name = "ph1";
  peer.host = "fd00::1";
  peer.port = 2222;
  peer.mode = Mode::sync;
  peer.remote_command = "say \"\\ \t\" \xc3\xbc";
  peer.identity = "/a b";
  auto section = peer_section(peer);
  EXPECT_EQ(section.find("connect_timeout"), std::string::npos);
  peer.remote_command = "gravity-sync agent";
  EXPECT_EQ(parse(peer_section(peer), "x").peers.at(0), peer);
  EXPECT_EQ(quoted("say \"\\ \t\""), "\"say \\\"\\\\ \\u0009\\\"\"");
}

TEST(APeersSection, TakesThePlaceOfTheOneOfThatNameAndLeavesTheRestAsItIs) {
  PeerConfig peer;
  peer.name = "ph1";
  peer.host = "192.0.2.7";
  const std::string text =
      "# mine\n[sync]\nprefer = \"ph1\"\n\n[[peer]]\nname = \"ph1\"  # the old one\nhost = \"192.0.2.1\"\n\n# the other\n[[peer]]\nname = "
      "\"ph2\"\nhost = \"b\"\n";
  const auto changed = with_peer(text, "x.toml", peer);
  EXPECT_EQ(changed,
            "# mine\n[sync]\nprefer = \"ph1\"\n\n[[peer]]\nname = \"ph1\"\nhost = \"192.0.2.7\"\nmode = \"pull\"\n\n# the other\n"
            "[[peer]]\nname = \"ph2\"\nhost = \"b\"\n");
  EXPECT_EQ(with_peer(changed, "x.toml", peer), changed) << "twice is once";
  EXPECT_EQ(*without_peer(text, "x.toml", "ph1"),
            "# mine\n[sync]\nprefer = \"ph1\"\n\n# the other\n[[peer]]\nname = \"ph2\"\nhost = \"b\"\n");
  EXPECT_EQ(without_peer(text, "x.toml", "ph3"), std::nullopt);
  peer.name = "ph3";
  const auto added = with_peer("[sync]\nprefer = \"x\"", "x.toml", peer);
  EXPECT_EQ(parse(added, "x.toml").peers.at(0), peer);
  EXPECT_EQ(*without_peer(added, "x.toml", "ph3"), "[sync]\nprefer = \"x\"\n");
  EXPECT_EQ(with_peer("", "x.toml", peer), peer_section(peer));
  peer.name = "a b";
  EXPECT_THROW(with_peer(text, "x.toml", peer), Error);
}

TEST(FaultsOfAConfiguration, AreAllNamedWithTheirLines) {
  const auto faults =
      faults_in("[sync]\nprefr = \"x\"\nrun_gravity = 3\nshrink_percent = 700\n[nod]\n[[peer]]\nname = \"a b\"\n", "x.toml");
  std::vector<std::string> all;
  for (const auto& fault : faults) all.emplace_back(fault.what());
  const std::size_t lines[] = {2, 3, 4, 5, 7, 6};
  ASSERT_EQ(all.size(), std::size(lines));
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(all[i].starts_with("x.toml:" + std::to_string(lines[i]) + ": ")) << all[i];
  EXPECT_NE(all[5].find("has no host"), std::string::npos) << all[5];
  EXPECT_EQ(faults_in("[sync\n", "x.toml").size(), 1u);
  EXPECT_TRUE(faults_in("", "x.toml").empty());
}

}  // namespace
}  // namespace gsync::config
