#include "privileges.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <vector>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"

namespace gsync::cli {
namespace {

std::optional<std::string> user_name(uid_t uid) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  return std::string(found->pw_name);
}

void check(int result, std::string_view what) {
  if (result != 0) throw_errno(errno, what);
}

/// libcap's job, in the two calls that it takes. Nothing is effective afterwards.
void keep_only(Keep keep) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  check(static_cast<int>(::syscall(SYS_capget, &header, data)), "cannot read our capabilities");
  // In a container root may not have it itself.
  const auto chown = keep == Keep::chown ? data[0].permitted & (1u << CAP_CHOWN) : 0;
  data[0] = {0, chown, chown};
  data[1] = {0, 0, 0};
  check(static_cast<int>(::syscall(SYS_capset, &header, data)), "cannot give up our capabilities");
}

/// A directory of root's that was named by mistake (/run) stays root's.
bool holds_nothing_but_ours(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const auto name = entry.path().filename();
    if (name != "agent.sock" && name != "status.sock" && name != "daemon.lock") return false;
  }
  return true;
}

void make_parents(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    auto parent = path.substr(0, slash);
    if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) throw_errno(errno, fmt::format("cannot make the directory {}", parent));
  }
}

}  // namespace

std::string user_text(uid_t uid) {
  auto name = user_name(uid);
  return name ? fmt::format("{} (uid {})", *name, uid) : fmt::format("uid {}", uid);
}

void prepare_state_directory(const std::string& path, uid_t owner, gid_t group) {
  struct stat there {};
  // The common case first: an ordinary user may not even be allowed to look at what is above it.
  if (::stat(path.c_str(), &there) != 0) {
    try {
      make_parents(path);
      if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw_errno(errno, fmt::format("cannot make the state directory {}", path));
    } catch (const Error& error) {
      if (!error.hint().empty()) throw;
      throw Error(
          error.code(), error.what(),
          fmt::format("make it once as root, for {}: sudo install -d -m 0700 -o {} -g {} {}", user_text(owner), owner, group, path));
    }
  }
  if (::stat(path.c_str(), &there) == 0 && !S_ISDIR(there.st_mode))
    throw Error(ErrorCode::io, fmt::format("the state directory {} is not a directory", path),
                "move it away, or choose another [node] state_directory");
  if (::geteuid() != 0) return;
  // Through a descriptor that follows no link: what stands above may belong to others.
  util::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd)
    throw_errno(errno, fmt::format("cannot open the state directory {}", path),
                "[node] state_directory must be a directory and not a symbolic link");
  check(::fstat(fd.get(), &there), "cannot look at the state directory");
  if (there.st_uid == owner) return;
  if (there.st_uid != 0) {
    throw Error(ErrorCode::refused,
                fmt::format("the state directory {} belongs to {}, not to {} who owns the Pi-hole", path, user_text(there.st_uid),
                            user_text(owner)),
                fmt::format("choose another [node] state_directory, or: sudo chown -R {}:{} {}", owner, group, path));
  }
  check(::fchown(fd.get(), owner, group), fmt::format("cannot give the state directory {} to {}", path, user_text(owner)));
  check(::fchmod(fd.get(), 0700), fmt::format("cannot change the mode of {}", path));
}

void prepare_run_directory(const std::string& path, uid_t owner, gid_t group) {
  make_parents(path);
  const bool made = ::mkdir(path.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) throw_errno(errno, fmt::format("cannot make the directory {} for the daemon's sockets", path));
  util::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat there {};
  // A link and what else is no directory is not ours to give; the daemon says what is wrong with it.
  if (!made && (owner == 0 || !fd || ::fstat(fd.get(), &there) != 0 || there.st_uid != 0 || !holds_nothing_but_ours(path))) return;
  if (!fd || ::fchown(fd.get(), owner, group) != 0 || ::fchmod(fd.get(), 0755) != 0)
    throw_errno(errno, fmt::format("cannot give the directory {} to {}", path, user_text(owner)));
}

void become_owner(uid_t owner, gid_t group, const std::string& path, const std::string& hint, Keep keep, std::optional<gid_t> also) {
  const auto now = ::geteuid();
  if (now == owner) {
    // What the daemon or systemd gave us for one kind of child is not for all of them.
    if (now != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 1) {
      keep_only(keep);
      check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "cannot give up our capabilities");
    }
    return;
  }
  if (now != 0) {
    throw Error(ErrorCode::refused, fmt::format("{} belongs to {}, and this is {}", path, user_text(owner), user_text(now)), hint);
  }
  auto name = user_name(owner);
  const auto what = fmt::format("cannot become {}", user_text(owner));
  if (name)
    check(::initgroups(name->c_str(), group), what);
  else
    check(::setgroups(1, &group), what);
  if (also) {
    std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    check(std::min(::getgroups(static_cast<int>(groups.size()), groups.data()), 0), what);
    groups.push_back(*also);
    check(::setgroups(groups.size(), groups.data()), what);
  }
  check(::setresgid(group, group, group), what);
  check(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), what);
  check(::setresuid(owner, owner, owner), what);
  keep_only(keep);
  check(::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0), what);
  GSYNC_ASSERT(::geteuid() == owner && ::getegid() == group && ::setuid(0) != 0);
}

}  // namespace gsync::cli
