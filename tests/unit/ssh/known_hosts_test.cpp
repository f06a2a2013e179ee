#include <gtest/gtest.h>

#include <string>

#include "gsync/ssh/session.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

// The test program has no libssh headers: these are the parts of src/ssh/known_hosts.hpp that need none.
namespace gsync::ssh {
std::string known_hosts_name(std::string_view host, std::uint16_t port);
std::string with_line(std::string_view content, const std::string& name, const std::string& line);

namespace {

const std::string key_a = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMIqcDGYHMv2w6kvYUpvDEWhcC3AOjDb3NyDtpgdJmb1";
const std::string key_b = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";

TEST(KnownHosts, CallsAHostAsOpenSshDoes) {
  EXPECT_EQ(known_hosts_name("Ph2.LAN", 22), "ph2.lan");
  EXPECT_EQ(known_hosts_name("ph2", 2222), "[ph2]:2222");
  EXPECT_EQ(known_hosts_name("::1", 2222), "[::1]:2222");
}

TEST(KnownHosts, ANewHostIsAddedAtTheEnd) {
  EXPECT_EQ(with_line("", "a", "a " + key_a), "a " + key_a + "\n");
  EXPECT_EQ(with_line("b " + key_b + "\n", "a", "a " + key_a), "b " + key_b + "\na " + key_a + "\n");
  EXPECT_EQ(with_line("b " + key_b, "a", "a " + key_a), "b " + key_b + "\na " + key_a + "\n") << "a file without a last newline";
}

TEST(KnownHosts, TheOldKeysOfAHostGoAndAllElseStays) {
  auto before =
      "# comment\n\n[a]:22 " + key_b + "\na " + key_b + "\njunk\n@revoked a " + key_b + "\na " + key_a + " old\nb " + key_b + "\n";
  EXPECT_EQ(with_line(before, "[a]:2222", "x"), before + "x\n");
  EXPECT_EQ(with_line("# c\na " + key_b + "\na " + key_a + "\nb " + key_b + "\n@revoked a " + key_b + "\n", "a", "a " + key_a),
            "# c\nb " + key_b + "\n@revoked a " + key_b + "\na " + key_a + "\n");
}

/// By the name that trust() gave it.
TEST(KnownHosts, OfAPeerWhoseSshConfigNamesTheHostIsFoundToBeRemoved) {
  test::TempDirectory directory;
  test::write_text(directory / "ssh_config", "Host ph2\n  HostName 10.0.0.2\n  Port 2222\n");
  test::write_text(directory / "known_hosts", "ph2 " + key_b + "\n[10.0.0.2]:2222 " + key_a + "\n");
  config::PeerConfig peer;
  peer.name = peer.host = "ph2";
  peer.port = 0;
  peer.ssh_config = directory / "ssh_config";
  EXPECT_TRUE(distrust(peer, {directory / "key", directory / "known_hosts"}));
  EXPECT_EQ(test::read_text(directory / "known_hosts"), "ph2 " + key_b + "\n") << "which is another host's";
}

TEST(KnownHosts, TheOtherNamesOfASharedLineKeepIt) {
  EXPECT_EQ(with_line("b,a,c " + key_b + "\n", "a", "a " + key_a), "b,c " + key_b + "\na " + key_a + "\n");
}

}  // namespace
}  // namespace gsync::ssh
