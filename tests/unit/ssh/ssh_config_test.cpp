#include "../../../src/ssh/ssh_config.hpp"

#include <gtest/gtest.h>

#include "gsync/util/error.hpp"

namespace gsync::ssh {
namespace {

Error error_of(std::string_view content) {
  try {
    check_ssh_config(content, "/x/config");
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "it was accepted: " << content;
  return Error(ErrorCode::cancelled, "");
}

TEST(SshConfig, WhatHasAnEffectIsAccepted) {
  EXPECT_NO_THROW(check_ssh_config("", "f"));
  EXPECT_NO_THROW(check_ssh_config(
      "# comment\n\nHost a b*\n\thostname 10.0.0.2\r\n  PORT=2222\n  User = pi\nIdentityFile /k\nCiphers aes256-ctr\nMACs hmac-sha2-256\n"
      "HostKeyAlgorithms ssh-ed25519\nProxyCommand ssh -W %h:%p jump\nMatch host a,b\nPubkeyAcceptedAlgorithms ssh-ed25519\nMatch all\n",
      "f"));
}

TEST(SshConfig, AKeywordThatLibsshIgnoresIsReportedWithFileAndLine) {
  for (std::string keyword :
       {"HostKeyAlias", "identitiesonly", "AddressFamily", "ServerAliveInterval", "ServerAliveCountMax", "StrictHostKeyChecking",
        "UserKnownHostsFile", "ControlMaster", "SendEnv", "Include", "ProxyJump", "ConnectTimeout", "IgnoreUnknown"}) {
    auto e = error_of("Host *\n\n  " + keyword + " x\n");
    EXPECT_EQ(e.code(), ErrorCode::config);
    EXPECT_TRUE(std::string(e.what()).starts_with("/x/config:3: " + keyword)) << e.what();
    EXPECT_FALSE(e.hint().empty());
  }
}

TEST(SshConfig, AMisspeltKeywordIsToldTheNearestOne) {
  EXPECT_EQ(error_of("Prot 22\n").hint(), "did you mean port?");
}

TEST(SshConfig, AMatchThatLibsshDoesNotUnderstandIsReported) {
  EXPECT_EQ(error_of("Match originalhost a\n").code(), ErrorCode::config);
  EXPECT_EQ(error_of("Match host a exec \"true\"\n").code(), ErrorCode::config);
}

TEST(SshConfig, WhatItShowsOfAHostileFileIsPrintable) {
  EXPECT_EQ(std::string(error_of("\x1b[2J 1\n").what()).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace gsync::ssh
