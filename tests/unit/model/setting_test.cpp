#include "gsync/model/setting.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gsync/model/keep_local.hpp"
#include "gsync/model/merge.hpp"
#include "gsync/model/pair.hpp"
#include "gsync/model/plan.hpp"
#include "gsync/model/shared_view.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "random_values.hpp"

namespace gsync::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::string_literals;

constexpr auto setting = RecordKind::setting;

/// Why a line is refused; empty when it is not.
std::string refusal_of(const std::string& line) {
  try {
    parse_record(setting, line);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_FALSE(error.hint().empty());
    const std::string what = error.what();
    EXPECT_LT(what.size(), 3000u);
    for (char c : what) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f) << "a control character is shown";
    return what;
  }
  return {};
}

std::string key_refusal(const std::string& key) {
  try {
    require_setting_key(key);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    return error.what();
  }
  return {};
}

std::string dnsmasq(const std::string& line) {
  return "misc.dnsmasq_lines = [\"" + line + "\"]";
}

struct Values {
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

/// By key, in JSON.
const std::map<std::string, Values> values_of_each{
    {"dhcp.ignoreUnknownClients", {{"true", "false"}, {"1", "\"true\"", "TRUE", ""}}},
    {"dhcp.leaseTime", {{"\"\"", "\"24h\"", "\"infinite\"", "\"3600\""}, {"\"24h,x\"", "\"-1\"", "24", "\"1 h\""}}},
    {"dhcp.multiDNS", {{"true"}, {"null"}}},
    {"dhcp.rapidCommit", {{"true"}, {"null"}}},
    {"dns.CNAMEdeepInspect", {{"true"}, {"[]"}}},
    {"dns.EDNS0ECS", {{"false"}, {"0"}}},
    {"dns.analyzeOnlyAandAAAA", {{"false"}, {"0"}}},
    {"dns.blockESNI", {{"false"}, {"0"}}},
    {"dns.blockTTL", {{"0", "2", "31536000"}, {"-1", "31536001", "4294967298", "99999999999999999999", "2.5", "\"2\"", "0x2", "2 "}}},
    {"dns.blocking.edns", {{"\"NONE\"", "\"CODE\"", "\"TEXT\""}, {"\"text\"", "TEXT", "\"\""}}},
    {"dns.blocking.mode", {{"\"NULL\"", "\"IP_NODATA_AAAA\"", "\"IP\"", "\"NX\"", "\"NODATA\""}, {"\"NXDOMAIN\"", "\"NULL \""}}},
    {"dns.bogusPriv", {{"true"}, {"[true]"}}},
    {"dns.cache.optimizer", {{"-1", "0", "3600"}, {"-2", "31536001"}}},
    {"dns.cache.size", {{"0", "10000", "1000000"}, {"-1", "1000001", "4294967296"}}},
    {"dns.cache.upstreamBlockedTTL", {{"86400"}, {"-1"}}},
    {"dns.dnssec", {{"true"}, {"\"true\""}}},
    {"dns.domain", {{"\"\"", "\"lan\"", "\"home.arpa\""}, {"\"a b\"", "\"a..b\"", "\"a,b\"", "\"a/b\"", "\"a\\nb\"", "true"}}},
    {"dns.domain.local", {{"true"}, {"\"lan\""}}},
    {"dns.domain.name", {{"\"lan\""}, {"\"lan\nserver=6.6.6.6\"", "\"#\""}}},
    {"dns.domainNeeded", {{"true"}, {"1"}}},
    {"dns.expandHosts", {{"true"}, {"1"}}},
    {"dns.ignoreLocalhost", {{"true"}, {"1"}}},
    {"dns.localise", {{"true"}, {"1"}}},
    {"dns.piholePTR", {{"\"NONE\"", "\"HOSTNAME\"", "\"HOSTNAMEFQDN\"", "\"PI.HOLE\""}, {"\"PIHOLE\""}}},
    {"dns.queryLogging", {{"true"}, {"1"}}},
    {"dns.rateLimit.count", {{"0", "1000"}, {"-1", "1000001"}}},
    {"dns.rateLimit.interval", {{"0", "60"}, {"-1", "31536001"}}},
    {"dns.replyWhenBusy", {{"\"BLOCK\"", "\"ALLOW\"", "\"REFUSE\"", "\"DROP\""}, {"\"BLOCK ALLOW\"", "\"allow\""}}},
    {"dns.revServers",
     {{"[]", "[\"true,192.168.0.0/16,192.168.1.1\"]", "[\"false,fd00::/8,fd00::1#5353,lan\",\"true,10.0.0.1,10.0.0.1#53,a.b\"]"},
      {"[\"yes,192.168.0.0/16,192.168.1.1\"]", "[\"true,192.168.0.0/33,192.168.1.1\"]", "[\"true,192.168.0.0/16\"]",
       "[\"true,lan,192.168.1.1\"]", "[\"true,192.168.0.0/16,router.lan\"]", "[\"true,192.168.0.0/16,192.168.1.1@eth0\"]",
       "[\"true,192.168.0.0/16,192.168.1.1,a,b\"]", "[\"true,192.168.0.0/16,192.168.1.1#65536\"]", "[\"true,fd00::/129,fd00::1\"]",
       "[\"true,192.168.0.0/16,192.168.1.1,lan/x\"]"}}},
    {"dns.showDNSSEC", {{"true"}, {"1"}}},
    {"dns.specialDomains.designatedResolver", {{"true"}, {"1"}}},
    {"dns.specialDomains.iCloudPrivateRelay", {{"true"}, {"1"}}},
    {"dns.specialDomains.mozillaCanary", {{"true"}, {"1"}}},
    {"dns.upstreams",
     {{"[]", "[\"1.1.1.1\"]", "[\"127.0.0.1#5335\",\"2620:fe::fe\",\"fd00::1#53\"]"},
      {"\"1.1.1.1\"", "[1]", "[\"1.1.1.1\", \"9.9.9.9\"]", "[\"1.1.1.1\",]", "[\"1.1.1.1\"", "[\"1.1.1.1\"]]", "[\"1.1.1\"]",
       "[\"1.1.1.1#0\"]", "[\"1.1.1.1#\"]", "[\"1.1.1.1#99999\"]", "[\"1.1.1.1@eth0\"]", "[\"/lan/1.1.1.1\"]", "[\"dns.quad9.net\"]",
       "[\"fe80::1%eth0\"]", "[\"1.1.1.1\\n\"]", "[\"\"]"}}},
    {"misc.dnsmasq_lines", {{"[]", "[\"domain-needed\",\"server=/lan/192.168.1.1\"]"}, {"\"domain-needed\"", "[\"\"]"}}},
    {"misc.privacylevel", {{"0", "3"}, {"4", "-1", "\"0\""}}},
};

TEST(Settings, AreTakenByKeyWithTheValuesThatTheirTypeHas) {
  for (const auto& [key, values] : values_of_each) {
    for (const auto& value : values.good) {
      const auto line = key + " = " + value;
      EXPECT_EQ(refusal_of(line), "") << line;
      EXPECT_EQ(parse_record(setting, line), line) << "it is its own canonical form";
    }
    for (const auto& value : values.bad) EXPECT_THAT(refusal_of(key + " = " + value), HasSubstr("setting '")) << key << " = " << value;
  }
  for (auto key : setting_keys()) EXPECT_TRUE(values_of_each.contains(std::string(key))) << key << " has no values in this table";
  EXPECT_THAT(setting_keys(), SizeIs(values_of_each.size()));
}

TEST(Settings, AreOneLineOfOneForm) {
  for (const auto& line : {"dns.dnssec=true"s, "dns.dnssec  = true"s, "dns.dnssec =  true"s, " dns.dnssec = true"s, "dns.dnssec = true "s,
                           "dns.dnssec = true\n"s, "DNS.dnssec = true"s, "dns.dnssec = "s, ""s, " = true"s, "dns.dnssec = true\0"s,
                           "dns.dnssec"s, "dns.port = 53"s, "dns.domain = \"a\" "s, "dns.domain = \""s, "dns.upstreams = ["s})
    EXPECT_NE(refusal_of(line), "") << line;
  EXPECT_EQ(parse_record(setting, "dns.domain.name = \"LAN.\""), "dns.domain.name = \"lan\"");
  EXPECT_EQ(parse_record(setting, "dns.blockTTL = 007"), "dns.blockTTL = 7");
}

TEST(Settings, OfDnsmasqLinesTakesWhatIsAboutNamesAndAnswers) {
  for (const auto* line : {"address=/ads.example/",
                           "address=/a.example/b.example/192.168.1.2",
                           "address=/x.lan/fd00::2",
                           "address=/#/0.0.0.0",
                           "address=/x/#",
                           "server=/lan/192.168.1.1",
                           "server=/lan/192.168.1.1#5353",
                           "server=/a/b/#",
                           "server=//192.168.1.1",
                           "server=9.9.9.9#53",
                           "local=/lan/",
                           "local=//",
                           "rev-server=192.168.0.0/16,192.168.1.1",
                           "host-record=nas.lan,nas,192.168.1.2,fd00::2,600",
                           "cname=a.lan,b.lan,60",
                           "txt-record=lan,v=spf1",
                           "txt-record=_acme-challenge.lan,abc_def-123",
                           "srv-host=_ldap._tcp.lan,dc.lan,389,0,5",
                           "mx-host=lan,mail.lan,10",
                           "ptr-record=2.1.168.192.in-addr.arpa,nas.lan",
                           "rebind-domain-ok=/plex.direct/",
                           "rebind-domain-ok=lan",
                           "stop-dns-rebind",
                           "rebind-localhost-ok",
                           "domain-needed",
                           "bogus-priv",
                           "bogus-nxdomain=64.94.110.11",
                           "bogus-nxdomain=10.0.0.0/8",
                           "ignore-address=1.2.3.4",
                           "filter-A",
                           "filter-AAAA",
                           "local-ttl=300",
                           "neg-ttl=60",
                           "max-ttl=3600",
                           "min-cache-ttl=300",
                           "max-cache-ttl=86400",
                           "dns-forward-max=300",
                           "all-servers",
                           "strict-order",
                           "dhcp-option=option:dns-server,192.168.1.2,192.168.1.3",
                           "dhcp-option=6,192.168.1.2",
                           "dhcp-option=tag:guests,option:router,192.168.1.1",
                           "dhcp-option=option:domain-search,lan,home.arpa",
                           "dhcp-option=option6:dns-server,[fd00::2]"})
    EXPECT_EQ(refusal_of(dnsmasq(line)), "") << line;
}

TEST(Settings, OfDnsmasqLinesRefusesEverythingElse) {
  const std::vector<std::string> hostile{
      // files, commands, users
      "dhcp-script=/tmp/x", "dhcp-luascript=/tmp/x.lua", "conf-file=/etc/shadow", "conf-dir=/tmp", "addn-hosts=/etc/shadow",
      "hostsdir=/tmp", "resolv-file=/tmp/r", "servers-file=/tmp/s", "log-facility=/etc/cron.d/x", "pid-file=/etc/x",
      "dhcp-leasefile=/etc/x", "tftp-root=/", "enable-tftp", "user=root", "group=root", "dhcp-hostsfile=/x", "dhcp-optsfile=/x",
      "read-ethers", "dumpfile=/etc/x", "enable-dbus", "enable-ubus", "conntrack", "ipset=/x/y", "nftset=/x/y#z", "dhcp-scriptuser=root",
      "leasefile-ro", "script-arp", "no-hosts",
      // interfaces, addresses to listen on
      "interface=eth0", "listen-address=0.0.0.0", "bind-interfaces", "bind-dynamic", "except-interface=lo", "port=5353",
      "no-dhcp-interface=x", "dhcp-range=10.0.0.1,10.0.0.9", "server=9.9.9.9@eth0", "server=/lan/9.9.9.9@192.168.1.2",
      "interface-name=x,eth0", "local-service", "auth-server=x,eth0", "dhcp-host=aa:bb:cc:dd:ee:ff,10.0.0.1", "query-port=53",
      "cache-size=0", "no-resolv", "log-queries", "no-daemon",
      // ways to hide one of these
      "domain-needed\ndhcp-script=/tmp/x", "domain-needed\\ndhcp-script=/tmp/x", "domain-needed\rdhcp-script=/x", "domain-needed\0x"s,
      "address=/x/1.1.1.1\ndhcp-script=/x", "txt-record=a,b\ndhcp-script=/x", " domain-needed", "domain-needed ", "\tdomain-needed",
      "domain-needed #", "#", "", "=", "=x", "DOMAIN-NEEDED", "domain-needed=", "domain-needed=x", "local-ttl", "--domain-needed", "-z",
      "address=/x/\\\"y", "txt-record=a,\\\"b c\\\"", "txt-record=a,b c", "txt-record=a,b\\\\n", "txt-record=a,\xc3\xbc",
      "txt-record=a,`id`", "txt-record=a,$x", "txt-record=a,b#c", "address=/x/y", "address=/x", "address=x", "address=/x y/1.1.1.1",
      "address=//a//1.1.1.1", "server=/lan/router", "server=lan", "server=", "server=/lan/1.1.1.1#0", "server=/lan/1.1.1.1#x",
      "local=/lan/1.1.1.1", "local=lan", "rev-server=192.168.0.0/16", "rev-server=192.168.0.0/16,192.168.1.1,x", "host-record=nas",
      "host-record=1.1.1.1", "host-record=,1.1.1.1", "host-record=a/b,1.1.1.1", "cname=a", "cname=a=b,c", "mx-host=a,b,c",
      "mx-host=a,b,1,2", "ptr-record=a,b,c", "rebind-domain-ok=", "bogus-nxdomain=lan", "ignore-address=/x", "local-ttl=-1",
      "local-ttl=99999999999", "local-ttl=1s", "min-cache-ttl=3601", "dns-forward-max=0", "dns-forward-max=99999999", "filter-A=1",
      "dhcp-option=252,http://x/wpad.dat", "dhcp-option=66,10.0.0.1", "dhcp-option=option:bootfile-name,x", "dhcp-option=option:dns-server",
      "dhcp-option=option:dns-server,x.lan", "dhcp-option=tag:x", "dhcp-option=tag:a/b,6,1.1.1.1", "dhcp-option=option6:dns-server,fd00::1",
      "dhcp-option=encap:175,190,x", "dhcp-option=", "dhcp-option-force=6,1.1.1.1"};
  for (const auto& line : hostile) {
    EXPECT_NE(refusal_of(dnsmasq(line)), "") << line;
    EXPECT_THROW(setting_line("misc.dnsmasq_lines", std::vector<std::string>{line}), Error) << line;
    EXPECT_THROW(setting_line("misc.dnsmasq_lines", std::vector<std::string>{"domain-needed", line}), Error) << line;
  }
  EXPECT_THAT(refusal_of("misc.dnsmasq_lines = [\"domain-needed\",\"dhcp-script=/tmp/x\"]"), HasSubstr("'dhcp-script=/tmp/x'"))
      << "it is named";
}

TEST(Settings, NeverHoldWhatWouldBeginALineOfItsOwn) {
  testing::Random random;
  const std::string pieces = "abc..,:://#=\"'\\[] \n\r\t\x7f\xc3-_109";
  std::size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random.below(8); n > 0; --n) text += pieces[random.below(pieces.size())];
    const std::pair<const char*, SettingValue> values[] = {{"misc.dnsmasq_lines", std::vector<std::string>{"local=/" + text + "/"}},
                                                           {"misc.dnsmasq_lines", std::vector<std::string>{"txt-record=a," + text}},
                                                           {"misc.dnsmasq_lines", std::vector<std::string>{text}},
                                                           {"dns.upstreams", std::vector<std::string>{"fd00::" + text}},
                                                           {"dns.domain.name", text}};
    for (const auto& [key, value] : values) {
      try {
        const auto line = setting_line(key, value);
        ++accepted;
        for (char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
        EXPECT_EQ(std::count(line.begin(), line.end(), '"'), 2) << line;
        EXPECT_EQ(line.find_first_of("\\'"), std::string::npos) << line;
        EXPECT_EQ(parse_record(setting, line), line);
      } catch (const Error&) {
      }
    }
  }
  EXPECT_GT(accepted, 100u);
}

TEST(Settings, AreBoundedInTheirLength) {
  std::vector<std::string> many(60, "address=/" + std::string(50, 'a') + "/");
  EXPECT_NO_THROW(setting_line("misc.dnsmasq_lines", many));
  many.resize(80, many.front());
  EXPECT_THROW(setting_line("misc.dnsmasq_lines", many), Error);
}

TEST(SettingKeys, ThatStayAtHomeAreRefusedByName) {
  const std::pair<const char*, const char*> reasons[] = {{"dns.interface", "belongs to this host"},
                                                         {"dns.listeningMode", "belongs to this host"},
                                                         {"dns.port", "belongs to this host"},
                                                         {"dns.reply.host.IPv4", "belongs to this host"},
                                                         {"dhcp.active", "belongs to this host"},
                                                         {"dhcp.start", "belongs to this host"},
                                                         {"dhcp.router", "belongs to this host"},
                                                         {"files.gravity", "names a path"},
                                                         {"webserver.paths.webroot", "names a path"},
                                                         {"misc.etc_dnsmasq_d", "names a path"},
                                                         {"webserver.api.pwhash", "is secret"},
                                                         {"webserver.api.password", "is secret"},
                                                         {"webserver.api.app_pwhash", "is secret"},
                                                         {"webserver.api.totp_secret", "is secret"},
                                                         {"webserver.tls.cert", "is secret"},
                                                         {"webserver.port", "web server of this host"},
                                                         {"dns.hosts", "\"dns\" in components"},
                                                         {"dns.cnameRecords", "\"cname\" in components"},
                                                         {"dhcp.hosts", "\"dhcp\" in components"},
                                                         {"misc.readOnly", "belongs to this host"},
                                                         {"files", "names a path"},
                                                         {"debug.all", "belongs"},
                                                         {"dns.upstream", "did you mean \"dns.upstreams\"?"},
                                                         {"misc.dnsmasq_line", "did you mean \"misc.dnsmasq_lines\"?"},
                                                         {"nonsense", "those that can are dhcp.ignoreUnknownClients"},
                                                         {"", "those that can are"},
                                                         {"dns.dnssec\n", "dns.dnssec\\x0a"}};
  for (const auto& [key, why] : reasons) EXPECT_THAT(key_refusal(key), HasSubstr(why)) << key;
  for (auto key : setting_keys()) EXPECT_EQ(key_refusal(std::string(key)), "");
}

TEST(Settings, AreSortedByKeyWithEachKeyOnce) {
  EXPECT_THAT(parse_records(setting, {"dns.upstreams = []", "dns.domain.name = \"a\"", "dns.domain = \"a\"", "dns.blockTTL = 3"}),
              ElementsAre("dns.blockTTL = 3", "dns.domain = \"a\"", "dns.domain.name = \"a\"", "dns.upstreams = []"));
  EXPECT_THROW(parse_records(setting, {"dns.blockTTL = 3", "dns.dnssec = true", "dns.blockTTL = 2"}), Error);
}

TEST(Settings, AreGivenToFtlAsItTakesThem) {
  EXPECT_EQ(setting_argument("dns.blocking.mode = \"NULL\""), "NULL");
  EXPECT_EQ(setting_argument("dns.domain = \"\""), "");
  EXPECT_EQ(setting_argument("dns.blockTTL = 2"), "2");
  EXPECT_EQ(setting_argument("dns.dnssec = true"), "true");
  EXPECT_EQ(setting_argument("dns.upstreams = [\"1.1.1.1\"]"), "[\"1.1.1.1\"]");
  EXPECT_TRUE(restarts_ftl("dns.upstreams = []"));
  EXPECT_FALSE(restarts_ftl("dns.blockTTL = 2"));
}

// --- what becomes of them in a plan, a merge, a view

const RecordLines of_a{"dns.blockTTL = 2", "dns.dnssec = true", "dns.upstreams = [\"1.1.1.1\"]"};

TEST(Settings, ThatOnlyTheSourceHasAreNotAddedAndThoseThatOnlyTheTargetHasStay) {
  NodeState source, target;
  source.info.name = "ph1";
  target.info.name = "ph2";
  source.records[index_of(setting)] = of_a;
  target.records[index_of(setting)] = RecordLines{"dns.blockTTL = 5", "dns.blocking.mode = \"NX\"", "dns.dnssec = true"};
  const auto plan = plan_replication(source, target, {}, {});
  EXPECT_THAT(*plan.change.records[index_of(setting)], ElementsAre("dns.blockTTL = 2", "dns.blocking.mode = \"NX\"", "dns.dnssec = true"));
  EXPECT_THAT(plan.records, SizeIs(2));
  EXPECT_EQ(plan.refusal, std::nullopt);
  target.records[index_of(setting)] = plan.change.records[index_of(setting)];
  EXPECT_TRUE(plan_replication(source, target, {}, {}).nothing_to_do());
  target.records[index_of(setting)] = RecordLines{};
  EXPECT_TRUE(plan_replication(source, target, {}, {}).nothing_to_do()) << "nor is this a target that was emptied";
  source.records[index_of(setting)] = RecordLines{};
  target.records[index_of(setting)] = of_a;
  EXPECT_TRUE(plan_replication(source, target, {}, {}).nothing_to_do());
}

struct MergedSetting {
  RecordLines lines;
  std::vector<Conflict> conflicts;
};
MergedSetting merged(const RecordLines& base, const RecordLines& ours, const RecordLines& theirs, bool ours_wins = true) {
  MergedSetting result, other;
  result.lines = merge_records(setting, base, ours, theirs, {"here", "there", ours_wins}, result.conflicts);
  other.lines = merge_records(setting, base, theirs, ours, {"there", "here", !ours_wins}, other.conflicts);
  EXPECT_EQ(result.lines, other.lines);
  EXPECT_EQ(result.conflicts, other.conflicts);
  EXPECT_EQ(parse_records(setting, result.lines), result.lines);
  return result;
}

TEST(Settings, AreMergedWholeByTheirKey) {
  const RecordLines two{"dns.blockTTL = 2"}, three{"dns.blockTTL = 3"}, four{"dns.blockTTL = 4"};
  EXPECT_EQ(merged(two, two, two).lines, two);
  EXPECT_EQ(merged(two, two, three).lines, three);
  EXPECT_EQ(merged(two, three, two).lines, three);
  EXPECT_EQ(merged(two, three, three).lines, three);
  EXPECT_THAT(merged(two, three, three).conflicts, IsEmpty());
  EXPECT_EQ(merged(two, three, four).lines, three);
  EXPECT_EQ(merged(two, three, four, false).lines, four);
  EXPECT_THAT(merged(two, three, four).conflicts, ElementsAre(Conflict{"setting dns.blockTTL", "", "3", "here", "4", "there"}));
  EXPECT_EQ(merged({}, three, four, false).lines, four) << "without a common past it is a conflict as well";
  EXPECT_THAT(merged({}, three, four, false).conflicts, SizeIs(1));
  EXPECT_THAT(merged({}, three, three).conflicts, IsEmpty());
}

TEST(Settings, ThatOneSideDoesNotHaveAreNoDeletion) {
  EXPECT_EQ(merged(of_a, of_a, {}).lines, of_a);
  EXPECT_EQ(merged(of_a, {}, {}).lines, RecordLines{});
  EXPECT_EQ(merged({}, {"dns.dnssec = true"}, {"dns.blockTTL = 3"}).lines, (RecordLines{"dns.blockTTL = 3", "dns.dnssec = true"}));
  const auto both = merged({"dns.blockTTL = 2", "dns.dnssec = false"}, {"dns.blockTTL = 2"}, {"dns.blockTTL = 9", "dns.dnssec = true"});
  EXPECT_THAT(both.lines, ElementsAre("dns.blockTTL = 9", "dns.dnssec = true"));
  EXPECT_THAT(both.conflicts, IsEmpty());
}

TEST(Settings, ThatTwoNodesShareAreThoseThatBothName) {
  const auto a = KeepLocal({"clients"}).but_settings({"dns.upstreams", "dns.blockTTL", "dns.blockTTL"});
  const auto b = KeepLocal().but_settings({"dns.dnssec", "dns.upstreams", "of.another.version"});
  const auto both = a | b;
  EXPECT_EQ(both, b | a);
  EXPECT_THAT(*both.settings(), ElementsAre("dns.upstreams"));
  EXPECT_THAT(both.patterns(), ElementsAre("clients"));
  EXPECT_THAT(without(setting, of_a, both), ElementsAre("dns.upstreams = [\"1.1.1.1\"]"));
  EXPECT_THAT(without(setting, of_a, a | KeepLocal().but_settings({})), IsEmpty());
  EXPECT_EQ(without(setting, of_a, KeepLocal({"clients"})), of_a) << "nothing was said of settings";
  EXPECT_EQ(KeepLocal() | a, a);
  EXPECT_TRUE(KeepLocal().empty());
  EXPECT_FALSE(KeepLocal().but_settings({}).empty());
  EXPECT_FALSE(b.keeps_rows());
  EXPECT_TRUE(a.keeps_rows());
  EXPECT_EQ(util::decode<KeepLocal>(util::encode(both)), both);
}

TEST(Settings, ThatAPeerDoesNotShareStayAndCannotBeChangedByIt) {
  const auto keep = KeepLocal().but_settings({"dns.dnssec"});
  EXPECT_THAT(whole_with(setting, {"dns.dnssec = false"}, of_a, keep),
              ElementsAre("dns.blockTTL = 2", "dns.dnssec = false", "dns.upstreams = [\"1.1.1.1\"]"));
  EXPECT_THROW(whole_with(setting, {"dns.blockTTL = 3", "dns.dnssec = false"}, of_a, keep), Error);
  EXPECT_THAT(kept_of({}, {{std::nullopt, std::nullopt, std::nullopt, of_a}}, keep).records[index_of(setting)], IsEmpty());
}

TEST(Settings, OfWhichACrashLeftSomeUnsetAreSetToTheLast) {
  std::map<std::string, std::string> kept;
  PairBook book({"1", "here"}, {[&](const std::string& name) {
                                  const auto found = kept.find(name);
                                  return found == kept.end() ? std::nullopt : std::optional(found->second);
                                },
                                [&](const auto& values) {
                                  for (const auto& [name, value] : values) kept[name] = value;
                                }});
  Records before, intended;
  before[index_of(setting)] = RecordLines{"dns.blockTTL = 2", "dns.dnssec = false", "dns.rateLimit.count = 2"};
  intended[index_of(setting)] = RecordLines{"dns.blockTTL = 3", "dns.dnssec = true", "dns.rateLimit.count = 3"};
  Intent intent;
  intent.id = "x";
  intent.records = intended;
  book.intend("2", intent, {}, before, {});
  std::vector<Conflict> conflicts;
  const auto rest = [&](const RecordLines& now) {
    Records records;
    records[index_of(setting)] = now;
    const auto unfinished = book.unfinished("2", {}, records, Fit::everything);
    conflicts = unfinished->conflicts;
    return unfinished->records[index_of(setting)];
  };
  EXPECT_EQ(rest({"dns.blockTTL = 3", "dns.dnssec = true", "dns.rateLimit.count = 2"}), intended[index_of(setting)])
      << "the most are not all of them";
  EXPECT_EQ(rest(*before[index_of(setting)]), intended[index_of(setting)]);
  EXPECT_EQ(rest(*intended[index_of(setting)]), std::nullopt);
  EXPECT_EQ(rest({"dns.blockTTL = 77", "dns.dnssec = true", "dns.rateLimit.count = 3"}), std::nullopt) << "an edit since then stays";
  EXPECT_THAT(conflicts, SizeIs(1));
  EXPECT_EQ(rest({"dns.dnssec = false", "dns.rateLimit.count = 3"}), (RecordLines{"dns.dnssec = true", "dns.rateLimit.count = 3"}))
      << "what is not listed here any more is not brought";
}

}  // namespace
}  // namespace gsync::model
