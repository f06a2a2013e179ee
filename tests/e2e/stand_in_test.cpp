#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "gsync/util/subprocess.hpp"
#include "support/dns_probe.hpp"
#include "support/ftl_process.hpp"
#include "support/gravity_editor.hpp"
#include "support/pihole_directory.hpp"

// Shows that the stand-in for pihole-FTL has the teeth of the real one (PIHOLE.md §3 and §7): the tests of gravity-sync lean on each of
// them.

namespace gsync::test {
namespace {

constexpr std::chrono::seconds patience{30};

PiholeOptions small(bool musl = false) {
  PiholeOptions options;
  HouseholdSize size;
  size.gravity = 2'000;
  options.gravity = GravityBuilder().household(realistic(1, size));
  options.musl = musl;
  return options;
}

FtlOptions without_poll() {
  FtlOptions options;
  options.poll = false;
  return options;
}

/// The thread of that name; 0 when there is none.
pid_t thread_named(pid_t pid, const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid)))
    if (read_text(task.path().string() + "/comm") == name + "\n") return std::stoi(task.path().filename());
  return 0;
}

void signal_timer(pid_t pid, int number) {
  const pid_t timer = thread_named(pid, "timer");
  ASSERT_NE(timer, 0);
  ASSERT_EQ(::syscall(SYS_tgkill, pid, timer, number), 0);
}

bool catches(pid_t pid, int number) {
  const std::string status = read_text(fmt::format("/proc/{}/status", pid));
  const auto mask = std::stoull(status.substr(status.find("SigCgt:") + 7), nullptr, 16);
  return (mask >> (number - 1) & 1) != 0;
}

bool waits_for_reloads(const FtlProcess& ftl, std::uint64_t count) {
  return ftl.wait_until([&](const FtlStats& s) { return s.reloads >= count; }, patience);
}

/// Builds beside the live file and renames over it, as `pihole -g` does.
void replace_gravity(const PiholeDirectory& pihole, const GravityBuilder& builder) {
  builder.build(pihole.gravity() + "_new");
  std::filesystem::rename(pihole.gravity() + "_new", pihole.gravity());
}

util::CommandResult config(const PiholeDirectory& pihole, std::vector<std::string> arguments) {
  util::Command command;
  command.argv = {pihole.ftl_binary(), "--config"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return util::run(command, util::Deadline::in(patience));
}

TEST(StandIn, AnswersForBlockedAllowedAndLocalNames) {
  auto options = small();
  options.gravity.adlist({"https://abp.example/list.txt", 0, true, {}, {default_group}, 0, 0, {"||whole-zone.example^"}});
  options.gravity.domain({"denied.example"}).domain({"nobody.example", 1, true, {}, {}});
  PiholeDirectory pihole(options);
  FtlProcess ftl(pihole);

  EXPECT_EQ(lookup(ftl.port(), blocked_names(pihole.gravity(), 1).at(0)), "blocked");
  EXPECT_EQ(lookup(ftl.port(), "denied.example"), "blocked");
  EXPECT_EQ(lookup(ftl.port(), "deep.below.whole-zone.example"), "blocked");
  EXPECT_EQ(lookup(ftl.port(), "nobody.example"), "allowed") << "an item in no group matches no client";
  EXPECT_EQ(lookup(ftl.port(), "www.gnu.org"), "allowed");
  EXPECT_EQ(lookup(ftl.port(), "nas.lan"), "192.168.1.2");
  EXPECT_EQ(lookup(ftl.port(), "files.lan"), "192.168.1.2");
  EXPECT_EQ(lookup(ftl.port(), "pi.hole"), "127.0.0.1");
}

TEST(StandIn, ShowsItselfAsFtlWithAPidFileAndATimerThread) {
  PiholeDirectory pihole(small());
  FtlProcess ftl(pihole);
  EXPECT_EQ(read_text(pihole.pid_file()), std::to_string(ftl.pid()));
  EXPECT_EQ(read_text(fmt::format("/proc/{}/comm", ftl.pid())), "pihole-FTL\n");
  EXPECT_NE(thread_named(ftl.pid(), "timer"), 0);
  EXPECT_TRUE(catches(ftl.pid(), 34));
  ftl.stop();
  EXPECT_EQ(read_text(pihole.pid_file()), "");
}

TEST(StandIn, AllowsWhatItAsksForUnderALockAndKeepsSayingSoUntilTheNextReload) {
  PiholeDirectory pihole(small());
  FtlProcess ftl(pihole, without_poll());
  const auto names = blocked_names(pihole.gravity(), 3);
  ASSERT_EQ(lookup(ftl.port(), names.at(0)), "blocked");
  {
    Sql lock(pihole.gravity());
    lock.execute("BEGIN EXCLUSIVE");
    EXPECT_EQ(lookup(ftl.port(), names.at(1)), "allowed");
    EXPECT_EQ(lookup(ftl.port(), names.at(0)), "blocked") << "its verdict was there before";
    lock.execute("ROLLBACK");
  }
  EXPECT_EQ(lookup(ftl.port(), names.at(1)), "allowed") << "the verdict sticks";
  EXPECT_EQ(lookup(ftl.port(), names.at(2)), "blocked");
  EXPECT_EQ(ftl.stats().busy, 1U);

  signal_timer(ftl.pid(), 34);
  ASSERT_TRUE(waits_for_reloads(ftl, 1));
  EXPECT_EQ(lookup(ftl.port(), names.at(1)), "blocked");
}

TEST(StandIn, ReservedLocksDoNotDisturbIt) {
  PiholeDirectory pihole(small());
  FtlProcess ftl(pihole, without_poll());
  Sql lock(pihole.gravity());
  lock.execute("BEGIN IMMEDIATE");
  for (const auto& name : blocked_names(pihole.gravity(), 50)) ASSERT_EQ(lookup(ftl.port(), name), "blocked");
  EXPECT_EQ(ftl.stats().busy, 0U);
}

TEST(StandIn, ServesARenamedDatabaseWithHigherUpdatedWithoutOneAllowedAnswer) {
  auto options = small();
  PiholeDirectory pihole(options);
  FtlProcess ftl(pihole);
  ASSERT_EQ(lookup(ftl.port(), "new.example"), "allowed");

  DnsProbe probe(ftl.port(), blocked_names(pihole.gravity(), 1'000));
  ASSERT_TRUE(probe.wait_for_answers(200));
  const auto before = ftl.stats();
  auto next = options.gravity;
  replace_gravity(pihole, next.domain({"new.example"}).updated(before.updated + 5));
  ASSERT_TRUE(ftl.wait_until([&](const FtlStats& s) { return s.updated == before.updated + 5; }, patience));
  ASSERT_TRUE(probe.wait_for_answers(2'000));

  const auto counts = probe.stop();
  EXPECT_EQ(counts.allowed, 0U);
  EXPECT_EQ(counts.lost, 0U);
  EXPECT_EQ(counts.other, 0U);
  EXPECT_GT(counts.blocked, 2'000U);
  EXPECT_EQ(lookup(ftl.port(), "new.example"), "blocked");
  EXPECT_EQ(ftl.stats().reloads, 1U);
}

TEST(StandIn, ADatabaseThatIsRewrittenInPlaceLeaks) {
  PiholeDirectory pihole(small());
  FtlProcess ftl(pihole, without_poll());
  DnsProbe probe(ftl.port(), blocked_names(pihole.gravity(), 1'000));
  {
    Sql writer(pihole.gravity());
    writer.execute("BEGIN EXCLUSIVE; DELETE FROM gravity");
    ASSERT_TRUE(probe.wait_for_answers(500));
    writer.execute("ROLLBACK");
  }
  EXPECT_GT(probe.stop().allowed, 0U);
}

TEST(StandIn, DoesNotReloadForAnEqualOrLowerUpdated) {
  auto options = small();
  PiholeDirectory pihole(options);
  FtlProcess ftl(pihole);
  const auto updated = ftl.stats().updated;
  for (const auto other : {updated, updated - 10}) {
    auto next = options.gravity;
    replace_gravity(pihole, next.updated(other));
    const auto polls = ftl.stats().polls;
    ASSERT_TRUE(ftl.wait_until([&](const FtlStats& s) { return s.polls >= polls + 2; }, patience));
  }
  EXPECT_EQ(ftl.stats().reloads, 0U);
}

TEST(StandIn, OnlyNotesTheFirstUpdatedThatItEverSees) {
  auto options = small();
  options.gravity.updated(std::nullopt);
  PiholeDirectory pihole(options);
  FtlProcess ftl(pihole);
  const auto raise_and_wait = [&](std::int64_t updated) {
    auto next = options.gravity;
    replace_gravity(pihole, next.updated(updated));
    const auto polls = ftl.stats().polls;
    return ftl.wait_until([&](const FtlStats& s) { return s.polls >= polls + 2; }, patience);
  };
  EXPECT_GT(ftl.stats().poll_failures, 0U);
  ASSERT_TRUE(raise_and_wait(100));
  EXPECT_EQ(ftl.stats().reloads, 0U);
  ASSERT_TRUE(raise_and_wait(101));
  EXPECT_TRUE(waits_for_reloads(ftl, 1));
}

TEST(StandIn, TellsWhichThreadASignalInterrupted) {
  PiholeDirectory pihole(small());
  FtlProcess ftl(pihole, without_poll());
  signal_timer(ftl.pid(), 34);
  ASSERT_TRUE(waits_for_reloads(ftl, 1));
  EXPECT_EQ(ftl.stats().signals_on_dns_thread, 0U);
  ASSERT_EQ(::syscall(SYS_tgkill, ftl.pid(), ftl.pid(), 34), 0);
  ASSERT_TRUE(waits_for_reloads(ftl, 2));
  EXPECT_EQ(ftl.stats().signals_on_dns_thread, 1U);
}

TEST(StandIn, PlayingTheMuslBuildReloadsOn35) {
  PiholeDirectory pihole(small(true));
  FtlProcess ftl(pihole, without_poll());
  EXPECT_FALSE(catches(ftl.pid(), 34));
  EXPECT_TRUE(catches(ftl.pid(), 35));
  signal_timer(ftl.pid(), 35);
  EXPECT_TRUE(waits_for_reloads(ftl, 1));
}

TEST(StandIn, PlayingTheMuslBuildIsKilledBy34) {
  PiholeDirectory pihole(small(true));
  FtlProcess ftl(pihole, without_poll());
  signal_timer(ftl.pid(), 34);
  const auto status = ftl.wait_exit(patience);
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFSIGNALED(*status));
  EXPECT_EQ(WTERMSIG(*status), 34);
}

TEST(StandIn, HangsAfterAReloadWhenAskedToAndIsStartedAgainByItsService) {
  PiholeDirectory pihole(small());
  FtlOptions options;
  options.hang_after_reload = true;
  options.respawn = true;
  FtlProcess ftl(pihole, options);
  const pid_t first = ftl.pid();
  signal_timer(first, 34);
  // The reload may take a moment; once it is there nothing answers.
  const auto deadline = util::Deadline::in(patience);
  while (lookup_addresses(ftl.port(), "pi.hole", util::Deadline::in(std::chrono::milliseconds(600)))) ASSERT_FALSE(deadline.passed());
  ASSERT_EQ(::kill(first, SIGTERM), 0);
  EXPECT_EQ(lookup(ftl.port(), "pi.hole", std::chrono::seconds(1)), "lost") << "SIGTERM does not help";
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  EXPECT_EQ(lookup(ftl.port(), "pi.hole", patience), "127.0.0.1");
  EXPECT_NE(ftl.pid(), first);
  EXPECT_EQ(ftl.respawned(), 1);
}

TEST(StandIn, KeepsTheOldDatabaseForEverWhenAskedTo) {
  auto options = small();
  PiholeDirectory pihole(options);
  FtlOptions never;
  never.reload = false;
  FtlProcess ftl(pihole, never);
  auto next = options.gravity;
  replace_gravity(pihole, next.domain({"new.example"}).updated(ftl.stats().updated + 1));
  signal_timer(ftl.pid(), 34);
  const auto polls = ftl.stats().polls;
  ASSERT_TRUE(ftl.wait_until([&](const FtlStats& s) { return s.signals == 1 && s.polls >= polls + 2; }, patience));
  EXPECT_EQ(lookup(ftl.port(), "new.example"), "allowed");
  EXPECT_EQ(ftl.stats().reloads, 0U);
}

TEST(StandIn, TakesNewLocalNamesLiveAndPausesForCnames) {
  PiholeDirectory pihole(small());
  FtlProcess ftl(pihole);
  ASSERT_EQ(config(pihole, {"dns.hosts", R"(["192.168.7.7 new.lan"])"}).exit_code, 0);
  ASSERT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.settings == 1; }, patience));
  EXPECT_EQ(lookup(ftl.port(), "new.lan"), "192.168.7.7");
  EXPECT_EQ(lookup(ftl.port(), "nas.lan"), "allowed");
  EXPECT_EQ(ftl.stats().restarts, 0U);

  ASSERT_EQ(config(pihole, {"dns.cnameRecords", R"(["alias.lan,new.lan"])"}).exit_code, 0);
  ASSERT_TRUE(ftl.wait_until([](const FtlStats& s) { return s.restarts == 1; }, patience));
  EXPECT_EQ(lookup(ftl.port(), "alias.lan"), "192.168.7.7");
  EXPECT_EQ(read_text(pihole.pid_file()), std::to_string(ftl.pid()));
}

TEST(StandIn, IsAliveWithoutDnsWhenACnameLoops) {
  PiholeDirectory pihole(small());
  FtlProcess ftl(pihole);
  auto settings = pihole.settings();
  settings.cname_records = {"a.lan,b.lan", "b.lan,a.lan"};
  pihole.save(settings);
  const auto deadline = util::Deadline::in(patience);
  while (lookup_addresses(ftl.port(), "pi.hole", util::Deadline::in(std::chrono::milliseconds(900)))) ASSERT_FALSE(deadline.passed());
  EXPECT_EQ(::kill(ftl.pid(), 0), 0);
  ASSERT_EQ(config(pihole, {"dns.cnameRecords", "[]"}).exit_code, 0);
  EXPECT_EQ(lookup(ftl.port(), "pi.hole", patience), "127.0.0.1");
}

TEST(StandInConfig, ChangesOneKeyAndKeepsTheRest) {
  PiholeDirectory pihole(small());
  const auto before = read_text(pihole.toml());
  auto expected = pihole.settings();
  expected.dhcp_hosts = {"AA:BB:CC:DD:EE:09,192.168.1.9,\"quoted\" # ] ünï"};
  const auto result = config(pihole, {"dhcp.hosts", R"(["AA:BB:CC:DD:EE:09,192.168.1.9,\"quoted\" # ] ünï"])"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(pihole.settings(), expected);
  EXPECT_EQ(config(pihole, {"dhcp.hosts", R"(["AA:BB:CC:DD:EE:01,192.168.1.21,tv"])"}).exit_code, 0);
  EXPECT_EQ(read_text(pihole.toml()), before) << "comments and other keys are as they were";
  EXPECT_EQ(config(pihole, {"dns.hosts", R"(["10.0.0.1   a.lan\tb.lan"])"}).exit_code, 0);
  EXPECT_EQ(pihole.settings().dns_hosts, std::vector<std::string>{"10.0.0.1 a.lan b.lan"});
  EXPECT_EQ(config(pihole, {"dns.hosts"}).output, "[ 10.0.0.1 a.lan b.lan ]\n");
}

TEST(StandInConfig, ExitCodesAreThoseOfFtl) {
  PiholeDirectory pihole(small());
  const auto before = read_text(pihole.toml());
  const auto code = [&](const std::string& key, const std::string& value) { return config(pihole, {key, value}).exit_code; };
  EXPECT_EQ(code("dns.hosts", "nonsense"), 2);
  EXPECT_EQ(code("dns.hosts", "[1]"), 2);
  EXPECT_EQ(code("dns.hosts", R"(["nas.lan 10.0.0.1"])"), 3);
  EXPECT_EQ(code("dns.hosts", R"(["# comment"])"), 3);
  EXPECT_EQ(code("dns.cnameRecords", R"(["a.lan,b.lan","b.lan,a.lan"])"), 3);
  EXPECT_EQ(code("dns.cnameRecords", R"(["a.lan,b.lan","a.lan,c.lan"])"), 3);
  EXPECT_EQ(code("dns.noSuchKey", "[]"), 4);
  EXPECT_EQ(read_text(pihole.toml()), before);
  EXPECT_EQ(code("dns.cnameRecords", R"(["a.lan,b.lan\ndhcp-script=/x"])"), 0) << "the real one takes this too";
}

TEST(StandInConfig, RefusesWhatItMayNotChange) {
  auto options = small();
  options.read_only = true;
  PiholeDirectory read_only(options);
  EXPECT_EQ(config(read_only, {"dns.hosts", "[]"}).exit_code, 1);

  PiholeDirectory by_environment(small());
  util::Command command;
  command.argv = {by_environment.ftl_binary(), "--config", "dns.hosts", "[]"};
  command.environment = std::map<std::string, std::string>{{"FTLCONF_dns_hosts", ""}};
  EXPECT_EQ(util::run(command, util::Deadline::in(patience)).exit_code, 5);
}

TEST(StandInConfig, TellsItsReloadSignalAndVersion) {
  PiholeDirectory glibc(small());
  PiholeDirectory musl(small(true));
  const auto output = [](const PiholeDirectory& pihole, const char* argument) {
    util::Command command;
    command.argv = {pihole.ftl_binary(), argument};
    return util::run(command, util::Deadline::in(patience)).output;
  };
  EXPECT_EQ(output(glibc, "sigrtmin"), "34\n");
  EXPECT_EQ(output(musl, "sigrtmin"), "35\n");
  EXPECT_EQ(output(glibc, "version"), "v6.4.1\n");
}

TEST(GravityEditor, FailsAtOnceWhileSomebodyReadsAndSucceedsAfterwards) {
  PiholeDirectory pihole(small());
  GravityEditor editor(pihole.gravity(), 20);  // no more, or the reader below does not get in
  const auto wait_for = [&](auto condition) {
    const auto deadline = util::Deadline::in(patience);
    while (!condition(editor.counts())) {
      if (deadline.passed()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  };
  {
    Sql reader(pihole.gravity(), Sql::Mode::read_only);
    reader.execute("BEGIN");
    reader.rows("SELECT count(*) FROM gravity");
    EXPECT_TRUE(wait_for([](const EditorCounts& c) { return c.failed >= 3; }));
  }
  const auto failed = editor.counts();
  EXPECT_TRUE(wait_for([&](const EditorCounts& c) { return c.edits - c.failed >= failed.edits - failed.failed + 5; }));
  editor.stop();
  for (const auto& [domain, comment] : editor.committed())
    EXPECT_EQ(value(pihole.gravity(), "SELECT comment FROM domainlist WHERE type = 1 AND domain = '" + domain + "'"), comment);
}

}  // namespace
}  // namespace gsync::test
