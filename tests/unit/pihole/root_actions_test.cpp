#include "gsync/pihole/root_actions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

namespace fs = std::filesystem;
using model::RecordKind;
using test::read_text;
using test::write_text;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using util::Deadline;

enum class By { ourselves, helper };

/// A Pi-hole 5's files, and two scripts in the place of its programs: `dnsmasq-test` refuses the word "broken" in a cname file.
class RootActionsTest : public testing::TestWithParam<By> {
 protected:
  RootActionsTest() {
    for (const auto* name : {"pihole", "dnsmasq.d"}) fs::create_directory(root() / name);
    installation_.generation = Generation::v5;
    installation_.directory = root() / "pihole";
    installation_.dnsmasq_directory = root() / "dnsmasq.d";
    installation_.ftl_binary = root() / "pihole-FTL";
    installation_.pihole_command = root() / "pihole.sh";
    write_text(installation_.ftl_binary,
               "#!/bin/sh\n[ \"$*\" = dnsmasq-test ] || exit 9\nif grep -q broken '" + installation_.dnsmasq_directory +
                   "'/*.conf 2>/dev/null; then\n  echo 'dnsmasq: bad option at line 1' >&2\n  exit 1\nfi\n",
               0755);
    write_text(installation_.pihole_command,
               "#!/bin/sh\necho \"$@\" >>'" + log() + "'\nenv >'" + (root() / "environment").string() + "'\n[ ! -e '" +
                   (root() / "fails").string() + "' ] || { echo 'no such service' >&2; exit 3; }\n",
               0755);
    ::setenv("GSYNC_OF_THE_CALLER", "yes", 1);
    actions_ = GetParam() == By::ourselves ? make_root_actions(installation_, files_) : start_root_helper(installation_);
  }
  ~RootActionsTest() override { ::unsetenv("GSYNC_OF_THE_CALLER"); }

  fs::path root() const { return directory_.path(); }
  std::string log() const { return root() / "log"; }
  std::string path(RecordKind kind) const { return installation_.record_file(kind); }
  static Deadline soon() { return Deadline::in(std::chrono::seconds(20)); }
  void set(RecordKind kind, const model::RecordLines& lines) { actions_->set_records(kind, lines, soon()); }
  Error error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::cancelled, "no error");
  }
  static struct stat look(const std::string& file) {
    struct stat st {};
    EXPECT_EQ(::lstat(file.c_str(), &st), 0) << file;
    return st;
  }
  std::vector<std::string> names(const std::string& directory) {
    std::vector<std::string> result;
    for (const auto& entry : fs::directory_iterator(directory)) result.push_back(entry.path().filename());
    return result;
  }

  test::TempDirectory directory_;
  Installation installation_;
  util::PosixFileOps files_;
  std::unique_ptr<RootActions> actions_;
};

INSTANTIATE_TEST_SUITE_P(, RootActionsTest, testing::Values(By::ourselves, By::helper),
                         [](const auto& p) { return p.param == By::ourselves ? "ByThisProcess" : "ByTheHelper"; });

TEST_P(RootActionsTest, ReplacesAFileWithItsModeAndItsOtherLines) {
  write_text(path(RecordKind::dns), "# mine\n10.0.0.1 a\n", 0640);
  set(RecordKind::dns, {"10.0.0.2 b", "10.0.0.1 a"});
  EXPECT_EQ(read_text(path(RecordKind::dns)), "# mine\n10.0.0.2 b\n10.0.0.1 a\n");
  EXPECT_EQ(look(path(RecordKind::dns)).st_mode & 07777, 0640u);
  EXPECT_EQ(names(installation_.directory), std::vector<std::string>{"custom.list"});
}

TEST_P(RootActionsTest, LeavesAFileAloneThatHasTheseRecords) {
  write_text(path(RecordKind::cname), "cname=A.lan,b.lan  # mine\n", 0644);
  const auto before = look(path(RecordKind::cname));
  set(RecordKind::cname, {"a.lan,b.lan"});
  EXPECT_EQ(look(path(RecordKind::cname)).st_ino, before.st_ino);
}

TEST_P(RootActionsTest, MakesAFileThatIsNotThere) {
  set(RecordKind::dhcp, {"AA:BB:CC:DD:EE:01,tv"});
  EXPECT_EQ(read_text(path(RecordKind::dhcp)), "dhcp-host=AA:BB:CC:DD:EE:01,tv\n");
  EXPECT_EQ(look(path(RecordKind::dhcp)).st_mode & 07777, 0644u);
  set(RecordKind::cname, {});
  EXPECT_FALSE(fs::exists(path(RecordKind::cname))) << "no records, no file";
}

TEST_P(RootActionsTest, TakesNothingThatIsNoRecord) {
  const auto error = error_of([&] { set(RecordKind::cname, {"a.lan,b.lan\nconf-script=/x"}); });
  EXPECT_EQ(error.code(), ErrorCode::refused);
  EXPECT_FALSE(fs::exists(path(RecordKind::cname)));
}

TEST_P(RootActionsTest, RemovesWhatADeadRunHasLeft) {
  write_text(installation_.dnsmasq_directory + "/.05-pihole-custom-cname.conf.gravity-sync", "half", 0600);
  set(RecordKind::cname, {"a.lan,b.lan"});
  EXPECT_EQ(names(installation_.dnsmasq_directory), std::vector<std::string>{"05-pihole-custom-cname.conf"});
}

TEST_P(RootActionsTest, FollowsNoLinkAndChangesNoFileThatHasAnotherName) {
  const std::string secret = root() / "secret";
  write_text(secret, "10.0.0.1 a\n", 0600);
  fs::create_symlink(secret, path(RecordKind::dns));
  auto error = error_of([&] { set(RecordKind::dns, {"10.0.0.2 b"}); });
  EXPECT_EQ(error.code(), ErrorCode::refused);
  EXPECT_THAT(error.what(), HasSubstr("is not a plain file of its own"));
  fs::remove(path(RecordKind::dns));
  fs::create_hard_link(secret, path(RecordKind::dns));
  error = error_of([&] { set(RecordKind::dns, {"10.0.0.2 b"}); });
  EXPECT_EQ(error.code(), ErrorCode::refused);
  EXPECT_THAT(error.what(), Not(HasSubstr("10.0.0.1"))) << "what the file holds is not told";
  EXPECT_EQ(read_text(secret), "10.0.0.1 a\n");
}

TEST_P(RootActionsTest, TakesBackWhatDnsmasqWouldNotStartWith) {
  write_text(path(RecordKind::cname), "# mine\ncname=a.lan,b.lan\n", 0644);
  const auto error = error_of([&] { set(RecordKind::cname, {"broken.lan,b.lan"}); });
  EXPECT_EQ(error.code(), ErrorCode::io);
  EXPECT_THAT(error.what(), HasSubstr("FTL would not start with the configuration in " + installation_.dnsmasq_directory +
                                      ": dnsmasq: bad option at line 1"));
  EXPECT_EQ(read_text(path(RecordKind::cname)), "# mine\ncname=a.lan,b.lan\n");
}

TEST_P(RootActionsTest, RunsPiholesScriptInAnEnvironmentOfItsOwn) {
  for (auto command : {PiholeCommand::restart_dns, PiholeCommand::reload_hosts, PiholeCommand::reload_lists})
    actions_->run(command, soon());
  EXPECT_EQ(read_text(log()), "restartdns\nrestartdns reload\nrestartdns reload-lists\n");
  EXPECT_THAT(read_text(root() / "environment"), AllOf(HasSubstr("PATH=/usr/local/sbin:"), Not(HasSubstr("GSYNC_OF_THE_CALLER"))));
}

TEST_P(RootActionsTest, DoesNotRestartAnFtlThatWouldNotStartAgain) {
  write_text(installation_.dnsmasq_directory + "/99-other.conf", "broken\n", 0644);
  const auto error = error_of([&] { actions_->run(PiholeCommand::restart_dns, soon()); });
  EXPECT_THAT(error.what(), HasSubstr("FTL would not start"));
  EXPECT_FALSE(fs::exists(log()));
  actions_->run(PiholeCommand::reload_lists, soon());
}

TEST_P(RootActionsTest, TellsWhatTheScriptSaid) {
  write_text(root() / "fails", "", 0644);
  const auto error = error_of([&] { actions_->run(PiholeCommand::reload_lists, soon()); });
  EXPECT_EQ(error.code(), ErrorCode::io);
  EXPECT_THAT(error.what(), HasSubstr("`pihole restartdns reload-lists` failed with exit code 3: no such service"));
  EXPECT_FALSE(error.hint().empty());
}

}  // namespace
}  // namespace gsync::pihole
