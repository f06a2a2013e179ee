#include "reach.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <system_error>

#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "privileges.hpp"

namespace gsync::cli {
namespace {

/// By the mode alone: where an access list or a further group lets him through, the detour does no harm.
bool lets_through(const std::string& directory, uid_t owner, gid_t group) {
  struct stat st {};
  if (::stat(directory.c_str(), &st) != 0) return true;
  const mode_t bit = st.st_uid == owner ? S_IXUSR : st.st_gid == group ? S_IXGRP : S_IXOTH;
  return (st.st_mode & bit) != 0;
}

/// The uppermost one above `directory` that he does not get through.
std::optional<std::string> obstacle(const std::string& directory, uid_t owner, gid_t group) {
  for (auto slash = directory.find('/', 1); slash != std::string::npos; slash = directory.find('/', slash + 1)) {
    auto above = directory.substr(0, slash);
    if (!lets_through(above, owner, group)) return above;
  }
  return std::nullopt;
}

struct Detour {
  std::string directory;
  std::string obstacle;
  util::Fd open;
};

void check(int result, const Detour& detour, uid_t owner) {
  if (result == 0) return;
  const int error = errno;
  throw Error(
      ErrorCode::refused,
      fmt::format(
          "{} cannot be reached by {}, who owns the database there: {} lets nobody but its owner through, and we may not mount ({})",
          detour.directory, user_text(owner), detour.obstacle, std::generic_category().message(error)),
      "use a directory of the host in place of a named volume (as in -v /srv/pihole:/etc/pihole), with nothing above it that is closed to "
      "others");
}

/// The way from the obstacle to the directory, which is bound at its end.
void make_way(const Detour& detour, uid_t owner) {
  for (auto end = detour.obstacle.size(); end != detour.directory.size();) {
    end = std::min(detour.directory.find('/', end + 1), detour.directory.size());
    const auto step = detour.directory.substr(0, end);
    if (::mkdir(step.c_str(), 0755) == 0)
      check(::chmod(step.c_str(), 0755), detour, owner);  // whatever the umask says
    else if (errno != EEXIST)
      check(-1, detour, owner);
  }
}

}  // namespace

void keep_reachable(const std::vector<std::string>& directories, uid_t owner, gid_t group) {
  std::vector<Detour> detours;
  for (const auto& directory : directories) {
    if (auto found = obstacle(directory, owner, group)) detours.push_back({directory, *found, {}});
  }
  if (detours.empty()) return;
  check(::unshare(CLONE_NEWNS), detours.front(), owner);
  check(::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr), detours.front(), owner);
  // Opened after unshare(): what is bound must be a mount of the same namespace. And before anything is covered.
  for (auto& detour : detours) {
    detour.open = util::Fd(::open(detour.directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    check(detour.open ? 0 : -1, detour, owner);
  }
  std::set<std::string> covered;
  for (const auto& detour : detours) {
    if (covered.insert(detour.obstacle).second)
      check(::mount("gravity-sync", detour.obstacle.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=64k"), detour,
            owner);
    make_way(detour, owner);
    check(::mount(fmt::format("/proc/self/fd/{}", detour.open.get()).c_str(), detour.directory.c_str(), nullptr, MS_BIND, nullptr), detour,
          owner);
  }
}

}  // namespace gsync::cli
