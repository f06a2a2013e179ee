#include "gsync/util/thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace gsync::util {

std::thread thread_without_signals(std::function<void()> run) {
  // A thread inherits its maker's mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(run));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace gsync::util
