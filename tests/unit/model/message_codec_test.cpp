#include <gtest/gtest.h>

#include "gsync/model/node_info.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "random_values.hpp"

namespace gsync::model {
namespace {

using testing::Random;

RowKey random_key(Random& random) {
  return {static_cast<Table>(random.below(4)), static_cast<std::uint8_t>(random.below(256)), random.bytes()};
}

Row random_row(Random& random) {
  auto row = random.row({random_key(random), random_key(random)});
  row.title = random.bytes();
  return row;
}

RowChange random_change(Random& random) {
  RowChange change{random_key(random), std::nullopt, std::nullopt};
  if (random.flip()) change.before = random_row(random);
  if (random.flip()) change.after = random_row(random);
  return change;
}

RecordLines random_lines(Random& random) {
  RecordLines lines;
  for (auto n = random.below(4); n > 0; --n) lines.push_back(random.bytes());
  return lines;
}

Records random_records(Random& random) {
  Records records;
  for (auto& lines : records)
    if (random.flip()) lines = random_lines(random);
  return records;
}

Digests random_digests(Random& random) {
  Digests digests{random.digest(), random.digest(), {}};
  for (auto& digest : digests.records)
    if (random.flip()) digest = random.digest();
  return digests;
}

AdlistStatistics random_statistics(Random& random) {
  return {random.number(), random.number(), random.number(), random.number(), random.number()};
}

NodeInfo random_info(Random& random) {
  NodeInfo info;
  info.node_id = random.bytes();
  info.name = random.bytes();
  info.software = random.bytes();
  info.core_version = random.bytes();
  info.ftl_version = random.bytes();
  info.schema = random.number();
  info.capabilities = {random.flip(),
                       random.flip(),
                       random.flip(),
                       {random.bytes(), random.bytes(), random.bytes()},
                       {random.bytes(), random.bytes(), random.bytes()}};
  info.digests = random_digests(random);
  for (auto& fitted : info.fitted) fitted = {random.digest(), random.digest(), random.engine()()};
  info.live_identity = random.bytes();
  info.live_bytes = random.engine()();
  info.list_rows = random.engine()();
  info.blocklist_rows = random.engine()();
  info.read_only = random.flip();
  info.damaged = random.flip();
  info.damage = random.bytes();
  info.notes = random_lines(random);
  return info;
}

Change random_plan_change(Random& random) {
  Change change;
  change.action = static_cast<Action>(random.below(4));
  change.source = random.bytes();
  change.started_by = random.bytes();
  change.expected = random_digests(random);
  change.force = random.flip();
  change.whole_copy = random.flip();
  for (auto n = random.below(4); n > 0; --n) change.copied.push_back({random.flip(), random.set_digest(), {}});
  change.copy_bytes = random.engine()();
  change.copy_schema = random.digest();
  change.copy_lists = random.digest();
  change.copy_blocklist = random.digest();
  for (auto n = random.below(4); n > 0; --n) change.rows.push_back(random_change(random));
  for (auto n = random.below(4); n > 0; --n)
    change.wishes.push_back({random_key(random), random.flip() ? std::optional(random.set_digest()) : std::nullopt});
  change.records = random_records(random);
  return change;
}

HistoryEntry random_entry(Random& random) {
  HistoryEntry entry;
  entry.id = random.number();
  entry.time = random.number();
  entry.action = static_cast<Action>(random.below(4));
  entry.source = random.bytes();
  entry.target = random.bytes();
  entry.started_by = random.bytes();
  entry.outcome = static_cast<Outcome>(random.below(4));
  entry.text = random.bytes();
  entry.counts = {random.engine()(), random.engine()(), random.engine()(), random.engine()(), random.engine()(),
                  random.engine()(), random.engine()(), random.engine()(), random.flip()};
  entry.bytes_sent = random.engine()();
  entry.bytes_received = random.engine()();
  entry.version = random.number();
  entry.dns_paused = random.flip();
  for (auto n = random.below(4); n > 0; --n) entry.rows.push_back(random_change(random));
  for (auto n = random.below(4); n > 0; --n) entry.records.push_back({record_kinds[random.below(3)], random.bytes(), random.flip()});
  entry.rows_left_out = random.engine()();
  return entry;
}

ApplyReport random_report(Random& random) {
  ApplyReport report;
  report.counts.blocklist_added = random.engine()();
  report.version = random.number();
  report.history_id = random.number();
  report.published = random.flip();
  report.dns_paused = random.flip();
  report.publish_microseconds = random.number();
  report.warnings = random_lines(random);
  return report;
}

/// Encoding what was decoded gives the same bytes; every cut and every appended byte is an error; a flipped bit is an error or another
/// message that itself round-trips.
template <class T, class Make>
void expect_strict_round_trip(Make make) {
  Random random;
  for (int i = 0; i < 40; ++i) {
    const T value = make(random);
    auto bytes = util::encode(value);
    ASSERT_EQ(util::encode(util::decode<T>(bytes)), bytes);
    for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + random.below(8))
      ASSERT_THROW(util::decode<T>(std::string_view(bytes).substr(0, cut)), Error) << cut;
    ASSERT_THROW(util::decode<T>(bytes + '\0'), Error);
    for (int n = 0; n < 50 && !bytes.empty(); ++n) {
      auto damaged = bytes;
      auto& byte = damaged[random.below(damaged.size())];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << random.below(8)));
      std::optional<T> other;
      try {
        other = util::decode<T>(damaged);
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), ErrorCode::protocol);
        continue;
      }
      auto again = util::encode(*other);
      ASSERT_EQ(util::encode(util::decode<T>(again)), again);
    }
    auto noise = random.bytes(200);
    try {
      util::decode<T>(noise);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::protocol);
    }
  }
}

TEST(MessageCodec, KeepsRowKeys) {
  expect_strict_round_trip<RowKey>(random_key);
}
TEST(MessageCodec, KeepsRows) {
  expect_strict_round_trip<Row>(random_row);
}
TEST(MessageCodec, KeepsLists) {
  expect_strict_round_trip<Lists>([](Random& random) { return random.lists(); });
}
TEST(MessageCodec, KeepsRecords) {
  expect_strict_round_trip<Records>(random_records);
}
TEST(MessageCodec, KeepsDigests) {
  expect_strict_round_trip<Digests>(random_digests);
}
TEST(MessageCodec, KeepsRowChanges) {
  expect_strict_round_trip<RowChange>(random_change);
}
TEST(MessageCodec, KeepsRecordChanges) {
  expect_strict_round_trip<RecordChange>([](Random& random) {
    return RecordChange{record_kinds[random.below(3)], random.bytes(), random.flip()};
  });
}
TEST(MessageCodec, KeepsBlocklists) {
  expect_strict_round_trip<Blocklist>([](Random& random) {
    Blocklist blocklist;
    for (auto n = random.below(5); n > 0; --n) blocklist.push_back({random_key(random), random.set_digest(), random_statistics(random)});
    return blocklist;
  });
}
TEST(MessageCodec, KeepsBlocklistAnswers) {
  expect_strict_round_trip<BlocklistAnswer>([](Random& random) {
    return BlocklistAnswer{random.flip(), random.set_digest(), random_statistics(random)};
  });
}
TEST(MessageCodec, KeepsNodeInfo) {
  expect_strict_round_trip<NodeInfo>(random_info);
}
TEST(MessageCodec, KeepsChanges) {
  expect_strict_round_trip<Change>(random_plan_change);
}
TEST(MessageCodec, KeepsApplyReports) {
  expect_strict_round_trip<ApplyReport>(random_report);
}
TEST(MessageCodec, KeepsHistoryEntries) {
  expect_strict_round_trip<HistoryEntry>(random_entry);
}
TEST(MessageCodec, KeepsVersions) {
  expect_strict_round_trip<Version>([](Random& random) {
    VersionInfo info{random.number(), random.number(), random.bytes(), random.engine()(), random.engine()(), random.engine()()};
    return Version{info, random.lists(), random_records(random)};
  });
}

TEST(MessageCodec, KeepsEveryFieldOfARow) {
  Random random;
  for (int i = 0; i < 100; ++i) {
    auto row = random_row(random);
    ASSERT_TRUE(testing::identical(util::decode<Row>(util::encode(row)), row));
  }
}

TEST(MessageCodec, RefusesUnknownTablesKindsAndActions) {
  auto key = util::encode(RowKey{Table::client, 0, "x"});
  key[0] = 4;
  EXPECT_THROW(util::decode<RowKey>(key), Error);
  EXPECT_THROW(util::decode<RecordKind>(std::string(1, '\4')), Error);
  EXPECT_THROW(util::decode<Action>(std::string(1, '\5')), Error);
  EXPECT_THROW(util::decode<Outcome>(std::string(1, '\4')), Error);
}

TEST(Words, OfHistoryAreStable) {
  EXPECT_EQ(to_string(Outcome::done), "done");
  EXPECT_EQ(to_string(Outcome::refused), "refused");
  EXPECT_EQ(to_string(Outcome::failed), "failed");
  EXPECT_EQ(to_string(Outcome::interrupted), "interrupted");
  EXPECT_EQ(to_string(Action::pull), "pull");
  EXPECT_EQ(to_string(Action::push), "push");
  EXPECT_EQ(to_string(Action::undo), "undo");
  EXPECT_EQ(to_string(Action::restore), "restore");
}

}  // namespace
}  // namespace gsync::model
