#include "sockets.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "gsync/daemon/supervisor.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::daemon {
namespace {

constexpr int first_handed_over = 3;
constexpr int queue_length = 64;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Error(ErrorCode::config, fmt::format("the name of the socket {} is too long", path), "choose a shorter [daemon] run_directory");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

util::Fd make_socket() {
  util::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno(errno, "cannot make a socket");
  return fd;
}

/// sd_listen_fds(3), in the few lines that it takes.
util::Fd handed_over(const std::string& name) {
  const char* pid = std::getenv("LISTEN_PID");
  const char* names = std::getenv("LISTEN_FDNAMES");
  if (!pid || !names || std::to_string(::getpid()) != pid) return {};
  int fd = first_handed_over;
  for (auto each : util::split(names, ':')) {
    // A duplicate, so that the environment stays true for who asks again.
    if (each == name) return util::Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 16));
    ++fd;
  }
  return {};
}

}  // namespace

util::Fd connect_to(const std::string& path) {
  auto fd = make_socket();
  const auto address = address_of(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) return {};
  if (errno == EACCES || errno == EPERM)
    throw Error(ErrorCode::refused, fmt::format("this user may not connect to {}", path),
                "run it with sudo, or put the user into the group that [daemon] agent_group names");
  throw_errno(errno, fmt::format("cannot connect to {}", path));
}

Listener::Listener(const std::string& directory, const std::string& name, std::optional<gid_t> group) : fd_(handed_over(name)) {
  const auto path = fmt::format("{}/{}", directory, name);
  if (!fd_) {
    if (connect_to(path)) throw Error(ErrorCode::busy, fmt::format("somebody listens on {} already", path), "is the daemon running?");
    ::unlink(path.c_str());
    fd_ = make_socket();
    const auto address = address_of(path);
    // Nobody may connect before owner and mode are right.
    const auto mask = ::umask(0177);
    const int bound = ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int error = errno;
    ::umask(mask);
    if (bound != 0) throw_errno(error, fmt::format("cannot make the socket {}", path));
    path_ = path;
    // Where we are not in that group, only root and ourselves can connect; the daemon says so.
    if (group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0 && errno != EPERM)
      throw_errno(errno, fmt::format("cannot give the socket {} to its group", path));
    if (::chmod(path.c_str(), 0660) != 0) throw_errno(errno, fmt::format("cannot change the mode of {}", path));
    if (::listen(fd_.get(), queue_length) != 0) throw_errno(errno, fmt::format("cannot listen on {}", path));
  }
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
}

Listener::~Listener() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

util::Fd Listener::accept() {
  for (;;) {
    util::Fd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    pollfd end{fd.get(), 0, 0};
    // Not for one that only says no more.
    if (!fd || ::poll(&end, 1, 0) <= 0 || !(end.revents & POLLHUP)) return fd;
  }
}

Credentials credentials_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) throw_errno(errno, "cannot see who connected");
  Credentials who{peer.pid, peer.uid, {peer.gid}};
  for (std::vector<gid_t> groups(64);; groups.resize(groups.size() * 2)) {
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      who.groups.insert(who.groups.end(), groups.begin(), groups.end());
      return who;
    }
    // Before Linux 4.13 only the main group is known.
    if (errno != ERANGE || groups.size() > 65536) return who;
  }
}

bool may_connect(const Credentials& who, std::optional<gid_t> group) {
  if (who.uid == 0 || who.uid == ::geteuid()) return true;
  return group && std::find(who.groups.begin(), who.groups.end(), *group) != who.groups.end();
}

std::optional<gid_t> group_id(const std::string& name) {
  std::vector<char> buffer(65536);
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  return found->gr_gid;
}

}  // namespace gsync::daemon
