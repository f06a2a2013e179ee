// What an agent says without being asked, and two sides that have nothing to say.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "gsync/util/fd.hpp"
#include "served.hpp"

namespace gsync::test {
namespace {

using protocol::RemoteNode;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds plenty{20'000};

util::Deadline soon() {
  return util::Deadline::in(plenty);
}

/// A pipe: a byte for each change of the node.
class Changes {
 public:
  Changes() {
    int ends[2];
    if (::pipe(ends) != 0) throw_errno(errno, "pipe");
    read_ = util::Fd(ends[0]);
    write_ = util::Fd(ends[1]);
  }
  void happen() { EXPECT_EQ(::write(write_.get(), "x", 1), 1); }
  int fd() const { return read_.get(); }
  protocol::AgentOptions options() {
    auto result = agent_options();
    result.changes = read_.get();
    result.take_change = [this] {
      char byte = 0;
      EXPECT_EQ(::read(read_.get(), &byte, 1), 1);
      ++taken;
      return true;
    };
    return result;
  }
  void wait_until_taken(int times) {
    for (const auto deadline = soon(); taken < times && !deadline.passed();) std::this_thread::sleep_for(milliseconds(2));
    EXPECT_GE(taken, times);
  }

  std::atomic<int> taken{0};

 private:
  util::Fd read_;
  util::Fd write_;
};

TEST(Changed, ReachesAClientThatWaits) {
  FakeNode node("ph1");
  Changes changes;
  Served served(node, changes.options());
  auto remote = served.connect();
  for (int i = 0; i < 3; ++i) {
    changes.happen();
    EXPECT_EQ(remote->wait(-1, soon()), RemoteNode::Woken::changed);
  }
  EXPECT_EQ(remote->wait(-1, util::Deadline::in(milliseconds(20))), RemoteNode::Woken::deadline) << "each change is told once";
  EXPECT_EQ(remote->describe().name, "ph1") << "and requests are answered as before";
}

TEST(Changed, OfATimeBeforeARequestIsRememberedUntilTheClientWaits) {
  FakeNode node("ph1");
  furnish(node);
  Changes changes;
  Served served(node, changes.options());
  auto remote = served.connect();
  changes.happen();
  changes.wait_until_taken(1);
  remote->lock(soon());
  auto reader = remote->blocklist_rows(wishes_for(node));
  while (reader->next()) {
  }
  reader.reset();
  remote->unlock();
  EXPECT_EQ(remote->wait(-1, soon()), RemoteNode::Woken::changed);
}

TEST(Changed, OfATimeWithinARequestIsToldBehindTheAnswer) {
  FakeNode node("ph1");
  furnish(node);
  Changes changes;
  node.on_call = [&](const std::string& call) {
    if (call == "lists") changes.happen();
  };
  Served served(node, changes.options());
  auto remote = served.connect();
  EXPECT_EQ(remote->lists().size(), node.lists_now.size());
  EXPECT_EQ(remote->wait(-1, soon()), RemoteNode::Woken::changed);
}

TEST(Changed, IsNotTheClientsToSay) {
  FakeNode node("ph1");
  Changes changes;
  auto options = changes.options();
  Served served(node, options);
  auto stream = served.take_stream();
  // A client that plays the agent: the frame of "changed", compressed by an agent of its own.
  FakeNode other("ph3");
  Changes others;
  auto pair = stream_pair();
  auto thread = std::thread([&] {
    try {
      protocol::serve(other, *pair.server, others.options());
    } catch (const Error&) {
    }
  });
  const std::string hello = "gravity-sync 1 0.1.0 " + std::string(32, 'c') + " ph2\n";
  pair.client->write(std::as_bytes(std::span(hello)), soon());
  others.happen();
  std::array<std::byte, 4096> bytes;
  for (std::string said; said.find('\n') == std::string::npos || said.back() == '\n';) {
    auto n = pair.client->read(bytes, soon());
    said.append(reinterpret_cast<const char*>(bytes.data()), n);
    stream->write(std::span(bytes).first(n), soon());
  }
  pair.client.reset();
  thread.join();
  while (stream->read(bytes, soon()) > 0) {
  }
  stream.reset();
  auto error = served.finish();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::protocol);
  EXPECT_THAT(error->what(), HasSubstr("only an agent sends"));
}

TEST(Changed, AnErrorWhileTakingItEndsTheConversation) {
  FakeNode node("ph1");
  Changes changes;
  auto options = changes.options();
  options.take_change = []() -> bool { throw Error(ErrorCode::cancelled, "the daemon ends"); };
  Served served(node, options);
  auto remote = served.connect();
  changes.happen();
  EXPECT_EQ(error_from([&] { remote->wait(-1, soon()); }).code(), ErrorCode::unreachable);
  remote.reset();
  EXPECT_EQ(served.finish()->code(), ErrorCode::cancelled);
}

TEST(Waiting, EndsWhenTheOtherDescriptorIsReadable) {
  FakeNode node("ph1");
  Served served(node);
  auto remote = served.connect();
  Changes mine;
  mine.happen();
  EXPECT_EQ(remote->wait(mine.fd(), soon()), RemoteNode::Woken::other);
  EXPECT_EQ(remote->describe().name, "ph1");
}

TEST(Waiting, EndsWhenTheAgentDoes) {
  FakeNode node("ph1");
  Changes changes;
  auto pair = stream_pair();
  const std::string hello = "gravity-sync 1 0.1.0 " + std::string(32, 'a') + " ph1\n";
  pair.server->write(std::as_bytes(std::span(hello)), soon());
  RemoteNode remote(std::move(pair.client), "ph1", client_hello(), {});
  pair.server.reset();
  auto error = error_from([&] { remote.wait(-1, soon()); });
  EXPECT_EQ(error.code(), ErrorCode::unreachable);
  EXPECT_THAT(error.what(), HasSubstr("ph1"));
}

TEST(Waiting, TwoSidesWithNothingToSayStayTogether) {
  FakeNode node("ph1");
  auto options = agent_options();
  options.limits.idle = milliseconds(200);
  options.limits.quiet = milliseconds(2'000);
  Served served(node, options);
  auto remote = served.connect({plenty, milliseconds(200), milliseconds(2'000)});
  const auto before = remote->bytes_received();
  EXPECT_EQ(remote->wait(-1, util::Deadline::in(milliseconds(5'000))), RemoteNode::Woken::deadline);
  EXPECT_GT(remote->bytes_received(), before) << "it says that it is there";
  EXPECT_EQ(remote->describe().name, "ph1");
}

TEST(Waiting, NoticesAPeerThatIsGone) {
  auto pair = stream_pair();
  const std::string hello = "gravity-sync 1 0.1.0 " + std::string(32, 'a') + " ph1\n";
  pair.server->write(std::as_bytes(std::span(hello)), soon());
  RemoteNode remote(std::move(pair.client), "ph1", client_hello(), {plenty, plenty, milliseconds(300)});
  auto error = error_from([&] { remote.wait(-1, soon()); });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.what(), HasSubstr("0.3 s"));
  EXPECT_EQ(error_from([&] { remote.describe(); }).code(), ErrorCode::unreachable) << "the connection is over";
}

}  // namespace
}  // namespace gsync::test
