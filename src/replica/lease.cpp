#include "lease.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace gsync::replica {
namespace {

/// Blocks SIGIO in this thread and has the kernel send it here: it comes when somebody opens a file on which we hold a lease, and its
/// default action is to kill the process.
class LeaseSignalBlocked {
 public:
  explicit LeaseSignalBlocked(int fd) {
    sigset_t io;
    sigemptyset(&io);
    sigaddset(&io, SIGIO);
    pthread_sigmask(SIG_BLOCK, &io, &before_);
    struct f_owner_ex owner {
      F_OWNER_TID, ::gettid()
    };
    ::fcntl(fd, F_SETOWN_EX, &owner);
  }
  ~LeaseSignalBlocked() {
    sigset_t io;
    sigemptyset(&io);
    sigaddset(&io, SIGIO);
    const struct timespec now {};
    while (sigtimedwait(&io, nullptr, &now) == SIGIO) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  LeaseSignalBlocked(const LeaseSignalBlocked&) = delete;
  LeaseSignalBlocked& operator=(const LeaseSignalBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

OpenElsewhere open_elsewhere(int fd) {
  // A write lease is granted exactly when no other open file description of the file exists (fcntl(2)). It is given back at once.
  LeaseSignalBlocked blocked(fd);
  if (::fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return errno == EAGAIN || errno == EBUSY ? OpenElsewhere::yes : OpenElsewhere::unknown;
  ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return OpenElsewhere::no;
}

}  // namespace gsync::replica
