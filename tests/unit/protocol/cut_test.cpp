#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "served.hpp"

/// The connection is cut after every single byte of whole conversations, in each direction. Whatever the byte, both sides end, the client
/// learns of it, the lock is free and the node is the whole old or the whole new one.
namespace gsync::test {
namespace {

using protocol::RemoteNode;
using Talk = std::function<void(RemoteNode&)>;

util::Deadline soon() {
  return util::Deadline::in(std::chrono::seconds(60));
}

FakeNode far_node() {
  FakeNode node("ph1");
  furnish(node);
  return node;
}

FakeNode near_node() {
  FakeNode node("ph2");
  furnish(node);
  node.add_domain("new.example.com", "added");
  node.recompile(node.compiled.begin()->first, {"n.example"}, {"a.example"});
  return node;
}

void pull_like(RemoteNode& remote) {
  remote.describe();
  remote.lock(soon());
  remote.lists();
  remote.records();
  remote.blocklist();
  auto far = far_node();
  auto reader = remote.blocklist_rows(wishes_for(far));
  int rows = 0;
  while (reader->next()) ++rows;
  EXPECT_EQ(rows, 5) << "an end is only believed when it is one";
  reader.reset();
  auto copy = remote.copy(model::CopyOf::live);
  std::uint64_t bytes = 0;
  std::array<std::byte, 1000> buffer{};
  while (auto n = copy.reader->read(buffer)) bytes += n;
  EXPECT_EQ(bytes, copy.bytes);
  copy.reader.reset();
  remote.unlock();
}

model::Change change_of_far_node() {
  model::Change change;
  change.action = model::Action::push;
  change.source = "ph2";
  change.expected = far_node().describe().digests;
  return change;
}

void push_rows_like(RemoteNode& remote) {
  auto source = near_node();
  auto change = change_of_far_node();
  change.rows = model::diff(far_node().lists_now, source.lists_now);
  change.wishes = wishes_for(source);
  change.records[0] = model::RecordLines{"10.0.0.1 router.lan"};
  remote.lock(soon());
  auto rows = source.blocklist_rows(change.wishes);
  remote.apply(change, rows.get(), nullptr);
  remote.unlock();
}

void push_copy_like(RemoteNode& remote) {
  auto source = near_node();
  auto change = change_of_far_node();
  auto copy = source.copy(model::CopyOf::live);
  change.whole_copy = true;
  change.copy_bytes = copy.bytes;
  change.copy_lists = model::digest_of(source.lists_now);
  remote.lock(soon());
  remote.apply(change, nullptr, copy.reader.get());
  remote.unlock();
}

struct Traffic {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

Traffic uncut(const Talk& talk) {
  auto node = far_node();
  Served served(node);
  auto remote = served.connect();
  talk(*remote);
  Traffic traffic{remote->bytes_sent(), remote->bytes_received()};
  remote.reset();
  EXPECT_FALSE(served.finish());
  return traffic;
}

void cut_once(const Talk& talk, const Faults& faults, std::uint64_t at) {
  auto node = far_node();
  const auto before = node.describe().digests;
  const auto after = near_node().describe().digests;
  Served served(node, agent_options(), faults);
  auto error = error_from([&] {
    auto remote = served.connect();
    talk(*remote);
  });
  served.finish();
  ASSERT_TRUE(error.code() == ErrorCode::unreachable || error.code() == ErrorCode::protocol) << "byte " << at << ": " << error.what();
  ASSERT_FALSE(node.locked) << "byte " << at;
  ASSERT_LE(node.applied.size(), 1u) << "byte " << at;
  const auto now = node.describe().digests;
  const auto& expected = node.applied.empty() ? before : after;
  ASSERT_EQ(now.lists, expected.lists) << "byte " << at;
  ASSERT_EQ(now.blocklist, expected.blocklist) << "byte " << at;
}

void cut_what_is_sent(const Talk& talk) {
  const auto total = uncut(talk).sent;
  ASSERT_GT(total, 100u);
  ASSERT_LT(total, 5000u) << "the sweep would take too long";
  for (std::uint64_t at = 0; at < total && !testing::Test::HasFatalFailure(); ++at) {
    Faults faults;
    faults.cut_after_sent = at;
    cut_once(talk, faults, at);
  }
}

void cut_what_is_received(const Talk& talk) {
  const auto total = uncut(talk).received;
  ASSERT_GT(total, 100u);
  ASSERT_LT(total, 5000u) << "the sweep would take too long";
  for (std::uint64_t at = 0; at < total && !testing::Test::HasFatalFailure(); ++at) {
    Faults faults;
    faults.cut_after_received = at;
    cut_once(talk, faults, at);
  }
}

TEST(CutConnection, PullAfterEveryByteSent) {
  cut_what_is_sent(pull_like);
}
TEST(CutConnection, PullAfterEveryByteReceived) {
  cut_what_is_received(pull_like);
}
TEST(CutConnection, PushOfRowsAfterEveryByteSent) {
  cut_what_is_sent(push_rows_like);
}
TEST(CutConnection, PushOfRowsAfterEveryByteReceived) {
  cut_what_is_received(push_rows_like);
}
TEST(CutConnection, PushOfACopyAfterEveryByteSent) {
  cut_what_is_sent(push_copy_like);
}
TEST(CutConnection, PushOfACopyAfterEveryByteReceived) {
  cut_what_is_received(push_copy_like);
}

TEST(CutConnection, EveryCallAfterwardsSaysSoButUnlockIsForgiving) {
  auto node = far_node();
  Faults faults;
  faults.cut_after_received = 120;
  Served served(node, agent_options(), faults);
  auto remote = served.connect();
  auto first = error_from([&] { pull_like(*remote); });
  EXPECT_EQ(first.code(), ErrorCode::unreachable);
  auto second = error_from([&] { remote->describe(); });
  EXPECT_EQ(second.code(), ErrorCode::unreachable);
  EXPECT_NE(std::string(second.what()).find("earlier error"), std::string::npos) << second.what();
  remote->unlock();
  remote.reset();
}

}  // namespace
}  // namespace gsync::test
