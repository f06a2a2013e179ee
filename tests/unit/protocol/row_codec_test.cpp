#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>

#include "../src/protocol/blocklist_codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::protocol {
namespace {

using Row = std::tuple<std::string, std::uint32_t, bool>;

std::vector<model::BlocklistAnswer> answers(std::size_t n) {
  std::vector<model::BlocklistAnswer> result(n);
  for (auto& answer : result) answer.delta = true;
  return result;
}

std::string encode_all(const std::vector<Row>& rows) {
  RowEncoder encoder;
  for (const auto& [domain, adlist, removed] : rows) encoder.add({domain, adlist, removed});
  encoder.finish();
  return encoder.take();
}

std::vector<Row> decode_all(const std::string& batch, const std::vector<model::BlocklistAnswer>& as = answers(3)) {
  RowDecoder decoder(as);
  std::vector<Row> rows;
  decoder.feed(batch);
  while (auto row = decoder.next()) rows.emplace_back(row->domain, row->adlist, row->removed);
  return rows;
}

bool refused(const std::string& batch, const std::vector<model::BlocklistAnswer>& as = answers(3)) {
  try {
    decode_all(batch, as);
  } catch (const Error& error) {
    return error.code() == ErrorCode::protocol;
  }
  return false;
}

TEST(RowCodec, GivesBackWhatItTook) {
  std::vector<Row> rows{
      {"a.example", 0, false}, {"a.example", 2, true}, {"a.example.com", 1, false}, {"b", 0, true}, {"||abp.example^", 2, false}};
  EXPECT_EQ(decode_all(encode_all(rows)), rows);
}

TEST(RowCodec, SplitsAnySequenceIntoBatchesWithoutChangingIt) {
  const auto seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::set<std::pair<std::string, std::uint32_t>> sorted;
  for (int i = 0; i < 5000; ++i) {
    std::string domain;
    for (auto n = 1 + random() % 6; n > 0; --n) domain.push_back("ab.\xC3"[random() % 4]);
    sorted.emplace(domain, random() % 40);
  }
  RowEncoder encoder;
  std::vector<std::string> batches;
  for (const auto& [domain, adlist] : sorted) {
    encoder.add({domain, adlist, adlist % 3 == 0});
    if (encoder.size() > random() % 300) batches.push_back(encoder.take());
  }
  encoder.finish();
  if (encoder.size() > 0) batches.push_back(encoder.take());
  const auto as = answers(40);
  RowDecoder decoder(as);
  auto expected = sorted.begin();
  for (auto& batch : batches) {
    decoder.feed(std::move(batch));
    while (auto row = decoder.next()) {
      ASSERT_NE(expected, sorted.end());
      ASSERT_EQ(row->domain, expected->first);
      ASSERT_EQ(row->adlist, expected->second);
      ASSERT_EQ(row->removed, expected->second % 3 == 0);
      ++expected;
    }
  }
  EXPECT_EQ(expected, sorted.end());
}

TEST(RowCodec, IsCompact) {
  std::vector<Row> rows;
  for (int i = 100'000; i < 110'000; ++i) rows.emplace_back("tracker" + std::to_string(i) + ".ads.example.com", 0, false);
  EXPECT_LT(encode_all(rows).size(), rows.size() * 25);
}

TEST(RowCodec, RefusesRowsOutOfOrder) {
  EXPECT_TRUE(refused(encode_all({{"b", 0, false}, {"a", 0, false}})));
  EXPECT_TRUE(refused(encode_all({{"ab", 0, false}, {"a", 0, false}})));
  EXPECT_TRUE(refused(encode_all({{"a", 1, false}, {"a", 0, false}})));
}

TEST(RowCodec, RefusesRowsTwice) {
  EXPECT_TRUE(refused(encode_all({{"a", 0, false}, {"a", 0, false}})));
  EXPECT_TRUE(refused(encode_all({{"a", 0, false}, {"a", 0, true}})));
  EXPECT_TRUE(refused(encode_all({{"a", 0, false}}) + std::string("\x01\x00\x01\x02", 4)))
      << "the same domain again, with nothing added to it";
}

TEST(RowCodec, KeepsTheOrderAcrossBatches) {
  const auto as = answers(1);
  RowDecoder decoder(as);
  decoder.feed(encode_all({{"m", 0, false}}));
  while (decoder.next()) {
  }
  decoder.feed(encode_all({{"a", 0, false}}));
  EXPECT_THROW(decoder.next(), Error);
}

TEST(RowCodec, RefusesAdlistsThatNobodyWishedFor) {
  EXPECT_TRUE(refused(encode_all({{"a", 3, false}})));
  EXPECT_TRUE(refused(encode_all({{"a", 0xFFFFFFFF, false}})));
}

TEST(RowCodec, RefusesRemovalsFromAWholeSet) {
  auto as = answers(2);
  as[1].delta = false;
  EXPECT_FALSE(refused(encode_all({{"a", 0, true}, {"a", 1, false}}), as));
  EXPECT_TRUE(refused(encode_all({{"a", 0, true}, {"a", 1, true}}), as));
}

TEST(RowCodec, RefusesWhatIsNoDomain) {
  for (const auto& domain :
       {std::string(), std::string(1025, 'a'), std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7F"), std::string("\x1b[2J")})
    EXPECT_TRUE(refused(encode_all({{domain, 0, false}}))) << domain;
  EXPECT_FALSE(refused(encode_all({{std::string(1024, 'a'), 0, false}})));
}

TEST(RowCodec, RefusesEveryTruncation) {
  auto batch = encode_all({{"a.example", 0, false}, {"a.example.com", 1, false}, {"a.example.com", 2, true}});
  const std::size_t whole_first_domain = 1 + 1 + 9 + 1 + 1;
  for (std::size_t n = 0; n < batch.size(); ++n) EXPECT_EQ(refused(batch.substr(0, n)), n != whole_first_domain) << n;
}

TEST(RowCodec, SurvivesAnyBytes) {
  const auto seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string batch;
    for (auto n = 1 + random() % 40; n > 0; --n) batch.push_back(static_cast<char>(random() % 3 ? random() % 8 : random()));
    try {
      for (const auto& [domain, adlist, removed] : decode_all(batch)) {
        ASSERT_FALSE(domain.empty());
        ASSERT_LT(adlist, 3u);
      }
      ++accepted;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::protocol);
    }
  }
  EXPECT_LT(accepted, 20'000);
}

}  // namespace
}  // namespace gsync::protocol
