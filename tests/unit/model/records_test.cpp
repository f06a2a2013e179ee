#include "gsync/model/records.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "gsync/util/error.hpp"
#include "random_values.hpp"
#include "support/paths.hpp"

namespace gsync::model {
namespace {

using namespace std::string_literals;

struct Accepted {
  std::string line;
  std::string canonical;
};

struct Refused {
  std::string line;
  std::string why;
};

void expect_accepted(RecordKind kind, const std::vector<Accepted>& cases) {
  for (const auto& test : cases) {
    SCOPED_TRACE(test.line);
    try {
      EXPECT_EQ(parse_record(kind, test.line), test.canonical);
      EXPECT_EQ(parse_record(kind, test.canonical), test.canonical) << "the canonical form is its own";
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

void expect_refused(RecordKind kind, const std::vector<Refused>& cases) {
  for (const auto& test : cases) {
    SCOPED_TRACE(test.line.substr(0, 80));
    try {
      ADD_FAILURE() << "accepted as: " << parse_record(kind, test.line);
    } catch (const Error& error) {
      std::string what = error.what();
      EXPECT_EQ(error.code(), ErrorCode::refused);
      EXPECT_FALSE(error.hint().empty());
      EXPECT_NE(what.find(to_string(kind)), std::string::npos) << what;
      EXPECT_NE(what.find(test.why), std::string::npos) << what;
      EXPECT_LT(what.size(), 2000u);
      for (char c : what) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f) << "a control character is shown";
    }
  }
}

std::string error_of_parsing(RecordKind kind, const RecordLines& lines) {
  try {
    parse_records(kind, lines);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    return error.what();
  }
  return "";
}

/// The longest name that there can be.
std::string name_of_253() {
  std::string name;
  for (int i = 0; i < 126; ++i) name += "a.";
  return name + "a";
}

TEST(DnsRecord, IsAcceptedInCanonicalForm) {
  expect_accepted(RecordKind::dns, {
                                       {"192.168.1.2 nas.lan", "192.168.1.2 nas.lan"},
                                       {"192.168.1.2 nas.lan nas storage.lan", "192.168.1.2 nas.lan nas storage.lan"},
                                       {"  192.168.1.2   NAS.Lan  nas ", "192.168.1.2 nas.lan nas"},
                                       {"fd00::2 nas", "fd00::2 nas"},
                                       {"2001:DB8::53 v6", "2001:DB8::53 v6"},
                                       {"::ffff:10.0.0.1 mapped", "::ffff:10.0.0.1 mapped"},
                                       {":: any", ":: any"},
                                       {"10.0.0.1 under_score.lan _srv._tcp", "10.0.0.1 under_score.lan _srv._tcp"},
                                       {"10.0.0.1 -x.y-.lan", "10.0.0.1 -x.y-.lan"},
                                       {"10.0.0.1 nas.lan.", "10.0.0.1 nas.lan"},
                                       {"10.0.0.1 a # 2nd floor", "10.0.0.1 a # 2nd floor"},
                                       {"10.0.0.1 a    #   2nd  floor  ", "10.0.0.1 a # 2nd  floor"},
                                       {"10.0.0.1 a #x", "10.0.0.1 a # x"},
                                       {"10.0.0.1 a #", "10.0.0.1 a"},
                                       {"10.0.0.1 a ##", "10.0.0.1 a # #"},
                                       {"10.0.0.1 a # łódź 🐢 \"it's\" = \\n #1", "10.0.0.1 a # łódź 🐢 \"it's\" = \\n #1"},
                                       {"10.0.0.1 " + name_of_253(), "10.0.0.1 " + name_of_253()},
                                       {"10.0.0.1 " + name_of_253() + ".", "10.0.0.1 " + name_of_253()},
                                       {"10.0.0.1 " + std::string(63, 'a'), "10.0.0.1 " + std::string(63, 'a')},
                                   });
}

TEST(DnsRecord, IsRefusedOutsideTheGrammar) {
  const std::string long_name = name_of_253() + "a";
  expect_refused(RecordKind::dns, {
                                      {"", "empty"},
                                      {"   ", "empty"},
                                      {"# only a comment", "comment"},
                                      {"10.0.0.1", "no name"},
                                      {"10.0.0.1 # a", "no name"},
                                      {"nas.lan", "IPv4"},
                                      {"nas.lan 10.0.0.1", "IPv4"},
                                      {"10.0.0 a", "IPv4"},
                                      {"10.0.0.256 a", "IPv4"},
                                      {"10.0.0.1.2 a", "IPv4"},
                                      {"010.0.0.1 a", "IPv4"},
                                      {"0x0a000001 a", "IPv4"},
                                      {"10.0.0.1/24 a", "IPv4"},
                                      {"fe80::1%eth0 a", "zone"},
                                      {"fd00:::2 a", "IPv6"},
                                      {"[fd00::2] a", "IPv6"},
                                      {"10.0.0.1 a b\n", "control"},
                                      {"10.0.0.1 a\nserver=/x/1.2.3.4", "control"},
                                      {"10.0.0.1 a\rb", "control"},
                                      {"10.0.0.1 a\0b"s, "control"},
                                      {"10.0.0.1\0 a"s, "control"},
                                      {"10.0.0.1\ta", "control"},
                                      {"10.0.0.1 a\x7f", "control"},
                                      {"10.0.0.1 a\x1b[2J", "control"},
                                      {"10.0.0.1 a\v", "control"},
                                      {"10.0.0.1 żółw.lan", "ASCII"},
                                      {"10.0.0.1 a\x80", "ASCII"},
                                      {"10.0.0.1 a\xff", "ASCII"},
                                      {"10.0.0.1 a,b", "holds ','"},
                                      {"10.0.0.1 a/b", "holds '/'"},
                                      {"10.0.0.1 a*", "holds '*'"},
                                      {"10.0.0.1 $(x)", "holds '$'"},
                                      {"10.0.0.1 \"a\"", "holds"},
                                      {"10.0.0.1 a'b", "holds"},
                                      {"10.0.0.1 a=b", "holds"},
                                      {"10.0.0.1 a\\b", "holds"},
                                      {"10.0.0.1 a#b", "blank before"},
                                      {"10.0.0.1 a..b", "empty part"},
                                      {"10.0.0.1 .a", "empty part"},
                                      {"10.0.0.1 a..", "empty part"},
                                      {"10.0.0.1 .", "empty"},
                                      {"10.0.0.1 a.-b", "'-'"},
                                      {"10.0.0.1 a-", "'-'"},
                                      {"10.0.0.1 " + std::string(64, 'a'), "63"},
                                      {"10.0.0.1 " + long_name, "253"},
                                      {"10.0.0.1 a # x\ny", "control"},
                                      {"10.0.0.1 a # x\0y"s, "control"},
                                      {"10.0.0.1 a # x\ty", "control"},
                                      {"10.0.0.1 a # x\x7fy", "control"},
                                      {"10.0.0.1 a # \x1b]0;x\x07", "control"},
                                      {"10.0.0.1 a # \xc2\x85", "control"},
                                      {"10.0.0.1 a # \xc2\x9b", "control"},
                                      {"10.0.0.1 a # \xe2\x80\xa8", "line separator"},
                                      {"10.0.0.1 a # \xe2\x80\xa9", "line separator"},
                                      {"10.0.0.1 a # \xff", "UTF-8"},
                                      {"10.0.0.1 a # \x9b", "UTF-8"},
                                      {"10.0.0.1 a # \xc0\x8a", "UTF-8"},
                                      {"10.0.0.1 a # \xe0\x80\x8a", "UTF-8"},
                                      {"10.0.0.1 a # \xf0\x80\x80\x8a", "UTF-8"},
                                      {"10.0.0.1 a # \xed\xa0\x80", "UTF-8"},
                                      {"10.0.0.1 a # \xf4\x90\x80\x80", "UTF-8"},
                                      {"10.0.0.1 a # \xe2\x80", "UTF-8"},
                                      {"10.0.0.1 a # \xe2", "UTF-8"},
                                      {"10.0.0.1 a # " + std::string(1100, 'x'), "1024"},
                                  });
}

TEST(DnsRecord, IsRefusedWhenItsCanonicalFormIsTooLong) {
  auto line = "10.0.0.1 a #" + std::string(1012, 'x');
  ASSERT_EQ(line.size(), 1024u);
  expect_refused(RecordKind::dns, {{line, "1024"}});
  line.pop_back();
  auto canonical = parse_record(RecordKind::dns, line);
  EXPECT_EQ(canonical.size(), 1024u);
  EXPECT_EQ(parse_record(RecordKind::dns, canonical), canonical);
}

TEST(CnameRecord, IsAcceptedInCanonicalForm) {
  expect_accepted(RecordKind::cname, {
                                         {"files.lan,nas.lan", "files.lan,nas.lan"},
                                         {"www.lan,blog.lan,nas.lan", "www.lan,blog.lan,nas.lan"},
                                         {"media.lan,nas.lan,600", "media.lan,nas.lan,600"},
                                         {" Media.LAN , nas.lan. , 0600 ", "media.lan,nas.lan,600"},
                                         {"a,b,0", "a,b,0"},
                                         {"a,b,000", "a,b,0"},
                                         {"a,b,2147483647", "a,b,2147483647"},
                                         {"a,600", "a,600"},
                                         {"a,600.", "a,600"},
                                         {"a,600.,5", "a,600,5"},
                                         {"*.lan,nas.lan", "*.lan,nas.lan"},
                                         {"_x.a_b,nas_2", "_x.a_b,nas_2"},
                                     });
}

TEST(CnameRecord, IsRefusedOutsideTheGrammar) {
  expect_refused(RecordKind::cname, {
                                        {"", "empty"},
                                        {"a", "target"},
                                        {"a,", "empty"},
                                        {",a", "empty"},
                                        {"a,,b", "empty"},
                                        {"a, ,b", "empty"},
                                        {"a,b,2147483648", "TTL"},
                                        {"a,b,99999999999999999999999999", "TTL"},
                                        {"a,b,600.", "looks like a TTL"},
                                        {"a,b,-1", "'-'"},
                                        {"a,b c", "holds ' '"},
                                        {"a,*.b", "holds '*'"},
                                        {"*,b", "holds '*'"},
                                        {"a*.x,b", "holds '*'"},
                                        {"*.,b", "empty"},
                                        {"a.lan,b.lan\ndhcp-script=/x", "control"},
                                        {"a,b\r", "control"},
                                        {"a,\tb", "control"},
                                        {"a,b\0"s, "control"},
                                        {"a,b\x7f", "control"},
                                        {"a,b # comment", "holds #"},
                                        {"cname=a,b", "holds ="},
                                        {"a,ż", "ASCII"},
                                        {"a,\"b\"", "holds"},
                                        {"a," + std::string(64, 'b'), "63"},
                                        {std::string(1025, 'a'), "1024"},
                                    });
}

TEST(CnameRecords, AreRefusedWhenAnAliasIsThereTwice) {
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"a,b", "x,y", "A,c"}).find("'a' is there twice"), std::string::npos);
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"a,a,b"}).find("twice"), std::string::npos);
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"*.a,b", "*.a,b"}).find("twice"), std::string::npos);
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"a.,b", "a,b"}).find("twice"), std::string::npos);
}

TEST(CnameRecords, AreRefusedWhenAnAliasLeadsBackToItself) {
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"a,a"}).find("itself"), std::string::npos);
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"a,b", "b,A"}).find("itself"), std::string::npos);
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"x,a", "a,b", "b,c,600", "c,d,a"}).find("itself"), std::string::npos);
  EXPECT_NE(error_of_parsing(RecordKind::cname, {"a,b", "b,c", "c,d", "q,d", "d,b"}).find("itself"), std::string::npos);
}

TEST(CnameRecords, MayShareATargetAndFormAChain) {
  EXPECT_EQ(error_of_parsing(RecordKind::cname, {"a,b", "b,c", "c,d", "x,b", "y,c", "*.lan,host.lan"}), "");
}

TEST(CnameRecords, ALongChainIsCheckedQuickly) {
  RecordLines lines;
  for (int i = 0; i < 10'000; ++i) lines.push_back("n" + std::to_string(i) + ",n" + std::to_string(i + 1));
  EXPECT_EQ(error_of_parsing(RecordKind::cname, lines), "");
  lines.back() = "n9999,n0";
  EXPECT_NE(error_of_parsing(RecordKind::cname, lines).find("itself"), std::string::npos);
}

TEST(DhcpRecord, IsAcceptedInCanonicalForm) {
  expect_accepted(RecordKind::dhcp,
                  {
                      {"AA:BB:CC:DD:EE:01,192.168.1.21,tv", "AA:BB:CC:DD:EE:01,192.168.1.21,tv"},
                      {"aa:bb:cc:dd:ee:01 , 192.168.1.21 , TV.Lan", "AA:BB:CC:DD:EE:01,192.168.1.21,tv.lan"},
                      {"AA:BB:CC:DD:EE:01,11:22:33:44:55:66,10.0.0.1", "AA:BB:CC:DD:EE:01,11:22:33:44:55:66,10.0.0.1"},
                      {"AA:BB:CC:*:*:*,set:vendor", "AA:BB:CC:*:*:*,set:vendor"},
                      {"06-00:20:e0:3b:13:af,10.0.0.1", "06-00:20:E0:3B:13:AF,10.0.0.1"},
                      {"AA:BB:CC:DD:EE:04,192.168.1.24,laptop,24h", "AA:BB:CC:DD:EE:04,192.168.1.24,laptop,24h"},
                      {"AA:BB:CC:DD:EE:04,laptop,24H", "AA:BB:CC:DD:EE:04,laptop,24h"},
                      {"AA:BB:CC:DD:EE:04,3600", "AA:BB:CC:DD:EE:04,3600"},
                      {"AA:BB:CC:DD:EE:04,45m", "AA:BB:CC:DD:EE:04,45m"},
                      {"AA:BB:CC:DD:EE:04,3550w", "AA:BB:CC:DD:EE:04,3550w"},
                      {"id:01:aa:bb:cc:dd:ee:05,192.168.1.25,by-client-id", "id:01:aa:bb:cc:dd:ee:05,192.168.1.25,by-client-id"},
                      {"ID:laptop_7.x,10.0.0.1", "id:laptop_7.x,10.0.0.1"},
                      {"id:*,AA:BB:CC:DD:EE:04", "id:*,AA:BB:CC:DD:EE:04"},
                      {"[fd00::25],desk6", "[fd00::25],desk6"},
                      {"[::25],desk6", "[::25],desk6"},
                      {"[fd00::20/124],desk6", "[fd00::20/124],desk6"},
                      {"[fd00::/064],desk6", "[fd00::/64],desk6"},
                      {"[fd00::25/128],[fd00::26],desk6", "[fd00::25/128],[fd00::26],desk6"},
                      {"AA:BB:CC:DD:EE:06,set:iot,tag:known.net_1,192.168.1.26,cam,infinite",
                       "AA:BB:CC:DD:EE:06,set:iot,tag:known.net_1,192.168.1.26,cam,infinite"},
                      {"AA:BB:CC:DD:EE:07,ignore", "AA:BB:CC:DD:EE:07,ignore"},
                      {"laptop,192.168.1.9", "laptop,192.168.1.9"},
                      {"AA:BB:CC:DD:EE:07,24hours", "AA:BB:CC:DD:EE:07,24hours"},
                      {"AA:BB:CC:DD:EE:07,a_b-c.x_y", "AA:BB:CC:DD:EE:07,a_b-c.x_y"},
                  });
}

TEST(DhcpRecord, IsRefusedOutsideTheGrammar) {
  expect_refused(RecordKind::dhcp, {
                                       {"", "empty"},
                                       {" ", "empty"},
                                       {",", "empty"},
                                       {"AA:BB:CC:DD:EE:01,", "empty"},
                                       {"AA:BB:CC:DD:EE:01,,tv", "empty"},
                                       {"AA:BB:CC:DD:EE:01,tv\ndhcp-script=/tmp/x", "control"},
                                       {"AA:BB:CC:DD:EE:01,tv\r\n", "control"},
                                       {"AA:BB:CC:DD:EE:01,tv\0"s, "control"},
                                       {"AA:BB:CC:DD:EE:01,\ttv", "control"},
                                       {"AA:BB:CC:DD:EE:01,tv\x7f", "control"},
                                       {"AA:BB:CC:DD:EE:01,\x1b[31m", "control"},
                                       {"AA:BB:CC:DD:EE:01,télé", "ASCII"},
                                       {"AA:BB:CC:DD:EE:01,tv # comment", "holds #"},
                                       {"dhcp-host=AA:BB:CC:DD:EE:01,tv", "holds ="},
                                       {"AA:BB:CC:DD:EE:01,\"tv\"", "holds"},
                                       {"AA:BB:CC:DD:EE:01,a\\b", "holds"},
                                       {"AA:BB:CC:DD:EE:01,a b", "holds ' '"},
                                       {"AA:BB:CC:DD:EE:01,a/b", "holds '/'"},
                                       {"AA:BB:CC:DD:EE:0,tv", "hardware"},
                                       {"AA:BB:CC:DD:EE:0G,tv", "hardware"},
                                       {"AA:BB:CC:DD:EE:,tv", "hardware"},
                                       {"AA:BB:CC:DD:EE:A*,tv", "hardware"},
                                       {"GG-AA:BB,tv", "hardware"},
                                       {"AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA,tv", "hardware"},
                                       {"fd00::25,tv", "hardware"},
                                       {"net:x,tv", "hardware"},
                                       {"[fd00::25,tv", "bracket"},
                                       {"[],tv", "IPv6"},
                                       {"[10.0.0.1],tv", "IPv6"},
                                       {"[fe80::1%eth0],tv", "zone"},
                                       {"[fd00::25/],tv", "prefix length"},
                                       {"[fd00::25/x],tv", "prefix length"},
                                       {"[fd00::25/129],tv", "prefix length"},
                                       {"[fd00::25/48],tv", "prefix length"},
                                       {"[fd00::1/127],tv", "beyond its prefix"},
                                       {"[fd00::25/120],tv", "beyond its prefix"},
                                       {"id:,tv", "client id"},
                                       {"id:a:b,tv", "client id"},
                                       {"id:01:zz,tv", "client id"},
                                       {"id:a$b,tv", "client id"},
                                       {"set:,tv", "tag"},
                                       {"set:a:b,tv", "tag"},
                                       {"tag:!x,tv", "tag"},
                                       {"AA:BB:CC:DD:EE:01,tv,radio", "more than one host name"},
                                       {"AA:BB:CC:DD:EE:01,10.0.0.1,10.0.0.2", "more than one IPv4"},
                                       {"AA:BB:CC:DD:EE:01,1h,2h", "more than one lease"},
                                       {"AA:BB:CC:DD:EE:01,1h,infinite", "more than one lease"},
                                       {"AA:BB:CC:DD:EE:01,9999w", "too long"},
                                       {"AA:BB:CC:DD:EE:01,99999999999999999999999h", "too long"},
                                       {"AA:BB:CC:DD:EE:01,10.0.0.300", "no IPv4"},
                                       {"AA:BB:CC:DD:EE:01,1.2", "no IPv4"},
                                       {"AA:BB:CC:DD:EE:01,-tv", "'-'"},
                                       {"AA:BB:CC:DD:EE:01,_tv", "begins with"},
                                       {"AA:BB:CC:DD:EE:01,Ignore", "word of dnsmasq"},
                                       {"AA:BB:CC:DD:EE:01,24h.", "word of dnsmasq"},
                                       {"AA:BB:CC:DD:EE:01,24H.,tv", "word of dnsmasq"},
                                       {"AA:BB:CC:DD:EE:01,ignore.", "word of dnsmasq"},
                                       {"AA:BB:CC:DD:EE:01,600.", "no IPv4"},
                                       {"AA:BB:CC:DD:EE:01,INFINITE", "word of dnsmasq"},
                                       {"AA:BB:CC:DD:EE:01," + std::string(64, 'a'), "63"},
                                   });
}

TEST(DhcpRecords, AreRefusedWhenAnAddressIsThereTwice) {
  EXPECT_NE(
      error_of_parsing(RecordKind::dhcp, {"AA:BB:CC:DD:EE:01,10.0.0.1", "AA:BB:CC:DD:EE:02,10.0.0.1,tv"}).find("10.0.0.1 is there twice"),
      std::string::npos);
  EXPECT_EQ(error_of_parsing(RecordKind::dhcp, {"AA:BB:CC:DD:EE:01,10.0.0.1", "AA:BB:CC:DD:EE:02,10.0.0.11"}), "");
}

TEST(Records, KeepTheirOrderAndDuplicatesOfDnsLines) {
  RecordLines lines{"10.0.0.2 b", "10.0.0.1 a", "10.0.0.2 b"};
  EXPECT_EQ(parse_records(RecordKind::dns, lines), lines);
}

TEST(Records, AreLimitedInNumber) {
  RecordLines lines(10'000, "10.0.0.1 a");
  EXPECT_EQ(error_of_parsing(RecordKind::dns, lines), "");
  lines.push_back("10.0.0.1 a");
  EXPECT_NE(error_of_parsing(RecordKind::dns, lines).find("10001"), std::string::npos);
}

TEST(Records, OfAnyBytesAreRefusedOrCanonicalAndFreeOfControlCharacters) {
  testing::Random random;
  const std::vector<std::string> pieces{
      "10.0.0.1",  "fd00::1",     "a",      "B.c",   " ",  ",",     ",",     "#",       "600",  "AA:BB:CC:DD:EE:FF",
      "[fd00::1]", "[fd00::/64]", "id:",    "set:x", "*.", "\n",    "\t",    "\xc3",    "\xa9", "\\",
      "=",         "24h",         "ignore", ".",     "-",  ",24h.", ",600.", ",Ignore", ",a",   ",b"};
  int accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string line;
    for (auto n = 1 + random.below(7); n > 0; --n) line += random.below(20) == 0 ? random.bytes(3) : random.pick(pieces);
    auto kind = record_kinds[random.below(3)];
    std::string canonical;
    try {
      canonical = parse_record(kind, line);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::refused);
      continue;
    }
    ++accepted;
    ASSERT_EQ(parse_record(kind, canonical), canonical);
    for (char c : canonical) ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
  }
  EXPECT_GT(accepted, 100);
}

/// The strings of `key = [ ... ]` in `[section]` of a pihole.toml, which has one string on each line.
RecordLines values_of(const std::string& file, const std::string& section, const std::string& key) {
  std::ifstream in(file);
  std::string line;
  std::string here;
  RecordLines values;
  bool inside = false;
  while (std::getline(in, line)) {
    auto text = line.substr(std::min(line.size(), line.find_first_not_of(' ')));
    if (text.rfind('[', 0) == 0 && text.find(']') != std::string::npos) here = text.substr(1, text.find(']') - 1);
    if (here == section && text.rfind(key + " = [", 0) == 0) {
      inside = true;
      continue;
    }
    if (inside && text.rfind(']', 0) == 0) return values;
    if (inside) values.push_back(text.substr(1, text.rfind('"') - 1));
  }
  return values;
}

RecordLines lines_of(const std::string& file, const std::string& prefix) {
  std::ifstream in(file);
  std::string line;
  RecordLines lines;
  while (std::getline(in, line))
    if (!line.empty() && line[0] != '#') lines.push_back(line.substr(line.rfind(prefix, 0) == 0 ? prefix.size() : 0));
  return lines;
}

class RecordFixtures : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(test::paths::fixtures)) GTEST_SKIP() << "there are no fixtures in " << test::paths::fixtures;
  }
};

TEST_F(RecordFixtures, OfV6AreAcceptedAsTheyAre) {
  auto toml = std::string(test::paths::fixtures) + "/pihole.toml";
  auto dns = values_of(toml, "dns", "hosts");
  auto cname = values_of(toml, "dns", "cnameRecords");
  auto dhcp = values_of(toml, "dhcp", "hosts");
  EXPECT_EQ(dns.size(), 6u);
  EXPECT_EQ(cname.size(), 3u);
  EXPECT_EQ(dhcp.size(), 8u);
  EXPECT_EQ(parse_records(RecordKind::dns, dns), dns);
  EXPECT_EQ(parse_records(RecordKind::cname, cname), cname);
  EXPECT_EQ(parse_records(RecordKind::dhcp, dhcp), dhcp);
}

TEST_F(RecordFixtures, OfV5AreAcceptedOnceTabsAreBlanks) {
  auto folder = std::string(test::paths::fixtures);
  auto dns = lines_of(folder + "/custom.list", "");
  for (auto& line : dns)
    for (auto& c : line)
      if (c == '\t') c = ' ';
  auto cname = lines_of(folder + "/05-pihole-custom-cname.conf", "cname=");
  auto dhcp = lines_of(folder + "/04-pihole-static-dhcp.conf", "dhcp-host=");
  EXPECT_EQ(dns.size(), 11u);
  EXPECT_EQ(parse_records(RecordKind::dns, dns), dns);
  EXPECT_EQ(parse_records(RecordKind::cname, cname), cname);
  EXPECT_EQ(parse_records(RecordKind::dhcp, dhcp), dhcp);
}

}  // namespace
}  // namespace gsync::model
