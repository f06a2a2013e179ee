#include "../src/cli/output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "../src/cli/exit_status.hpp"

namespace gsync::cli {
namespace {

/// stdout and stderr of an Output, as files.
class Captured {
 public:
  ~Captured() {
    std::fclose(out);
    std::fclose(err);
  }
  static std::string text(std::FILE* file) {
    std::fflush(file);
    std::rewind(file);
    std::string all;
    char buffer[4096];
    while (auto n = std::fread(buffer, 1, sizeof buffer, file)) all.append(buffer, n);
    return all;
  }
  std::FILE* out = std::tmpfile();
  std::FILE* err = std::tmpfile();
};

TEST(Output, KeepsResultsAndTroubleApartWithoutColoursOrSigns) {
  Captured c;
  Output output({false, false, false}, c.out, c.err);
  output.done("ph2 is now as ph1");
  output.line({"+ deny  x", Style::added});
  output.warn("FTL did not answer");
  output.error(Error(ErrorCode::refused, "no", "say --force"));
  output.step("planning");
  EXPECT_EQ(Captured::text(c.out), "ph2 is now as ph1\n+ deny  x\n");
  EXPECT_EQ(Captured::text(c.err), "warning: FTL did not answer\nerror: no\n  say --force\nplanning\n");
}

TEST(Output, SaysOnlyWarningsAndErrorsWhenQuiet) {
  Captured c;
  Output output({false, true, false}, c.out, c.err);
  output.done("ph2 is now as ph1");
  output.say("more");
  output.step("planning");
  output.detail("detail");
  output.warn("look");
  EXPECT_EQ(Captured::text(c.out), "");
  EXPECT_EQ(Captured::text(c.err), "warning: look\n");
}

TEST(Output, PutsNothingBesideTheJsonOnStdout) {
  Captured c;
  Output output({true, false, false}, c.out, c.err);
  output.say("words");
  output.done("words");
  output.json("{}");
  EXPECT_EQ(Captured::text(c.out), "{}\n");
}

TEST(Output, GivesErrorsAsJsonTooWhenAsked) {
  Captured c;
  Output output({true, false, false}, c.out, c.err);
  output.error(Error(ErrorCode::busy, "another run works here"));
  EXPECT_NE(Captured::text(c.out).find("\"code\": \"busy\""), std::string::npos);
  EXPECT_EQ(Captured::text(c.err), "error: another run works here\n");
}

TEST(Output, MakesEscapeSequencesOfAPeerVisible) {
  Captured c;
  Output output({false, false, false}, c.out, c.err);
  output.error(Error(ErrorCode::protocol, "banner: \x1b]0;pwned\x07\nsecond line"));
  EXPECT_EQ(Captured::text(c.err), "error: banner: \\x1b]0;pwned\\x07\nsecond line\n");
}

TEST(Output, NoticesThatStdoutIsFull) {
  std::FILE* full = std::fopen("/dev/full", "w");
  if (!full) GTEST_SKIP() << "there is no /dev/full here";
  std::FILE* err = std::tmpfile();
  {
    Output output({false, false, false}, full, err);
    output.say("lost");
    EXPECT_FALSE(output.finish());
  }
  std::fclose(full);
  std::fclose(err);
}

/// A terminal of our own.
class Terminal : public ::testing::Test {
 protected:
  void SetUp() override {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) GTEST_SKIP() << "no pseudo-terminal can be had here";
    const char* name = ::ptsname(master_);
    slave_ = name ? std::fopen(name, "r+") : nullptr;
    if (!slave_) GTEST_SKIP() << "the pseudo-terminal cannot be opened";
    ::setenv("TERM", "xterm", 1);
  }
  void TearDown() override {
    if (slave_) std::fclose(slave_);
    if (master_ >= 0) ::close(master_);
  }
  std::string shown() {
    std::fflush(slave_);
    char buffer[4096];
    auto n = ::read(master_, buffer, sizeof buffer);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
  }
  int master_ = -1;
  std::FILE* slave_ = nullptr;
};

TEST_F(Terminal, GetsColoursAndSigns) {
  ::unsetenv("NO_COLOR");
  Output output({false, false, false}, slave_, slave_);
  output.done("good");
  EXPECT_EQ(shown(), "\x1b[32m✓ good\x1b[0m\r\n");
}

TEST_F(Terminal, GetsSignsOnlyWithNoColor) {
  ::setenv("NO_COLOR", "1", 1);
  Output output({false, false, false}, slave_, slave_);
  output.error(Error(ErrorCode::io, "bad"));
  EXPECT_EQ(shown(), "✗ bad\r\n");
  ::unsetenv("NO_COLOR");
}

TEST(ProgressBar, ShowsShareBytesAndRate) {
  EXPECT_EQ(bar_text({"copying", 50, 100, 2'000'000}, 2.0, 100), "copying  [############............]  50%  2.0 MB  1.0 MB/s");
  EXPECT_EQ(bar_text({"copying", 5, 0, 1'000}, 1.0, 100), "copying  5 rows  1.0 kB  1.0 kB/s");
}

TEST(ProgressBar, NeverFillsTheLastColumn) {
  for (std::size_t width : {0u, 1u, 10u, 40u, 80u}) {
    auto text = bar_text({std::string(200, 'x'), 300, 100, 5}, 0.0, width);
    EXPECT_LT(text.size(), width == 0 ? 1 : width) << width;
  }
}

TEST(ExitCodes, FollowWhatACallerCanDo) {
  EXPECT_EQ(exit_code_of(ErrorCode::config), ExitCode::usage);
  EXPECT_EQ(exit_code_of(ErrorCode::refused), ExitCode::refused);
  for (auto code : {ErrorCode::busy, ErrorCode::conflict}) EXPECT_EQ(exit_code_of(code), ExitCode::busy);
  for (auto code : {ErrorCode::unreachable, ErrorCode::auth, ErrorCode::host_key}) EXPECT_EQ(exit_code_of(code), ExitCode::unreachable);
  for (auto code : {ErrorCode::not_found, ErrorCode::timeout, ErrorCode::corrupt, ErrorCode::incompatible, ErrorCode::io,
                    ErrorCode::no_space, ErrorCode::protocol, ErrorCode::cancelled})
    EXPECT_EQ(exit_code_of(code), ExitCode::failed);
}

}  // namespace
}  // namespace gsync::cli
