#include "gsync/util/memory.hpp"

#include <malloc.h>

namespace gsync::util {

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
