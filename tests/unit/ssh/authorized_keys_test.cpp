#include "gsync/ssh/authorized_keys.hpp"

#include <gtest/gtest.h>

#include "gsync/util/error.hpp"

namespace gsync::ssh {
namespace {

const PublicKey first{"ssh-ed25519", "AAAAone", "gravity-sync of ph2", ""};
const PublicKey second{"ssh-ed25519", "AAAAtwo", "", ""};

std::string line_for(const std::string& peer, const PublicKey& key = first, bool read_only = false) {
  return admitting_line({"/usr/bin/gravity-sync", "", peer, read_only}, key);
}

TEST(AnAdmittingLine, RestrictsTheKeyToTheAgentForThatPeer) {
  EXPECT_EQ(line_for("ph2"), "restrict,command=\"/usr/bin/gravity-sync agent --peer ph2\" ssh-ed25519 AAAAone gravity-sync of ph2");
  EXPECT_EQ(line_for("ph2", second, true), "restrict,command=\"/usr/bin/gravity-sync agent --peer ph2 --read-only\" ssh-ed25519 AAAAtwo");
  EXPECT_EQ(admitting_line({"/usr/local/bin/gravity-sync", "/etc/gravity-sync/b.toml", "ph2", false}, second),
            "restrict,command=\"/usr/local/bin/gravity-sync --config /etc/gravity-sync/b.toml agent --peer ph2\" ssh-ed25519 AAAAtwo");
}

TEST(AnAdmittingLine, HoldsNothingThatAShellOrSshdReadsInAnotherWay) {
  for (const std::string name : {"", "-v", "ph2 --config /x", "a;b", "a\"b", "a'b", "$(id)", "`id`", "a\nb", "a|b", "a&b", "a>b", "../x",
                                 "a\\b", "ph\xc3\xbc", "a,b", "a=b", "*", "~root"})
    EXPECT_THROW(line_for(name), Error) << name;
  for (const std::string path : {"gravity-sync", "/a b", "/a\"b", "/a;b", "/a\nb", "/$HOME", ""})
    EXPECT_THROW(admitting_line({path, "", "ph2", false}, first), Error) << path;
  EXPECT_THROW(admitting_line({"/usr/bin/gravity-sync", "/a b", "ph2", false}, first), Error);
}

TEST(AnAuthorizedKeysFile, GetsALineAtItsEndAndKeepsAllOthers) {
  const auto line = line_for("ph2");
  EXPECT_EQ(with_admission("", "ph2", first, line), line + "\n");
  EXPECT_EQ(with_admission("# mine\n\nssh-rsa AAAAx me", "ph2", first, line), "# mine\n\nssh-rsa AAAAx me\n" + line + "\n");
  const auto both = with_admission(line + "\n", "ph3", second, line_for("ph3", second));
  EXPECT_EQ(both, line + "\n" + line_for("ph3", second) + "\n");
}

TEST(AnAuthorizedKeysFile, HasOneLineForEachPeerAndEachKey) {
  const auto line = line_for("ph2", second, true);
  EXPECT_EQ(with_admission(line_for("ph2") + "\n# mine\n", "ph2", second, line), "# mine\n" + line + "\n")
      << "another key of the same peer";
  EXPECT_EQ(with_admission(line_for("old-name", second) + "\n", "ph2", second, line), line + "\n") << "the same key under another name";
  EXPECT_EQ(with_admission("ssh-ed25519 AAAAtwo a shell for it\n", "ph2", second, line), line + "\n") << "the same key without a command";
  const auto by_hand = std::string("restrict,command=\"sudo /usr/local/bin/gravity-sync agent --peer ph2\"\tssh-ed25519 AAAAother x\n");
  EXPECT_EQ(with_admission(by_hand, "ph2", second, line), line + "\n");
  EXPECT_EQ(with_admission(line_for("ph22") + "\n", "ph2", second, line), line_for("ph22") + "\n" + line + "\n");
  EXPECT_EQ(with_admission(line + "\n", "ph2", second, line), line + "\n") << "twice is once";
}

TEST(AnAuthorizedKeysFile, LosesThePeerThatIsNamedAndNobodyElse) {
  const auto other = std::string("command=\"echo --peer ph2\" ssh-ed25519 AAAAz\n");
  EXPECT_EQ(without_admission("# a\n" + line_for("ph2") + "\n" + other, "ph2"), "# a\n" + other);
  EXPECT_EQ(without_admission(line_for("ph2") + "\n", "ph2"), "");
  EXPECT_FALSE(without_admission(line_for("ph2") + "\n", "ph3"));
  EXPECT_FALSE(without_admission("", "ph2"));
}

TEST(AnAuthorizedKeysFile, SaysWhomItLetsIn) {
  const auto all = admitted("# x\n" + line_for("ph2") + "\n" + line_for("ph3", second, true) +
                            "\ncommand=\"say \\\"a, b\\\" gravity-sync agent --peer ph4\",no-pty ssh-rsa AAAAq\nssh-rsa AAAAx me\n");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].peer, "ph2");
  EXPECT_TRUE(all[0].restricted);
  EXPECT_FALSE(all[0].read_only);
  EXPECT_TRUE(all[1].read_only);
  EXPECT_EQ(all[2].peer, "ph4");
  EXPECT_FALSE(all[2].restricted);
}

}  // namespace
}  // namespace gsync::ssh
