#include "../src/daemon/sockets.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "gsync/daemon/client.hpp"
#include "gsync/util/error.hpp"
#include "support/temp_directory.hpp"

namespace gsync::daemon {
namespace {

TEST(Listener, IsThereForOwnerAndGroupAndGoesWithItsObject) {
  test::TempDirectory directory;
  const auto path = directory / "agent.sock";
  {
    Listener listener(directory.path(), "agent.sock", ::getegid());
    struct stat st {};
    ASSERT_EQ(::stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0660u);
    EXPECT_FALSE(listener.accept());
    const auto client = connect_to(path);
    ASSERT_TRUE(client);
    const auto server = listener.accept();
    ASSERT_TRUE(server);
    const auto who = credentials_of(server.get());
    EXPECT_EQ(who.uid, ::geteuid());
    EXPECT_EQ(who.pid, ::getpid());
    EXPECT_TRUE(may_connect(who, std::nullopt)) << "ourselves";
    EXPECT_THROW(Listener(directory.path(), "agent.sock", std::nullopt), Error) << "somebody listens there";
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_FALSE(connect_to(path));
}

TEST(Listener, PassesOverWhoHasGone) {
  test::TempDirectory directory;
  Listener listener(directory.path(), "status.sock", std::nullopt);
  {
    const auto gone = connect_to(directory / "status.sock");
    ASSERT_EQ(::write(gone.get(), "x", 1), 1);
  }
  const auto half = connect_to(directory / "status.sock");
  ASSERT_EQ(::write(half.get(), "y", 1), 1);
  ASSERT_EQ(::shutdown(half.get(), SHUT_WR), 0);
  const auto server = listener.accept();
  char word = 0;
  EXPECT_EQ(::read(server.get(), &word, 1), 1);
  EXPECT_EQ(word, 'y') << "one that says no more still hears";
  EXPECT_FALSE(listener.accept());
}

TEST(Ask, ThrowsWhatTheDaemonAnswersInsteadOfDoingIt) {
  test::TempDirectory directory;
  Listener listener(directory.path(), "status.sock", std::nullopt);
  std::thread daemon([&] {
    pollfd wanted{listener.fd(), POLLIN, 0};
    if (::poll(&wanted, 1, 60'000) != 1) return;
    const auto client = listener.accept();
    const auto answer = to_json(Error(ErrorCode::no_space, "the card is full", "make room")) + "\n";
    EXPECT_EQ(::write(client.get(), answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    pollfd end{client.get(), POLLIN, 0};
    ::poll(&end, 1, 60'000);
  });
  try {
    ask(directory.path(), {"pause", "ph1", "by hand"});
    ADD_FAILURE() << "it is said to be done";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_space) << error.what();
  }
  daemon.join();
}

TEST(Listener, TakesThePlaceOfASocketThatACrashLeft) {
  test::TempDirectory directory;
  {
    Listener crashed(directory.path(), "a.sock", std::nullopt);
    ASSERT_EQ(::link((directory / "a.sock").c_str(), (directory / "b.sock").c_str()), 0);
  }
  EXPECT_FALSE(connect_to(directory / "b.sock"));
  Listener next(directory.path(), "b.sock", std::nullopt);
  EXPECT_TRUE(connect_to(directory / "b.sock"));
}

TEST(Listener, TakesWhatTheServiceManagerHandsOver) {
  test::TempDirectory directory;
  EXPECT_EXIT(
      {
        Listener outer(directory.path(), "outer.sock", std::nullopt);
        const int held = ::fcntl(outer.fd(), F_DUPFD, 10);
        ::dup2(held, 3);
        ::dup2(held, 4);
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        ::setenv("LISTEN_FDNAMES", "status.sock:agent.sock", 1);
        Listener given("/nowhere", "agent.sock", std::nullopt);
        const auto client = connect_to(directory / "outer.sock");
        std::_Exit(client && given.accept() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(Listener, SaysWhatToDoAboutANameThatNoSocketCanHave) {
  test::TempDirectory directory;
  try {
    Listener listener(directory / std::string(120, 'x'), "agent.sock", std::nullopt);
    ADD_FAILURE() << "it listens";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    EXPECT_NE(error.hint().find("run_directory"), std::string::npos) << error.hint();
  }
}

TEST(Credentials, AllGroupsCountAndOthersAreTurnedAway) {
  const Credentials member{1, 4711, {100, 200, 300}};
  EXPECT_TRUE(may_connect(member, 300));
  EXPECT_FALSE(may_connect(member, 400));
  EXPECT_FALSE(may_connect(member, std::nullopt));
  EXPECT_TRUE(may_connect({1, 0, {}}, std::nullopt)) << "root";
}

}  // namespace
}  // namespace gsync::daemon
