#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <thread>
#include <utility>

#include "../src/protocol/bulk.hpp"
#include "served.hpp"
#include "support/sanitizer.hpp"

namespace gsync::test {
namespace {

using protocol::RemoteNode;
using std::chrono::milliseconds;
using testing::HasSubstr;

util::Deadline soon() {
  return util::Deadline::in(std::chrono::seconds(60));
}

/// Rows without end or until `count`, made up as they are asked for.
class GeneratedRows final : public model::BlocklistReader {
 public:
  explicit GeneratedRows(std::uint64_t count) : count_(count), answers_(1) {}
  const std::vector<model::BlocklistAnswer>& answers() const override { return answers_; }
  std::optional<model::BlocklistRow> next() override {
    if (fail_at && done_ == *fail_at) throw Error(ErrorCode::io, "the card is unreadable");
    if (done_ == count_) return std::nullopt;
    // Sorted by its first part; the rest compresses badly.
    auto noise = done_ * 0x9E3779B97F4A7C15u;
    domain_ = fmt_number(done_) + "-" + std::to_string(noise) + std::to_string(noise * noise) + std::to_string(noise ^ (noise >> 13)) +
              ".example.com";
    ++done_;
    return model::BlocklistRow{domain_, 0, false};
  }
  std::uint64_t done() const { return done_; }
  std::optional<std::uint64_t> fail_at;

 private:
  static std::string fmt_number(std::uint64_t n) {
    auto digits = std::to_string(n);
    return std::string(10 - digits.size(), '0') + digits;
  }
  std::uint64_t count_;
  std::uint64_t done_ = 0;
  std::vector<model::BlocklistAnswer> answers_;
  std::string domain_;
};

class GeneratedBytes final : public util::ByteReader {
 public:
  explicit GeneratedBytes(std::uint64_t size) : left_(size) {}
  std::size_t read(std::span<std::byte> buffer) override {
    auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size()));
    for (std::size_t i = 0; i < n; ++i)
      buffer[i] = static_cast<std::byte>(state_ = state_ * 6364136223846793005u + 1442695040888963407u, state_ >> 56);
    left_ -= n;
    return n;
  }

 private:
  std::uint64_t left_;
  std::uint64_t state_ = 1;
};

model::Change wishing_change(const FakeNode& target) {
  model::Change change;
  change.expected = FakeNode(target).describe().digests;
  change.wishes = {{{model::Table::adlist, 0, "https://lists.example/a.txt"}, std::nullopt}};
  return change;
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  std::size_t resident = 0;
  statm >> pages >> resident;
  return resident * 4096;
}

TEST(Streams, HalfAMillionRowsTakeNoMoreMemoryThanAFew) {
  constexpr std::uint64_t count = 500'000;
  auto pair = stream_pair();
  std::thread sender([&] {
    protocol::Connection connection(*pair.server, protocol::Limits{});
    connection.begin({});
    protocol::BulkSender bulk(connection);
    GeneratedRows rows(count);
    EXPECT_TRUE(protocol::send_rows(bulk, rows));
    connection.receive();  // until the receiver has gone
  });
  {
    protocol::Connection connection(*pair.client, protocol::Limits{});
    connection.begin({});
    protocol::BulkReceiver bulk(connection, protocol::MessageType::rows);
    protocol::RowReceiver rows(bulk, std::vector<model::BlocklistAnswer>(1));
    std::uint64_t seen = 0;
    std::size_t early = 0;
    std::size_t most = 0;
    while (rows.next()) {
      if (++seen == 20'000) early = resident_bytes();
      if (seen % 20'000 == 0) most = std::max(most, resident_bytes());
    }
    EXPECT_EQ(seen, count);
    // About 45 MB of domains went through.
    if (!test::sanitized) {
      EXPECT_LT(most - early, 4u << 20);
    }
    connection.close();
  }
  sender.join();
}

TEST(Streams, ArriveAsTheyAreWithEveryEffortAndTakeMoreBytesTheLessItIs) {
  using Effort = protocol::Connection::Effort;
  std::string text;
  for (std::uint64_t i = 0; i < 20'000; ++i) text += "host" + std::to_string(i * 7919 % 1'000'003) + ".example.com\1\2";
  constexpr std::array efforts{Effort::usual, Effort::little, Effort::least, Effort::little, Effort::usual};
  std::array<std::uint64_t, efforts.size()> bytes{};
  auto pair = stream_pair();
  std::thread sender([&] {
    protocol::Connection connection(*pair.server, protocol::Limits{});
    connection.begin({});
    for (std::size_t i = 0; i < efforts.size(); ++i) {
      connection.set_effort(efforts.at(i));
      const auto before = connection.bytes_sent();
      for (std::size_t at = 0; at < text.size(); at += 32'768) connection.queue(protocol::MessageType::bytes, text.substr(at, 32'768));
      connection.send(protocol::MessageType::end);
      bytes.at(i) = connection.bytes_sent() - before;
    }
    connection.close();
  });
  {
    protocol::Connection connection(*pair.client, protocol::Limits{});
    connection.begin({});
    std::string received;
    std::size_t streams = 0;
    while (auto message = connection.receive()) {
      if (message->type == protocol::MessageType::bytes) {
        received += message->payload;
        continue;
      }
      EXPECT_EQ(std::exchange(received, {}), text) << "stream " << streams;
      ++streams;
    }
    EXPECT_EQ(streams, efforts.size());
  }
  sender.join();
  EXPECT_LT(bytes[0], bytes[1]);
  EXPECT_LT(bytes[1], bytes[2]);
  EXPECT_GT(bytes[2], bytes[3]);
  EXPECT_GT(bytes[3], bytes[4]);
  EXPECT_GT(bytes[2], text.size() / 10 * 9);
}

TEST(Streams, ASlowReceiverIsNotFlooded) {
  auto pair = stream_pair();
  GeneratedRows rows(1'000'000);
  std::thread sender([&] {
    protocol::Connection connection(*pair.server, protocol::Limits{});
    connection.begin({});
    protocol::BulkSender bulk(connection);
    EXPECT_FALSE(protocol::send_rows(bulk, rows));
    ASSERT_TRUE(bulk.interruption());
    EXPECT_EQ(bulk.interruption()->type, protocol::MessageType::abort);
    bulk.end(0);
  });
  {
    protocol::Connection connection(*pair.client, protocol::Limits{});
    connection.begin({});
    protocol::BulkReceiver bulk(connection, protocol::MessageType::rows);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(bulk.receive());
    connection.send(protocol::MessageType::abort, util::encode(protocol::Abort{}));
    // The sender reads this when its window is used up, and not before: what is taken now is what it had sent by then.
    bulk.drain();
    sender.join();
  }
  EXPECT_LT(rows.done(), 20'000u) << "a window has 16 frames of 32 KiB";
}

TEST(Streams, AnEarlyRefusalReachesAClientThatIsStillSending) {
  FakeNode node("ph1");
  furnish(node);
  const auto change = wishing_change(node);
  node.on_call = [](const std::string& call) {
    if (call == "apply") throw Error(ErrorCode::refused, "it would shrink the lists by half");
  };
  Served served(node);
  auto remote = served.connect();
  remote->lock(soon());
  GeneratedRows rows(2'000'000);
  auto error = error_from([&] { remote->apply(change, &rows, nullptr); });
  EXPECT_EQ(error.code(), ErrorCode::refused);
  EXPECT_THAT(error.what(), HasSubstr("shrink"));
  EXPECT_LT(rows.done(), 20'000u) << "it stopped when it heard of it";
  EXPECT_EQ(remote->describe().name, "ph1") << "and both sides know where the stream ended";
  remote.reset();
  EXPECT_FALSE(served.finish());
  EXPECT_TRUE(node.applied.empty());
}

TEST(Streams, AnErrorInTheMiddleOfTheTargetsWorkReachesTheClient) {
  FakeNode node("ph1");
  furnish(node);
  node.on_call = [](const std::string& call) {
    if (call == "publish") throw Error(ErrorCode::no_space, "the card is full");
  };
  auto source = node;
  source.on_call = nullptr;
  auto change = wishing_change(source);
  Served served(node);
  auto remote = served.connect();
  remote->lock(soon());
  auto rows = source.blocklist_rows(change.wishes);
  EXPECT_EQ(error_from([&] { remote->apply(change, rows.get(), nullptr); }).code(), ErrorCode::no_space);
  EXPECT_EQ(remote->describe().name, "ph1");
}

TEST(Streams, AReaderThatFailsOnTheClientCancelsTheChange) {
  FakeNode node("ph1");
  furnish(node);
  const auto change = wishing_change(node);
  for (std::uint64_t fail_at : {0u, 1u, 30'000u}) {
    Served served(node);
    auto remote = served.connect();
    remote->lock(soon());
    GeneratedRows rows(50'000);
    rows.fail_at = fail_at;
    auto error = error_from([&] { remote->apply(change, &rows, nullptr); });
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_THAT(error.what(), HasSubstr("the card is unreadable"));
    EXPECT_EQ(remote->describe().name, "ph1");
    remote.reset();
    EXPECT_FALSE(served.finish());
    EXPECT_TRUE(node.applied.empty());
    EXPECT_EQ(node.compiled[change.wishes[0].key].size(), 3u);
  }
}

TEST(Streams, ASourceThatFailsHalfwaySaysWhy) {
  FakeNode node("ph1");
  furnish(node);
  node.on_row = [](std::uint64_t done) {
    if (done == 2) throw Error(ErrorCode::io, "cannot read the shadow");
  };
  Served served(node);
  auto remote = served.connect();
  remote->lock(soon());
  auto reader = remote->blocklist_rows(wishes_for(node));
  auto error = error_from([&] {
    while (reader->next()) {
    }
  });
  EXPECT_EQ(error.code(), ErrorCode::io);
  EXPECT_THAT(error.what(), HasSubstr("ph1: cannot read the shadow"));
  EXPECT_NE(error_from([&] { reader->next(); }).code(), ErrorCode::config) << "it is not an end that somebody may believe in";
  reader.reset();
  EXPECT_EQ(remote->describe().name, "ph1");
}

TEST(Streams, ACopyOfAnotherSizeThanAnnouncedIsNotApplied) {
  FakeNode node("ph1");
  furnish(node);
  for (std::uint64_t real : {0u, 99'999u, 100'001u, 1'000'000u}) {
    model::Change change;
    change.expected = FakeNode(node).describe().digests;
    change.whole_copy = true;
    change.copy_bytes = 100'000;
    Served served(node);
    auto remote = served.connect();
    remote->lock(soon());
    GeneratedBytes bytes(real);
    EXPECT_EQ(error_from([&] { remote->apply(change, nullptr, &bytes); }).code(), ErrorCode::corrupt) << real;
    EXPECT_EQ(remote->describe().name, "ph1");
    remote.reset();
    EXPECT_FALSE(served.finish());
    EXPECT_TRUE(node.applied.empty());
  }
}

/// Waits until a counter has grown so many times.
void wait_for_growth(const std::function<std::uint64_t()>& counter, int times) {
  auto last = counter();
  for (const auto deadline = soon(); times > 0 && !deadline.passed();) {
    std::this_thread::sleep_for(milliseconds(2));
    auto now = counter();
    if (now != last) --times;
    last = now;
  }
  EXPECT_EQ(times, 0) << "nobody says that he is still working";
}

TEST(KeepAlive, LongWorkOfTheAgentOutlivesTheClientsIdleDeadline) {
  constexpr milliseconds idle(2'000);
  FakeNode node("ph1");
  furnish(node);
  auto change = wishing_change(node);
  change.wishes.clear();
  RemoteNode* client = nullptr;
  node.on_call = [&](const std::string& call) {
    // Said every quarter of Limits::give_way.
    if (call == "publish") wait_for_growth([&] { return client->bytes_received(); }, 10);
  };
  auto options = agent_options();
  options.limits.idle = idle;
  Served served(node, options);
  auto remote = served.connect({milliseconds(10'000), idle});
  client = remote.get();
  remote->lock(soon());
  const auto begin = std::chrono::steady_clock::now();
  remote->apply(change, nullptr, nullptr);
  EXPECT_GT(std::chrono::steady_clock::now() - begin, idle);
}

TEST(KeepAlive, LongWorkOfTheAgentInTheMiddleOfAStreamDoesToo) {
  constexpr milliseconds idle(2'000);
  FakeNode node("ph1");
  furnish(node);
  const auto change = wishing_change(node);
  RemoteNode* client = nullptr;
  node.on_call = [&](const std::string& call) {
    if (call == "apply") wait_for_growth([&] { return client->bytes_received(); }, 10);
  };
  auto options = agent_options();
  options.limits.idle = idle;
  Served served(node, options);
  auto remote = served.connect({milliseconds(10'000), idle});
  client = remote.get();
  remote->lock(soon());
  GeneratedRows rows(100'000);
  EXPECT_EQ(error_from([&] { remote->apply(change, &rows, nullptr); }).code(), ErrorCode::corrupt)
      << "all rows were read, and are not the announced ones";
}

TEST(KeepAlive, AClientThatIsBusyWithItsOwnDatabaseKeepsItsLock) {
  constexpr milliseconds idle(2'000);
  FakeNode node("ph1");
  furnish(node);
  auto options = agent_options();
  options.limits.idle = idle;
  Served served(node, options);
  auto remote = served.connect({milliseconds(10'000), idle});
  remote->lock(soon());
  auto reader = remote->blocklist_rows(wishes_for(node));
  ASSERT_TRUE(reader->next());
  wait_for_growth([&] { return remote->bytes_sent(); }, 10);
  while (reader->next()) {
  }
  reader.reset();
  EXPECT_EQ(remote->describe().name, "ph1");
  remote.reset();
  EXPECT_FALSE(served.finish());
}

TEST(IdleDeadline, EndsAClientsWaitForASilentAgent) {
  FakeNode node("ph1");
  furnish(node);
  for (std::uint64_t after : {80u, 150u, 300u}) {
    Faults stall;
    stall.stall_after_received = after;
    Served served(node, agent_options(), stall);
    auto remote = served.connect({milliseconds(10'000), milliseconds(50)});
    auto error = error_from([&] {
      remote->lock(soon());
      remote->lists();
      remote->blocklist();
    });
    EXPECT_EQ(error.code(), ErrorCode::timeout) << after;
    EXPECT_THAT(error.what(), HasSubstr("0.05 s"));
    remote.reset();
    served.finish();
    EXPECT_FALSE(node.locked);
  }
}

TEST(IdleDeadline, FreesTheLockOfAClientThatWentSilent) {
  FakeNode node("ph1");
  furnish(node);
  auto options = agent_options();
  options.limits.idle = options.limits.quiet = milliseconds(1'000);
  Served served(node, options);
  // This client says nothing by itself for 5 s.
  auto remote = served.connect({.idle = milliseconds(60'000), .locked = milliseconds(60'000), .give_way = milliseconds(60'000)});
  remote->lock(soon());
  auto error = served.finish();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::timeout);
  EXPECT_FALSE(node.locked);
  EXPECT_NE(error_from([&] { remote->describe(); }).code(), ErrorCode::config);
}

TEST(LockedDeadline, EndsTheWaitForAnAgentThatWentSilentWhileOthersWaitForTheLock) {
  FakeNode node("ph1");
  furnish(node);
  Faults stall;
  stall.stall_after_received = 150;
  Served served(node, agent_options(), stall);
  auto remote = served.connect({.locked = milliseconds(50)});
  const auto error = error_from([&] {
    remote->lock(soon());
    remote->lists();
    remote->blocklist();
  });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.what(), HasSubstr("0.05 s"));
  remote.reset();
  served.finish();
  EXPECT_FALSE(node.locked);
}

TEST(LockedDeadline, FreesTheLockOfAClientThatWentSilent) {
  FakeNode node("ph1");
  furnish(node);
  auto options = agent_options();
  options.limits.locked = milliseconds(1'000);
  Served served(node, options);
  // This client says nothing by itself for 5 s.
  auto remote = served.connect({.locked = milliseconds(60'000), .give_way = milliseconds(60'000)});
  remote->lock(soon());
  const auto error = served.finish();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::timeout);
  EXPECT_FALSE(node.locked);
}

TEST(IdleDeadline, EndsAWriteThatNobodyReads) {
  auto pair = stream_pair();
  auto hello = std::string("gravity-sync 1 0.1.0 a ph1\n");
  pair.server->write(std::as_bytes(std::span(hello)), soon());
  RemoteNode remote(std::move(pair.client), "ph1", client_hello(), {milliseconds(10'000), milliseconds(100)});
  model::Change change;
  for (int i = 0; i < 2'000; ++i) {
    model::Row row;
    for (int j = 0; j < 2'000; ++j) row.comment.push_back(static_cast<char>('!' + (i * 7919 + j * j * 31 + j / 7 * i) % 90));
    change.rows.push_back({{model::Table::domain, 1, "d" + std::to_string(i)}, std::nullopt, row});
  }
  EXPECT_EQ(error_from([&] { remote.apply(change, nullptr, nullptr); }).code(), ErrorCode::timeout);
}

}  // namespace
}  // namespace gsync::test
