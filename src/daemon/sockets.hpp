#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "gsync/util/fd.hpp"

namespace gsync::daemon {

/// A listening socket in the run directory, made here or handed over by systemd (LISTEN_FDS, with the name in LISTEN_FDNAMES). One that was
/// made here is removed again.
class Listener {
 public:
  /// Mode 0660, with `group` where there is one. Error{busy} when somebody listens there already.
  Listener(const std::string& directory, const std::string& name, std::optional<gid_t> group);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_.get(); }
  /// Without waiting; an empty Fd when there is none. Who connected and has gone by now is passed over: what he asked for is not wanted any
  /// more.
  util::Fd accept();

 private:
  util::Fd fd_;
  std::string path_;  ///< empty: not ours to remove
};

/// Who is at the other end of a unix socket, as the kernel says.
struct Credentials {
  pid_t pid = 0;
  uid_t uid = 0;
  std::vector<gid_t> groups;  ///< all of them
};
Credentials credentials_of(int fd);

/// Root, ourselves, and the members of `group`.
bool may_connect(const Credentials& who, std::optional<gid_t> group);

/// A connected stream socket. An empty Fd when nobody listens there; Error{refused} when we may not connect.
util::Fd connect_to(const std::string& path);

}  // namespace gsync::daemon
