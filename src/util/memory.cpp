#include "gsync/util/memory.hpp"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace gsync::util {

void write_no_core_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  // systemd may have forbidden the call, and says by LimitCORE= what holds then.
  ::setrlimit(RLIMIT_CORE, &limit);
}

void hide_memory() {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void keep_one_heap() {
#ifdef __GLIBC__
  ::mallopt(M_ARENA_MAX, 1);
#endif
}

void give_memory_back() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace gsync::util
