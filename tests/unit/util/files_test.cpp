#include "gsync/util/files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "gsync/util/error.hpp"
#include "gsync/util/file_ops.hpp"
#include "support/private_mounts.hpp"

namespace gsync::util {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Files : public ::testing::Test {
 protected:
  Files() {
    std::string pattern = (fs::temp_directory_path() / "gsync-files-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw_errno(errno, "mkdtemp");
    directory_ = pattern;
    dir_ = open_directory(directory_);
  }
  ~Files() override {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void put(const std::string& name, const std::string& content) { std::ofstream(path(name)) << content; }
  std::string get(const std::string& name) {
    auto content = read_file(path(name));
    return content ? *content : "(absent)";
  }
  std::size_t names() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  template <class Call>
  static ErrorCode code_of(Call call) {
    try {
      call();
    } catch (const Error& e) {
      return e.code();
    }
    ADD_FAILURE() << "no error";
    return ErrorCode::cancelled;
  }

  std::string directory_;
  Fd dir_;
  PosixFileOps ops_;
};

TEST_F(Files, ReadFileGivesTheWholeContentAndNothingForAnAbsentOne) {
  std::string content(100'000, 'a');
  put("f", content);
  EXPECT_EQ(read_file(path("f")), content);
  EXPECT_EQ(read_file(path("absent")), std::nullopt);
}

TEST_F(Files, ReadFileRefusesMoreThanItsLimit) {
  put("f", "12345");
  EXPECT_EQ(read_file(path("f"), 5), "12345");
  EXPECT_EQ(code_of([&] { read_file(path("f"), 4); }), ErrorCode::refused);
  EXPECT_EQ(code_of([&] { read_file(directory_); }), ErrorCode::io);
}

TEST_F(Files, ReplaceFileMakesANewFileWithTheModeAskedWhateverTheUmask) {
  auto before = ::umask(0077);
  replace_file(path("new"), "content", 0644);
  ::umask(before);
  EXPECT_EQ(get("new"), "content");
  EXPECT_EQ(ops_.stat_at(dir_.get(), "new")->st_mode & 07777, 0644u);
  EXPECT_EQ(names(), 1u);
}

TEST_F(Files, ReplaceFileKeepsOwnerAndModeOfTheOldOneAndLeavesNoTemporaryFile) {
  put("f", "old and longer");
  ASSERT_EQ(::chmod(path("f").c_str(), 0640), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path("f").c_str(), 12345, 23456), 0);
  }
  auto before = *ops_.stat_at(dir_.get(), "f");
  replace_file(path("f"), "new", 0600);
  auto after = *ops_.stat_at(dir_.get(), "f");
  EXPECT_EQ(get("f"), "new");
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_gid, before.st_gid);
  EXPECT_NE(after.st_ino, before.st_ino);
  EXPECT_EQ(names(), 1u);
}

TEST_F(Files, AReplacementThatFailsLeavesNoTemporaryFile) {
  fs::create_directory(path("d"));
  put("d/inside", "x");
  EXPECT_EQ(code_of([&] { replace_file(path("d"), "new"); }), ErrorCode::io);
  EXPECT_EQ(names(), 1u);
  EXPECT_EQ(code_of([&] { replace_file(path("absent/f"), "new"); }), ErrorCode::not_found);
}

TEST_F(Files, ReplaceFileReplacesASymbolicLinkAndNotWhatItPointsTo) {
  put("victim", "kept");
  fs::create_symlink("victim", path("link"));
  replace_file(path("link"), "new");
  EXPECT_EQ(get("victim"), "kept");
  EXPECT_FALSE(fs::is_symlink(path("link")));
}

TEST_F(Files, OpenAtFollowsNoSymbolicLink) {
  put("f", "x");
  fs::create_symlink("f", path("link"));
  EXPECT_TRUE(ops_.open_at(dir_.get(), "f", O_RDONLY));
  EXPECT_EQ(code_of([&] { ops_.open_at(dir_.get(), "link", O_RDONLY); }), ErrorCode::io);
  EXPECT_EQ(code_of([&] { ops_.open_at(dir_.get(), "absent", O_RDONLY); }), ErrorCode::not_found);
  EXPECT_TRUE(S_ISLNK(ops_.stat_at(dir_.get(), "link")->st_mode));
}

TEST_F(Files, OpenedFilesAreNotInheritedByChildren) {
  put("f", "x");
  auto fd = ops_.open_at(dir_.get(), "f", O_RDONLY);
  EXPECT_TRUE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(dir_.get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(Files, ExchangeSwapsTwoNamesAtOnce) {
  put("a", "A");
  put("b", "B");
  if (!ops_.exchange_at(dir_.get(), "a", dir_.get(), "b")) GTEST_SKIP() << "this filesystem has no RENAME_EXCHANGE";
  EXPECT_EQ(get("a"), "B");
  EXPECT_EQ(get("b"), "A");
}

TEST_F(Files, ExchangeWithAnAbsentNameChangesNothing) {
  put("a", "A");
  EXPECT_EQ(code_of([&] {
              if (!ops_.exchange_at(dir_.get(), "a", dir_.get(), "absent")) throw Error(ErrorCode::not_found, "not supported here");
            }),
            ErrorCode::not_found);
  EXPECT_EQ(get("a"), "A");
}

TEST_F(Files, AFileThatIsAMountOfItsOwnIsNotMovedAndSaysWhy) {
  test::PrivateMounts mounts;
  if (!mounts.reason().empty()) GTEST_SKIP() << mounts.reason();
  for (const char* name : {"a", "b", "elsewhere"}) test::write_text(directory_ + "/" + name, name);
  mounts.bind(directory_ + "/elsewhere", directory_ + "/b");
  const auto dir = open_directory(directory_);  // not that of the namespace before
  const std::vector<std::function<void()>> moves{[&] { ops_.exchange_at(dir.get(), "a", dir.get(), "b"); },
                                                 [&] { ops_.rename_at(dir.get(), "a", dir.get(), "b"); },
                                                 [&] { ops_.link_at(dir.get(), "b", dir.get(), "c"); }};
  for (const auto& move : moves) {
    try {
      move();
      ADD_FAILURE() << "it was moved";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::refused) << error.what();
      EXPECT_NE(error.hint().find("mount the directory"), std::string::npos);
    }
  }
  EXPECT_EQ(test::read_text(directory_ + "/a"), "a");
  EXPECT_EQ(test::read_text(directory_ + "/b"), "elsewhere");
}

TEST_F(Files, WriteTruncateAndRemoveDoWhatTheySay) {
  auto fd = ops_.open_at(dir_.get(), "f", O_RDWR | O_CREAT, 0600);
  std::string_view text = "hello";
  ops_.write(fd.get(), std::as_bytes(std::span(text)), 3);
  EXPECT_EQ(ops_.stat(fd.get()).st_size, 8);
  ops_.truncate(fd.get(), 5);
  EXPECT_EQ(get("f"), std::string("\0\0\0he", 5));
  ops_.sync(fd.get());
  ops_.link_at(dir_.get(), "f", dir_.get(), "g");
  EXPECT_EQ(ops_.stat(fd.get()).st_nlink, 2u);
  ops_.rename_at(dir_.get(), "g", dir_.get(), "h");
  EXPECT_TRUE(ops_.unlink_at(dir_.get(), "h"));
  EXPECT_FALSE(ops_.unlink_at(dir_.get(), "h"));
  ops_.make_directory(dir_.get(), "d", 0700);
  EXPECT_EQ(code_of([&] { ops_.make_directory(dir_.get(), "d", 0700); }), ErrorCode::io);
}

TEST_F(Files, AFullDiskIsNamedAsSuch) {
  Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full) GTEST_SKIP() << "there is no /dev/full here";
  std::string_view text = "x";
  EXPECT_EQ(code_of([&] { ops_.write(full.get(), std::as_bytes(std::span(text)), 0); }), ErrorCode::no_space);
}

TEST_F(Files, ALockKeepsASecondHolderOutUntilItIsFreed) {
  auto first = FileLock::acquire(dir_.get(), "lock", Deadline::in(10s));
  ASSERT_TRUE(first);
  EXPECT_FALSE(FileLock::acquire(dir_.get(), "lock", Deadline::in(30ms)));
  EXPECT_TRUE(FileLock::acquire(dir_.get(), "other", Deadline::in(0ms)));
  first.reset();
  EXPECT_TRUE(FileLock::acquire(dir_.get(), "lock", Deadline::in(10s)));
  EXPECT_EQ(ops_.stat_at(dir_.get(), "lock")->st_mode & 07777, 0600u & ~static_cast<unsigned>([] {
                                                                 auto m = ::umask(0);
                                                                 ::umask(m);
                                                                 return m;
                                                               }()));
}

TEST_F(Files, ALockIsFreeAfterItsHolderWasKilled) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  auto pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    auto lock = FileLock::acquire(dir_.get(), "lock", Deadline::in(10s));
    if (lock) (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char c = 0;
  EXPECT_EQ(::read(ready[0], &c, 1), 1);
  EXPECT_FALSE(FileLock::acquire(dir_.get(), "lock", Deadline::in(20ms)));
  ::kill(pid, SIGKILL);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_TRUE(FileLock::acquire(dir_.get(), "lock", Deadline::in(10s)));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(Files, ALockIsWantedAsLongAsSomebodyWaitsForItWhateverHisEnd) {
  auto mine = FileLock::acquire(dir_.get(), "lock", Deadline::in(10s));
  ASSERT_TRUE(mine);
  EXPECT_FALSE(mine->wanted());
  EXPECT_FALSE(FileLock::acquire(dir_.get(), "lock", Deadline::in(0ms)));
  EXPECT_FALSE(mine->wanted()) << "one who only looks does not wait";
  const auto until = [&](bool wanted) {
    for (const auto deadline = Deadline::in(60s); mine->wanted() != wanted && !deadline.passed();) std::this_thread::sleep_for(1ms);
    return mine->wanted() == wanted;
  };
  std::vector<pid_t> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(::fork());
    ASSERT_GE(waiting.back(), 0);
    // The descriptor that it has from us would keep the lock.
    if (waiting.back() == 0) ::_exit(FileLock::acquire(dir_.get(), "lock", Deadline::in(300s)) ? 0 : 1);
  }
  for (const auto pid : waiting) {
    EXPECT_TRUE(until(true));
    ::kill(pid, SIGKILL);
    EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  }
  EXPECT_FALSE(mine->wanted());
  // Who has got it waits no more.
  std::optional<FileLock> theirs;
  std::thread other([&] { theirs = FileLock::acquire(dir_.get(), "lock", Deadline::in(60s)); });
  EXPECT_TRUE(until(true));
  mine.reset();
  other.join();
  ASSERT_TRUE(theirs);
  EXPECT_FALSE(theirs->wanted());
}

TEST_F(Files, ALockIsNotTakenThroughASymbolicLink) {
  put("victim", "");
  fs::create_symlink("victim", path("lock"));
  EXPECT_EQ(code_of([&] { FileLock::acquire(dir_.get(), "lock", Deadline::in(0ms)); }), ErrorCode::io);
}

}  // namespace
}  // namespace gsync::util
