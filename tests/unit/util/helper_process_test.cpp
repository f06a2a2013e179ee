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
