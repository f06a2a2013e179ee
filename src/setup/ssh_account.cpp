#include "gsync/setup/ssh_account.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "gsync/util/error.hpp"
#include "gsync/util/file_ops.hpp"
#include "gsync/util/files.hpp"

namespace gsync::setup {
namespace {

constexpr const char* file_name = "authorized_keys";
constexpr const char* temporary_name = ".authorized_keys.new";

void require_root() {
  if (::geteuid() != 0) throw Error(ErrorCode::refused, "only root decides who may log in to this host", "run it with sudo");
}

/// A directory that nobody but root can change, so that what root writes below it stays where it was meant to be.
util::Fd open_roots_directory(util::FileOps& files, int dir, const std::string& name, const std::string& path) {
  auto fd = files.open_at(dir, name, O_RDONLY | O_DIRECTORY);
  const auto there = files.stat(fd.get());
  if (there.st_uid != 0 || (there.st_mode & 022) != 0)
    throw Error(ErrorCode::refused,
                fmt::format("{} is not root's alone: whoever is logged in as {} could let others in", path, ssh_account_name),
                fmt::format("sudo chown root:root {0}; sudo chmod 0755 {0}", path));
  return fd;
}

/// For steps that know only a name.
template <class Step>
void within(const std::string& what, Step step) {
  try {
    step();
  } catch (const Error& error) {
    throw error.within(what);
  }
}

/// ~/.ssh, made if need be.
util::Fd open_ssh_directory(util::FileOps& files, const SshAccount& account) {
  const auto path = account.home + "/.ssh";
  const bool made = ::mkdir(account.home.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) throw_errno(errno, "cannot make the directory " + account.home);
  const auto home = open_roots_directory(files, AT_FDCWD, account.home, account.home);
  // 0755 whatever the umask says: sshd reads the file as the account.
  if (made) files.change_mode(home.get(), 0755);
  if (!files.stat_at(home.get(), ".ssh")) {
    within("cannot make " + path, [&] {
      files.make_directory(home.get(), ".ssh", 0755);
      files.change_mode(files.open_at(home.get(), ".ssh", O_RDONLY | O_DIRECTORY).get(), 0755);
    });
  }
  return open_roots_directory(files, home.get(), ".ssh", path);
}

/// Puts what `edit` makes of the file in its place; nullopt leaves it alone.
bool rewrite(const SshAccount& account, const std::function<std::optional<std::string>(const std::string&)>& edit) {
  require_root();
  util::PosixFileOps files;
  const auto dir = open_ssh_directory(files, account);
  // The lock of the directory itself, so that no file of ours is left there.
  if (::flock(dir.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorCode::busy, fmt::format("somebody else changes {}", account.authorized_keys()), "try again");
  std::string content;
  if (const auto there = files.stat_at(dir.get(), file_name)) {
    if (!S_ISREG(there->st_mode))
      throw Error(ErrorCode::refused, fmt::format("{} is not a file", account.authorized_keys()), "move it away");
    content = util::read_file(files.open_at(dir.get(), file_name, O_RDONLY | O_NONBLOCK), account.authorized_keys());
  }
  const auto edited = edit(content);
  if (!edited) return false;
  within("cannot replace " + account.authorized_keys(), [&] {
    if (*edited != content) util::replace_file(files, dir.get(), file_name, temporary_name, *edited, 0644);
    // Whoever made the one before, whose owner and mode it has.
    const auto fd = files.open_at(dir.get(), file_name, O_RDONLY | O_NONBLOCK);
    files.change_owner(fd.get(), 0, 0);
    files.change_mode(fd.get(), 0644);
  });
  return true;
}

}  // namespace

std::string how_to_serve(uid_t owner, gid_t group) {
  std::string daemon = "have root start `gravity-sync daemon` with the host";
  // Peers are not to log in as root, under whatever name.
  if (owner == 0) return daemon;
  return fmt::format("{}, or make the account another name of the owner: sudo usermod --non-unique --uid {} --gid {} {}", daemon, owner,
                     group, ssh_account_name);
}

bool SshAccount::shell_refuses() const {
  return shell.ends_with("/nologin") || shell.ends_with("/false");
}

std::optional<SshAccount> find_ssh_account() {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(ssh_account_name, &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  return SshAccount{found->pw_uid, found->pw_gid, found->pw_dir, found->pw_shell};
}

SshAccount require_ssh_account() {
  auto account = find_ssh_account();
  if (!account || account->uid == 0 || account->home.size() < 2)
    throw Error(ErrorCode::not_found, fmt::format("this host has no account {} for peers to log in to", ssh_account_name),
                fmt::format("the package makes it; by hand: sudo useradd --system --user-group --shell /bin/sh --password '*' "
                            "--home-dir /var/lib/gravity-sync-peers --no-create-home {}",
                            ssh_account_name));
  return *account;
}

void admit(const SshAccount& account, const ssh::Admission& admission, const ssh::PublicKey& key) {
  const auto line = ssh::admitting_line(admission, key);
  rewrite(account, [&](const std::string& content) { return ssh::with_admission(content, admission.peer, key, line); });
}

bool dismiss(const SshAccount& account, const std::string& peer) {
  return rewrite(account, [&](const std::string& content) { return ssh::without_admission(content, peer); });
}

std::vector<ssh::Admitted> admitted(const SshAccount& account) {
  return ssh::admitted(util::read_file(account.authorized_keys()).value_or(""));
}

}  // namespace gsync::setup
