#include <gtest/gtest.h>

#include <string>

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

TEST(KnownHosts, TheOtherNamesOfASharedLineKeepIt) {
  EXPECT_EQ(with_line("b,a,c " + key_b + "\n", "a", "a " + key_a), "b,c " + key_b + "\na " + key_a + "\n");
}

}  // namespace
}  // namespace gsync::ssh
