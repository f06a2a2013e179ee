#include "gsync/setup/purge.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "gsync/daemon/client.hpp"
#include "gsync/replica/abilities.hpp"
#include "gsync/setup/ssh_account.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/subprocess.hpp"

namespace gsync::setup {
namespace {

/// As the package makes it. An account that somebody made in another way is his.
constexpr const char* packaged_home = "/var/lib/gravity-sync-peers";

std::string own_directory(const pihole::Installation& installation) {
  return installation.gravity_database.substr(0, installation.gravity_database.rfind('/') + 1) + ".gravity-sync";
}

/// What we ever put there. Whatever else is there was not ours.
bool is_of_state(const std::string& name) {
  return name.starts_with("state.db") || name == "id_ed25519" || name == "id_ed25519.pub" || name == "known_hosts" || name == "cron.lock" ||
         name.starts_with(".id_ed25519") || name.starts_with(".known_hosts");
}

bool is_beside_gravity(const std::string& name) {
  return name == "lock" || name.starts_with("shadow.") || name.starts_with("damaged.db") || name == "gone.db-journal" ||
         name.starts_with("delta.db") || name.starts_with("try.");
}

bool is_of_run(const std::string& name) {
  return name == "agent.sock" || name == "status.sock" || name == "daemon.lock";
}

struct DirectoryClose {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::vector<std::string> names_in(int dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, DirectoryClose> directory(::fdopendir(::fcntl(dir, F_DUPFD_CLOEXEC, 3)));
  if (!directory) throw_errno(errno, "cannot list a directory");
  while (const auto* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

/// Empties a directory of what is ours and removes it. Works on the directory itself: whose it is may put links in its place at any time.
/// Gives what was left.
std::vector<std::string> remove_directory(const std::string& path, bool (*is_ours)(const std::string&)) {
  const util::Fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir && errno == ENOENT) return {};
  if (!dir) throw_errno(errno, "cannot open " + path);
  std::vector<std::string> left;
  for (const auto& name : names_in(dir.get())) {
    if (!is_ours(name) || ::unlinkat(dir.get(), name.c_str(), 0) != 0) left.push_back(fmt::format("{}/{}", path, name));
  }
  if (left.empty() && ::rmdir(path.c_str()) != 0) throw_errno(errno, "cannot remove " + path);
  return left;
}

/// After ours went.
bool has_other_lines(const SshAccount& account) {
  const auto text = util::read_file(account.authorized_keys()).value_or("");
  return text.find_first_not_of(" \t\n") != std::string::npos;
}

class Purge {
 public:
  Purge(const config::Config& config, const pihole::Installation* installation, const Say& say)
      : config_(config), installation_(installation), say_(say) {}

  std::vector<std::string> run() {
    step("the service", [&] {
      turn_off(say_);
      remove_drop_ins(say_);
    });
    if (daemon::ask(config_.daemon.run_directory, {"status", {}, {}}))
      throw Error(ErrorCode::busy, "a daemon still runs", "stop it (gravity-sync status names its process), and run this again");
    if (installation_) step(own_directory(*installation_), [&] { beside_gravity(own_directory(*installation_)); });
    step("the keys of peers", [&] { peers(); });
    step(config_.node.state_directory, [&] { directory(config_.node.state_directory, is_of_state); });
    step(config_.daemon.run_directory, [&] { directory(config_.daemon.run_directory, is_of_run); });
    step("the configuration", [&] { configuration(); });
    return std::move(left_);
  }

 private:
  void step(const std::string& what, const auto& work) {
    try {
      work();
    } catch (const Error& error) {
      left_.push_back(fmt::format("{}: {}", what, error.what()));
    }
  }

  void directory(const std::string& path, bool (*is_ours)(const std::string&)) {
    if (::access(path.c_str(), F_OK) != 0) return;
    say_("removing " + path);
    for (const auto& name : remove_directory(path, is_ours)) left_.push_back(name + " is not gravity-sync's");
  }

  /// An FTL that did not take the last database has the old one open, which is there.
  void beside_gravity(const std::string& path) {
    const util::Fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!dir) return;
    const util::Fd lock(::openat(dir.get(), "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
      throw Error(ErrorCode::busy, "a run is at work on it", "wait for its end, and run this again");
    for (const auto& name : names_in(dir.get())) {
      if (name.starts_with("shadow.") && replica::is_open_elsewhere(dir.get(), name))
        throw Error(ErrorCode::busy, fmt::format("{} is open: FTL has not taken the last database yet", name),
                    "sudo pihole reloadlists, and run this again");
    }
    directory(path, is_beside_gravity);
  }

  void peers() {
    const auto account = find_ssh_account();
    if (!account) return;
    for (const auto& each : admitted(*account)) {
      say_(fmt::format("letting {} in no more", each.peer));
      dismiss(*account, each.peer);
    }
    if (account->home != packaged_home) {
      left_.push_back(fmt::format("the account {} is not as the package makes it (its home is {})", ssh_account_name, account->home));
      return;
    }
    remove_account(*account);
  }

  void remove_account(const SshAccount& account) {
    const auto ssh_directory = account.home + "/.ssh";
    if (has_other_lines(account)) {
      left_.push_back(fmt::format("{} has other lines, so the account {} stays", account.authorized_keys(), ssh_account_name));
      return;
    }
    say_(fmt::format("removing the account {}", ssh_account_name));
    ::unlink(account.authorized_keys().c_str());
    ::rmdir(ssh_directory.c_str());
    ::rmdir(account.home.c_str());
    // Also while a peer is logged in: it gets nothing from a daemon that is gone, and cannot come again.
    const auto result = util::run({.argv = {"userdel", "--force", ssh_account_name}}, util::Deadline::in(std::chrono::seconds(60)));
    if (result.exit_code != 0) left_.push_back(fmt::format("the account {}: {}", ssh_account_name, util::words_of(result)));
  }

  void configuration() {
    if (config_.path.empty()) return;
    for (const auto& path : {config_.path, config_.path + ".old"}) {
      if (::access(path.c_str(), F_OK) != 0) continue;
      say_("removing " + path);
      if (::unlink(path.c_str()) != 0) throw_errno(errno, "cannot remove " + path);
    }
    // With something else in it, it stays.
    if (config_.path == config::default_path) ::rmdir("/etc/gravity-sync");
  }

  const config::Config& config_;
  const pihole::Installation* installation_;
  const Say& say_;
  std::vector<std::string> left_;
};

}  // namespace

std::vector<std::string> what_goes(const config::Config& config, const pihole::Installation* installation) {
  std::vector<std::string> all{"the service and what starts it"};
  if (installation) all.push_back(own_directory(*installation) + ", without which the next sync is a first one");
  if (const auto account = find_ssh_account()) all.push_back(fmt::format("the keys of peers in {}", account->authorized_keys()));
  all.push_back(config.node.state_directory + ": this Pi-hole's key, the history and the kept versions (no more undo)");
  if (!config.path.empty()) all.push_back(config.path);
  return all;
}

std::vector<std::string> purge(const config::Config& config, const pihole::Installation* installation, const Say& say) {
  if (::geteuid() != 0) throw Error(ErrorCode::refused, "only root takes gravity-sync away", "run: sudo gravity-sync purge");
  return Purge(config, installation, say).run();
}

}  // namespace gsync::setup
