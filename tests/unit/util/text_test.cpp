#include "gsync/util/text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace gsync::util {
namespace {

TEST(ToHex, WritesTwoLowerCaseDigitsAByte) {
  std::array<std::uint8_t, 3> bytes{0x00, 0x9f, 0xff};
  EXPECT_EQ(to_hex(bytes), "009fff");
}

TEST(HumanBytes, UsesDecimalUnitsWithOneDigit) {
  EXPECT_EQ(human_bytes(0), "0 bytes");
  EXPECT_EQ(human_bytes(1), "1 byte");
  EXPECT_EQ(human_bytes(999), "999 bytes");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(34'200'000), "34.2 MB");
  EXPECT_EQ(human_bytes(999'999), "1.0 MB");
  EXPECT_EQ(human_bytes(~std::uint64_t{0}), "18.4 EB");
}

TEST(HumanTime, SaysNeverForZeroAndADateForTheRest) {
  EXPECT_EQ(human_time(0), "never");
  auto text = human_time(1'795'442'709);
  EXPECT_EQ(text.size(), 19u);
  EXPECT_EQ(text.substr(0, 5), "2026-");
}

TEST(Printable, LeavesTextAloneAndShowsControlCharactersAndBrokenUtf8AsHex) {
  EXPECT_EQ(printable("Bücher 文 🙂"), "Bücher 文 🙂");
  EXPECT_EQ(printable("a\x1b[31mb\n"), "a\\x1b[31mb\\x0a");
  EXPECT_EQ(printable(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "a control sequence introducer in UTF-8";
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3") << "not UTF-8, and cut short";
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "right-to-left override";
}

TEST(Plural, CountsOneAndMany) {
  EXPECT_EQ(plural(1, "domain"), "1 domain");
  EXPECT_EQ(plural(0, "domain"), "0 domains");
  EXPECT_EQ(plural(3, "entry", "entries"), "3 entries");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  EXPECT_EQ(split("a,", ','), (std::vector<std::string_view>{"a", ""}));
}

TEST(Trim, TakesWhiteSpaceFromBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Nearest, FindsAMisspeltWordAndNothingForAStrangeOne) {
  constexpr std::array<std::string_view, 4> keys{"host", "port", "identity", "known_hosts"};
  EXPECT_EQ(nearest("identiy", keys), "identity");
  EXPECT_EQ(nearest("hots", keys), "host");
  EXPECT_EQ(nearest("known-hosts", keys), "known_hosts");
  EXPECT_EQ(nearest("password", keys), "");
  EXPECT_EQ(nearest("", keys), "");
}

TEST(RandomHex, HasTheLengthAskedAndDiffersEachTime) {
  EXPECT_EQ(random_hex(16).size(), 32u);
  EXPECT_NE(random_hex(16), random_hex(16));
}

TEST(ParseTime, TakesHowLongAgoAndDates) {
  EXPECT_EQ(parse_time("90s", 1'000), 910);
  EXPECT_EQ(parse_time("2h", 10'000), 2'800);
  EXPECT_EQ(parse_time(" 1w ", 700'000), 95'200);
  for (std::int64_t time : {1'700'000'000, 1'795'442'709}) EXPECT_EQ(parse_time(human_time(time), 0), time);
  EXPECT_EQ(parse_time("2026-11-20 00:00", 0), parse_time("2026-11-20", 0));
  for (const char* wrong : {"", "h", "yesterday", "5", "5x", "-2d", "2026-13-01", "2026-11-20 18", "99999999999d", "2d x"})
    EXPECT_FALSE(parse_time(wrong, 1'000)) << wrong;
}

}  // namespace
}  // namespace gsync::util
