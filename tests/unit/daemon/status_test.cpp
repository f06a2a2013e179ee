#include "gsync/daemon/status.hpp"
#include "gsync/daemon/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../src/daemon/control.hpp"

namespace gsync::daemon {
namespace {

using ::testing::HasSubstr;

Status example() {
  Status status;
  status.name = "ph2";
  status.pid = 17;
  PeerStatus peer;
  peer.name = "ph1";
  peer.mode = config::Mode::push;
  peer.phase = Phase::working;
  peer.connected_since = 5;
  peer.in_step = true;
  peer.last_changed.rows_added = 3;
  peer.there.schema = 19;
  status.peers.push_back(peer);
  peer.in_step.reset();
  peer.failure = Failure{"unreachable", "cannot connect", "is it on?", 9};
  status.peers.push_back(peer);
  status.agents.push_back({"ph3", true, 4});
  return status;
}

TEST(StatusJson, ComesBackAsItWas) {
  const auto text = to_json(example());
  EXPECT_EQ(to_json(status_from_json(text)), text);
  EXPECT_EQ(text.find('\n'), std::string::npos) << "one line";
  EXPECT_THAT(text, HasSubstr(R"("mode":"push","phase":"working")"));
  EXPECT_THAT(text, HasSubstr(R"("failure":null)"));
}

TEST(StatusJson, SurvivesNewerKeysAndBytesThatAreNoText) {
  EXPECT_EQ(status_from_json(R"({"name":"a","tomorrow":[1]})").name, "a");
  Event event{1, Level::error, "failed", "ph1", "bad \xff byte", ""};
  EXPECT_EQ(event_from_json(to_json(event)).text, "bad \xEF\xBF\xBD byte");
}

TEST(StatusJson, ThrowsWhatTheDaemonAnsweredAndWhatIsNoJson) {
  try {
    status_from_json(to_json(Error(ErrorCode::refused, "no", "sudo")));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::refused);
    EXPECT_EQ(error.hint(), "sudo");
  }
  EXPECT_THROW(request_from_json("status"), Error);
  EXPECT_THROW(request_from_json(R"({"command":1})"), Error);
}

TEST(Control, PacketsStayApartAndTheEndIsSeen) {
  auto pair = make_control();
  Report report;
  report.peer = example().peers[1];
  report.events.push_back({1, Level::warning, "refused", "ph1", "no", "force"});
  EXPECT_TRUE(send(pair.childs, report));
  EXPECT_TRUE(send(pair.childs, Report{}));
  std::string bytes;
  ASSERT_EQ(receive_packet(pair.ours.get(), bytes), Packet::there);
  const auto back = util::decode<Report>(bytes);
  ASSERT_TRUE(back.peer);
  EXPECT_EQ(back.peer->failure->hint, "is it on?");
  EXPECT_EQ(back.events.at(0).level, Level::warning);
  EXPECT_EQ(receive_packet(pair.ours.get(), bytes), Packet::there);
  EXPECT_EQ(receive_packet(pair.ours.get(), bytes), Packet::none);
  pair.childs.reset();
  EXPECT_EQ(receive_packet(pair.ours.get(), bytes), Packet::closed);
  EXPECT_FALSE(send(pair.ours, Order{}));
}

TEST(Metrics, HaveALineForEachPeer) {
  auto status = example();
  status.peers.resize(1);
  status.peers[0].bytes_sent = 123456789012;
  status.peers[0].publish_microseconds = 1500;
  const auto text = prometheus_text(status);
  EXPECT_THAT(
      text,
      HasSubstr("# TYPE gravity_sync_sent_bytes_total counter\ngravity_sync_sent_bytes_total{peer=\"ph1\",mode=\"push\"} 123456789012\n"));
  EXPECT_THAT(text, HasSubstr("gravity_sync_publish_seconds{peer=\"ph1\",mode=\"push\"} 0.0015\n"));
  EXPECT_THAT(text, HasSubstr("gravity_sync_in_step{peer=\"ph1\",mode=\"push\"} 1\n"));
}

TEST(Health, NeedsEveryPeerInStepButThosePaused) {
  Status status;
  EXPECT_TRUE(status.healthy());
  auto& peer = status.peers.emplace_back();
  EXPECT_FALSE(status.healthy());
  peer.connected_since = 1;
  peer.in_step = true;
  EXPECT_TRUE(status.healthy());
  peer.failure = Failure{};
  EXPECT_FALSE(status.healthy());
  peer.phase = Phase::paused;
  EXPECT_TRUE(status.healthy());
}

}  // namespace
}  // namespace gsync::daemon
