#include "gsync/util/clock.hpp"

#include <ctime>
#include <thread>

namespace gsync::util {

std::int64_t SystemClock::unix_time() {
  return static_cast<std::int64_t>(std::time(nullptr));
}

std::chrono::steady_clock::time_point SystemClock::now() {
  return std::chrono::steady_clock::now();
}

void SystemClock::sleep(std::chrono::nanoseconds time) {
  std::this_thread::sleep_for(time);
}

}  // namespace gsync::util
