#pragma once
#include <signal.h>

namespace gsync::daemon {

/// While it lives SIGTERM waits: what has begun is brought to its end.
class TermWaits {
 public:
  TermWaits() {
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &term, &before_);
  }
  ~TermWaits() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  TermWaits(const TermWaits&) = delete;
  TermWaits& operator=(const TermWaits&) = delete;

 private:
  sigset_t before_;
};

}  // namespace gsync::daemon
