#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <cstdlib>
#include <optional>
#include <thread>

#include "gsync/ssh/session.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"
#include "support/sanitizer.hpp"
#include "support/sshd.hpp"
#include "support/temp_directory.hpp"

namespace gsync::ssh {
namespace {

using namespace std::chrono_literals;
using test::Sshd;
using util::Deadline;

Deadline soon() {
  return Deadline::in(60s);
}

std::span<const std::byte> bytes_of(std::string_view s) {
  return std::as_bytes(std::span(s));
}

std::string read_some(util::ByteStream& stream, Deadline deadline = soon()) {
  std::string out(65536, '\0');
  out.resize(stream.read(std::as_writable_bytes(std::span(out)), deadline));
  return out;
}

std::string read_all(util::ByteStream& stream) {
  std::string all;
  for (auto part = read_some(stream); !part.empty(); part = read_some(stream)) all += part;
  return all;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorCode::cancelled, "");
}

/// A socket that listens on the loopback address.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd_.get(), generic, size), 0);
    EXPECT_EQ(::getsockname(fd_.get(), generic, &size), 0);
    EXPECT_EQ(::listen(fd_.get(), 5), 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  util::Fd accept() const { return util::Fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  void close() { fd_.reset(); }

 private:
  util::Fd fd_;
  std::uint16_t port_ = 0;
};

class Ssh : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = Sshd::unavailable()) GTEST_SKIP() << *reason;
    // The agent of whoever runs the tests has no part in them.
    if (const char* agent = std::getenv("SSH_AUTH_SOCK")) agent_before_ = agent;
    ::unsetenv("SSH_AUTH_SOCK");
  }
  void TearDown() override {
    if (agent_before_)
      ::setenv("SSH_AUTH_SOCK", agent_before_->c_str(), 1);
    else
      ::unsetenv("SSH_AUTH_SOCK");
  }

  Defaults defaults() const { return {state_ / "id_ed25519", state_ / "known_hosts"}; }
  config::PeerConfig peer(const std::string& host, std::uint16_t port) const {
    config::PeerConfig p;
    p.name = "ph2";
    p.host = host;
    p.port = port;
    p.connect_timeout = 60s;
    return p;
  }
  config::PeerConfig peer(const Sshd& sshd) const {
    auto p = peer(sshd.address(), sshd.port());
    p.user = sshd.user();
    p.identity = sshd.client_key();
    return p;
  }
  void know(const Sshd& sshd, const std::string& type = "ed25519") const {
    test::write_text(state_ / "known_hosts", sshd.known_hosts_line(type));
  }
  std::unique_ptr<Session> connect(const Sshd& sshd) const {
    know(sshd);
    return Session::connect(peer(sshd), defaults());
  }
  void start_agent() {
    auto socket = state_ / "agent";
    agent_.emplace(std::vector<std::string>{"/usr/bin/ssh-agent", "-D", "-a", socket}, state_ / "agent.log");
    ::setenv("SSH_AUTH_SOCK", socket.c_str(), 1);
    // The socket is there before anybody listens; ssh-add says 2 until it is answered.
    for (auto deadline = soon(); util::run({.argv = {"ssh-add", "-l"}}, deadline).exit_code == 2 && !deadline.passed();)
      std::this_thread::sleep_for(2ms);
  }
  void add_to_agent(const std::string& key) { ASSERT_EQ(util::run({.argv = {"ssh-add", "-q", key}}, soon()).exit_code, 0); }
  Error connect_error(const config::PeerConfig& p) const {
    return error_of([&] { Session::connect(p, defaults()); });
  }

  test::TempDirectory state_;
  std::optional<test::ChildProcess> agent_;
  std::optional<std::string> agent_before_;
};

TEST_F(Ssh, CarriesAMegabyteBothWays) {
  Sshd sshd;
  auto session = connect(sshd);
  auto stream = session->execute("cat", soon());
  std::string sent;
  while (sent.size() < 1'000'000) sent += "line " + std::to_string(sent.size()) + "\n";
  stream->write(bytes_of(sent), soon());
  stream->close_write();
  EXPECT_EQ(read_all(*stream), sent);
  EXPECT_EQ(stream->diagnostics(), "");
  EXPECT_GT(stream->bytes_sent(), sent.size());
  EXPECT_GT(stream->bytes_received(), sent.size());
  EXPECT_LT(stream->bytes_sent(), sent.size() + 50'000) << "nothing is sent twice";
}

TEST_F(Ssh, TheHandshakeStaysSmall) {
  Sshd sshd;
  auto stream = connect(sshd)->execute("true", soon());
  EXPECT_EQ(read_all(*stream), "");
  EXPECT_LT(stream->bytes_sent() + stream->bytes_received(), 8'000u);
  RecordProperty("bytes", static_cast<int>(stream->bytes_sent() + stream->bytes_received()));
}

#if defined(__x86_64__)
/// Whether the upper halves of the vector registers are in use, as the processor keeps account of it for XSAVE (Intel SDM, XINUSE);
/// nullopt where it does not tell.
std::optional<bool> upper_halves_in_use() {
  constexpr unsigned state_of_ymm = 1u << 2;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0) return std::nullopt;
  if (!__get_cpuid_count(0xd, 1, &a, &b, &c, &d) || (a & 1u << 2) == 0) return std::nullopt;
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return (low & state_of_ymm) != 0;
}

TEST_F(Ssh, LeavesTheVectorRegistersAsTheyWere) {
  if (!upper_halves_in_use()) GTEST_SKIP() << "this processor does not say which registers are in use";
  Sshd sshd;
  auto stream = connect(sshd)->execute("cat", soon());
  EXPECT_FALSE(*upper_halves_in_use()) << "after the handshake";
  // libcrypto takes another way by how long a packet is.
  for (std::size_t size = 1; size < 200'000; size = size * 3 / 2 + 1) {
    stream->write(bytes_of(std::string(size, 'x')), soon());
    ASSERT_FALSE(*upper_halves_in_use()) << "after writing " << size;
    for (std::size_t got = 0; got < size;) {
      std::array<std::byte, 65536> part;
      got += stream->read(part, soon());
      ASSERT_FALSE(*upper_halves_in_use()) << "after reading " << got << " of " << size;
    }
  }
}
#endif

TEST_F(Ssh, AStreamOutlivesItsSession) {
  Sshd sshd;
  auto session = connect(sshd);
  auto stream = session->execute("cat", soon());
  session.reset();
  stream->write(bytes_of("still there"), soon());
  EXPECT_EQ(read_some(*stream), "still there");
}

TEST_F(Ssh, TwoCommandsRunOnOneSession) {
  Sshd sshd;
  auto session = connect(sshd);
  auto a = session->execute("cat", soon()), b = session->execute("echo b", soon());
  EXPECT_EQ(read_all(*b), "b\n");
  a->write(bytes_of("a"), soon());
  EXPECT_EQ(read_some(*a), "a");
}

TEST_F(Ssh, AnUnknownHostKeyIsRefusedWithItsFingerprintAndTheCommandToTrustIt) {
  Sshd sshd;
  auto key = host_key(peer(sshd), defaults());
  EXPECT_EQ(key.state, HostKey::State::unknown);
  EXPECT_EQ(key.type, "ssh-ed25519");
  EXPECT_EQ(key.known_hosts_line + "\n", sshd.known_hosts_line());
  auto e = connect_error(peer(sshd));
  EXPECT_EQ(e.code(), ErrorCode::host_key);
  EXPECT_TRUE(contains(e.what(), key.fingerprint)) << e.what();
  EXPECT_TRUE(contains(e.what(), "ph2")) << e.what();
  EXPECT_TRUE(contains(e.hint(), "gravity-sync trust ph2 --fingerprint " + key.fingerprint)) << e.hint();
}

TEST_F(Ssh, TheFingerprintIsTheOneThatSshKeygenPrints) {
  Sshd sshd;
  test::write_text(state_ / "key.pub", sshd.host_public_key() + "\n");
  auto printed = util::run({.argv = {"ssh-keygen", "-l", "-f", state_ / "key.pub"}}, soon()).output;
  EXPECT_TRUE(contains(printed, host_key(peer(sshd), defaults()).fingerprint)) << printed;
}

TEST_F(Ssh, TrustMakesAHostKnown) {
  Sshd sshd;
  auto p = peer(sshd);
  auto key = host_key(p, defaults());
  trust(p, defaults(), key.fingerprint);
  struct stat st {};
  ASSERT_EQ(::stat(defaults().known_hosts.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  EXPECT_EQ(host_key(p, defaults()).state, HostKey::State::known);
  EXPECT_NO_THROW(Session::connect(p, defaults()));
}

TEST_F(Ssh, TrustTakesNoOtherKeyThanTheOneNamed) {
  Sshd sshd;
  auto other = "SHA256:" + std::string(43, 'A');
  auto e = error_of([&] { trust(peer(sshd), defaults(), other); });
  EXPECT_EQ(e.code(), ErrorCode::host_key);
  EXPECT_TRUE(contains(e.what(), other));
  EXPECT_TRUE(contains(e.what(), host_key(peer(sshd), defaults()).fingerprint));
  EXPECT_EQ(util::read_file(defaults().known_hosts), std::nullopt);
  EXPECT_EQ(error_of([&] { trust(peer(sshd), defaults(), "SHA256:short"); }).code(), ErrorCode::config);
  EXPECT_EQ(error_of([&] { trust(peer(sshd), defaults(), "MD5:00:11"); }).code(), ErrorCode::config);
}

TEST_F(Ssh, AChangedHostKeyIsRefusedWithBothFingerprints) {
  Sshd before, now;
  auto name = now.known_hosts_line().substr(0, now.known_hosts_line().find(' '));
  auto old_print = host_key(peer(before), defaults()).fingerprint, new_print = host_key(peer(now), defaults()).fingerprint;
  test::write_text(state_ / "known_hosts", "# ours\n" + before.known_hosts_line() + name + " " + before.host_public_key() + "\n");
  EXPECT_EQ(host_key(peer(now), defaults()).state, HostKey::State::changed);
  auto e = connect_error(peer(now));
  EXPECT_EQ(e.code(), ErrorCode::host_key);
  EXPECT_TRUE(contains(e.what(), "HAS CHANGED")) << e.what();
  EXPECT_TRUE(contains(e.what(), old_print)) << e.what();
  EXPECT_TRUE(contains(e.what(), new_print)) << e.what();
  EXPECT_TRUE(contains(e.what(), "known_hosts:3")) << e.what();
  trust(peer(now), defaults(), new_print);
  EXPECT_NO_THROW(Session::connect(peer(now), defaults()));
  EXPECT_EQ(test::read_text(state_ / "known_hosts"), "# ours\n" + before.known_hosts_line() + now.known_hosts_line())
      << "the other host stays known";
}

TEST_F(Ssh, AKeyThatIsRevokedIsNotAccepted) {
  Sshd sshd;
  test::write_text(state_ / "known_hosts", sshd.known_hosts_line() + "@revoked " + sshd.known_hosts_line());
  EXPECT_EQ(host_key(peer(sshd), defaults()).state, HostKey::State::changed);
}

TEST_F(Ssh, TheHostKeyTypeThatIsKnownIsTheOneThatIsAskedFor) {
  Sshd sshd({.host_key_types = {"ed25519", "ecdsa", "rsa"}});
  for (const std::string type : {"ecdsa", "rsa", "ed25519"}) {
    know(sshd, type);
    EXPECT_NO_THROW(Session::connect(peer(sshd), defaults())) << type;
  }
}

TEST_F(Ssh, AKeyThatIsNotAcceptedIsNamedWithWhatThePeerAllows) {
  Sshd sshd;
  know(sshd);
  auto p = peer(sshd);
  p.identity = state_ / "other";
  test::make_key(p.identity);
  auto e = connect_error(p);
  EXPECT_EQ(e.code(), ErrorCode::auth);
  EXPECT_TRUE(contains(e.what(), sshd.user() + "@127.0.0.1, port " + std::to_string(sshd.port()))) << e.what();
  EXPECT_TRUE(contains(e.what(), "ssh-ed25519 SHA256:")) << e.what();
  EXPECT_TRUE(contains(e.what(), "it allows: publickey")) << e.what();
  EXPECT_TRUE(contains(e.hint(), "authorized_keys")) << e.hint();
  EXPECT_TRUE(contains(e.hint(), p.identity + ".pub")) << e.hint();
}

TEST_F(Ssh, KeysOfOtherTypesWorkToo) {
  Sshd sshd;
  know(sshd);
  for (const std::string type : {"rsa", "ecdsa"}) {
    auto p = peer(sshd);
    p.identity = state_ / type;
    test::make_key(p.identity, type);
    auto authorized = sshd.client_key().substr(0, sshd.client_key().rfind('/')) + "/authorized_keys";
    test::write_text(authorized, test::read_text(p.identity + ".pub"), 0600);
    EXPECT_NO_THROW(Session::connect(p, defaults())) << type;
  }
}

TEST_F(Ssh, AMissingOrUnusableKeyFileIsNamed) {
  Sshd sshd;
  know(sshd);
  auto p = peer(sshd);
  p.identity = state_ / "absent";
  auto e = connect_error(p);
  EXPECT_EQ(e.code(), ErrorCode::auth);
  EXPECT_TRUE(contains(e.what(), p.identity + " for ph2")) << e.what();
  EXPECT_TRUE(contains(e.hint(), "ssh-keygen")) << e.hint();
  p.identity = state_ / "junk";
  test::write_text(p.identity, "not a key\n");
  EXPECT_TRUE(contains(connect_error(p).what(), p.identity + " is not a private key"));
  p.identity = state_.path();
  EXPECT_EQ(connect_error(p).code(), ErrorCode::auth);
}

TEST_F(Ssh, WithoutAnyKeyTheErrorSaysHowToMakeOne) {
  Sshd sshd;
  know(sshd);
  auto p = peer(sshd);
  p.identity.clear();
  auto e = connect_error(p);
  EXPECT_EQ(e.code(), ErrorCode::auth);
  EXPECT_TRUE(contains(e.what(), defaults().identity)) << e.what();
  EXPECT_TRUE(contains(e.hint(), "sudo gravity-sync key")) << e.hint();
}

TEST_F(Ssh, TheDefaultKeyIsUsedWhenNoneIsNamed) {
  Sshd sshd;
  know(sshd);
  auto p = peer(sshd);
  test::write_text(defaults().identity, test::read_text(p.identity), 0600);
  p.identity.clear();
  EXPECT_NO_THROW(Session::connect(p, defaults()));
}

TEST_F(Ssh, AKeyWithAPassphraseNeedsAnAgentAndWorksWithOne) {
  Sshd sshd;
  know(sshd);
  auto plain = sshd.client_key();
  auto p = peer(sshd);
  p.identity = state_ / "protected";
  test::write_text(p.identity, test::read_text(plain), 0600);
  ASSERT_EQ(util::run({.argv = {"ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", p.identity}}, soon()).exit_code, 0);
  auto e = connect_error(p);
  EXPECT_EQ(e.code(), ErrorCode::auth);
  EXPECT_TRUE(contains(e.what(), "passphrase")) << e.what();
  EXPECT_TRUE(contains(e.hint(), "ssh-add")) << e.hint();
  start_agent();
  add_to_agent(plain);
  EXPECT_NO_THROW(Session::connect(p, defaults()));
}

TEST_F(Ssh, TheAgentsKeysAreTriedWhenNoKeyIsNamed) {
  Sshd sshd;
  know(sshd);
  start_agent();
  auto p = peer(sshd);
  p.identity.clear();
  EXPECT_EQ(connect_error(p).code(), ErrorCode::auth) << "an agent without keys";
  test::make_key(state_ / "other");
  add_to_agent(state_ / "other");
  auto e = connect_error(p);
  EXPECT_EQ(e.code(), ErrorCode::auth);
  EXPECT_TRUE(contains(e.what(), "ssh-agent")) << e.what();
  add_to_agent(sshd.client_key());
  EXPECT_NO_THROW(Session::connect(p, defaults()));
}

TEST_F(Ssh, AnAgentThatDoesNotAnswerEndsAtTheDeadline) {
  Sshd sshd;
  know(sshd);
  start_agent();
  ASSERT_EQ(::kill(agent_->pid(), SIGSTOP), 0);
  auto p = peer(sshd);
  p.identity.clear();
  p.connect_timeout = 2s;
  EXPECT_EQ(connect_error(p).code(), ErrorCode::timeout);
}

TEST_F(Ssh, ARefusedPortIsUnreachable) {
  Listener listener;
  listener.close();
  auto e = connect_error(peer("127.0.0.1", listener.port()));
  EXPECT_EQ(e.code(), ErrorCode::unreachable);
  EXPECT_TRUE(contains(e.what(), "port " + std::to_string(listener.port()))) << e.what();
  EXPECT_TRUE(contains(e.hint(), "sshd")) << e.hint();
}

TEST_F(Ssh, ANameThatDoesNotExistIsUnreachable) {
  if (test::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer knows nothing of the thread that getaddrinfo_a starts within the C library";
  auto p = peer("no-such-host.invalid", 22);
  p.connect_timeout = 20s;
  auto e = connect_error(p);
  EXPECT_TRUE(e.code() == ErrorCode::unreachable || e.code() == ErrorCode::timeout) << e.what();
  EXPECT_TRUE(contains(e.what(), "address of ph2")) << e.what();
}

TEST_F(Ssh, AServerThatNeverSpeaksEndsAtTheDeadline) {
  Listener listener;
  auto p = peer("127.0.0.1", listener.port());
  p.connect_timeout = 200ms;
  auto e = connect_error(p);
  EXPECT_EQ(e.code(), ErrorCode::timeout) << e.what();
  EXPECT_TRUE(contains(e.what(), "exchanging keys with ph2")) << e.what();
}

TEST_F(Ssh, AServerThatHangsUpAtOnceGetsAHintAboutPenalties) {
  Listener listener;
  std::thread server([&] { listener.accept(); });
  auto e = connect_error(peer("127.0.0.1", listener.port()));
  server.join();
  EXPECT_EQ(e.code(), ErrorCode::unreachable) << e.what();
  EXPECT_TRUE(contains(e.hint(), "PerSourcePenalties")) << e.hint();
}

TEST_F(Ssh, AServerThatIsNotSshIsUnreachable) {
  Listener listener;
  std::thread server([&] {
    auto fd = listener.accept();
    std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n" + std::string(5000, 'x');
    (void)!::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    char rest[256];
    while (::read(fd.get(), rest, sizeof rest) > 0) {
    }
  });
  EXPECT_EQ(connect_error(peer("127.0.0.1", listener.port())).code(), ErrorCode::unreachable);
  server.join();
}

TEST_F(Ssh, AForcedCommandRunsInsteadOfTheOneAskedFor) {
  Sshd sshd({.key_options = "restrict,command=\"echo forced\""});
  auto stream = connect(sshd)->execute("echo asked", soon());
  EXPECT_EQ(read_all(*stream), "forced\n");
}

TEST_F(Ssh, ACommandThatIsNotThereExplainsItself) {
  Sshd sshd;
  auto stream = connect(sshd)->execute("no-such-command-here", soon());
  EXPECT_EQ(read_all(*stream), "");
  EXPECT_TRUE(contains(stream->diagnostics(), "no-such-command-here")) << stream->diagnostics();
  EXPECT_TRUE(contains(stream->diagnostics(), "the command ended with exit status 127")) << stream->diagnostics();
}

TEST_F(Ssh, ACommandThatWasKilledSaysByWhichSignal) {
  Sshd sshd;
  auto stream = connect(sshd)->execute("kill -TERM $$", soon());
  EXPECT_EQ(read_all(*stream), "");
  EXPECT_TRUE(contains(stream->diagnostics(), "signal TERM")) << stream->diagnostics();
}

TEST_F(Ssh, StandardErrorIsKeptUpToFourKibibytesAndBlocksNothing) {
  Sshd sshd;
  auto stream = connect(sshd)->execute("head -c 3000000 /dev/zero | tr '\\0' e >&2; echo done", soon());
  EXPECT_EQ(read_all(*stream), "done\n");
  EXPECT_EQ(stream->diagnostics(), std::string(4096, 'e'));
}

TEST_F(Ssh, TheEnvironmentOfTheServerReachesTheCommand) {
  Sshd sshd({.environment = {{"GSYNC_TEST", "a b"}}});
  auto stream = connect(sshd)->execute("echo $GSYNC_TEST", soon());
  EXPECT_EQ(read_all(*stream), "a b\n");
}

TEST_F(Ssh, ReadingAndWritingEndAtTheirDeadlines) {
  Sshd sshd;
  auto session = connect(sshd);
  auto silent = session->execute("sleep 600", soon());
  EXPECT_EQ(error_of([&] { read_some(*silent, Deadline::in(100ms)); }).code(), ErrorCode::timeout);
  auto deaf = session->execute("sleep 600", soon());
  EXPECT_EQ(error_of([&] { deaf->write(bytes_of(std::string(20'000'000, 'x')), Deadline::in(1s)); }).code(), ErrorCode::timeout);
}

TEST_F(Ssh, APeerThatDiesInTheMiddleOfATransferIsUnreachable) {
  Sshd sshd;
  auto stream = connect(sshd)->execute("yes", soon());
  EXPECT_FALSE(read_some(*stream).empty());
  sshd.kill_connections();
  auto e = error_of([&] { read_all(*stream); });
  EXPECT_EQ(e.code(), ErrorCode::unreachable) << e.what();
  EXPECT_TRUE(contains(e.what(), "ph2")) << e.what();
}

TEST_F(Ssh, WritingToAPeerThatDiedIsUnreachable) {
  Sshd sshd;
  auto stream = connect(sshd)->execute("cat > /dev/null", soon());
  stream->write(bytes_of("x"), soon());
  sshd.kill_connections();
  auto e = error_of([&] {
    for (;;) stream->write(bytes_of(std::string(100'000, 'x')), soon());
  });
  EXPECT_EQ(e.code(), ErrorCode::unreachable) << e.what();
  stream->close_write();
}

TEST_F(Ssh, WritingToACommandThatEndedIsUnreachable) {
  Sshd sshd;
  auto stream = connect(sshd)->execute("exit 3", soon());
  auto e = error_of([&] {
    for (;;) stream->write(bytes_of(std::string(100'000, 'x')), soon());
  });
  EXPECT_EQ(e.code(), ErrorCode::unreachable) << e.what();
  EXPECT_TRUE(contains(stream->diagnostics(), "exit status 3")) << stream->diagnostics();
}

TEST_F(Ssh, Ipv6Works) {
  if (auto reason = Sshd::unavailable("::1")) GTEST_SKIP() << *reason;
  Sshd sshd({.address = "::1"});
  trust(peer(sshd), defaults(), host_key(peer(sshd), defaults()).fingerprint);
  EXPECT_EQ(test::read_text(defaults().known_hosts), sshd.known_hosts_line());
  EXPECT_EQ(read_all(*Session::connect(peer(sshd), defaults())->execute("echo six", soon())), "six\n");
}

TEST_F(Ssh, AnSshConfigFileGivesHostPortUserAndKey) {
  Sshd sshd;
  know(sshd);
  auto p = peer("pihole-two", 0);
  p.ssh_config = state_ / "ssh_config";
  test::write_text(p.ssh_config,
                   "# ours\nHost elsewhere\n  Port 1\n\nHost pihole-*\n  HostName 127.0.0.1\n  Port = " + std::to_string(sshd.port()) +
                       "\n  User " + sshd.user() + "\n  IdentityFile " + sshd.client_key() + "\n  Ciphers aes256-gcm@openssh.com\n");
  EXPECT_EQ(read_all(*Session::connect(p, defaults())->execute("echo yes", soon())), "yes\n");
  p.port = 1;
  EXPECT_EQ(connect_error(p).code(), ErrorCode::unreachable) << "what the peer's own configuration says comes first";
}

TEST_F(Ssh, AnSshConfigFileWithAKeywordWithoutEffectIsRefusedWithItsLine) {
  Sshd sshd;
  know(sshd);
  auto p = peer(sshd);
  p.ssh_config = state_ / "ssh_config";
  test::write_text(p.ssh_config, "Host *\n  HostKeyAlias ph2\n");
  auto e = connect_error(p);
  EXPECT_EQ(e.code(), ErrorCode::config);
  EXPECT_TRUE(std::string(e.what()).starts_with(p.ssh_config + ":2: HostKeyAlias")) << e.what();
  p.ssh_config = state_ / "absent";
  EXPECT_EQ(connect_error(p).code(), ErrorCode::config);
}

TEST_F(Ssh, AProxyCommandReachesThePeer) {
  Sshd sshd;
  know(sshd);
  auto p = peer(sshd);
  p.ssh_config = state_ / "ssh_config";
  test::write_text(p.ssh_config, "Host *\n  ProxyCommand exec /usr/sbin/sshd -i -f " + sshd.configuration_file() + "\n");
  sshd.stop();
  EXPECT_EQ(read_all(*Session::connect(p, defaults())->execute("echo through", soon())), "through\n");
}

TEST_F(Ssh, AKnownHostsFileThatThePeerNamesIsTheOneThatCounts) {
  Sshd sshd;
  auto p = peer(sshd);
  p.known_hosts = state_ / "100% ours";
  trust(p, defaults(), host_key(p, defaults()).fingerprint);
  EXPECT_EQ(test::read_text(p.known_hosts), sshd.known_hosts_line());
  EXPECT_EQ(util::read_file(defaults().known_hosts), std::nullopt);
  EXPECT_NO_THROW(Session::connect(p, defaults()));
}

}  // namespace
}  // namespace gsync::ssh
