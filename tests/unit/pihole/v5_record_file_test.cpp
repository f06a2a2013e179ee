#include "../../../src/pihole/v5_record_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

using model::RecordKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

V5RecordFile hosts(const std::string& text) {
  return V5RecordFile::parse(RecordKind::dns, text, "/etc/pihole/custom.list");
}
V5RecordFile cnames(const std::string& text) {
  return V5RecordFile::parse(RecordKind::cname, text, "/etc/dnsmasq.d/05-pihole-custom-cname.conf");
}
V5RecordFile leases(const std::string& text) {
  return V5RecordFile::parse(RecordKind::dhcp, text, "/etc/dnsmasq.d/04-pihole-static-dhcp.conf");
}
std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    return error.what();
  }
  return "no error";
}

TEST(V5RecordFile, ReadsWhatThePageAndPeopleWrite) {
  EXPECT_THAT(hosts("192.168.1.2 nas.lan\n192.168.1.3\tPrinter.lan  printer # 2nd floor\n").records(),
              ElementsAre("192.168.1.2 nas.lan", "192.168.1.3 printer.lan printer # 2nd floor"));
  EXPECT_THAT(cnames("cname=files.lan,nas.lan\n cname = media.lan , nas.lan,600 # for the television\n").records(),
              ElementsAre("files.lan,nas.lan", "media.lan,nas.lan,600"));
  EXPECT_THAT(leases("dhcp-host=aa:bb:cc:dd:ee:01,192.168.1.21,tv\ndhcp-host=AA:BB:CC:DD:EE:02,radio\n").records(),
              ElementsAre("AA:BB:CC:DD:EE:01,192.168.1.21,tv", "AA:BB:CC:DD:EE:02,radio"));
}

TEST(V5RecordFile, OfNothingHasNoRecords) {
  EXPECT_THAT(hosts("").records(), IsEmpty());
  EXPECT_THAT(cnames("\n").records(), IsEmpty());
  EXPECT_EQ(hosts("").with_records({}), "");
  EXPECT_EQ(cnames("").with_records({"a.lan,b.lan"}), "cname=a.lan,b.lan\n");
}

TEST(V5RecordFile, KeepsWhatIsNoRecordWhereItStands) {
  const std::string text =
      "# the house\n"
      "192.168.1.2 nas.lan\n"
      "\n"
      "# upstairs\n"
      "192.168.1.3\tprinter.lan\n"
      "192.168.1.4 tv.lan\n";
  auto file = hosts(text);
  EXPECT_EQ(file.with_records(file.records()), text) << "not a byte where nothing differs";
  EXPECT_EQ(file.with_records({"192.168.1.2 nas.lan", "192.168.1.9 new.lan", "192.168.1.4 tv.lan"}),
            "# the house\n192.168.1.2 nas.lan\n\n# upstairs\n192.168.1.9 new.lan\n192.168.1.4 tv.lan\n");
  EXPECT_EQ(file.with_records({}), "# the house\n\n# upstairs\n");

  auto other = leases("dhcp-option=option:ntp-server,192.168.1.1\ndhcp-host=AA:BB:CC:DD:EE:01,tv # by hand\n");
  EXPECT_EQ(other.with_records({"AA:BB:CC:DD:EE:02,radio", "AA:BB:CC:DD:EE:01,tv"}),
            "dhcp-option=option:ntp-server,192.168.1.1\ndhcp-host=AA:BB:CC:DD:EE:02,radio\ndhcp-host=AA:BB:CC:DD:EE:01,tv # by hand\n");
}

TEST(V5RecordFile, HasTheRecordsInTheOrderThatWasAskedFor) {
  const model::RecordLines old{"10.0.0.1 a", "10.0.0.2 b", "10.0.0.3 c", "10.0.0.2 b"};
  std::string text = "# top\n";
  for (const auto& line : old) text += line + "\n# behind " + line + "\n";
  auto permutation = old;
  std::sort(permutation.begin(), permutation.end());
  do {
    for (std::size_t n = 0; n <= permutation.size(); ++n) {
      model::RecordLines wanted(permutation.begin(), permutation.begin() + static_cast<std::ptrdiff_t>(n));
      wanted.push_back("10.0.0.9 new");
      const auto result = hosts(hosts(text).with_records(wanted));
      ASSERT_EQ(result.records(), wanted);
      ASSERT_EQ(result.lines().size(), wanted.size() + 5) << "all comments are there";
    }
  } while (std::next_permutation(permutation.begin(), permutation.end()));
}

TEST(V5RecordFile, NamesTheLineThatItCannotRead) {
  EXPECT_THAT(error_of([] { hosts("# x\n10.0.0.1 a\nfe80::1%eth0 router\n"); }), HasSubstr("/etc/pihole/custom.list line 3: "));
  EXPECT_THAT(error_of([] { hosts("10.0.0.1 a\r\n"); }), HasSubstr("custom.list line 1: "));
  EXPECT_THAT(error_of([] { cnames("cname=a.lan\n"); }), HasSubstr("05-pihole-custom-cname.conf line 1: "));
  EXPECT_THAT(error_of([] { cnames("cname=a.lan,b.lan\ncname=a.lan,c.lan\n"); }), HasSubstr("05-pihole-custom-cname.conf: "));
  EXPECT_THAT(error_of([] { leases("dhcp-host=\"AA:BB:CC:DD:EE:01\",tv\n"); }), HasSubstr("04-pihole-static-dhcp.conf line 1: "));
}

TEST(V5RecordFile, SaysWhatOfItIsNotSynced) {
  EXPECT_THAT(hosts("10.0.0.1 a # with a comment\n\n").notes(), IsEmpty());
  EXPECT_THAT(hosts("# one\n\n # two\n10.0.0.1 a\n").notes(),
              ElementsAre("not synced: 2 comment lines of /etc/pihole/custom.list; they stay as they are"));
  std::string options;
  for (int i = 0; i < 8; ++i) options += "server=/x" + std::to_string(i) + "/10.0.0.1\n";
  const auto notes = cnames(options).notes();
  ASSERT_EQ(notes.size(), 6u);
  EXPECT_EQ(notes[0], "not synced: line 1 of /etc/dnsmasq.d/05-pihole-custom-cname.conf, server=/x0/10.0.0.1; it stays as it is");
  EXPECT_EQ(notes[5], "not synced: 3 more such lines of /etc/dnsmasq.d/05-pihole-custom-cname.conf");
}

}  // namespace
}  // namespace gsync::pihole
