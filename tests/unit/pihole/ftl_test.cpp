#include "gsync/pihole/ftl.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "gsync/util/fd.hpp"
#include "gsync/util/files.hpp"
#include "support/in_child.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using util::Deadline;

pid_t thread_id() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

/// A process that looks like FTL from outside: its name, caught signals, an idle thread.
class FtlLike {
 public:
  struct Shape {
    std::string comm = "pihole-FTL";
    int signal = 34;  // 0: none is caught
    bool timer = true;
    std::string thread = "timer";
  };

  explicit FtlLike(const Shape& shape) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    events_ = util::Fd(ends[0]);
    pid_ = ::fork();
    if (pid_ == 0) child(shape, ends[1]);
    ::close(ends[1]);
    timer_ = next();
  }
  ~FtlLike() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  pid_t timer() const { return timer_; }
  /// The thread that got the next signal; 0 when the process ended, -1 at the deadline.
  pid_t next() {
    pollfd waiting{events_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 20'000) != 1) return -1;
    Event event{};
    if (::read(events_.get(), &event, sizeof event) != sizeof event) return 0;
    last_signal_ = event.signal;
    return event.thread;
  }
  int last_signal() const { return last_signal_; }

 private:
  struct Event {
    pid_t thread;
    int signal;
  };
  static inline int out_ = -1;

  static void report(int signal) {
    const Event event{thread_id(), signal};
    [[maybe_unused]] const auto written = ::write(out_, &event, sizeof event);
  }
  static void* idle_thread(void* name) {
    ::prctl(PR_SET_NAME, static_cast<const char*>(name));
    report(0);
    for (;;) ::pause();
  }
  [[noreturn]] static void child(const Shape& shape, int out) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, shape.comm.c_str());
    out_ = out;
    if (shape.signal != 0) {
      struct sigaction action {};
      action.sa_handler = report;
      for (int signal : {SIGHUP, shape.signal, shape.signal + 2}) ::sigaction(signal, &action, nullptr);
    }
    pthread_t thread{};
    if (shape.timer) {
      ::pthread_create(&thread, nullptr, idle_thread, const_cast<char*>(shape.thread.c_str()));
    } else {
      report(0);
    }
    for (;;) ::pause();
  }

  util::Fd events_;
  pid_t pid_ = -1;
  pid_t timer_ = -1;
  int last_signal_ = 0;
};

class FtlTest : public testing::Test {
 protected:
  FtlTest() {
    installation_.pid_file = directory_ / "ftl.pid";
    installation_.dns_port = 0;
  }
  void write_pid(const std::string& text) { test::write_text(installation_.pid_file, text); }
  void write_pid(const FtlLike& process) { write_pid(std::to_string(process.pid())); }

  test::TempDirectory directory_;
  Installation installation_;
  Ftl ftl_{installation_};
};

/// Why /proc does not tell which signals a process catches; "" where it does. Under qemu-user it shows what qemu itself catches.
std::string signals_hidden() {
  return test::in_child([]() -> std::string {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(40, &action, nullptr);
    const auto status = util::read_file("/proc/self/status").value_or("");
    constexpr std::string_view label = "SigCgt:\t";
    const auto at = status.find(label);
    const auto caught = at == std::string::npos ? "" : status.substr(at + label.size(), 16);
    const auto mask = std::strtoull(caught.c_str(), nullptr, 16);
    if ((mask >> 39 & 1) == 1 && (mask >> 40 & 1) == 0) return "";
    return "/proc does not tell here which signals a process catches: of 40 and 41 one that catches 40 shows " + caught;
  });
}

class FtlSignals : public FtlTest {
 protected:
  void SetUp() override {
    if (auto reason = signals_hidden(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

TEST_F(FtlTest, IsTheProcessInThePidFile) {
  FtlLike process({});
  EXPECT_EQ(ftl_.pid(), std::nullopt) << "no pid file yet";
  for (const std::string text : {"", "\n", "0", "-1", "x", "12x", "99999999999999999999", "4194305"}) {
    write_pid(text);
    EXPECT_EQ(ftl_.pid(), std::nullopt) << text;
  }
  write_pid(process);
  EXPECT_EQ(ftl_.pid(), process.pid());
  write_pid(std::to_string(process.pid()) + "\n");
  EXPECT_EQ(ftl_.pid(), process.pid());
}

TEST_F(FtlTest, IsNotAProcessOfAnotherName) {
  write_pid(std::to_string(::getpid()));
  EXPECT_EQ(ftl_.pid(), std::nullopt);
  EXPECT_EQ(ftl_.reload_signal(), std::nullopt);
  EXPECT_FALSE(ftl_.signal_reload());
  EXPECT_THAT(ftl_.describe(), HasSubstr(installation_.pid_file));
}

TEST_F(FtlTest, MayHaveTheNameOfTheConfiguredBinaryAsFarAsTheKernelKeepsIt) {
  FtlLike process({.comm = "an-ftl-of-another-name"});
  write_pid(process);
  EXPECT_EQ(ftl_.pid(), std::nullopt);
  installation_.ftl_binary = "/opt/an-ftl-of-another-name";
  EXPECT_EQ(ftl_.pid(), process.pid());
}

TEST_F(FtlTest, OfAContainerDescendsFromItsFirstProcess) {
  FtlLike process({});
  FtlLike other({.comm = "not-ftl"});
  const auto ftl_below = [&](pid_t first) {
    Inspection inspection;
    inspection.running = first != 0;
    inspection.pid = first;
    installation_.container = std::make_shared<Container>("/usr/bin/docker", "box", inspection);
    return ftl_.pid();
  };
  write_pid(other);  // what stands in a pid file of this host is another FTL's
  EXPECT_EQ(ftl_below(process.pid()), process.pid());
  EXPECT_EQ(ftl_below(::getpid()), process.pid()) << "below a script that has started it";
  EXPECT_THAT(ftl_.describe(), HasSubstr("in container box (docker), signal 34"));
  EXPECT_EQ(ftl_below(other.pid()), std::nullopt);
  EXPECT_THAT(ftl_.describe(), HasSubstr("not visible from here"));
  EXPECT_EQ(ftl_below(0), std::nullopt);
  EXPECT_THAT(ftl_.describe(), HasSubstr("does not run"));
}

TEST_F(FtlTest, OfAVolumeIsNotKnown) {
  FtlLike process({});
  write_pid(process);
  installation_.pid_file.clear();
  EXPECT_EQ(ftl_.pid(), std::nullopt);
  EXPECT_FALSE(ftl_.signal_reload());
  EXPECT_THAT(ftl_.describe(), HasSubstr("its own poll"));
}

TEST_F(FtlSignals, GetsTheSignalOfItsOwnCLibraryInItsTimerThread) {
  for (int signal : {34, 35}) {
    FtlLike process({.signal = signal});
    write_pid(process);
    EXPECT_EQ(ftl_.reload_signal(), signal);
    ASSERT_GT(process.timer(), 0);
    ASSERT_NE(process.timer(), process.pid());
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(ftl_.signal_reload());
      EXPECT_EQ(process.next(), process.timer());
    }
    const auto text = "pid " + std::to_string(process.pid()) + ", signal " + std::to_string(signal) + " to thread " +
                      std::to_string(process.timer()) + " (timer)";
    EXPECT_EQ(ftl_.describe(), text);
  }
}

TEST_F(FtlSignals, IsNotSignalledWhenItCatchesNoneOrAnotherOne) {
  for (int signal : {0, 36, SIGUSR1}) {
    FtlLike process({.signal = signal});
    write_pid(process);
    EXPECT_EQ(ftl_.reload_signal(), std::nullopt);
    EXPECT_FALSE(ftl_.signal_reload());
    EXPECT_THAT(ftl_.describe(), HasSubstr("no reload signal known"));
    EXPECT_EQ(::kill(process.pid(), 0), 0);
  }
}

TEST_F(FtlSignals, OfPiholeFiveGetsItsSignalsInItsHousekeeper) {
  installation_.generation = Generation::v5;
  FtlLike process({.thread = "housekeeper"});
  write_pid(process);
  EXPECT_TRUE(ftl_.signal_reload());
  EXPECT_EQ(process.next(), process.timer());
  EXPECT_EQ(process.last_signal(), 34);
  EXPECT_TRUE(ftl_.signal_hosts());
  EXPECT_EQ(process.next(), process.timer());
  EXPECT_EQ(process.last_signal(), SIGHUP);
  EXPECT_THAT(ftl_.describe(), HasSubstr("(housekeeper)"));
  installation_.generation = Generation::v6;
  EXPECT_FALSE(ftl_.signal_reload()) << "in v6 it is another thread";
}

TEST_F(FtlSignals, IsEndedWithAFailureSoThatItsServiceStartsItAgain) {
  for (int signal : {34, 35}) {
    FtlLike process({.signal = signal});
    write_pid(process);
    EXPECT_TRUE(ftl_.signal_failure());
    EXPECT_EQ(process.next(), process.timer());
    EXPECT_EQ(process.last_signal(), signal + 2);
  }
}

TEST_F(FtlTest, OfPiholeFiveThatCannotBeSignalledIsToldByPiholesScript) {
  installation_.generation = Generation::v5;
  FtlLike process({.timer = false});
  write_pid(process);
  EXPECT_FALSE(ftl_.signal_reload());
  EXPECT_THAT(ftl_.describe(), HasSubstr("no thread named housekeeper: it reloads by `pihole restartdns reload-lists`"));
}

TEST_F(FtlSignals, IsNotSignalledWithoutAnIdleThread) {
  FtlLike process({.timer = false});
  write_pid(process);
  EXPECT_EQ(ftl_.reload_signal(), 34);
  EXPECT_FALSE(ftl_.signal_reload());
  EXPECT_THAT(ftl_.describe(), HasSubstr("no thread named timer"));
}

TEST_F(FtlTest, OfAnotherUserIsLeftAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can start a process of another user";
  FtlLike process({});
  write_pid(process);
  ::chmod(directory_.path().c_str(), 0755);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    ::_exit(ftl_.signal_reload() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(ftl_.signal_reload()) << "it is still there";
}

/// A DNS server on 127.0.0.1 whose answers the test makes up.
class Server {
 public:
  using Reply = std::function<std::vector<std::string>(const std::string& query, int number)>;

  explicit Server(Reply reply, std::uint16_t port = 0) : reply_(std::move(reply)) {
    socket_ = util::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("bind");
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    wake_ = util::Fd(ends[0]);
    stop_ = util::Fd(ends[1]);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_.reset();
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  int queries() const { return queries_; }
  std::string first() const { return first_; }

 private:
  void serve() {
    for (;;) {
      std::array<pollfd, 2> waiting{{{socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
      ::poll(waiting.data(), waiting.size(), -1);
      if (waiting[1].revents) return;
      std::array<char, 512> packet{};
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto n = ::recvfrom(socket_.get(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 0) continue;
      const std::string query(packet.data(), static_cast<std::size_t>(n));
      if (queries_ == 0) first_ = query;
      for (const auto& answer : reply_(query, queries_++))
        ::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  Reply reply_;
  util::Fd socket_, wake_, stop_;
  std::uint16_t port_ = 0;
  std::atomic<int> queries_ = 0;
  std::string first_;
  std::thread thread_;
};

std::string answer_to(std::string query, int result_code = 0) {
  query[2] = static_cast<char>(query[2] | 0x80);
  query[3] = static_cast<char>(result_code);
  return query;
}

TEST_F(FtlTest, AnswersWhenItSendsAnAnswerWhateverItSays) {
  for (int code : {0, 2, 3, 5}) {
    Server server([&](const auto& query, int) { return std::vector{answer_to(query, code) + "whatever follows"}; });
    installation_.dns_port = server.port();
    EXPECT_TRUE(ftl_.answers(Deadline::in(milliseconds(20'000)))) << code;
  }
}

TEST_F(FtlTest, IsAskedForPiHoleInWellFormedDns) {
  std::string query;
  {
    Server server([](const auto& q, int) { return std::vector{answer_to(q)}; });
    installation_.dns_port = server.port();
    ASSERT_TRUE(ftl_.answers(Deadline::in(milliseconds(20'000))));
    query = server.first();
  }
  ASSERT_GT(query.size(), 12u);
  EXPECT_EQ(query.substr(2, 10), std::string("\x01\0\0\x01\0\0\0\0\0\0", 10));
  EXPECT_EQ(query.substr(12), std::string("\2pi\4hole\0\0\1\0\1", 13));
}

TEST_F(FtlTest, DoesNotAnswerWithWhatIsNotAnAnswerToThisQuestion) {
  Server server([](const std::string& query, int) {
    auto id = answer_to(query);
    id[0] = static_cast<char>(id[0] ^ 1);
    auto question = answer_to(query);
    question[14] = 'x';
    auto none = answer_to(query);
    none[5] = 0;
    return std::vector<std::string>{"", "x", query, id, question, none, answer_to(query).substr(0, 20)};
  });
  installation_.dns_port = server.port();
  EXPECT_FALSE(ftl_.answers(Deadline::in(milliseconds(100))));
  EXPECT_GE(server.queries(), 1);
}

TEST_F(FtlTest, IsAskedAgainWhenAPacketIsLost) {
  Server server([](const auto& query, int number) { return number < 2 ? std::vector<std::string>{} : std::vector{answer_to(query)}; });
  installation_.dns_port = server.port();
  EXPECT_TRUE(ftl_.answers(Deadline::in(milliseconds(30'000))));
  EXPECT_GE(server.queries(), 3);
}

TEST_F(FtlTest, IsWaitedForWhileItRestarts) {
  std::uint16_t port = 0;
  {
    Server gone([](const auto&, int) { return std::vector<std::string>{}; });
    port = gone.port();
  }
  installation_.dns_port = port;
  EXPECT_FALSE(ftl_.answers(Deadline::in(milliseconds(120))));
  std::atomic<bool> answered = false;
  std::thread asking([&] { answered = ftl_.answers(Deadline::in(milliseconds(30'000))); });
  {
    Server back([](const auto& query, int) { return std::vector{answer_to(query)}; }, port);
    asking.join();
  }
  EXPECT_TRUE(answered);
}

TEST_F(FtlTest, IsNotAskedOnPortZero) {
  EXPECT_TRUE(ftl_.answers(Deadline::in(milliseconds(0))));
}

}  // namespace
}  // namespace gsync::pihole
