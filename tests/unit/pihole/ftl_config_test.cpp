#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <thread>

#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

using model::RecordKind;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using util::Deadline;

/// A shell script in FTL's place. An array in JSON is one in TOML too.
class SetRecords : public testing::Test {
 protected:
  SetRecords() {
    installation_.directory = directory_.path();
    installation_.ftl_binary = directory_ / "ftl";
    test::write_text(installation_.toml_path(), "[dns]\nhosts = []\n");
  }
  void script(const std::string& body) {
    test::write_text(installation_.ftl_binary, "#!/bin/sh\ncd '" + directory_.path() + "' || exit 99\n" + body, 0755);
  }
  void script_that_works() {
    script(R"(printf '%s\n' "$#" "$1" "$2" "$3" > called
grep CapAmb /proc/self/status > capabilities
printf '[%s]\n%s = %s\n' "${2%.*}" "${2#*.}" "$3" > new && mv new pihole.toml
)");
  }
  Error error(RecordKind kind = RecordKind::dns, const model::RecordLines& lines = {"192.168.1.1 a.lan"}, int milliseconds_left = 20'000) {
    try {
      set_records(installation_, kind, lines, Deadline::in(milliseconds(milliseconds_left)));
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::cancelled, "it worked");
  }
  bool called() const { return ::access((directory_ / "called").c_str(), F_OK) == 0; }

  test::TempDirectory directory_;
  Installation installation_;
};

TEST_F(SetRecords, HandsFtlTheKeyAndTheLinesAsJson) {
  script_that_works();
  set_records(installation_, RecordKind::dns, {"192.168.1.1 a.lan", "192.168.1.2 b.lan # \"Küche\""}, Deadline::in(milliseconds(20'000)));
  EXPECT_EQ(test::read_text(directory_ / "called"),
            "3\n--config\ndns.hosts\n[\"192.168.1.1 a.lan\",\"192.168.1.2 b.lan # \\\"Küche\\\"\"]\n");
  set_records(installation_, RecordKind::cname, {"a.lan,b.lan"}, Deadline::in(milliseconds(20'000)));
  EXPECT_EQ(test::read_text(directory_ / "called"), "3\n--config\ndns.cnameRecords\n[\"a.lan,b.lan\"]\n");
  set_records(installation_, RecordKind::dhcp, {}, Deadline::in(milliseconds(20'000)));
  EXPECT_EQ(test::read_text(directory_ / "called"), "3\n--config\ndhcp.hosts\n[]\n");
}

TEST_F(SetRecords, HandsFtlASettingBareOrAsJson) {
  script(R"(printf '%s\n' "$#" "$1" "$2" "$3" > called
case "$3" in true|[0-9]*|\[*) value=$3 ;; *) value="\"$3\"" ;; esac
printf '[%s]\n%s = %s\n' "${2%.*}" "${2##*.}" "$value" > new && mv new pihole.toml
)");
  const auto set = [&](const std::string& line) {
    set_setting(installation_, line, Deadline::in(milliseconds(20'000)));
    return test::read_text(directory_ / "called");
  };
  EXPECT_EQ(set("dns.upstreams = [\"1.1.1.1\",\"fd00::1#53\"]"), "3\n--config\ndns.upstreams\n[\"1.1.1.1\",\"fd00::1#53\"]\n");
  EXPECT_EQ(set("dns.blocking.mode = \"NULL\""), "3\n--config\ndns.blocking.mode\nNULL\n");
  EXPECT_EQ(set("dns.dnssec = true"), "3\n--config\ndns.dnssec\ntrue\n");
  EXPECT_EQ(set("dns.cache.size = 10000"), "3\n--config\ndns.cache.size\n10000\n");
  EXPECT_EQ(set("dns.domain.name = \"\""), "3\n--config\ndns.domain.name\n\n");
}

TEST_F(SetRecords, SaysWhichSettingFtlRefusesAndHowToLeaveItOut) {
  const auto error_of_setting = [&](const std::string& line, int milliseconds_left) {
    try {
      set_setting(installation_, line, Deadline::in(milliseconds(milliseconds_left)));
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::cancelled, "it worked");
  };
  script("echo 'bad address' >&2\nexit 3\n");
  const auto wrong = error_of_setting("dns.upstreams = []", 20'000);
  EXPECT_EQ(wrong.code(), ErrorCode::io);
  EXPECT_THAT(wrong.what(), AllOf(HasSubstr("dns.upstreams"), HasSubstr("bad address")));
  EXPECT_THAT(wrong.hint(), HasSubstr("take dns.upstreams out of [sync] settings"));
  script("exit 5\n");
  EXPECT_EQ(error_of_setting("dns.upstreams = []", 20'000).code(), ErrorCode::refused);
  script("true\n");
  EXPECT_EQ(error_of_setting("dns.blockTTL = 7", 300).code(), ErrorCode::timeout) << "what is written is read back";
  script("touch called\n");
  EXPECT_EQ(error_of_setting("dns.blockTTL = 7777777777", 20'000).code(), ErrorCode::refused);
  EXPECT_FALSE(called());
}

TEST_F(SetRecords, GivesTheChildTheRightToChangeOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "without CAP_CHOWN there is nothing to give";
  script_that_works();
  set_records(installation_, RecordKind::dns, {"192.168.1.1 a.lan"}, Deadline::in(milliseconds(20'000)));
  const auto line = test::read_text(directory_ / "capabilities");
  EXPECT_EQ(std::stoull(line.substr(line.find(':') + 1), nullptr, 16) & 1, 1u) << line;
}

TEST_F(SetRecords, TakesNormalisedWhiteSpaceForTheSame) {
  script("printf '[dns]\\nhosts = [ \"192.168.1.1  A.lan\tb.lan\" ]\\n' | tr '\\t' ' ' > pihole.toml\n");
  EXPECT_EQ(error(RecordKind::dns, {"192.168.1.1 a.lan b.lan"}).code(), ErrorCode::cancelled);
}

TEST_F(SetRecords, WaitsUntilPiholeTomlHoldsTheLines) {
  script("touch called\n");
  std::thread writer([&] {
    const auto deadline = Deadline::in(milliseconds(20'000));
    while (!called() && !deadline.passed()) std::this_thread::yield();
    test::replace_text(installation_.toml_path(), "[dns]\nhosts = [");
    test::replace_text(installation_.toml_path(), "[dns]\nhosts = [\"192.168.1.1 a.lan\"]\n");
  });
  EXPECT_EQ(error().code(), ErrorCode::cancelled);
  writer.join();
}

TEST_F(SetRecords, SaysWhenTheLinesDoNotArrive) {
  script("true\n");
  const auto wrong = error(RecordKind::dns, {"192.168.1.1 a.lan"}, 300);
  EXPECT_EQ(wrong.code(), ErrorCode::timeout);
  EXPECT_THAT(wrong.what(), AllOf(HasSubstr("dns.hosts"), HasSubstr(installation_.toml_path())));
}

TEST_F(SetRecords, SaysWhenFtlDoesNotReturn) {
  script("exec sleep 600\n");
  EXPECT_EQ(error(RecordKind::dns, {}, 200).code(), ErrorCode::timeout);
}

TEST_F(SetRecords, ReportsFtlsWordsByItsExitCode) {
  struct Case {
    int exit_code;
    ErrorCode code;
    const char* hint;
  };
  for (const auto& [exit_code, code, hint] : {Case{1, ErrorCode::refused, "misc.readOnly"}, Case{2, ErrorCode::io, "correct the record"},
                                              Case{3, ErrorCode::io, "correct the record"}, Case{4, ErrorCode::io, "update Pi-hole"},
                                              Case{5, ErrorCode::refused, "FTLCONF_"}, Case{139, ErrorCode::io, ""}}) {
    SCOPED_TRACE(exit_code);
    script("echo on stdout\nprintf 'on\\033[2J stderr\\n' >&2\nexit " + std::to_string(exit_code) + "\n");
    const auto wrong = error();
    EXPECT_EQ(wrong.code(), code);
    EXPECT_THAT(wrong.what(), AllOf(HasSubstr("dns.hosts"), HasSubstr("on stdout"), HasSubstr("on\\x1b[2J stderr"),
                                    HasSubstr(std::to_string(exit_code))));
    EXPECT_THAT(wrong.hint(), HasSubstr(hint));
  }
}

TEST_F(SetRecords, NeedsAnFtl) {
  EXPECT_EQ(error().code(), ErrorCode::not_found);
  installation_.ftl_binary.clear();
  EXPECT_EQ(error().code(), ErrorCode::refused);
}

TEST_F(SetRecords, RunsNoCommandForAContainersVolume) {
  script_that_works();
  installation_.runtime = config::Runtime::volume;
  EXPECT_EQ(error().code(), ErrorCode::refused);
  EXPECT_THAT(error().what(), HasSubstr("belongs to a container"));
  EXPECT_FALSE(called());
}

TEST_F(SetRecords, RefusesWhatOneArgumentCannotCarryBeforeAnythingIsRun) {
  script_that_works();
  EXPECT_EQ(error(RecordKind::dns, model::RecordLines(9'000, "192.168.1.1 a.lan")).code(), ErrorCode::refused);
  EXPECT_EQ(error(RecordKind::dns, {"192.168.1.1 a.lan # \xff"}).code(), ErrorCode::refused);
  EXPECT_FALSE(called());
}

TEST_F(SetRecords, CarriesAsMuchAsOneArgumentCan) {
  script_that_works();
  // 131,070 bytes of JSON: with its terminator one less than the kernel's limit.
  model::RecordLines lines(130, "192.168.1.1 a.lan # " + std::string(980, 'x'));
  lines.emplace_back("192.168.1.1 a.lan # ");
  const std::size_t json_without_last = 2 + lines.size() * 3 - 1 + 130 * 1000 + lines.back().size();
  lines.back() += std::string(131'070 - json_without_last, 'x');
  EXPECT_STREQ(error(RecordKind::dns, lines).what(), "it worked");
}

TEST_F(SetRecords, RefusesToResetWhatFtlHasFromItsEnvironment) {
  script_that_works();
  test::write_text(installation_.toml_path(),
                   "[dns]\nport = 54 ### CHANGED (env), default = 53\n\n# 1 entry is forced through environment:\n#   - dns.port\n");
  ::unsetenv("FTLCONF_dns_port");
  // Another variable than the one that FTL has does not help.
  ::setenv("FTLCONF_dns_upstreams", "9.9.9.9", 1);
  const auto wrong = error();
  ::unsetenv("FTLCONF_dns_upstreams");
  EXPECT_EQ(wrong.code(), ErrorCode::refused);
  EXPECT_THAT(wrong.what(), HasSubstr("FTLCONF_dns_port"));
  EXPECT_FALSE(called());
  ::setenv("FTLCONF_dns_port", "54", 1);
  EXPECT_EQ(error().code(), ErrorCode::cancelled);
  ::unsetenv("FTLCONF_dns_port");
  EXPECT_TRUE(called());
}

}  // namespace
}  // namespace gsync::pihole
