// Preloaded into a program, as if its host's clock were GSYNC_CLOCK_OFF seconds ahead. Clocks that only measure time go on as they are.

#include <dlfcn.h>
#include <sys/time.h>

#include <cstdlib>
#include <ctime>

namespace {

time_t ahead() {
  static const time_t seconds = [] {
    const char* text = std::getenv("GSYNC_CLOCK_OFF");
    return text ? static_cast<time_t>(std::atoll(text)) : 0;
  }();
  return seconds;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// The C library's own declarations differ in attributes from one version to the next.
extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static auto* const original = real<int(clockid_t, timespec*)>("clock_gettime");
  const int result = original(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
  return result;
}

time_t time(time_t* now) noexcept {
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  if (now) *now = at.tv_sec;
  return at.tv_sec;
}

int gettimeofday(timeval* now, void* zone) noexcept {
  static auto* const original = real<int(timeval*, void*)>("gettimeofday");
  const int result = original(now, zone);
  if (result == 0) now->tv_sec += ahead();
  return result;
}
}
