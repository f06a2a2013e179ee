#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <deque>

#include "gsync/pihole/container.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "unreadable.hpp"

namespace gsync::pihole {
namespace {

constexpr int most_links = 40;  // as Linux has it

bool is_below(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

/// The innermost mount that holds the path.
const Mount* mount_of(const std::vector<Mount>& mounts, const std::string& inside) {
  const Mount* best = nullptr;
  for (const auto& mount : mounts) {
    if (is_below(inside, mount.destination) && (!best || mount.destination.size() > best->destination.size())) best = &mount;
  }
  return best;
}

/// As docker resolved it when the container was started.
std::string source_of(const Mount& mount) {
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(mount.source.c_str(), resolved.data())) return resolved.data();
  if (errno == EACCES) refuse_unreadable(mount.source);
  throw Error(ErrorCode::not_found,
              fmt::format("{} of the container is {} of its host, which is not here", mount.destination, mount.source),
              "gravity-sync must run on the host of the container: does DOCKER_HOST name another machine?");
}

std::string host_path(const Mount& mount, const std::string& inside) {
  const auto rest = mount.destination == "/" ? inside : inside.substr(mount.destination.size());
  const auto source = source_of(mount);
  return (source == "/" ? "" : source) + rest;
}

void push_front(std::deque<std::string>& names, std::string_view path) {
  auto parts = util::split(path, '/');
  std::reverse(parts.begin(), parts.end());
  for (auto part : parts) {
    if (!part.empty() && part != ".") names.emplace_front(part);
  }
}

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const auto size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) throw_errno(errno, "cannot read the link " + path);
  return std::string(target.data(), static_cast<std::size_t>(size));
}

}  // namespace

std::optional<Located> locate(const std::vector<Mount>& mounts, const std::string& inside) {
  std::deque<std::string> names;
  push_front(names, inside);
  std::string done;  // in the container, without links
  Located result;
  for (int links = 0; !names.empty();) {
    const auto name = names.front();
    names.pop_front();
    if (name == "..") {
      done.resize(done.empty() ? 0 : done.rfind('/'));
      continue;
    }
    auto next = done;
    next.append("/").append(name);
    const auto* mount = mount_of(mounts, next);
    if (!mount) {
      // Above a mount the container's own layer is taken for plain directories.
      if (std::none_of(mounts.begin(), mounts.end(), [&](const Mount& m) { return is_below(m.destination, next); })) return std::nullopt;
      done = next;
      continue;
    }
    const auto path = host_path(*mount, next);
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
      if (errno == EACCES) refuse_unreadable(path);
      if (errno != ENOENT && errno != ENOTDIR) throw_errno(errno, "cannot look at " + path);
      done = next;
      for (const auto& rest : names) done += "/" + rest;
      return Located{host_path(*mount, done), false, false, result.linked};
    }
    if (S_ISLNK(info.st_mode)) {
      if (++links > most_links) throw Error(ErrorCode::corrupt, fmt::format("the symbolic links of {} lead in a circle", path));
      const auto target = link_target(path);
      if (target.starts_with('/')) done.clear();
      push_front(names, target);
      result.linked = true;
      continue;
    }
    done = next;
  }
  const auto* mount = mount_of(mounts, done.empty() ? "/" : done);
  if (!mount) return std::nullopt;
  result.path = host_path(*mount, done);
  result.exists = true;
  result.is_mount = done == mount->destination;
  return result;
}

}  // namespace gsync::pihole
