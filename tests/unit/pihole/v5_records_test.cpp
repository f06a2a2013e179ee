#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "../src/pihole/record_access.hpp"
#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

using model::RecordKind;
using model::RecordLines;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Remembers what it was asked for.
class FakeRoot final : public RootActions {
 public:
  void set_records(RecordKind kind, const RecordLines& lines, util::Deadline) override { set.emplace_back(kind, lines); }
  void run(PiholeCommand command, util::Deadline) override { commands.push_back(command); }

  std::vector<std::pair<RecordKind, RecordLines>> set;
  std::vector<PiholeCommand> commands;
};

class V5RecordsTest : public testing::Test {
 protected:
  V5RecordsTest() {
    installation_.generation = Generation::v5;
    installation_.directory = directory_ / "pihole";
    installation_.dnsmasq_directory = directory_ / "dnsmasq.d";
    for (const auto& path : {installation_.directory, installation_.dnsmasq_directory}) std::filesystem::create_directory(path);
    installation_.pid_file = directory_ / "ftl.pid";
    installation_.ftl_binary = "/bin/true";
    installation_.pihole_command = "/bin/true";
    installation_.dns_port = 0;
  }
  std::unique_ptr<RecordAccess> access(RootActions* root) { return make_record_access(installation_, files_, root); }
  void write(RecordKind kind, const std::string& text) { test::write_text(installation_.record_file(kind), text); }
  static util::Deadline soon() { return util::Deadline::in(std::chrono::seconds(20)); }

  test::TempDirectory directory_;
  Installation installation_;
  util::PosixFileOps files_;
  FakeRoot root_;
};

TEST_F(V5RecordsTest, AreTheLinesOfThreeFiles) {
  auto records = access(&root_);
  auto reading = records->read();
  for (auto kind : model::record_kinds) EXPECT_THAT(reading.records[model::index_of(kind)].value(), IsEmpty()) << "no file, no records";
  write(RecordKind::dns, "# mine\n10.0.0.1 a.lan\n");
  write(RecordKind::cname, "cname=b.lan,a.lan\n");
  write(RecordKind::dhcp, "dhcp-host=AA:BB:CC:DD:EE:01,tv\n");
  reading = records->read();
  EXPECT_THAT(reading.records[0].value(), ElementsAre("10.0.0.1 a.lan"));
  EXPECT_THAT(reading.records[1].value(), ElementsAre("b.lan,a.lan"));
  EXPECT_THAT(reading.records[2].value(), ElementsAre("AA:BB:CC:DD:EE:01,tv"));
  EXPECT_THAT(reading.read_only, ElementsAre("", "", "", ""));
  EXPECT_THAT(reading.notes, ElementsAre(HasSubstr("1 comment line")));
}

TEST_F(V5RecordsTest, AreNoSettingsWhichIsSaidToWhoeverWantsThem) {
  const auto i = model::index_of(RecordKind::setting);
  EXPECT_EQ(access(&root_)->read().unavailable[i], "");
  const auto wanting = make_record_access(installation_, files_, &root_, {"dns.upstreams"});
  EXPECT_FALSE(wanting->read().records[i]);
  EXPECT_THAT(wanting->read().unavailable[i], HasSubstr("Pi-hole 5"));
  EXPECT_NE(wanting->identity(), access(&root_)->identity());
  EXPECT_THROW(make_root_actions(installation_, files_)->set_records(RecordKind::setting, {"dns.dnssec = true"}, soon()), Error);
}

TEST_F(V5RecordsTest, ThatCannotBeReadLeaveTheOtherKindsAlone) {
  write(RecordKind::dns, "10.0.0.1 a.lan\n");
  write(RecordKind::cname, "cname=b.lan,a.lan\ncname=b.lan,c.lan\n");
  const auto reading = access(&root_)->read();
  EXPECT_TRUE(reading.records[0]);
  EXPECT_FALSE(reading.records[1]);
  EXPECT_THAT(reading.unavailable[1], HasSubstr(installation_.record_file(RecordKind::cname)));
}

TEST_F(V5RecordsTest, AreReadAgainWhenAFileOrOurRightsChange) {
  auto records = access(&root_);
  const auto empty = records->identity();
  EXPECT_EQ(records->identity(), empty);
  EXPECT_NE(access(nullptr)->identity(), empty);
  write(RecordKind::dhcp, "dhcp-host=AA:BB:CC:DD:EE:01,tv\n");
  EXPECT_NE(records->identity(), empty);
}

TEST_F(V5RecordsTest, NeedRootForWhatRestartsFtl) {
  const auto reading = access(nullptr)->read();
  EXPECT_EQ(reading.read_only[0], "") << "the directory is ours";
  EXPECT_THAT(reading.read_only[1], HasSubstr("FTL must be restarted for them, which needs root"));
  EXPECT_THAT(reading.read_only[2], HasSubstr("start gravity-sync as root"));
  EXPECT_TRUE(reading.records[1]) << "they can be given all the same";
}

TEST_F(V5RecordsTest, AreNotSetWhereFtlCouldNotBeToldOfThem) {
  installation_.pihole_command.clear();
  auto reading = access(&root_)->read();
  EXPECT_EQ(reading.read_only[0], "") << "a signal is enough";
  EXPECT_THAT(reading.read_only[1], HasSubstr("the pihole command was not found"));
  installation_.pihole_command = "/bin/true";
  installation_.ftl_binary.clear();
  reading = access(&root_)->read();
  EXPECT_THAT(reading.read_only[2], HasSubstr("pihole-FTL was not found"));
  installation_.runtime = config::Runtime::volume;
  reading = access(&root_)->read();
  EXPECT_THAT(reading.read_only[0], HasSubstr("only a command in it can have it read them"));
  installation_.dnsmasq_directory.clear();
  reading = access(&root_)->read();
  EXPECT_THAT(reading.unavailable[1], HasSubstr("in its own layer"));
}

TEST_F(V5RecordsTest, SayWhichThePageDoesNotShow) {
  auto records = access(&root_);
  EXPECT_THAT(records->set(RecordKind::dns, {"10.0.0.1 a.lan", "10.0.0.2 b.lan c.lan", "10.0.0.3 d.lan # e"}, soon()),
              ElementsAre(HasSubstr("2 DNS records with several names or a comment")));
  EXPECT_THAT(records->set(RecordKind::dns, {"10.0.0.1 a.lan"}, soon()), IsEmpty());
  EXPECT_THAT(records->set(RecordKind::cname, {"a.lan,b.lan,c.lan,60"}, soon()), IsEmpty());
  EXPECT_EQ(root_.set.size(), 3u);
}

TEST_F(V5RecordsTest, AskNothingOfAnFtlThatDoesNotRun) {
  auto records = access(&root_);
  records->settle({RecordKind::dns, RecordKind::cname}, soon());
  EXPECT_THAT(root_.commands, IsEmpty()) << "it reads them when it starts";
}

TEST_F(V5RecordsTest, HaveFtlRestartedOnceOrReadItsHosts) {
  // It runs, and has no thread that a signal could be sent to.
  test::write_text(installation_.pid_file, std::to_string(::getpid()));
  std::string comm = test::read_text("/proc/self/comm");
  comm.pop_back();
  installation_.ftl_binary = "/usr/bin/" + comm;
  auto records = access(&root_);
  records->settle({RecordKind::dns}, soon());
  EXPECT_THAT(root_.commands, ElementsAre(PiholeCommand::reload_hosts));
  records->settle({RecordKind::dns, RecordKind::cname, RecordKind::dhcp}, soon());
  EXPECT_THAT(root_.commands, ElementsAre(PiholeCommand::reload_hosts, PiholeCommand::restart_dns));
}

}  // namespace
}  // namespace gsync::pihole
