#include "gsync/config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <sstream>

#include "gsync/util/error.hpp"
#include "support/paths.hpp"

namespace gsync::config {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::cancelled, "nothing was wrong");
}

Error error_in(const std::string& text) {
  return error_of([&] { parse(text, "f.toml"); });
}

class Directory {
 public:
  Directory() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base ? base : "/tmp") + "/gsync-config-XXXXXX";
    if (!::mkdtemp(path_.data())) throw std::runtime_error("mkdtemp");
  }
  ~Directory() {
    ::unlink(file().c_str());
    ::rmdir(path_.c_str());
  }
  std::string path() const { return path_; }
  std::string file() const { return path_ + "/gravity-sync.toml"; }
  void write(const std::string& text) const { std::ofstream(file()) << text; }

 private:
  std::string path_;
};

class Variable {
 public:
  explicit Variable(const std::string& value) { ::setenv("GRAVITY_SYNC_CONFIG", value.c_str(), 1); }
  ~Variable() { ::unsetenv("GRAVITY_SYNC_CONFIG"); }
};

TEST(Config, IsTheDefaultsForAnEmptyText) {
  const auto config = parse("", "f.toml");
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  EXPECT_EQ(config.path, "f.toml");
  EXPECT_EQ(config.node.name, host);
  EXPECT_EQ(config.node.state_directory, "/var/lib/gravity-sync");
  EXPECT_EQ(config.pihole.directory, "/etc/pihole");
  EXPECT_EQ(config.pihole.runtime, Runtime::automatic);
  EXPECT_FALSE(config.pihole.dns_port);
  EXPECT_TRUE(config.sync.components.all());
  EXPECT_EQ(config.sync.ftl_deadline, milliseconds(10'000));
  EXPECT_TRUE(config.peers.empty());
}

TEST(Config, TakesEveryKey) {
  const auto config = parse(R"(
[node]
name = "ph1"
state_directory = "/srv/state/"
[pihole]
directory = "/srv/pihole"
dnsmasq_directory = "/srv/dnsmasq.d"
gravity_database = "/srv/gravity.db"
runtime = "docker"
container = "pihole_1"
ftl_binary = "/opt/pihole-FTL"
pihole_command = "/opt/pihole"
pid_file = "/run/p.pid"
dns_port = 5353
[sync]
components = ["lists", "cname", "settings"]
keep_local = ["clients", "group:Kids"]
settings = ["dns.upstreams", "dns.blockTTL"]
shrink_percent = 20
shrink_handful = 3
on_ftl_failure = "undo"
ftl_deadline_seconds = 2
lock_deadline_seconds = 0
record_spacing_ms = 0
[[peer]]
name = "ph2"
host = "fe80::1%eth0"
port = 2222
user = "sync"
identity = "/k"
known_hosts = "/kh"
ssh_config = "/sc"
remote_command = "sudo -n gravity-sync agent"
mode = "sync"
connect_timeout_seconds = 3
idle_timeout_seconds = 4
[[peer]]
name = "ph3"
host = "ph3.lan"
)",
                            "f.toml");
  EXPECT_EQ(config.node.name, "ph1");
  EXPECT_EQ(config.node.state_directory, "/srv/state");
  EXPECT_EQ(config.pihole.directory, "/srv/pihole");
  EXPECT_EQ(config.pihole.dnsmasq_directory, "/srv/dnsmasq.d");
  EXPECT_EQ(config.pihole.gravity_database, "/srv/gravity.db");
  EXPECT_EQ(config.pihole.runtime, Runtime::docker);
  EXPECT_EQ(config.pihole.container, "pihole_1");
  EXPECT_EQ(config.pihole.ftl_binary, "/opt/pihole-FTL");
  EXPECT_EQ(config.pihole.pihole_command, "/opt/pihole");
  EXPECT_EQ(config.pihole.pid_file, "/run/p.pid");
  EXPECT_EQ(config.pihole.dns_port, 5353);
  EXPECT_TRUE(config.sync.components.lists);
  EXPECT_FALSE(config.sync.components.blocklist);
  EXPECT_THAT(config.sync.components.records, testing::ElementsAre(false, true, false, true));
  EXPECT_THAT(config.sync.keep_local.patterns(), testing::ElementsAre("clients", "group:Kids"));
  EXPECT_THAT(config.sync.settings, testing::ElementsAre("dns.blockTTL", "dns.upstreams"));
  EXPECT_EQ(config.sync.shrink.share_percent, 20u);
  EXPECT_EQ(config.sync.shrink.handful, 3u);
  EXPECT_EQ(config.sync.on_ftl_failure, FtlFailure::undo);
  EXPECT_EQ(config.sync.ftl_deadline, milliseconds(2'000));
  EXPECT_EQ(config.sync.lock_deadline, milliseconds(0));
  EXPECT_EQ(config.sync.record_spacing, milliseconds(0));
  ASSERT_EQ(config.peers.size(), 2u);
  const auto& peer = config.peers[0];
  EXPECT_EQ(peer.name, "ph2");
  EXPECT_EQ(peer.host, "fe80::1%eth0");
  EXPECT_EQ(peer.port, 2222);
  EXPECT_EQ(peer.user, "sync");
  EXPECT_EQ(peer.identity, "/k");
  EXPECT_EQ(peer.known_hosts, "/kh");
  EXPECT_EQ(peer.ssh_config, "/sc");
  EXPECT_EQ(peer.remote_command, "sudo -n gravity-sync agent");
  EXPECT_EQ(peer.mode, Mode::sync);
  EXPECT_EQ(peer.connect_timeout, milliseconds(3'000));
  EXPECT_EQ(peer.idle_timeout, milliseconds(4'000));
  EXPECT_EQ(config.peers[1].user, "gravity-sync");
  EXPECT_EQ(config.peers[1].mode, Mode::pull);
}

TEST(Config, GivesThePeerOfANameAndTheOnlyOneForNone) {
  const auto one = parse("[[peer]]\nname='ph2'\nhost='h'", "f.toml");
  EXPECT_EQ(one.peer("").host, "h");
  EXPECT_EQ(one.peer("ph2").host, "h");
  const auto two = parse("[[peer]]\nname='ph2'\nhost='h'\n[[peer]]\nname='ph3'\nhost='i'", "f.toml");
  EXPECT_EQ(two.peer("ph3").host, "i");
  const auto several = error_of([&] { two.peer(""); });
  EXPECT_EQ(several.code(), ErrorCode::config);
  EXPECT_THAT(several.hint(), HasSubstr("ph2, ph3"));
  const auto unknown = error_of([&] { two.peer("ph33"); });
  EXPECT_EQ(unknown.code(), ErrorCode::config);
  EXPECT_THAT(unknown.what(), AllOf(HasSubstr("ph33"), HasSubstr("did you mean 'ph3'?")));
  EXPECT_THAT(unknown.hint(), HasSubstr("ph2, ph3"));
  const auto none = error_of([] { parse("", "f.toml").peer(""); });
  EXPECT_EQ(none.code(), ErrorCode::config);
  EXPECT_THAT(none.hint(), HasSubstr("[[peer]]"));
}

struct Wrong {
  const char* text;
  const char* begins;
  const char* says;
};

void expect_refused(std::initializer_list<Wrong> table) {
  for (const auto& wrong : table) {
    SCOPED_TRACE(wrong.text);
    const auto error = error_in(wrong.text);
    EXPECT_EQ(error.code(), ErrorCode::config);
    EXPECT_THAT(error.what(), StartsWith(wrong.begins));
    EXPECT_THAT(error.what(), HasSubstr(wrong.says));
  }
}

#define PEER "[[peer]]\nname = \"ph2\"\nhost = \"h\"\n"

TEST(Config, RefusesNamesThatThereAreNot) {
  expect_refused(
      {Wrong{PEER "prot = 1", "f.toml:4: ", "unknown key 'prot' in [[peer]]; did you mean 'port'?"},
       Wrong{"[sync]\n\nshrink_precent = 1", "f.toml:3: ", "unknown key 'shrink_precent' in [sync]; did you mean 'shrink_percent'?"},
       Wrong{"[node]\n'na\\tme\x1b' = 1", "f.toml:2: ", ""},
       Wrong{"[node]\n\"x\\u001bx\" = 1", "f.toml:2: ", "unknown key 'x\\x1bx' in [node]"},
       Wrong{"[node]\nzzzzzzzz = 1", "f.toml:2: ", "unknown key 'zzzzzzzz' in [node]"},
       Wrong{"\n[phiole]\n", "f.toml:2: ", "unknown section 'phiole'; did you mean [pihole]?"},
       Wrong{"[[peers]]\n", "f.toml:1: ", "did you mean [[peer]]?"}, Wrong{"[zzzzzzzz]\n", "f.toml:1: ", "unknown section 'zzzzzzzz'"},
       Wrong{"[peer]\nname='a'", "f.toml:1: ", "write [[peer]]"}, Wrong{"[[sync]]\n", "f.toml:1: ", "write [sync]"},
       Wrong{"\nname = 'x'", "f.toml:2: ", "the key 'name' stands outside any section"},
       Wrong{"peer = []", "f.toml:1: ", "outside any section"}, Wrong{"[node.more]\nx=1", "f.toml:1: ", "unknown key 'more' in [node]"}});
}

TEST(Config, RefusesValuesThatAKeyCannotHave) {
  expect_refused({Wrong{PEER "port = '22'", "f.toml:4: ", "[[peer]] port: expected a whole number, found a string"},
                  Wrong{PEER "port = 65536", "f.toml:4: ", "65536 is not between 0 and 65535"},
                  Wrong{PEER "port = -1", "f.toml:4: ", "-1 is not between"},
                  Wrong{PEER "port = 22.0", "f.toml:4: ", "found a fraction"},
                  Wrong{PEER "mode = 'pul'", "f.toml:4: ", "did you mean \"pull\"?"},
                  Wrong{PEER "mode = 'xxxxxxxx'", "f.toml:4: ", "it can be \"pull\", \"push\", \"sync\""},
                  Wrong{PEER "mode = true", "f.toml:4: ", "expected a string, found true or false"},
                  Wrong{PEER "identity = 'keys/id'", "f.toml:4: ", "not a whole path"},
                  Wrong{PEER "identity = '~/id'", "f.toml:4: ", "home directory"},
                  Wrong{PEER "remote_command = \"a\\nb\"", "f.toml:4: ", "control character"},
                  Wrong{PEER "remote_command = ''", "f.toml:4: ", "must not be empty"},
                  Wrong{PEER "user = '-oProxyCommand=x'", "f.toml:4: ", "begin with '-'"},
                  Wrong{PEER "user = 'a b'", "f.toml:4: ", "must not hold ' '"},
                  Wrong{PEER "connect_timeout_seconds = 0", "f.toml:4: ", "not between 1 and 3600"},
                  Wrong{PEER "connect_timeout_seconds = 9223372036854775807", "f.toml:4: ", "not between"},
                  Wrong{"[sync]\nshrink_percent = 101", "f.toml:2: ", "not between 0 and 100"},
                  Wrong{"[daemon]\ninterval_seconds = 0", "f.toml:2: ", "not between 1 and 86400"},
                  Wrong{"[daemon]\non_failure = ['mail me']", "f.toml:2: ", "not a whole path"},
                  Wrong{"[daemon]\nmetrics_file = '/tmp/metrics'", "f.toml:2: ", ".prom"},
                  Wrong{"[daemon]\nrun_directory = 'run'", "f.toml:2: ", "not a whole path"},
                  Wrong{"[daemon]\ndebounce_ms = 700\ndebounce_limit_ms = 600", "f.toml:3: ", "less than debounce_ms"},
                  Wrong{"[daemon]\ndebounce_ms = 7000", "f.toml:1: ", "less than debounce_ms"},
                  Wrong{"[sync]\ncomponents = []", "f.toml:2: ", "must not be empty"},
                  Wrong{"[sync]\ncomponents = 'lists'", "f.toml:2: ", "expected an array of strings, found a string"},
                  Wrong{"[sync]\ncomponents = ['lists', 1]", "f.toml:2: ", "found a whole number"},
                  Wrong{"[sync]\ncomponents = ['lists', 'lists']", "f.toml:2: ", "names \"lists\" twice"},
                  Wrong{"[sync]\ncomponents = ['list']", "f.toml:2: ", "did you mean \"lists\"?"},
                  Wrong{"[sync]\nkeep_local = ['clients',\n'groops']",
                        "f.toml:2: ", "[sync] keep_local: \"groops\": this cannot be kept local; did you mean \"groups\"?"},
                  Wrong{"[sync]\nkeep_local = ['group:default']", "f.toml:2: ", "the default group (id 0) cannot be kept local"},
                  Wrong{"[sync]\nsettings = ['dns.upstream']", "f.toml:2: ", "did you mean \"dns.upstreams\"?"},
                  Wrong{"[sync]\n\nsettings = ['dns.dnssec', 'dns.port']",
                        "f.toml:3: ", "[sync] settings: \"dns.port\" cannot be synced: it belongs to this host"},
                  Wrong{"[sync]\ncomponents = ['lists']\nsettings = ['dns.dnssec']", "f.toml:3: ", "components does not name \"settings\""},
                  Wrong{"[sync]\nsettings = ['webserver.api.pwhash']", "f.toml:2: ", "it is secret"},
                  Wrong{"[sync]\nsettings = ['files.gravity']", "f.toml:2: ", "it names a path"},
                  Wrong{"[sync]\nsettings = ['dns.hosts']", "f.toml:2: ", "it travels with \"dns\" in components"},
                  Wrong{"[sync]\nsettings = ['dns.dnssec', 'dns.dnssec']", "f.toml:2: ", "twice"},
                  Wrong{"[pihole]\ndirectory = 'pihole'", "f.toml:2: ", "not a whole path"},
                  Wrong{"[pihole]\ndns_port = 70000", "f.toml:2: ", "not between"},
                  Wrong{"[pihole]\nruntime = 1979-05-27", "f.toml:2: ", "found a date or time"},
                  Wrong{"[node]\nname = 'a;b'", "f.toml:2: ", "must not hold ';'"},
                  Wrong{"[node]\nname = \"a\\u001b[2J\"", "f.toml:2: ", "control character"},
                  Wrong{"[node]\nname = {}", "f.toml:2: ", "found a section"}});
}

TEST(Config, RefusesPeersThatAreNotOnes) {
  expect_refused(
      {Wrong{"[[peer]]\nhost = 'h'", "f.toml:1: ", "no name"}, Wrong{"\n[[peer]]\nname = 'h'", "f.toml:2: ", "no host"},
       Wrong{"[[peer]]\nname = 'a'\nhost = '-oProxyCommand=x'", "f.toml:3: ", "begin with '-'"},
       Wrong{"[[peer]]\nname = 'a'\nhost = 'u@h'", "f.toml:3: ", "a key of its own, user"},
       Wrong{"[[peer]]\nname = 'a'\nhost = 'h:22'", "f.toml:3: ", "a key of its own, port"},
       Wrong{"[[peer]]\nname = 'a'\nhost = '[::1]'", "f.toml:3: ", "without brackets"},
       Wrong{"[[peer]]\nname = 'a'\nhost = 'h h'", "f.toml:3: ", "must not hold ' '"},
       Wrong{"[[peer]]\nname = 'a$(id)'\nhost = 'h'", "f.toml:2: ", "must not hold '$'"},
       Wrong{"[[peer]]\nname = \"a\\nb\"\nhost = 'h'", "f.toml:2: ", "control character"},
       Wrong{"[[peer]]\nname = 'a/b'\nhost = 'h'", "f.toml:2: ", "must not hold '/'"},
       Wrong{PEER "[[peer]]\nname = 'ph2'\nhost = 'i'", "f.toml:5: ", "two peers named 'ph2', the first in line 1"},
       Wrong{PEER "[[peer]]\nname = 'ph3'\nhost = 'H'\nport = 22", "f.toml:6: ", "same host, port and user as the peer in line 1"}});
}

TEST(Config, RefusesContradictionsAndWhatIsNotToml) {
  expect_refused({Wrong{"[pihole]\ncontainer = 'c'", "f.toml:2: ", "container is set, but runtime"},
                  Wrong{"[pihole]\ncontainer = 'c'\nruntime = 'native'", "f.toml:2: ", "container is set, but runtime"},
                  Wrong{"[node]\nname = 'a'\nname = 'b'", "f.toml:3: ", "name"}, Wrong{"[node]\n[sync]\n[node]", "f.toml:3: ", "node"},
                  Wrong{"[node]\nname = \n", "f.toml:2: ", ""}, Wrong{"[node", "f.toml:1: ", ""},
                  Wrong{"[node]\nname = \"\xff\"", "f.toml:2: ", ""},
                  Wrong{"# \u00E9\n[n\u00E9de]", "f.toml:2: ", "can only stand in quotes"}});
}

TEST(Config, RefusesAKeyOfSoManyPartsThatTheStackWouldNotHoldThem) {
  std::string key = "name";
  for (int i = 0; i < 400'000; ++i) key += ".a";
  EXPECT_STREQ(error_in("[node]\n" + key + " = 1").what(), "f.toml:2: there is a key of more than 500 parts");
}

TEST(Config, ExplainsTheKeyInTheHint) {
  EXPECT_THAT(error_in("[sync]\nftl_deadline_seconds = 0").hint(), AllOf(HasSubstr("ftl_deadline_seconds"), HasSubstr("1 to 600 seconds")));
}

TEST(Config, AllowsTheSameHostWithAnotherPortOrUser) {
  EXPECT_EQ(parse(PEER "[[peer]]\nname='a'\nhost='h'\nport=2222\n[[peer]]\nname='b'\nhost='h'\nuser='u'", "f.toml").peers.size(), 3u);
}

TEST(Config, ReportsTheFirstMistakeOfTheFile) {
  EXPECT_THAT(error_in("[sync]\nzz_late = 1\n[node]\naa_later = 1").what(), StartsWith("f.toml:2: "));
  EXPECT_THAT(error_in("[sync]\nzz = 1\naa = 1").what(), StartsWith("f.toml:2: "));
}

TEST(ConfigFile, IsTheOneThatTheOptionNames) {
  Directory directory;
  directory.write("[node]\nname = 'from-option'");
  Variable variable("/nonexistent/other.toml");
  const auto config = load(directory.file());
  EXPECT_EQ(config.node.name, "from-option");
  EXPECT_EQ(config.path, directory.file());
}

TEST(ConfigFile, IsTheOneThatTheEnvironmentNames) {
  Directory directory;
  directory.write("[node]\nname = 'from-environment'");
  Variable variable(directory.file());
  EXPECT_EQ(load(std::nullopt).node.name, "from-environment");
}

TEST(ConfigFile, MustExistWhenItWasNamed) {
  Directory directory;
  const auto by_option = error_of([&] { load(directory.file()); });
  EXPECT_EQ(by_option.code(), ErrorCode::config);
  EXPECT_THAT(by_option.what(), HasSubstr(directory.file()));
  Variable variable(directory.file());
  const auto by_variable = error_of([] { load(std::nullopt); });
  EXPECT_EQ(by_variable.code(), ErrorCode::config);
  EXPECT_THAT(by_variable.what(), HasSubstr("GRAVITY_SYNC_CONFIG"));
}

TEST(ConfigFile, MayBeMissingAtItsDefaultPath) {
  if (::access(default_path, F_OK) == 0) GTEST_SKIP() << default_path << " exists on this host";
  const auto config = load(std::nullopt);
  EXPECT_EQ(config.path, "");
  EXPECT_TRUE(config.peers.empty());
  EXPECT_NE(config.node.name, "");
}

TEST(ConfigFile, ThatIsADirectoryOrTooLargeIsAnErrorOfTheConfiguration) {
  Directory directory;
  EXPECT_EQ(error_of([&] { load(directory.path()); }).code(), ErrorCode::config);
  directory.write(std::string(2u << 20, '#'));
  EXPECT_EQ(error_of([&] { load(directory.file()); }).code(), ErrorCode::config);
}

std::string example() {
  const auto path = std::string(test::paths::source) + "/config/gravity-sync.toml";
  std::ifstream file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (text.empty()) throw std::runtime_error("cannot read " + path);
  return text;
}

/// The example with every setting switched on: those are the comments without a space after the '#'.
std::string switched_on(const std::string& text) {
  std::string result;
  bool line_start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\n';
    if (!(line_start && text[i] == '#' && next != ' ' && next != '\n')) result += text[i];
    line_start = text[i] == '\n';
  }
  return result;
}

TEST(ConfigExample, LoadsAsItIsAndIsTheDefaults) {
  const auto config = parse(example(), "example");
  EXPECT_TRUE(config.peers.empty());
  EXPECT_EQ(config.node.state_directory, Config{}.node.state_directory);
  EXPECT_TRUE(config.sync.components.all());
}

TEST(ConfigExample, ShowsTheDefaultsWhenEverySettingIsSwitchedOn) {
  auto text = switched_on(example());
  const auto contradiction = error_of([&] { parse(text, "example"); });
  EXPECT_THAT(contradiction.what(), HasSubstr("container is set")) << "the example says that container needs a runtime";
  const std::string container = "container = \"pihole\"\n";
  ASSERT_NE(text.find(container), std::string::npos);
  text.erase(text.find(container), container.size());

  const auto config = parse(text, "example");
  const Config defaults;
  EXPECT_EQ(config.node.state_directory, defaults.node.state_directory);
  EXPECT_EQ(config.pihole.directory, defaults.pihole.directory);
  EXPECT_EQ(config.pihole.dnsmasq_directory, defaults.pihole.dnsmasq_directory);
  EXPECT_EQ(config.pihole.runtime, defaults.pihole.runtime);
  EXPECT_TRUE(config.sync.components.all());
  EXPECT_EQ(config.sync.shrink.share_percent, defaults.sync.shrink.share_percent);
  EXPECT_EQ(config.sync.shrink.handful, defaults.sync.shrink.handful);
  EXPECT_EQ(config.sync.on_ftl_failure, defaults.sync.on_ftl_failure);
  EXPECT_EQ(config.sync.ftl_deadline, defaults.sync.ftl_deadline);
  EXPECT_EQ(config.sync.lock_deadline, defaults.sync.lock_deadline);
  EXPECT_EQ(config.sync.record_spacing, defaults.sync.record_spacing);
  EXPECT_EQ(config.daemon.run_directory, defaults.daemon.run_directory);
  EXPECT_EQ(config.daemon.agent_group, defaults.daemon.agent_group);
  EXPECT_EQ(config.daemon.interval, defaults.daemon.interval);
  EXPECT_EQ(config.daemon.debounce, defaults.daemon.debounce);
  EXPECT_EQ(config.daemon.debounce_limit, defaults.daemon.debounce_limit);
  ASSERT_EQ(config.peers.size(), 1u);
  const PeerConfig peer;
  EXPECT_EQ(config.peers[0].name, "ph2");
  EXPECT_EQ(config.peers[0].user, peer.user);
  EXPECT_EQ(config.peers[0].remote_command, peer.remote_command);
  EXPECT_EQ(config.peers[0].mode, peer.mode);
  EXPECT_EQ(config.peers[0].connect_timeout, peer.connect_timeout);
  EXPECT_EQ(config.peers[0].idle_timeout, peer.idle_timeout);
}

TEST(ConfigExample, ShowsEveryKeyThatThereIs) {
  const auto text = "\n" + switched_on(example());
  int keys = 0;
  for (const std::string section : {"[node]", "[pihole]", "[sync]", "[daemon]", "[[peer]]"}) {
    // An unknown key's hint lists the section's keys.
    const auto hint = error_in(section + "\nzzzzzzzzzz = 1").hint();
    const auto colon = hint.find(": ");
    ASSERT_NE(colon, std::string::npos) << hint;
    std::istringstream list(hint.substr(colon + 2));
    for (std::string key; list >> key; ++keys) {
      if (key.back() == ',') key.pop_back();
      EXPECT_THAT(text, HasSubstr("\n" + key + " = ")) << section;
    }
  }
  EXPECT_EQ(keys, 2 + 9 + 11 + 10 + 11);
}

}  // namespace
}  // namespace gsync::config
