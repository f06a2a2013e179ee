#include "gsync/ssh/keys.hpp"

#include <gtest/gtest.h>

#include "gsync/util/error.hpp"
#include "gsync/util/subprocess.hpp"
#include "support/sshd.hpp"
#include "support/temp_directory.hpp"

namespace gsync::ssh {
namespace {

std::string refusal_of(const std::string& text) {
  try {
    parse_public_key(text, "ph2.pub");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    return error.what();
  }
  return "accepted";
}

std::string ssh_keygen(const std::vector<std::string>& arguments) {
  util::Command command{.argv = {"ssh-keygen"}};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return util::run(command, util::Deadline::in(std::chrono::seconds(60))).output;
}

TEST(PublicKeys, OfEveryKnownTypeAreReadAsSshKeygenWritesThem) {
  for (const std::string type : {"ed25519", "ecdsa", "rsa"}) {
    test::TempDirectory directory;
    test::make_key(directory / "key", type);
    const auto line = test::read_text(directory / "key.pub");
    const auto key = parse_public_key(line, "key.pub");
    EXPECT_EQ(key.line() + "\n", line);
    EXPECT_EQ(key.comment, "test");
    EXPECT_NE(ssh_keygen({"-lf", directory / "key.pub"}).find(" " + key.fingerprint + " "), std::string::npos) << type;
  }
}

TEST(PublicKeys, MayEndWithoutALineBreakOrHaveNoComment) {
  const auto key = generate_key("").public_key;
  EXPECT_EQ(parse_public_key(key.line(), "x").base64, key.base64);
  EXPECT_EQ(parse_public_key(key.line() + "\r\n", "x").base64, key.base64);
  EXPECT_EQ(parse_public_key(key.line() + " ph2 in the attic\n", "x").comment, "ph2 in the attic");
}

TEST(PublicKeys, AreRefusedWithAnythingBesideThem) {
  const auto key = generate_key("ph2").public_key;
  const auto line = key.line();
  EXPECT_NE(refusal_of("command=\"/bin/sh\" " + line).find("no type of key"), std::string::npos);
  EXPECT_NE(refusal_of("restrict " + line).find("no type of key"), std::string::npos);
  EXPECT_NE(refusal_of(line + "\n" + line + "\n").find("more than one line"), std::string::npos);
  EXPECT_NE(refusal_of(line + "\n\n").find("more than one line"), std::string::npos);
  EXPECT_NE(refusal_of(" " + line).find("no type of key"), std::string::npos);
  EXPECT_NE(refusal_of(line + " a\rb").find("control character"), std::string::npos);
  EXPECT_NE(refusal_of(line + std::string(" a\0b", 4)).find("control character"), std::string::npos);
  EXPECT_NE(refusal_of(line + "\xff").find("not UTF-8"), std::string::npos);
  EXPECT_NE(refusal_of(line + std::string(300, 'x')).find("too long"), std::string::npos);
  EXPECT_NE(refusal_of("").find("no key"), std::string::npos);
  EXPECT_NE(refusal_of("\n").find("no key"), std::string::npos);
  EXPECT_NE(refusal_of("ssh-ed25519").find("damaged"), std::string::npos);
  EXPECT_NE(refusal_of("ssh-dss AAAAB3NzaC1kc3MAAACBAP").find("no type of key"), std::string::npos);
  EXPECT_NE(refusal_of("ssh-rsa " + key.base64).find("damaged"), std::string::npos) << "another type than the key itself says";
  EXPECT_NE(refusal_of("ssh-ed25519 " + key.base64.substr(0, key.base64.size() - 4)).find("damaged"), std::string::npos);
  EXPECT_NE(refusal_of("ssh-ed25519 " + key.base64 + "AAAA").find("damaged"), std::string::npos);
}

TEST(PublicKeys, AreNotTakenFromAPrivateOne) {
  const auto pair = generate_key("ph2");
  const auto refusal = refusal_of(pair.private_key);
  EXPECT_NE(refusal.find("private key"), std::string::npos);
  EXPECT_EQ(refusal.find(pair.private_key.substr(40, 20)), std::string::npos) << "no secret in a message";
}

TEST(GeneratedKeys, AreEd25519WithAPublicHalfThatSshKeygenAgreesWith) {
  test::TempDirectory directory;
  const auto pair = generate_key("gravity-sync of ph2");
  EXPECT_EQ(pair.public_key.type, "ssh-ed25519");
  test::write_text(directory / "key", pair.private_key, 0600);
  EXPECT_NE(ssh_keygen({"-y", "-f", directory / "key"}).find("ssh-ed25519 " + pair.public_key.base64), std::string::npos);
  EXPECT_EQ(public_half(pair.private_key, "key").base64, pair.public_key.base64);
  EXPECT_NE(generate_key("").public_key.base64, pair.public_key.base64);
}

TEST(GeneratedKeys, HaveAPublicHalfOnlyWhereNoPassphraseIsAsked) {
  test::TempDirectory directory;
  test::make_key(directory / "key", "ed25519", "secret");
  EXPECT_THROW(public_half(test::read_text(directory / "key"), "key"), Error);
  EXPECT_THROW(public_half("nonsense", "key"), Error);
}

}  // namespace
}  // namespace gsync::ssh
