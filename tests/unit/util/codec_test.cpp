#include "gsync/util/codec.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace codec_test {

enum class Colour : std::uint8_t { red, green, blue };
constexpr Colour last_of(Colour) {
  return Colour::blue;
}

struct Inner {
  std::string name;
  std::int64_t number = 0;
  bool operator==(const Inner&) const = default;
};
template <class Archive>
void fields(Archive& a, Inner& t) {
  a(t.name, t.number);
}

struct Thing {
  bool flag = false;
  Colour colour = Colour::red;
  std::optional<std::uint32_t> maybe;
  std::vector<Inner> list;
  std::set<std::string> names;
  std::map<std::uint16_t, std::string> by_number;
  std::array<std::uint8_t, 4> digest{};
  bool operator==(const Thing&) const = default;
};
template <class Archive>
void fields(Archive& a, Thing& t) {
  a(t.flag, t.colour, t.maybe, t.list, t.names, t.by_number, t.digest);
}

using gsync::Error;
using gsync::ErrorCode;
using gsync::util::decode;
using gsync::util::encode;

Thing example() {
  return {.flag = true,
          .colour = Colour::blue,
          .maybe = 7,
          .list = {{"a", -1}, {std::string("\0b", 2), std::numeric_limits<std::int64_t>::min()}},
          .names = {"x", "y"},
          .by_number = {{1, "one"}, {65535, "many"}},
          .digest = {1, 2, 0, 255}};
}

template <class T>
void expect_refused(std::string_view bytes) {
  try {
    decode<T>(bytes);
    ADD_FAILURE() << "it was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::protocol);
  }
}

TEST(Codec, GivesBackWhatWentIn) {
  EXPECT_EQ(decode<Thing>(encode(example())), example());
  EXPECT_EQ(decode<Thing>(encode(Thing{})), Thing{});
}

TEST(Codec, KeepsTheEndsOfTheNumberRanges) {
  for (auto n : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), std::int64_t{0}, std::int64_t{-1}})
    EXPECT_EQ(decode<std::int64_t>(encode(n)), n);
  EXPECT_EQ(decode<std::uint64_t>(encode(~std::uint64_t{0})), ~std::uint64_t{0});
  EXPECT_EQ(decode<std::int8_t>(encode(std::int8_t{-128})), -128);
}

TEST(Codec, SmallNumbersTakeOneByte) {
  EXPECT_EQ(encode(std::uint64_t{127}).size(), 1u);
  EXPECT_EQ(encode(std::int64_t{-64}).size(), 1u);
}

TEST(Codec, EveryTruncationIsRefused) {
  auto whole = encode(example());
  for (std::size_t n = 0; n < whole.size(); ++n) expect_refused<Thing>(std::string_view(whole).substr(0, n));
}

TEST(Codec, ABytePastTheEndIsRefused) {
  expect_refused<Thing>(encode(example()) + '\0');
}

TEST(Codec, ChangedBytesEitherDecodeOrAreRefused) {
  auto whole = encode(example());
  std::size_t refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      auto bytes = whole;
      bytes[i] = static_cast<char>(value);
      try {
        decode<Thing>(bytes);
      } catch (const Error& e) {
        ASSERT_EQ(e.code(), ErrorCode::protocol);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST(Codec, ACountBeyondTheInputIsRefusedBeforeAnythingIsAllocated) {
  std::string huge("\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9);
  expect_refused<std::string>(huge);
  expect_refused<std::vector<std::string>>(huge);
  expect_refused<std::set<std::string>>(huge);
  expect_refused<std::map<std::string, std::string>>(huge);
}

TEST(Codec, ANumberOfMoreThan64BitsIsRefused) {
  expect_refused<std::uint64_t>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  expect_refused<std::uint64_t>(std::string(20, '\xff'));
}

TEST(Codec, ANumberThatIsWrittenLongerThanItNeedBeIsRefused) {
  EXPECT_EQ(decode<std::uint64_t>(std::string("\x80\x01", 2)), 128u);
  expect_refused<std::uint64_t>(std::string("\x81\x00", 2));
  expect_refused<std::string>(std::string("\x81\x80\x00x", 4));
}

TEST(Codec, ANumberThatDoesNotFitItsTypeIsRefused) {
  expect_refused<std::uint8_t>(encode(std::uint64_t{256}));
  expect_refused<std::int8_t>(encode(std::int64_t{128}));
  expect_refused<std::int8_t>(encode(std::int64_t{-129}));
}

TEST(Codec, ATruthValueOtherThan0And1IsRefused) {
  EXPECT_TRUE(decode<bool>(std::string(1, '\1')));
  expect_refused<bool>(std::string(1, '\2'));
  expect_refused<std::optional<bool>>(std::string("\2\1", 2));
}

TEST(Codec, AnUnknownEnumerationValueIsRefused) {
  EXPECT_EQ(decode<Colour>(std::string(1, '\2')), Colour::blue);
  expect_refused<Colour>(std::string(1, '\3'));
}

TEST(Codec, SetsAndMapsOutOfOrderOrWithRepetitionsAreRefused) {
  EXPECT_EQ(decode<std::set<std::string>>(encode(std::vector<std::string>{"a", "b"})), (std::set<std::string>{"a", "b"}));
  expect_refused<std::set<std::string>>(encode(std::vector<std::string>{"b", "a"}));
  expect_refused<std::set<std::string>>(encode(std::vector<std::string>{"a", "a"}));
  using Pairs = std::vector<Inner>;
  using Map = std::map<std::string, std::int64_t>;
  EXPECT_EQ(decode<Map>(encode(Pairs{{"a", 1}, {"b", 2}})), (Map{{"a", 1}, {"b", 2}}));
  expect_refused<Map>(encode(Pairs{{"b", 1}, {"a", 2}}));
  expect_refused<Map>(encode(Pairs{{"a", 1}, {"a", 2}}));
}

}  // namespace codec_test
