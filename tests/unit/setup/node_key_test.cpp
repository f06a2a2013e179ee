#include "gsync/setup/node_key.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "gsync/util/error.hpp"
#include "support/sshd.hpp"
#include "support/temp_directory.hpp"

namespace gsync::setup {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

TEST(ThisNodesKey, IsMadeOnceAndIsTheSameFromThenOn) {
  test::TempDirectory directory;
  const auto old = ::umask(0);
  const auto made = node_key(directory / "id_ed25519", "gravity-sync of ph2");
  ::umask(old);
  EXPECT_TRUE(made.made);
  EXPECT_EQ(mode_of(directory / "id_ed25519"), 0600u);
  EXPECT_EQ(mode_of(directory / "id_ed25519.pub"), 0644u);
  EXPECT_EQ(test::read_text(directory / "id_ed25519.pub"), made.public_key.line() + "\n");
  const auto again = node_key(directory / "id_ed25519", "another comment");
  EXPECT_FALSE(again.made);
  EXPECT_EQ(again.public_key.line(), made.public_key.line());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 2);
}

TEST(ThisNodesKey, MayHaveBeenMadeBySshKeygen) {
  test::TempDirectory directory;
  test::make_key(directory / "id_ed25519");
  const auto line = test::read_text(directory / "id_ed25519.pub");
  std::filesystem::remove(directory / "id_ed25519.pub");
  const auto key = node_key(directory / "id_ed25519", "test");
  EXPECT_FALSE(key.made);
  EXPECT_EQ(key.public_key.line() + "\n", line);
  EXPECT_EQ(test::read_text(directory / "id_ed25519.pub"), line);
}

TEST(ThisNodesKey, IsNotReplacedWhereItCannotBeUsed) {
  test::TempDirectory directory;
  test::write_text(directory / "id_ed25519", "rubbish\n", 0600);
  EXPECT_THROW(node_key(directory / "id_ed25519", "x"), Error);
  EXPECT_EQ(test::read_text(directory / "id_ed25519"), "rubbish\n");
}

TEST(ThisNodesKey, IsOneWhoeverMakesItAtTheSameTime) {
  test::TempDirectory directory;
  std::vector<std::string> lines(8);
  {
    std::vector<std::jthread> threads;
    for (auto& line : lines) threads.emplace_back([&] { line = node_key(directory / "id_ed25519", "x").public_key.base64; });
  }
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 1u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 2);
}

TEST(ThisNodesKey, LeavesNothingWhereItCannotBeWritten) {
  test::TempDirectory directory;
  EXPECT_THROW(node_key(directory / "none/id_ed25519", "x"), Error);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace gsync::setup
