#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <functional>
#include <thread>

#include "gsync/pihole/ftl.hpp"
#include "support/temp_directory.hpp"

namespace gsync::pihole {
namespace {

class GravityRun : public testing::Test {
 protected:
  GravityRun() { installation_.gravity_database = installation_.gravity_named = directory_ / "gravity.db"; }

  static void touch(const std::string& path, std::int64_t seconds_ago) {
    test::write_text(path, "x");
    timespec times[2] = {};
    times[0].tv_sec = times[1].tv_sec = std::time(nullptr) - seconds_ago;
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  /// Another test of this host may run a gravity.sh of its own for a moment.
  bool becomes(bool running) const {
    const auto deadline = util::Deadline::in(std::chrono::milliseconds(30'000));
    while (gravity_is_running(installation_) != running) {
      if (deadline.passed()) return false;
      std::this_thread::yield();
    }
    return true;
  }

  test::TempDirectory directory_;
  Installation installation_;
};

TEST_F(GravityRun, IsNotThereWithoutItsTemporaryFile) {
  EXPECT_FALSE(gravity_is_running(installation_));
}

TEST_F(GravityRun, IsThereWhileItsTemporaryFileIsWritten) {
  touch(installation_.gravity_database + "_temp", 1);
  EXPECT_TRUE(gravity_is_running(installation_));
}

TEST_F(GravityRun, IsSeenBesideTheLinkThatPiholeKnows) {
  installation_.gravity_named = directory_ / "link.db";
  touch(installation_.gravity_named + "_temp", 0);
  EXPECT_TRUE(gravity_is_running(installation_));
}

TEST_F(GravityRun, IsNotAFileThatAnAbortedOneLeftBehind) {
  touch(installation_.gravity_database + "_temp", 3'600);
  EXPECT_TRUE(becomes(false));
  touch(installation_.gravity_database + "_temp", -3'600);
  EXPECT_TRUE(becomes(false)) << "the clock was set back";
}

TEST_F(GravityRun, IsThereWhileItsProcessLives) {
  touch(installation_.gravity_database + "_temp", 3'600);
  const auto script = directory_ / "gravity.sh";
  const auto fifo = directory_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  // As in Pi-hole: env looks for the shell, so that the process has the shell's name. It waits in its own process until the FIFO is opened.
  test::write_text(script, "#!/usr/bin/env sh\nread -r line < '" + fifo + "'\n", 0755);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(script.c_str(), script.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  EXPECT_TRUE(becomes(true));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(becomes(false));
}

}  // namespace
}  // namespace gsync::pihole
