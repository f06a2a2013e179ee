#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gsync/util/text.hpp"
#include "support/paths.hpp"
#include "support/private_mounts.hpp"
#include "support/sql.hpp"
#include "support/terminal.hpp"
#include "support/two_nodes.hpp"

namespace gsync {
namespace {

using test::contains;

constexpr uid_t account = 54321;
constexpr const char* password = "correct horse";

/// Two Pi-holes of which neither knows the other, and an sshd on ph1 that root of ph2 may log in to. /etc is the test's own.
class Pair : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root pairs";
    if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
    if (auto reason = test::Sshd::unavailable()) GTEST_SKIP() << *reason;
    for (std::filesystem::path path = test::paths::binary; path.has_relative_path(); path = path.parent_path()) {
      if ((std::filesystem::status(path).permissions() & std::filesystem::perms::others_exec) == std::filesystem::perms::none)
        GTEST_SKIP() << "another user cannot reach the program in this build directory";
    }
    try {
      mounts.overlay("/etc");
    } catch (const std::exception& error) {
      GTEST_SKIP() << error.what();
    }
    ASSERT_EQ(::chmod(home.path().c_str(), 0755), 0);
    std::filesystem::create_directories("/etc/cron.d");
    test::write_text("/etc/passwd",
                     test::read_text("/etc/passwd") + fmt::format("gravity-sync:*:{0}:{0}::{1}:/bin/sh\n", account, home / "home"));
    // Of these, what stands first in PATH counts.
    std::filesystem::create_directory(home / "bin");
    std::filesystem::create_symlink(test::paths::binary, home / "bin/gravity-sync");
    test::TwoNodesOptions options;
    options.sshd.configuration = "Match User gravity-sync\n  AuthorizedKeysFile %h/.ssh/authorized_keys\n";
    options.sshd.environment = {{"PATH", home / "bin" + ":/usr/bin:/bin"}, {"GRAVITY_SYNC_CONFIG", home / "ph1.toml"}};
    nodes.emplace(options);
    nodes->ph1.give_to(account, account);
    ASSERT_EQ(::chmod(nodes->ph1.root().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(nodes->ph1.config().c_str(), 0644), 0);
    std::filesystem::create_symlink(nodes->ph1.config(), home / "ph1.toml");
    nodes->ph2.set_peers({});
    before = test::read_text(nodes->ph2.config());
    std::filesystem::remove(nodes->known_hosts());
    // sshd says of itself what this one does.
    test::write_text("/etc/ssh/sshd_config", test::read_text(nodes->sshd.configuration_file()));
  }

  std::string fingerprint() {
    test::write_text(home / "host.pub", nodes->sshd.host_public_key() + "\n");
    const auto shown = util::run({.argv = {"ssh-keygen", "-lf", home / "host.pub"}}, util::Deadline::in(std::chrono::seconds(60)));
    const auto begin = shown.output.find("SHA256:");
    return shown.output.substr(begin, shown.output.find(' ', begin) - begin);
  }
  std::vector<std::string> words(std::vector<std::string> more) {
    std::vector<std::string> all{"pair",       "root@127.0.0.1",        "--port", std::to_string(nodes->sshd.port()), "--name", "ph1",
                                 "--identity", nodes->sshd.client_key()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  test::CommandResult pair(std::vector<std::string> more) { return nodes->run(words(std::move(more))); }
  test::Terminal at_a_terminal(std::vector<std::string> more) {
    std::vector<std::string> all{test::paths::binary, "--config", nodes->ph2.config()};
    const auto rest = words(std::move(more));
    all.insert(all.end(), rest.begin(), rest.end());
    return test::Terminal(all, {{"PATH", nodes->ph2.path_variable()}, {"TERM", "dumb"}});
  }
  /// root is called somebody else, and has to give sudo his password. What all processes have for arguments and environment meanwhile is in
  /// home / "arguments".
  void make_root_use_sudo() {
    test::write_text(home / "bin/id", "#!/bin/sh\necho 1000\n", 0755);
    test::write_text(
        home / "bin/sudo",
        fmt::format("#!/bin/sh\ncat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' ' >>{}\nstdin=no\nwhile [ $# -gt 0 "
                    "]; do case $1 in -k) ;; -n) exec false ;; -S) stdin=yes ;; -p) shift ;; "
                    "--) shift; break ;; *) break ;; esac; shift; done\n"
                    "[ $stdin = yes ] && read -r answer && [ \"$answer\" = '{}' ] || {{ echo 'sudo: 1 incorrect password attempt' "
                    ">&2; exit 1; }}\n\"$@\"\n",
                    home / "arguments", password),
        0755);
  }
  std::string admitted() {
    const std::string file = home / "home/.ssh/authorized_keys";
    return std::filesystem::exists(file) ? test::read_text(file) : "";
  }
  /// Nothing is left of an attempt.
  void expect_nothing_changed() {
    EXPECT_EQ(test::read_text(nodes->ph2.config()), before);
    EXPECT_FALSE(contains(admitted(), "ssh-ed25519")) << admitted();
    EXPECT_FALSE(std::filesystem::exists(nodes->known_hosts()) && contains(test::read_text(nodes->known_hosts()), "ssh-ed25519"));
    EXPECT_NE(test::lists_of(nodes->ph1.gravity()), test::lists_of(nodes->ph2.gravity()));
  }
  void expect_in_step() {
    EXPECT_EQ(test::lists_of(nodes->ph1.gravity()), test::lists_of(nodes->ph2.gravity()));
    EXPECT_TRUE(contains(test::read_text(nodes->ph2.config()), "[[peer]]\nname = \"ph1\"\nhost = \"127.0.0.1\"\n"));
    EXPECT_TRUE(contains(admitted(), "restrict,command=\"")) << admitted();
  }

  test::PrivateMounts mounts;
  test::TempDirectory home;
  std::optional<test::TwoNodes> nodes;
  std::string before;
};

TEST_F(Pair, BringsTwoThatDoNotKnowEachOtherInStep) {
  const auto paired = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  ASSERT_EQ(paired.exit_code, 0) << paired.errors << paired.output << nodes->sshd.log();
  expect_in_step();
  EXPECT_TRUE(contains(test::read_text("/etc/cron.d/gravity-sync"), " sync ph1 --cron")) << "there is no systemd here";
  const auto config = test::read_text(nodes->ph2.config());
  const auto again = pair({});
  EXPECT_EQ(again.exit_code, 0) << "harmless: " << again.errors;
  EXPECT_EQ(test::read_text(nodes->ph2.config()), config);
  EXPECT_EQ(nodes->run({"sync", "ph1"}).exit_code, 0);
}

TEST_F(Pair, LetsTheOtherOneConnectAsWell) {
  nodes->ph2.give_to(account, account);
  ASSERT_EQ(::chmod(nodes->ph2.root().c_str(), 0755), 0);
  const auto port = std::to_string(nodes->sshd.port());
  const auto paired = pair({"--fingerprint", fingerprint(), "--first", "push", "--both", "--own-port", port});
  ASSERT_EQ(paired.exit_code, 0) << paired.errors;
  expect_in_step();
  // One sshd and one account play both hosts; which agent is started is a question of the key.
  test::deny(nodes->ph1, "both-ways.example");
  const auto there = nodes->run_on(nodes->ph1, {"push", "ph2"});
  EXPECT_EQ(there.exit_code, 0) << there.errors;
  EXPECT_TRUE(test::denies(nodes->ph2, "both-ways.example"));
  EXPECT_EQ(pair({"--both", "--own-port", port}).exit_code, 0) << "harmless";
}

TEST_F(Pair, ConnectsNeitherWhereTheOtherDirectionCannotBeHad) {
  // A host that is reached at another address than it thinks: there it is somebody else's sshd.
  test::Sshd other;
  const auto paired = pair({"--fingerprint", fingerprint(), "--first", "push", "--both", "--own-port", std::to_string(other.port())});
  EXPECT_EQ(paired.exit_code, 5) << paired.errors;
  EXPECT_TRUE(contains(paired.errors, "--own-address")) << paired.errors;
  EXPECT_FALSE(contains(test::read_text(nodes->ph1.config()), "[[peer]]")) << "its configuration is as before";
  expect_nothing_changed();
}

TEST_F(Pair, AsksForTheFingerprintThePasswordOfSudoAndWhoIsRight) {
  make_root_use_sudo();
  const auto mine = test::lists_of(nodes->ph2.gravity());
  auto terminal = at_a_terminal({});
  EXPECT_TRUE(terminal.answer("(yes or no)", "yes")) << terminal.shown();
  EXPECT_TRUE(terminal.answer("for sudo on 127.0.0.1", "wrong")) << terminal.shown();
  EXPECT_TRUE(terminal.answer("for sudo on 127.0.0.1", password)) << terminal.shown();
  EXPECT_TRUE(terminal.answer("Which is right?", "here")) << terminal.shown();
  EXPECT_EQ(terminal.wait(), 0) << terminal.shown();
  expect_in_step();
  EXPECT_EQ(test::lists_of(nodes->ph2.gravity()), mine);
  EXPECT_TRUE(contains(terminal.shown(), fingerprint())) << terminal.shown();
  EXPECT_FALSE(contains(terminal.shown(), password)) << "it is not shown";
}

TEST_F(Pair, KeepsPasswordPassphraseAndPrivateKeyOutOfEverythingThatIsKeptOrShown) {
  constexpr const char* passphrase = "open sesame";
  const auto locked = util::run({.argv = {"ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f", nodes->sshd.client_key()}},
                                util::Deadline::in(std::chrono::seconds(60)));
  ASSERT_EQ(locked.exit_code, 0) << locked.errors;
  make_root_use_sudo();
  auto terminal = at_a_terminal({"--verbose"});
  EXPECT_TRUE(terminal.answer("(yes or no)", "yes")) << terminal.shown();
  // It waits for ssh, and ssh for us.
  const auto limits = test::read_text(fmt::format("/proc/{}/limits", terminal.pid()));
  EXPECT_TRUE(contains(limits, "Max core file size        0  ")) << limits;
  EXPECT_TRUE(terminal.answer("Enter passphrase", passphrase)) << terminal.shown();
  EXPECT_TRUE(terminal.answer("for sudo on 127.0.0.1", password)) << terminal.shown();
  EXPECT_TRUE(terminal.answer("Which is right?", "here")) << terminal.shown();
  EXPECT_EQ(terminal.wait(), 0) << terminal.shown();
  expect_in_step();

  const auto key = nodes->ph2.state() + "/id_ed25519";
  const std::string secrets[] = {password, passphrase, test::read_text(key).substr(100, 40)};
  const auto expect_clean = [&](const std::string& text, const std::string& where) {
    for (const auto& secret : secrets) EXPECT_FALSE(contains(text, secret)) << secret << " is in " << where;
  };
  const auto arguments = test::read_text(home / "arguments");
  EXPECT_TRUE(contains(arguments, " pair root@127.0.0.1 ") && contains(arguments, " 'sudo' '-k' '-S' ")) << "it was looked at in time";
  expect_clean(arguments, "the arguments or the environment of a process");
  expect_clean(terminal.shown(), "what was shown");
  expect_clean(nodes->sshd.log(), "sshd's log");
  for (const std::string words : {"key", "info", "history", "doctor", "config show", "compare", "sync"}) {
    std::vector<std::string> command{"--json", "--verbose"};
    for (auto word : util::split(words, ' ')) command.emplace_back(word);
    const auto result = nodes->run(command);
    EXPECT_TRUE(contains(result.output, "{")) << words << result.errors;
    expect_clean(result.output + result.errors, "the JSON of " + words);
  }
  for (const auto& root :
       {nodes->ph1.root(), nodes->ph2.root(), home.path(), std::string("/etc/cron.d"), std::string("/etc/gravity-sync")}) {
    if (!std::filesystem::exists(root)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
      if (entry.is_regular_file() && entry.path() != key && entry.path() != home / "bin/sudo")
        expect_clean(test::read_text(entry.path()), entry.path());
  }
}

TEST_F(Pair, ChangesNothingWhereTheFingerprintIsNotTheOneThatWasMeant) {
  const auto other = pair({"--fingerprint", "SHA256:" + std::string(43, 'A'), "--first", "pull"});
  EXPECT_EQ(other.exit_code, 5) << other.errors;
  EXPECT_TRUE(contains(other.errors, "another host key")) << other.errors;
  expect_nothing_changed();
  EXPECT_EQ(pair({"--first", "pull"}).exit_code, 5) << "nobody is there to be asked";
  expect_nothing_changed();
  auto terminal = at_a_terminal({});
  EXPECT_TRUE(terminal.answer("(yes or no)", "no")) << terminal.shown();
  EXPECT_EQ(terminal.wait(), 5) << terminal.shown();
  expect_nothing_changed();
}

TEST_F(Pair, ChangesNothingWhereTheLoginFails) {
  std::filesystem::remove(nodes->sshd.client_key());
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(failed.exit_code, 5) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "cannot log in to 127.0.0.1 as root")) << failed.errors;
  expect_nothing_changed();
}

TEST_F(Pair, ChangesNothingWhereThePasswordOfSudoIsWrong) {
  make_root_use_sudo();
  EXPECT_EQ(pair({"--fingerprint", fingerprint(), "--first", "pull"}).exit_code, 5) << "nobody is there to be asked";
  expect_nothing_changed();
  auto terminal = at_a_terminal({"--fingerprint", fingerprint()});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(terminal.answer("for sudo on", "wrong")) << terminal.shown();
  EXPECT_EQ(terminal.wait(), 5) << terminal.shown();
  EXPECT_TRUE(contains(terminal.shown(), "sudo on 127.0.0.1 did not take the password")) << terminal.shown();
  expect_nothing_changed();
}

TEST_F(Pair, SaysWhatToDoWhereThereIsNoSudo) {
  test::write_text(home / "bin/id", "#!/bin/sh\necho 1000\n", 0755);
  if (std::filesystem::exists("/usr/bin/sudo")) GTEST_SKIP() << "this host has sudo";
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(failed.exit_code, 4) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "pair root@127.0.0.1")) << failed.errors;
  expect_nothing_changed();
}

TEST_F(Pair, SaysHowToInstallWhatIsNotThere) {
  std::filesystem::remove(home / "bin/gravity-sync");
  if (std::filesystem::exists("/usr/bin/gravity-sync")) GTEST_SKIP() << "this host has gravity-sync";
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(failed.exit_code, 1) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "sudo apt install ./gravity-sync_")) << failed.errors;
  test::write_text(home / "bin/uname", "#!/bin/sh\necho armv6l\n", 0755);
  const auto unsupported = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(unsupported.exit_code, 1) << unsupported.errors;
  EXPECT_TRUE(contains(unsupported.errors, "no package for its machine (armv6l)")) << unsupported.errors;
  EXPECT_TRUE(contains(unsupported.errors, "packages for amd64, arm64 and armhf")) << unsupported.errors;
  expect_nothing_changed();
}

TEST_F(Pair, SaysWhichOfTwoVersionsToUpdate) {
  std::filesystem::remove(home / "bin/gravity-sync");
  test::write_text(home / "bin/gravity-sync", "#!/bin/sh\necho '{\"version\": \"0.0.1\", \"protocol\": 0}'\n", 0755);
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_NE(failed.exit_code, 0);
  EXPECT_TRUE(contains(failed.errors, "update the one on 127.0.0.1")) << failed.errors;
  expect_nothing_changed();
}

TEST_F(Pair, SaysWhatKeepsTheAccountOut) {
  const auto usual = test::read_text("/etc/ssh/sshd_config");
  for (const std::string line : {"AllowUsers pi", "DenyUsers gravity*", "AllowGroups sudo", "PubkeyAuthentication no"}) {
    test::write_text("/etc/ssh/sshd_config", line + "\n" + usual);
    const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
    EXPECT_NE(failed.exit_code, 0);
    EXPECT_TRUE(contains(failed.errors, line.substr(0, line.find(' ')))) << failed.errors;
    expect_nothing_changed();
  }
}

TEST_F(Pair, SaysThatThereIsNoPiholeThere) {
  std::filesystem::rename(nodes->ph1.directory(), nodes->ph1.directory() + ".away");
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(failed.exit_code, 4) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "127.0.0.1: Pi-hole: ")) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, nodes->ph1.directory())) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "\n  set [pihole] directory ")) << failed.errors;
  std::filesystem::rename(nodes->ph1.directory() + ".away", nodes->ph1.directory());
  expect_nothing_changed();
}

TEST_F(Pair, NeedsTheOwnerForTheSshAccountWhereNoDaemonServes) {
  const auto accounts = test::read_text("/etc/passwd");
  const auto entry = fmt::format("gravity-sync:*:{0}:{0}:", account);
  auto other = accounts;
  other.replace(other.find(entry), entry.size(), fmt::format("gravity-sync:*:{0}:{0}:", account + 1));
  test::write_text("/etc/passwd", other);
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(failed.exit_code, 4) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, fmt::format("gravity-sync (uid {}) is not the owner of the Pi-hole (uid {})", account + 1, account)))
      << failed.errors;
  EXPECT_TRUE(contains(failed.errors, fmt::format("sudo usermod --non-unique --uid {0} --gid {0} gravity-sync", account))) << failed.errors;
  expect_nothing_changed();
  test::write_text("/etc/passwd", accounts);
  const auto paired = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(paired.exit_code, 0) << paired.errors;
  expect_in_step();
}

TEST_F(Pair, SaysThatThereAreTwoPiholesThere) {
  // Nothing says which: one where it usually is, and one in the container of the usual name.
  auto options = test::small_pihole("pihole", 3, test::small_household());
  options.container = true;
  const test::PiholeDirectory contained(options);
  std::filesystem::create_symlink(contained.bin_directory() + "/docker", home / "bin/docker");
  std::filesystem::copy(nodes->ph1.directory(), "/etc/pihole", std::filesystem::copy_options::recursive);
  const auto toml = test::read_text("/etc/pihole/pihole.toml");
  auto usual = toml;
  for (std::size_t at; (at = usual.find(nodes->ph1.directory())) != std::string::npos;)
    usual.replace(at, nodes->ph1.directory().size(), "/etc/pihole");
  test::write_text("/etc/pihole/pihole.toml", usual);
  const auto config = test::read_text(nodes->ph1.config());
  test::write_text(nodes->ph1.config(), fmt::format("[node]\nstate_directory = \"{}\"\n", nodes->ph1.state()));
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(failed.exit_code, 4) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "127.0.0.1: Pi-hole: there are several Pi-holes here: /etc/pihole, container pihole (docker)"))
      << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "config init --container NAME")) << failed.errors;
  expect_nothing_changed();
  // Here, too.
  test::write_text(nodes->ph2.config(), fmt::format("[node]\nstate_directory = \"{}\"\n", nodes->ph2.state()));
  before = test::read_text(nodes->ph2.config());
  const auto here = nodes->run(words({"--fingerprint", fingerprint(), "--first", "pull"}), {{"PATH", home / "bin" + ":/usr/bin:/bin"}});
  EXPECT_EQ(here.exit_code, 4) << here.errors;
  EXPECT_TRUE(contains(here.errors, "error: there are several Pi-holes here: /etc/pihole, container pihole (docker)")) << here.errors;
  expect_nothing_changed();
}

TEST_F(Pair, SaysThatTheConfigurationCannotBeWritten) {
  mounts.bind(nodes->ph2.root(), nodes->ph2.root());
  mounts.make_read_only(nodes->ph2.root());
  const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(failed.exit_code, 1) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "Read-only file system")) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, "\n  it is mounted read-only")) << failed.errors;
  EXPECT_TRUE(contains(failed.errors, nodes->ph2.config())) << failed.errors;
  mounts.unmount(nodes->ph2.root());
  expect_nothing_changed();
}

TEST_F(Pair, SaysThatEtcIsReadOnlyAndHowToGoOn) {
  mounts.make_read_only("/etc");
  const auto paired = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_TRUE(contains(paired.errors, "Read-only file system")) << paired.errors;
  EXPECT_TRUE(contains(paired.errors, "`sudo gravity-sync auto on` tries this again")) << paired.errors;
  expect_in_step();
  EXPECT_EQ(paired.exit_code, 0) << "the two are connected: " << paired.errors;
}

/// `path` on a filesystem of its own, with what is there now and room for nothing more.
void fill(test::PrivateMounts& mounts, const std::string& path) {
  test::TempDirectory aside;
  std::filesystem::create_directories(path);
  const auto copy = [](const std::string& from, const std::string& to) {
    const auto copied = util::run({.argv = {"/bin/cp", "-a", from + "/.", to}}, util::Deadline::in(std::chrono::seconds(60)));
    if (copied.exit_code != 0) throw std::runtime_error(copied.errors);
  };
  copy(path, aside.path());
  mounts.tmpfs(path, 16u << 20);
  copy(aside.path(), path);
  const auto filled =
      util::run({.argv = {"/bin/dd", "if=/dev/zero", "of=" + path + "/ballast", "bs=4096"}}, util::Deadline::in(std::chrono::seconds(60)));
  if (!contains(filled.errors, "No space left")) throw std::runtime_error(filled.errors);
}

TEST_F(Pair, ChangesNothingWhereTheDiskHereIsFull) {
  const auto state = nodes->ph2.state();
  const std::pair<std::string, std::string> places[] = {{state, state + "/state.db: "},
                                                        {nodes->ph2.root(), nodes->ph2.config()},
                                                        {nodes->ph2.directory(), "disk: " + nodes->ph2.directory()}};
  for (const auto& [path, name] : places) {
    SCOPED_TRACE(path);
    fill(mounts, path);
    const auto failed = pair({"--fingerprint", fingerprint(), "--first", "pull"});
    EXPECT_EQ(failed.exit_code, 1) << failed.errors;
    EXPECT_TRUE(contains(failed.errors, name)) << failed.errors;
    EXPECT_TRUE(contains(failed.errors, "\n  free some space ")) << failed.errors;
    expect_nothing_changed();
    mounts.unmount(path);
    expect_nothing_changed();
  }
}

TEST_F(Pair, ChangesNothingWhereTheDiskThereIsFull) {
  const std::tuple<std::string, int, std::string> places[] = {
      {home / "home", 1, "127.0.0.1: cannot replace " + home.path() + "/home/.ssh/authorized_keys: "},
      {nodes->ph1.state(), 4, "127.0.0.1: disk: " + nodes->ph1.state() + " has 0 bytes free"},
      {nodes->ph1.directory(), 4, "127.0.0.1: disk: " + nodes->ph1.directory() + "/ has 0 bytes free"}};
  for (const auto& [path, exit_code, text] : places) {
    SCOPED_TRACE(path);
    fill(mounts, path);
    const auto failed = pair({"--fingerprint", fingerprint(), "--first", "push"});
    EXPECT_EQ(failed.exit_code, exit_code) << failed.errors;
    EXPECT_TRUE(contains(failed.errors, "error: " + text)) << failed.errors;
    EXPECT_TRUE(contains(failed.errors, "\n  free some space ")) << failed.errors;
    expect_nothing_changed();
    mounts.unmount(path);
    expect_nothing_changed();
  }
}

TEST_F(Pair, SaysWhatKeptTheFirstSyncFromBeingDone) {
  test::execute(nodes->ph1.gravity(), "DELETE FROM domainlist; DELETE FROM client; DELETE FROM adlist");
  const auto lists = test::lists_of(nodes->ph2.gravity());
  const auto refused = pair({"--fingerprint", fingerprint(), "--first", "pull"});
  EXPECT_EQ(refused.exit_code, 4) << refused.errors;
  EXPECT_TRUE(contains(refused.errors, "error: the two are connected, and the first sync failed (gravity-sync pull ph1): "))
      << refused.errors;
  EXPECT_TRUE(contains(refused.errors, "--force")) << refused.errors;
  EXPECT_FALSE(contains(refused.errors, "; planning")) << "its steps are not its error: " << refused.errors;
  EXPECT_EQ(test::lists_of(nodes->ph2.gravity()), lists);
  EXPECT_TRUE(contains(test::read_text(nodes->ph2.config()), "[[peer]]\nname = \"ph1\""));
}

TEST_F(Pair, IsTakenBackByUnpair) {
  ASSERT_EQ(pair({"--fingerprint", fingerprint(), "--first", "both"}).exit_code, 0);
  const auto lists = test::lists_of(nodes->ph2.gravity());
  const auto unpaired = nodes->run({"unpair", "ph1", "--admin", "root@127.0.0.1", "--identity", nodes->sshd.client_key()});
  ASSERT_EQ(unpaired.exit_code, 0) << unpaired.errors;
  EXPECT_EQ(util::trim(test::read_text(nodes->ph2.config())), util::trim(before));
  EXPECT_FALSE(contains(admitted(), "ssh-ed25519")) << admitted();
  EXPECT_FALSE(contains(test::read_text(nodes->known_hosts()), "ssh-ed25519"));
  EXPECT_EQ(test::lists_of(nodes->ph2.gravity()), lists);
  EXPECT_EQ(nodes->run({"unpair", "ph1"}).exit_code, 2) << "there is no such peer";
}

TEST_F(Pair, SaysWhatUnpairCouldNotTakeBackThere) {
  ASSERT_EQ(pair({"--fingerprint", fingerprint(), "--first", "both"}).exit_code, 0);
  ASSERT_EQ(nodes->run_on(nodes->ph1, {"accept", "ph2", "--remove"}).exit_code, 0);
  const auto unpaired = nodes->run({"unpair", "ph1", "--admin", "root@127.0.0.1", "--identity", nodes->sshd.client_key()});
  EXPECT_EQ(unpaired.exit_code, 0) << unpaired.errors;
  EXPECT_TRUE(contains(unpaired.errors, "lets nobody in as ph2")) << unpaired.errors;
  EXPECT_TRUE(contains(unpaired.output + unpaired.errors, "sudo gravity-sync accept ph2 --remove")) << unpaired.output;
}

TEST(PairCommand, TakesNoHostThatIsAnOptionOfSsh) {
  test::PiholeDirectory pihole;
  for (const std::string admin :
       {"-oProxyCommand=id@host", "root@-oProxyCommand=id", "host", "root@", "@host", "ro ot@host", "root@ho;st"}) {
    const auto result = util::run({.argv = {test::paths::binary, "--config", pihole.config(), "pair", "--", admin}},
                                  util::Deadline::in(std::chrono::seconds(60)));
    EXPECT_EQ(result.exit_code, ::geteuid() == 0 ? 2 : 4) << admin << ": " << result.errors;
  }
}

}  // namespace
}  // namespace gsync
