#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "served.hpp"

namespace gsync::test {
namespace {

using protocol::Limits;
using protocol::RemoteNode;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

Error connect_to(std::string says, std::string diagnostics = {}) {
  return error_from(
      [&] { RemoteNode(std::make_unique<CannedStream>(std::move(says), std::move(diagnostics)), "ph1", client_hello(), {}); });
}

/// A far side that is gone before we say a word, like a shell that refused.
class GoneStream final : public util::ByteStream {
 public:
  explicit GoneStream(std::string says) : canned_(std::move(says)) {}
  std::size_t read(std::span<std::byte> buffer, util::Deadline deadline) override { return canned_.read(buffer, deadline); }
  void write(std::span<const std::byte>, util::Deadline) override { throw Error(ErrorCode::unreachable, "broken pipe"); }
  void close_write() noexcept override {}
  std::uint64_t bytes_sent() const override { return 0; }
  std::uint64_t bytes_received() const override { return 0; }

 private:
  CannedStream canned_;
};

TEST(Hello, IntroducesBothSides) {
  FakeNode node("ph1");
  Served served(node, agent_options());
  auto hello = client_hello();
  hello.name =
      "k\xC3\xBC"
      "che pi";
  auto remote = served.connect({}, hello);
  EXPECT_EQ(remote->peer_hello().name, "ph1");
  EXPECT_EQ(remote->peer_hello().node_id, std::string(32, 'a'));
  EXPECT_EQ(remote->peer_hello().software, "0.1.0");
  EXPECT_EQ(remote->label(), "ph1");
}

TEST(Hello, TellsTheTimeAndWhoCompilesByHimself) {
  FakeNode node("ph1");
  auto options = agent_options();
  options.hello.time = 1'790'000'000;
  options.hello.weekly_gravity = true;
  Served served(node, options);
  auto remote = served.connect();
  EXPECT_EQ(remote->peer_hello().time, 1'790'000'000);
  EXPECT_TRUE(remote->peer_hello().weekly_gravity);
  EXPECT_EQ(connect_to("gravity-sync 1 0.1.0 aa ph1 time:12x\n").code(), ErrorCode::protocol);
  EXPECT_EQ(connect_to("gravity-sync 1 0.1.0 aa ph1 time:-1\n").code(), ErrorCode::protocol);
  EXPECT_EQ(connect_to("gravity-sync 1 0.1.0 aa ph1 time:1 clients\n").code(), ErrorCode::protocol);
}

TEST(Hello, TellsEachSideWhatTheOtherKeepsLocalBeforeItsNodeIsAsked) {
  FakeNode node("ph1");
  auto options = agent_options();
  std::vector<std::string> told;
  options.greeted = [&](const protocol::Hello& theirs) {
    told = theirs.keep_local.patterns();
    EXPECT_TRUE(node.calls.empty());
  };
  options.hello.keep_local = model::KeepLocal({"clients"});
  Served served(node, options);
  auto hello = client_hello();
  std::vector<std::string> many{
      "group:K\xC3\xBC"
      "che, 100 %",
      "dns:*.site-a.lan"};
  while (many.size() < model::KeepLocal::max_patterns) many.push_back("client:" + std::string(180, '*') + std::to_string(many.size()));
  hello.keep_local = model::KeepLocal(many);
  auto remote = served.connect({}, hello);
  EXPECT_EQ(remote->peer_hello().keep_local, options.hello.keep_local.but_settings({})) << "who says nothing of settings gives none";
  remote->describe();
  remote.reset();
  served.finish();
  EXPECT_EQ(told, hello.keep_local.patterns());
}

TEST(Hello, TellsEachSideWhichSettingsTheOtherGives) {
  FakeNode node("ph1");
  auto options = agent_options();
  std::optional<model::KeepLocal> told;
  options.greeted = [&](const protocol::Hello& theirs) { told = theirs.keep_local; };
  options.hello.keep_local = model::KeepLocal({"clients"}).but_settings({"dns.upstreams", "of.a.later version,"});
  Served served(node, options);
  auto hello = client_hello();
  hello.keep_local = model::KeepLocal().but_settings({"dns.dnssec"});
  auto remote = served.connect({}, hello);
  EXPECT_EQ(remote->peer_hello().keep_local, options.hello.keep_local);
  remote.reset();
  served.finish();
  EXPECT_EQ(told, hello.keep_local);
}

TEST(Hello, NamesTheClientInTheHistoryWhenTheAgentWasNotToldWhomItServes) {
  FakeNode node("ph1");
  Served served(node, agent_options(""));
  auto hello = client_hello();
  hello.name =
      "k\xC3\xBC"
      "che pi\n";
  auto remote = served.connect({}, hello);
  remote->note({});
  remote.reset();
  served.finish();
  ASSERT_EQ(node.notes.size(), 1u);
  EXPECT_EQ(node.notes[0].started_by,
            "agent for k\xC3\xBC"
            "che pi\\x0a");
}

TEST(Hello, ReportsALoginBannerAndHowToSilenceIt) {
  auto error = connect_to("Welcome to Raspberry Pi OS!\nLast login: yesterday\ngravity-sync 1 0.1.0 a b\n");
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  EXPECT_THAT(error.what(), HasSubstr("ph1"));
  EXPECT_THAT(error.what(), HasSubstr("Welcome to Raspberry Pi OS!"));
  EXPECT_THAT(error.what(), Not(HasSubstr("Last login")));
  EXPECT_THAT(error.hint(), HasSubstr("bashrc"));
}

TEST(Hello, SkipsEmptyLinesToFindTheFirstWords) {
  auto error = connect_to("\r\n\r\n* maintenance tonight *\r\n");
  EXPECT_THAT(error.what(), HasSubstr("\"* maintenance tonight *\""));
}

TEST(Hello, OfADaemonThatHasAsManyPeersAsItTakesIsSaidInItsWords) {
  auto error = connect_to("the daemon on ph1 serves 64 peers and takes no more\n");
  EXPECT_THAT(error.what(), HasSubstr("the daemon on ph1 serves 64 peers and takes no more"));
  EXPECT_THAT(std::string(error.hint()), HasSubstr("as the peer of this one"));
}

TEST(Hello, OfADaemonThatDoesNotAnswerSaysWhereToLook) {
  auto error =
      connect_to("", "error: the daemon there does not answer\n  see why it does not start, or hangs: journalctl -u gravity-sync\n");
  EXPECT_THAT(error.what(), HasSubstr("the daemon there does not answer"));
  EXPECT_THAT(error.hint(), HasSubstr("journalctl"));
}

TEST(Hello, RecognisesAnAccountWithoutAShell) {
  auto error = connect_to("This account is currently not available.\n");
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  EXPECT_THAT(error.what(), HasSubstr("This account is currently not available."));
  EXPECT_THAT(error.hint(), HasSubstr("nologin"));
}

TEST(Hello, RecognisesAMissingBinaryByWhatTheShellSays) {
  auto error = connect_to("", "sh: 1: gravity-sync: not found\n");
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  EXPECT_THAT(error.what(), HasSubstr("sh: 1: gravity-sync: not found"));
  EXPECT_THAT(error.hint(), HasSubstr("install gravity-sync on ph1"));
}

TEST(Hello, ReportsAnEndWithoutAWord) {
  auto error = connect_to("");
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  EXPECT_THAT(error.what(), HasSubstr("before it said anything"));
  EXPECT_THAT(error.hint(), HasSubstr("authorized_keys"));
}

TEST(Hello, ShowsBinaryNoiseHarmlessly) {
  std::string noise;
  for (int i = 0; i < 2000; ++i) noise.push_back(static_cast<char>(i * 7 + 128));
  auto error = connect_to(noise);
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  for (const char* c = error.what(); *c; ++c) EXPECT_GE(static_cast<unsigned char>(*c), 0x20);
  EXPECT_LT(std::string(error.what()).size(), 400u);
}

TEST(Hello, ReportsAnotherKindOfServer) {
  auto error = connect_to("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n");
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  EXPECT_THAT(error.what(), HasSubstr("HTTP/1.1 400 Bad Request"));
}

TEST(Hello, RefusesAlmostHellos) {
  for (const std::string line :
       {"gravity-sync\n", "gravity-sync  \n", "gravity-sync one 0.1.0 a b\n", "gravity-sync 1 0.1.0 a\n", "gravity-sync 1 0.1.0 a b c\n",
        "gravity-sync 1 0.1.0 a b clients,zzz\n", "gravity-sync 1 0.1.0 a b clients d\n", "gravity-sync 1 0.1.0 a b%2\n",
        "gravity-sync 1 0.1.0 a b%zz\n", "gravity-sync 1 0.1.0 a \x1b[2J\n", "gravity-sync 99999999999999999999 1 a b\n",
        "gravity-sync -1 0.1.0 a b\n", "Gravity-Sync 1 0.1.0 a b\n"}) {
    auto error = connect_to(line);
    EXPECT_EQ(error.code(), ErrorCode::protocol) << line;
    EXPECT_THAT(error.what(), Not(HasSubstr("\x1b"))) << line;
  }
}

TEST(Hello, DoesNotReadOnForEver) {
  auto error = connect_to("gravity-sync 1 0.1.0 " + std::string(100'000, 'a'));
  EXPECT_EQ(error.code(), ErrorCode::protocol);
}

TEST(Hello, GivesUpOnASilentFarSide) {
  auto error = error_from([] {
    RemoteNode(std::make_unique<CannedStream>("", "", false), "ph1", client_hello(), Limits{milliseconds(50), milliseconds(60'000)});
  });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.what(), HasSubstr("0.05 s"));
  EXPECT_THAT(error.hint(), HasSubstr(".bashrc")) << "what a silent account most often waits for";
}

TEST(Hello, CallsHalfALineWithoutAnEndJunk) {
  auto error = error_from([] {
    RemoteNode(std::make_unique<CannedStream>("Password: ", "", false), "ph1", client_hello(),
               Limits{milliseconds(50), milliseconds(60'000)});
  });
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  EXPECT_THAT(error.what(), HasSubstr("Password:"));
}

TEST(Hello, TellsWhatAFarSideSaidThatIsGoneAlready) {
  auto error =
      error_from([] { RemoteNode(std::make_unique<GoneStream>("This account is currently not available.\n"), "ph1", client_hello(), {}); });
  EXPECT_THAT(error.what(), HasSubstr("not available"));
  auto silent = error_from([] { RemoteNode(std::make_unique<GoneStream>(""), "ph1", client_hello(), {}); });
  EXPECT_EQ(silent.code(), ErrorCode::unreachable);
  EXPECT_THAT(silent.what(), HasSubstr("broken pipe"));
}

TEST(Hello, BothSidesNameTheVersionsAndTheOlderOne) {
  FakeNode node("ph1");
  auto options = agent_options();
  options.hello.protocol = 2;
  options.hello.software = "0.3.0";
  Served served(node, options);
  auto ours = error_from([&] { served.connect(); });
  EXPECT_EQ(ours.code(), ErrorCode::incompatible);
  EXPECT_STREQ(ours.what(), "ph1 speaks protocol 2 (gravity-sync 0.3.0), this host speaks 1 (0.1.0)");
  EXPECT_EQ(ours.hint(), "upgrade gravity-sync on this host");
  auto theirs = served.finish();
  ASSERT_TRUE(theirs);
  EXPECT_EQ(theirs->code(), ErrorCode::incompatible);
  EXPECT_STREQ(theirs->what(), "ph2 speaks protocol 1 (gravity-sync 0.1.0), this host speaks 2 (0.3.0)");
  EXPECT_EQ(theirs->hint(), "upgrade gravity-sync on ph2");
  EXPECT_TRUE(node.calls.empty());
}

TEST(Hello, UnderstandsEnoughOfALaterOne) {
  auto error = connect_to("gravity-sync 7 2.0.0 now with other words: [x]\n");
  EXPECT_EQ(error.code(), ErrorCode::incompatible);
  EXPECT_THAT(error.what(), HasSubstr("protocol 7 (gravity-sync 2.0.0)"));
}

TEST(Hello, TheAgentRefusesWhoeverIsNotGravitySync) {
  FakeNode node("ph1");
  CannedStream stream("GET / HTTP/1.1\r\n\r\n");
  auto error = error_from([&] { protocol::serve(node, stream, agent_options()); });
  EXPECT_EQ(error.code(), ErrorCode::protocol);
  EXPECT_THAT(error.what(), HasSubstr("GET / HTTP/1.1"));
  EXPECT_EQ(stream.received.rfind("gravity-sync 1 0.1.0 ", 0), 0u) << "it introduces itself all the same";
  EXPECT_TRUE(node.calls.empty());
}

}  // namespace
}  // namespace gsync::test
