// The commands that set a Pi-hole up, where there is no room or nothing may be written: each says where, why and what to do, and leaves
// everything as it was.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>

#include "gsync/util/text.hpp"
#include "support/paths.hpp"
#include "support/private_mounts.hpp"
#include "support/small_disk.hpp"
#include "support/sql.hpp"
#include "support/sshd.hpp"
#include "support/two_nodes.hpp"

namespace gsync::test {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

constexpr std::size_t page = 4096;

/// A command, and the files that it writes. Of the directories above them it may make those that are missing.
struct Writer {
  Arguments arguments;
  std::vector<std::string> files;
  std::string input = {};
  bool first_may_stay = false;  ///< it is of use without the next
};

class SettingUp : public ::testing::Test {
 protected:
  CommandResult run(const Writer& writer, const Arguments& through = {}) const {
    util::Command command{.argv = through, .standard_input = writer.input};
    command.argv.insert(command.argv.end(), {paths::binary, "--config", configuration});
    command.argv.insert(command.argv.end(), writer.arguments.begin(), writer.arguments.end());
    command.environment = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}};
    return util::run(command, util::Deadline::in(std::chrono::minutes(1)));
  }
  /// Mode, owner and content of every file. The node's own books are SQLite's to keep whole.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& root : {pihole.root(), directory.path()})
      for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file() || entry.path().filename().string().starts_with("state.db")) continue;
        struct stat st {};
        ::lstat(entry.path().c_str(), &st);
        all[entry.path()] = fmt::format("{:o} {}:{} {}", st.st_mode, st.st_uid, st.st_gid, read_text(entry.path()));
      }
    return all;
  }
  static void expect_told(const CommandResult& result, const Writer& writer, int why) {
    EXPECT_EQ(result.exit_code, 1) << result.output << result.errors;
    const auto error = result.errors.find("error: ");
    ASSERT_NE(error, std::string::npos) << result.errors;
    const auto told = result.errors.substr(error);
    // Of our books beside it, and of a directory above it that could not be made, the name says as much.
    const auto directory = fs::path(writer.files.front()).parent_path();
    EXPECT_TRUE(contains(told, directory) || contains(told, directory.parent_path().string() + ":")) << told;
    // SQLite has words of its own for the one.
    EXPECT_TRUE(contains(told, std::strerror(why)) || (why == ENOSPC && contains(told, "disk is full"))) << told;
    EXPECT_TRUE(contains(told, "\n  ")) << "and what to do: " << told;
  }
  /// It left nothing. One of its files that was whole before there was no room for the next may stay.
  void expect_as_before(const Writer& writer, const std::map<std::string, std::string>& before) const {
    auto after = files();
    for (const auto& file : writer.files)
      if (writer.first_may_stay && file != writer.files.back() && !before.contains(file)) after.erase(file);
    EXPECT_EQ(after, before);
  }
  void expect_done(const CommandResult& result, const Writer& writer) const {
    EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
    for (const auto& file : writer.files) EXPECT_TRUE(fs::exists(file)) << file;
    if (const auto books = pihole.state() + "/state.db"; fs::exists(books)) {
      EXPECT_EQ(integrity(books), "ok");
    }
    for (const auto& [path, content] : files()) EXPECT_FALSE(path.ends_with(".tmp") || path.ends_with(".new")) << path;
  }

  Writer key() const { return {{"key"}, {pihole.state() + "/id_ed25519", pihole.state() + "/id_ed25519.pub"}, "", true}; }
  Writer init() const { return {{"config", "init", "--directory", pihole.directory(), "--host", "ph2.lan"}, {configuration}}; }
  Writer add_peer() const { return {{"config", "peer", "ph3", "--host", "ph3.lan"}, {configuration}}; }
  /// An old script's settings are there.
  Writer import() const {
    write_text(directory / "old.conf", "REMOTE_HOST='192.168.1.7'\nREMOTE_USER='pi'\n");
    return {{"config", "import", directory / "old.conf"}, {configuration}};
  }
  void use_new_configuration() { configuration = directory / "etc/gravity-sync.toml"; }

  SmallDisk disk{24u << 20};
  PiholeDirectory pihole{small_pihole("ph1", 0, small_household())};
  TempDirectory directory;
  std::string configuration = pihole.config();
};

/// On a filesystem of its own, which only root can have.
class SettingUpOnASmallDisk : public SettingUp {
 protected:
  void SetUp() override {
    if (!disk.reason().empty()) GTEST_SKIP() << disk.reason();
  }
  /// On a read-only filesystem, with every amount of room that is too little, and then with room.
  void expect_to_need_room(const Writer& writer) {
    SCOPED_TRACE(fmt::format("gravity-sync {}", fmt::join(writer.arguments, " ")));
    const auto before = files();
    disk.make_read_only();
    expect_told(run(writer), writer, EROFS);
    EXPECT_EQ(files(), before);
    disk.make_read_only(false);
    std::optional<CommandResult> result;
    std::size_t pages = 0;
    for (;; ++pages) {
      SCOPED_TRACE(fmt::format("{} pages are free", pages));
      ASSERT_LT(pages, 64u);
      disk.leave_free(pages * page);
      result = run(writer);
      disk.empty();
      if (result->exit_code == 0) break;
      expect_told(*result, writer, ENOSPC);
      expect_as_before(writer, before);
      if (HasFailure()) return;
    }
    EXPECT_GT(pages, 0u) << "it needs no room";
    expect_done(*result, writer);
  }
};

TEST_F(SettingUpOnASmallDisk, KeyOfANewHost) {
  fs::remove_all(pihole.state());
  expect_to_need_room(key());
}

TEST_F(SettingUpOnASmallDisk, KeyOfAHostThatHasAState) {
  ASSERT_EQ(run({{"info"}, {}}).exit_code, 0);
  expect_to_need_room(key());
}

TEST_F(SettingUpOnASmallDisk, ConfigInit) {
  use_new_configuration();
  expect_to_need_room(init());
}

TEST_F(SettingUpOnASmallDisk, ConfigInitInThePlaceOfSettings) {
  auto again = init();
  again.arguments.push_back("--force");
  again.files.push_back(configuration + ".old");
  for (const bool kept_before : {false, true}) {
    SCOPED_TRACE(kept_before);
    if (kept_before) write_text(configuration + ".old", "# older\n");
    const auto before = read_text(configuration);
    expect_to_need_room(again);
    EXPECT_EQ(read_text(configuration + ".old"), before);
  }
}

TEST_F(SettingUpOnASmallDisk, ConfigPeer) {
  expect_to_need_room(add_peer());
  use_new_configuration();
  expect_to_need_room(add_peer());
  auto remove = add_peer();
  remove.arguments = {"config", "peer", "ph3", "--remove"};
  ASSERT_EQ(run({{"config", "peer", "ph4", "--host", "ph4.lan"}, {}}).exit_code, 0);
  expect_to_need_room(remove);
}

TEST_F(SettingUpOnASmallDisk, ConfigImport) {
  use_new_configuration();
  expect_to_need_room(import());
}

/// Not on the small disk itself.
struct WithSshd {
  WithSshd() {
    if (!Sshd::unavailable()) sshd.emplace();
  }
  std::optional<Sshd> sshd;
};

/// Whose key is trusted, and where that is written.
Writer trusting(const Sshd& sshd, PiholeDirectory& pihole) {
  pihole.set_peers({fmt::format("[[peer]]\nname = \"ph2\"\nhost = \"127.0.0.1\"\nport = {}\n", sshd.port())});
  const auto shown = util::run({.argv = {"ssh-keygen", "-lf", "-"}, .standard_input = sshd.host_public_key()},
                               util::Deadline::in(std::chrono::minutes(1)));
  return {{"trust", "ph2", "--fingerprint", std::string(util::split(shown.output, ' ').at(1))}, {pihole.state() + "/known_hosts"}};
}

class TrustingOnASmallDisk : public WithSshd, public SettingUpOnASmallDisk {
 protected:
  void SetUp() override {
    SettingUpOnASmallDisk::SetUp();
    if (auto reason = Sshd::unavailable()) GTEST_SKIP() << *reason;
  }
};

TEST_F(TrustingOnASmallDisk, Trust) {
  const auto trust = trusting(*sshd, pihole);
  expect_to_need_room(trust);
  // What is there of others stays.
  const auto others = "ph9.lan ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n";
  write_text(trust.files.front(), others, 0600);
  expect_to_need_room(trust);
  EXPECT_TRUE(read_text(trust.files.front()).starts_with(others));
  expect_to_need_room({{"trust", "ph2", "--remove"}, trust.files});
  EXPECT_EQ(read_text(trust.files.front()), others);
}

/// With an account for peers, whose home is on the small disk.
class AcceptingOnASmallDisk : public SettingUpOnASmallDisk {
 protected:
  void SetUp() override {
    SettingUpOnASmallDisk::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
    write_text(directory / "passwd",
               read_text("/etc/passwd") + fmt::format("gravity-sync:*:54321:54321::{}:/bin/sh\n", directory / "home"));
    mounts.bind(directory / "passwd", "/etc/passwd");
    make_key(directory / "ph2");
  }
  Writer accept() const { return {{"accept", "ph2", directory / "ph2.pub"}, {directory / "home/.ssh/authorized_keys"}}; }

  PrivateMounts mounts;
};

TEST_F(AcceptingOnASmallDisk, Accept) {
  expect_to_need_room(accept());
  write_text(accept().files.front(), "# somebody else\n", 0640);
  expect_to_need_room(accept());
  EXPECT_TRUE(read_text(accept().files.front()).starts_with("# somebody else\nrestrict,"));
  expect_to_need_room({{"accept", "ph2", "--remove"}, accept().files});
  EXPECT_EQ(read_text(accept().files.front()), "# somebody else\n");
}

// --- and for everybody who runs the tests: no write finds room

class SettingUpWithoutRoom : public WithSshd, public SettingUp {
 protected:
  void expect_to_need_room(const Writer& writer) {
    SCOPED_TRACE(fmt::format("gravity-sync {}", fmt::join(writer.arguments, " ")));
    const auto before = files();
    expect_told(run(writer, {paths::without, fmt::format("room:{}", ENOSPC), "--"}), writer, ENOSPC);
    EXPECT_EQ(files(), before);
    expect_done(run(writer), writer);
  }
};

TEST_F(SettingUpWithoutRoom, Key) {
  expect_to_need_room(key());
  fs::remove(key().files.back());
  expect_to_need_room(key());
}

TEST_F(SettingUpWithoutRoom, Config) {
  expect_to_need_room(add_peer());
  use_new_configuration();
  expect_to_need_room(import());
  fs::remove_all(directory / "etc");
  expect_to_need_room(init());
}

TEST_F(SettingUpWithoutRoom, Trust) {
  if (!sshd) GTEST_SKIP() << *Sshd::unavailable();
  expect_to_need_room(trusting(*sshd, pihole));
}

}  // namespace
}  // namespace gsync::test
