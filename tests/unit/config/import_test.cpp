#include "gsync/config/import.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "gsync/config/config.hpp"

namespace gsync::config {
namespace {

Config imported(const std::string& text) {
  return parse(import_script(text, "old.conf").toml, "new.toml");
}

bool mentions(const std::vector<std::string>& lines, const std::string& part) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

TEST(TheOldScriptsConfiguration, BecomesAPeer) {
  const auto result = import_script(
      "# REQUIRED SETTINGS ##\nREMOTE_HOST='192.168.1.3'\nREMOTE_USER='pi'\n\nexport GS_SSH_PORT=\"2222\" # there\n", "old.conf");
  const auto config = parse(result.toml, "new.toml");
  ASSERT_EQ(config.peers.size(), 1u);
  EXPECT_EQ(config.peers[0].name, "192.168.1.3");
  EXPECT_EQ(config.peers[0].host, "192.168.1.3");
  EXPECT_EQ(config.peers[0].port, 2222);
  EXPECT_EQ(config.peers[0].user, "gravity-sync");
  EXPECT_EQ(config.peers[0].mode, Mode::sync);
  EXPECT_TRUE(mentions(result.taken, "REMOTE_HOST: "));
  EXPECT_TRUE(mentions(result.left, "REMOTE_USER: "));
}

TEST(TheOldScriptsConfiguration, MayNameAnIpv6Address) {
  const auto config = imported("REMOTE_HOST=fd00::3\n");
  EXPECT_EQ(config.peers.at(0).host, "fd00::3");
  EXPECT_EQ(config.peers.at(0).name, "fd00--3");
  EXPECT_EQ(imported("REMOTE_HOST='::1'\n").peers.at(0).name, "1");
}

TEST(TheOldScriptsConfiguration, KeepsPathsThatAreNotTheDefault) {
  const auto config = imported(
      "REMOTE_HOST=ph1\nLOCAL_PIHOLE_DIRECTORY='/srv/pihole/'\nLOCAL_DNSMASQ_DIRECTORY=/srv/dnsmasq.d\nLOCAL_FTL_BINARY='/usr/bin/"
      "pihole-FTL'\n"
      "LOCAL_PIHOLE_BINARY='/opt/pihole'\n");
  EXPECT_EQ(config.pihole.directory, "/srv/pihole");
  EXPECT_EQ(config.pihole.dnsmasq_directory, "/srv/dnsmasq.d");
  EXPECT_EQ(config.pihole.ftl_binary, "");
  EXPECT_EQ(config.pihole.pihole_command, "/opt/pihole");
}

TEST(TheOldScriptsConfiguration, NamesAContainer) {
  const auto config = imported("REMOTE_HOST=ph1\nLOCAL_DOCKER_CONTAINER='pihole2'\nLOCAL_PIHOLE_DIRECTORY='/srv/pihole'\n");
  EXPECT_EQ(config.pihole.runtime, Runtime::docker);
  EXPECT_EQ(config.pihole.container, "pihole2");
  EXPECT_EQ(config.pihole.directory, "/etc/pihole") << "paths are those in the container now";
}

TEST(TheOldScriptsConfiguration, MayLeaveLocalDnsAlone) {
  const auto config = imported("REMOTE_HOST=ph1\nSKIP_CUSTOM='1'\n");
  EXPECT_FALSE(config.sync.components.records[0]);
  EXPECT_TRUE(config.sync.components.records[1]);
  EXPECT_TRUE(imported("REMOTE_HOST=ph1\nSKIP_CUSTOM='0'\n").sync.components.all());
}

TEST(TheOldScriptsConfiguration, IsNamedWhereItHasNoCounterpart) {
  for (const std::string name :
       {"REMOTE_USER", "REMOTE_PIHOLE_DIRECTORY", "REMOTE_DOCKER_CONTAINER", "LOCAL_FILE_OWNER", "REMOTE_FILE_OWNER",
        "PIHOLE_CONTAINER_IMAGE", "PING_AVOID", "GS_SSH_PKIF", "GS_BACKUP_TIMEOUT", "GS_ETC_PATH", "SOMETHING_NEW"}) {
    const auto result = import_script("REMOTE_HOST=ph1\n" + name + "='x'\n", "old.conf");
    EXPECT_TRUE(mentions(result.left, name + ": ")) << name;
    EXPECT_FALSE(mentions(result.taken, name + ": ")) << name;
  }
  EXPECT_TRUE(mentions(import_script("REMOTE_USER=pi\n", "old.conf").left, "REMOTE_HOST: "));
}

TEST(TheOldScriptsConfiguration, IsNeverRun) {
  for (const std::string value : {"$(touch /tmp/x)", "`id`", "\"$HOME\"", "$HOME", "'a' 'b'", "a;b", "'unfinished", "a\\ b"}) {
    const auto result = import_script("REMOTE_HOST=ph1\nLOCAL_PIHOLE_DIRECTORY=" + value + "\n", "old.conf");
    EXPECT_EQ(parse(result.toml, "x").pihole.directory, "/etc/pihole") << value;
    EXPECT_TRUE(mentions(result.left, "LOCAL_PIHOLE_DIRECTORY: ")) << value;
  }
  for (const std::string value : {"'a b'", "\"a\\\"b\"", "'a\nb'", "'-oProxyCommand=x'", "'pi@ph1'"}) {
    try {
      EXPECT_TRUE(parse(import_script("REMOTE_HOST=" + value + "\n", "old.conf").toml, "x").peers.empty()) << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
    }
  }
}

TEST(TheOldScriptsConfiguration, IsRefusedWithTheLineWhereItIsSomethingElse) {
  try {
    import_script("REMOTE_HOST=ph1\nif true; then\n", "old.conf");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("old.conf:2: ")) << error.what();
  }
}

TEST(TheOldScriptsConfiguration, HoldsWhatItSaysLast) {
  EXPECT_EQ(imported("REMOTE_HOST=ph1\nREMOTE_HOST=ph9\n").peers.at(0).host, "ph9");
}

}  // namespace
}  // namespace gsync::config
