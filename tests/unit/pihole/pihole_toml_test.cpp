#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "gsync/pihole/installation.hpp"
#include "gsync/util/error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* written_by_ftl = R"(# Pi-hole configuration file (v6.4.1)
[dns]
  upstreams = [
    "9.9.9.9"
  ] ### CHANGED, default = []
  hosts = [
    "192.168.1.2 nas.lan nas",
    "192.168.1.3 printer.lan # 2nd floor"
  ] ### CHANGED, default = []
  cnameRecords = [
    "files.lan,nas.lan"
  ] ### CHANGED, default = []
  port = 5353 ### CHANGED, default = 53

[dhcp]
  active = true ### CHANGED, default = false
  hosts = [
    "AA:BB:CC:DD:EE:01,192.168.1.21,tv"
  ]

[files]
  pid = "/run/other.pid"
  gravity = "/srv/gravity.db"

[misc]
  readOnly = true
)";

ErrorCode code_of(const std::string& text, std::string* what = nullptr) {
  try {
    parse_pihole_toml(text, "p.toml");
  } catch (const Error& error) {
    if (what) *what = error.what();
    EXPECT_THAT(error.hint(), HasSubstr("config_backups"));
    return error.code();
  }
  return ErrorCode::cancelled;
}

TEST(PiholeToml, HoldsWhatFtlWrote) {
  const auto toml = parse_pihole_toml(written_by_ftl, "p.toml");
  EXPECT_EQ(toml.gravity_database, "/srv/gravity.db");
  EXPECT_EQ(toml.pid_file, "/run/other.pid");
  EXPECT_EQ(toml.dns_port, 5353);
  EXPECT_TRUE(toml.read_only);
  EXPECT_TRUE(toml.dhcp_active);
  EXPECT_THAT(toml.forced, testing::IsEmpty());
  EXPECT_THAT(toml.records[0], ElementsAre("192.168.1.2 nas.lan nas", "192.168.1.3 printer.lan # 2nd floor"));
  EXPECT_THAT(toml.records[1], ElementsAre("files.lan,nas.lan"));
  EXPECT_THAT(toml.records[2], ElementsAre("AA:BB:CC:DD:EE:01,192.168.1.21,tv"));
}

TEST(PiholeToml, HasFtlsDefaultsForWhatIsNotThere) {
  const auto toml = parse_pihole_toml("", "p.toml");
  EXPECT_EQ(toml.gravity_database, "");
  EXPECT_EQ(toml.dns_port, 53);
  EXPECT_FALSE(toml.read_only);
  EXPECT_THAT(toml.records[0], IsEmpty());
}

TEST(PiholeToml, HoldsTheSettingsThatMayTravelInTheShapeThatThisFtlHas) {
  const auto late = parse_pihole_toml(
      "[dns]\nupstreams = ['1.1.1.1', '9.9.9.9']\ndnssec = true\nport = 53\nblockTTL = 2\n"
      "[dns.domain]\nname = 'lan'\nlocal = true\n[dns.blocking]\nmode = 'NULL'\n[webserver.api]\npwhash = 'x'\n",
      "p.toml");
  EXPECT_THAT(late.settings, testing::SizeIs(6));
  EXPECT_EQ(late.settings.at("dns.upstreams"), model::SettingValue(std::vector<std::string>{"1.1.1.1", "9.9.9.9"}));
  EXPECT_EQ(late.settings.at("dns.dnssec"), model::SettingValue(true));
  EXPECT_EQ(late.settings.at("dns.blockTTL"), model::SettingValue(std::int64_t{2}));
  EXPECT_EQ(late.settings.at("dns.domain.name"), model::SettingValue(std::string("lan")));
  EXPECT_EQ(late.settings.at("dns.blocking.mode"), model::SettingValue(std::string("NULL")));
  const auto early = parse_pihole_toml("[dns]\ndomain = 'lan'\nblockTTL = 2.5\nupstreams = [1]\nrevServers = []\n", "p.toml");
  EXPECT_THAT(early.settings, testing::SizeIs(2));
  EXPECT_EQ(early.settings.at("dns.domain"), model::SettingValue(std::string("lan")));
  EXPECT_EQ(early.settings.at("dns.revServers"), model::SettingValue(std::vector<std::string>()));
}

TEST(PiholeToml, KnowsThatFtlTakesSettingsFromItsEnvironment) {
  EXPECT_THAT(
      parse_pihole_toml("[dns]\n  port = 54 ### CHANGED (env), default = 53\n\n# Configuration statistics:\n# --> 2 entries are modified\n"
                        "# 2 entries are forced through environment:\n#   - dns.port\n#   - webserver.api.max_sessions\n\n#   - not.one\n",
                        "p.toml")
          .forced,
      testing::ElementsAre("FTLCONF_dns_port", "FTLCONF_webserver_api_max_sessions"));
}

TEST(PiholeToml, RefusesOtherTypesThanFtlWritesWithTheLine) {
  for (const std::string text :
       {"[dns]\nhosts = 'x'", "[dns]\nhosts = [1]", "[dns]\nhosts = [['x']]", "[dns]\nport = '53'", "[dns]\nport = 65536",
        "[dns]\nport = -1", "[dns]\nport = 1.5", "[dns]\ncnameRecords = {}", "[dhcp]\nactive = 1", "[dhcp]\nhosts = true",
        "[files]\ngravity = 1", "[files]\npid = []", "[misc]\nreadOnly = 'yes'"}) {
    SCOPED_TRACE(text);
    std::string what;
    EXPECT_EQ(code_of(text, &what), ErrorCode::corrupt);
    EXPECT_THAT(what, StartsWith("p.toml:2: "));
  }
  EXPECT_EQ(code_of("dns = 1"), ErrorCode::corrupt);
  EXPECT_EQ(code_of("[[dns]]\nhosts = []"), ErrorCode::corrupt);
}

TEST(PiholeToml, RefusesWhatIsNotTomlWithTheLine) {
  std::string what;
  EXPECT_EQ(code_of("[dns]\nhosts = [\n\"a\n", &what), ErrorCode::corrupt);
  EXPECT_THAT(what, StartsWith("p.toml:"));
  EXPECT_EQ(code_of(std::string("SQLite format 3\0\x10", 17)), ErrorCode::corrupt);
  EXPECT_EQ(code_of(std::string(1000, '\0')), ErrorCode::corrupt);
  EXPECT_EQ(code_of("[dns]\nport = 53\nport = 54"), ErrorCode::corrupt);
}

TEST(PiholeToml, RefusesWhatIsTooLargeOrTooDeep) {
  EXPECT_EQ(code_of(std::string(10u << 20, '\n')), ErrorCode::corrupt);
  std::string deep = "a";
  for (int i = 0; i < 1'000'000; ++i) deep += ".a";
  std::string what;
  EXPECT_EQ(code_of("[dns]\n" + deep + " = 1", &what), ErrorCode::corrupt);
  EXPECT_THAT(what, StartsWith("p.toml:2: "));
  EXPECT_EQ(code_of("a = " + std::string(8'000, '[')), ErrorCode::corrupt);
  std::string addresses = "[dns]\nhosts = [\"192.168.1.1 a.lan\"";
  for (int i = 0; i < 5'000; ++i) addresses += ", \"192.168.1.1 a.lan # it's a \\\"...\\\"\"";
  EXPECT_EQ(code_of(addresses + "]"), ErrorCode::cancelled) << "dots in strings are no key";
}

// toml++ has undefined behaviour there.
TEST(PiholeToml, RefusesLettersOfOtherAlphabetsOutsideOfStringsAndComments) {
  for (const char* text :
       {"[dns]\nport = 1979-05-2\u03D8.", "[d\u00E9s]", "x = '''\n\u00E9''' \u00E9", "x = \"\\\\\" \u3001", "\uFEFD[dns]"}) {
    std::string what;
    EXPECT_EQ(code_of(text, &what), ErrorCode::corrupt) << text;
    EXPECT_THAT(what, HasSubstr("can only stand in quotes")) << text;
  }
  const auto toml = parse_pihole_toml(
      "\uFEFF# \u00E9\n[dns]\nhosts = [ \"192.168.1.2 nas # \u00E9\\\"\u00E9\", '\u00E9', \"\"\"\n\"\u00E9\"\"\"\"\" ] # \u00E9\n'\u00E9' "
      "= 1\n",
      "p.toml");
  EXPECT_THAT(toml.records[0], ElementsAre("192.168.1.2 nas # \u00E9\"\u00E9", "\u00E9", "\"\u00E9\"\""));
}

// It looks ahead to the end of a value, quotes or not.
TEST(PiholeToml, RefusesQuotesInTheMiddleOfAWordThatMightHideSuchLetters) {
  for (const char* text : {"a = 1979-05-27Ta\"y136\u0248\"", "a = 1979-05-27 \"\u0248", "a = 27.\"\u0248\"", "a = [1, 27'\u0248']",
                           "a = { b = 2\"\u0248\" }", "a = 01t6[\"\u0248\"]"}) {
    std::string what;
    EXPECT_EQ(code_of(text, &what), ErrorCode::corrupt) << text;
    EXPECT_THAT(what, HasSubstr("in the middle of a word")) << text;
  }
  for (const char* text : {"a = \"\"\"\\\u0248\"\"\"", "a = \"\"\"b\\\n \u0248\"\"\"", "a = \"\"\"\\\uFEFF\n\"\"\""}) {
    std::string what;
    EXPECT_EQ(code_of(text, &what), ErrorCode::corrupt) << text;
    EXPECT_THAT(what, HasSubstr("after a backslash")) << text;
  }
  EXPECT_EQ(code_of("a = \"\"\"b \\ \n  c\\\"\"\" \u0248\"\"\"\nb = \"\\\\\\\"\u0248\""), ErrorCode::cancelled);
  EXPECT_EQ(code_of("x.\"\u0248\".'\u0248' = { a = [\"\u0248\",'\u0248'], \"\u0248\"='\u0248' }\n[\"\u0248\".b]\n\"\u0248\" = \"\u0248\""),
            ErrorCode::cancelled);
}

TEST(PiholeToml, RefusesTablesInArraysInTablesThatAreTooDeepTogether) {
  std::string nested = "x = {";
  for (int i = 0; i < 100; ++i) nested += "a.b.c.d.e.f.g = [\n{";
  std::string what;
  EXPECT_EQ(code_of(nested, &what), ErrorCode::corrupt);
  EXPECT_THAT(what, HasSubstr("parts"));
}

TEST(PiholeToml, OfTheFixtureIsRead) {
  const std::string path = std::string(test::paths::fixtures) + "/pihole.toml";
  if (::access(path.c_str(), R_OK) != 0) GTEST_SKIP() << "no fixtures: " << path;
  const auto toml = parse_pihole_toml(test::read_text(path), path);
  EXPECT_EQ(toml.gravity_database, "/etc/pihole/gravity.db");
  EXPECT_EQ(toml.pid_file, "/run/pihole-FTL.pid");
  EXPECT_EQ(toml.dns_port, 53);
  EXPECT_THAT(toml.forced, testing::IsEmpty());
  EXPECT_THAT(toml.records[0], testing::SizeIs(6));
  EXPECT_THAT(toml.records[1], ElementsAre("files.lan,nas.lan", "www.lan,blog.lan,nas.lan", "media.lan,nas.lan,600"));
  EXPECT_THAT(toml.records[2], testing::SizeIs(8));
}

}  // namespace
}  // namespace gsync::pihole
