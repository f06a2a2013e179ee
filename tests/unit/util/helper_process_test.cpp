#include "gsync/util/helper_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "support/temp_directory.hpp"

namespace gsync::util {
namespace {

using std::chrono::seconds;

Deadline soon() {
  return Deadline::in(seconds(20));
}

ErrorCode code_of(HelperProcess& helper, const std::string& request) {
  try {
    helper.ask(request, soon());
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::cancelled;
}

TEST(HelperProcess, AnswersWithItsFunctionOneRequestAfterTheOther) {
  HelperProcess helper([n = 0](const std::string& request) mutable { return std::to_string(++n) + request; });
  EXPECT_EQ(helper.ask("a", soon()), "1a");
  EXPECT_EQ(helper.ask("", soon()), "2");
  const std::string large(3u << 20, 'x');
  EXPECT_EQ(helper.ask(large, soon()), "3" + large);
}

TEST(HelperProcess, IsAnotherProcessThatHasNoneOfOurDescriptors) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);  // without O_CLOEXEC: it does not exec
  Fd read_end(ends[0]), write_end(ends[1]);
  HelperProcess helper([](const std::string&) { return std::to_string(::getpid()) + " " + std::to_string(::getpgrp()); });
  const auto pid = std::to_string(helper.pid());
  EXPECT_EQ(helper.ask("", soon()), pid + " " + pid) << "of a process group of its own, which no Ctrl-C reaches";
  write_end.reset();
  char byte = 0;
  pollfd ended{read_end.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 20'000), 1) << "somebody still has the pipe";
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 0);
}

TEST(HelperProcess, HandsErrorsThrough) {
  HelperProcess helper([](const std::string& request) -> std::string { throw Error(ErrorCode::no_space, "what " + request, "hint"); });
  try {
    helper.ask("x", soon());
    ADD_FAILURE() << "it worked";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_space);
    EXPECT_STREQ(error.what(), "what x");
    EXPECT_EQ(error.hint(), "hint");
  }
  EXPECT_EQ(code_of(helper, "y"), ErrorCode::no_space) << "and goes on";
}

TEST(HelperProcess, ThatDiedIsSaidToBeGone) {
  ::signal(SIGPIPE, SIG_IGN);
  HelperProcess helper([](const std::string& request) -> std::string {
    if (request == "die") ::_exit(1);
    return request;
  });
  EXPECT_EQ(helper.ask("live", soon()), "live");
  EXPECT_EQ(code_of(helper, "die"), ErrorCode::unreachable);
  EXPECT_EQ(code_of(helper, "live"), ErrorCode::unreachable);
}

TEST(HelperProcess, ServesEachOfTheProcessesThatItIsSharedWithSideBySide) {
  test::TempDirectory directory;
  const auto go_on = directory / "go-on";
  HelperProcess helper([&](const std::string& request) {
    for (int looks = 0; request == "wait" && looks < 6'000 && ::access(go_on.c_str(), F_OK) != 0; ++looks) ::usleep(10'000);
    return std::to_string(::getppid()) + request;
  });
  HelperProcess busy(helper.share());
  HelperProcess other(helper.share());
  EXPECT_THROW(busy.ask("wait", Deadline::in(std::chrono::milliseconds(50))), Error);
  const auto answer = other.ask(" for a child", soon());
  EXPECT_EQ(answer.substr(answer.find(' ')), " for a child");
  EXPECT_NE(answer.substr(0, answer.find(' ')), std::to_string(::getpid())) << "answered by one that is not our child";
  EXPECT_EQ(helper.ask("", soon()), std::to_string(::getpid())) << "and it answers us as well";
  EXPECT_EQ(other.ask("", soon()) + " for a child", answer) << "again";
  test::write_text(go_on, "");
}

TEST(HelperProcess, GivesALateAnswerToNobody) {
  test::TempDirectory directory;
  const auto go_on = directory / "go-on";
  HelperProcess helper([&](const std::string& request) {
    for (int looks = 0; request == "wait" && looks < 6'000 && ::access(go_on.c_str(), F_OK) != 0; ++looks) ::usleep(10'000);
    return request;
  });
  EXPECT_THROW(helper.ask("wait", Deadline::in(std::chrono::milliseconds(50))), Error);
  test::write_text(go_on, "");
  EXPECT_EQ(helper.ask("a", soon()), "a");
  EXPECT_EQ(helper.ask("b", soon()), "b");
}

TEST(HelperProcess, CannotBeSharedOnceItDied) {
  ::signal(SIGPIPE, SIG_IGN);
  HelperProcess helper([](const std::string&) -> std::string { ::_exit(1); });
  EXPECT_EQ(code_of(helper, "die"), ErrorCode::unreachable);
  // Its descriptors are closed one after the other.
  const auto end = soon();
  bool refused = false;
  while (!refused && !end.passed()) {
    try {
      helper.share();
    } catch (const Error& error) {
      refused = error.code() == ErrorCode::unreachable;
    }
  }
  EXPECT_TRUE(refused);
}

TEST(HelperProcess, OfASharedConnectionHasNothingElseOpenAndEndsWithItsHolder) {
  HelperProcess helper([](const std::string& request) {
    if (request == "pid") return std::to_string(::getpid());
    std::string open;
    for (int fd = 0; fd < 100; ++fd)
      if (::fcntl(fd, F_GETFD) >= 0) open += std::to_string(fd) + " ";
    return open;
  });
  Fd process;
  {
    HelperProcess shared(helper.share());
    EXPECT_EQ(shared.ask("open", soon()), "0 1 2 3 ");
    process = Fd(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(shared.ask("pid", soon())), 0)));
    if (!process) GTEST_SKIP() << "this kernel has no pidfd_open";
    pollfd ended{process.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 0), 0);
  }
  pollfd ended{process.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 20'000), 1);
  EXPECT_EQ(helper.ask("open", soon()), "0 1 2 3 4 ");
}

TEST(HelperProcess, EndsWithItsOwner) {
  Fd fd;
  {
    HelperProcess helper([](const std::string& request) { return request; });
    fd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, helper.pid(), 0)));
    if (!fd) GTEST_SKIP() << "this kernel has no pidfd_open";
    pollfd ended{fd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 0), 0);
  }
  pollfd ended{fd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 20'000), 1);
}

}  // namespace
}  // namespace gsync::util
