#include "../src/daemon/watcher.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/temp_directory.hpp"

namespace gsync::daemon {
namespace {

using test::replace_text;
using test::write_text;

/// Whether it tells of a change that has happened already.
bool tells(Watcher& watcher) {
  pollfd p{watcher.fd(), POLLIN, 0};
  return ::poll(&p, 1, 0) > 0 && watcher.take();
}

TEST(Watcher, TellsOfWritesInPlaceAndOfReplacements) {
  test::TempDirectory directory;
  const auto file = directory / "gravity.db";
  write_text(file, "a");
  Watcher watcher({file});
  EXPECT_FALSE(tells(watcher));
  EXPECT_FALSE(watcher.differs());
  write_text(file, "bc");
  EXPECT_TRUE(tells(watcher));
  EXPECT_TRUE(watcher.differs());
  EXPECT_FALSE(watcher.differs());
  replace_text(file, "cd");
  EXPECT_TRUE(tells(watcher));
  EXPECT_TRUE(watcher.differs());
  EXPECT_FALSE(tells(watcher));
}

TEST(Watcher, IsNotInterestedInOtherFilesOrInReaders) {
  test::TempDirectory directory;
  const auto file = directory / "gravity.db";
  write_text(file, "a");
  Watcher watcher({file});
  write_text(directory / "pihole-FTL.db", "x");
  write_text(directory / "gravity.db_temp", "x");
  test::read_text(file);
  EXPECT_FALSE(tells(watcher));
  EXPECT_FALSE(watcher.differs());
}

TEST(Watcher, TellsOfAllFilesWhereTwoPathsLeadToOneDirectory) {
  test::TempDirectory directory;
  std::filesystem::create_directory(directory / "on-a-disk");
  std::filesystem::create_directory_symlink(directory / "on-a-disk", directory / "etc");
  write_text(directory / "on-a-disk/gravity.db", "a");
  write_text(directory / "on-a-disk/pihole.toml", "a");
  Watcher watcher({directory / "on-a-disk/gravity.db", directory / "etc/gravity.db", directory / "etc/pihole.toml"});
  replace_text(directory / "etc/pihole.toml", "b");
  EXPECT_TRUE(tells(watcher));
  EXPECT_TRUE(watcher.differs());
}

TEST(Watcher, TellsOfTheEndOfATransaction) {
  test::TempDirectory directory;
  const auto file = directory / "gravity.db";
  write_text(file, "a");
  write_text(file + "-journal", "j");
  Watcher watcher({file});
  std::filesystem::remove(file + "-journal");
  EXPECT_TRUE(tells(watcher));
}

TEST(Watcher, FindsADirectoryThatComesLater) {
  test::TempDirectory directory;
  const auto late = directory / "dnsmasq.d";
  Watcher watcher({late + "/05-pihole-custom-cname.conf"});
  std::filesystem::create_directory(late);
  write_text(late + "/05-pihole-custom-cname.conf", "a");
  EXPECT_FALSE(tells(watcher));
  EXPECT_TRUE(watcher.differs()) << "the look at each interval";
  write_text(late + "/05-pihole-custom-cname.conf", "ab");
  EXPECT_TRUE(tells(watcher));
}

}  // namespace
}  // namespace gsync::daemon
