// Preloaded into a program, as if its host's clock were GSYNC_CLOCK_OFF seconds ahead: clocks that only measure time go on as they are.
// With GSYNC_CLOCK_FILE, a file of two 64-bit numbers of nanoseconds that a test changes meanwhile, the first is how far the host's date is
// off, and by the second more time has passed than has (SimulatedClock): whoever waits for a moment that is over then wakes up.

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t look = 5'000'000;  ///< so often a sleeper looks whether his time is over

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

struct Shared {
  std::atomic<std::int64_t> date;
  std::atomic<std::int64_t> passed;
};

const Shared& shared() {
  static const Shared* const found = []() -> const Shared* {
    static Shared fixed{};
    if (const char* text = std::getenv("GSYNC_CLOCK_OFF")) fixed.date = std::atoll(text) * second;
    const char* path = std::getenv("GSYNC_CLOCK_FILE");
    if (path == nullptr) return &fixed;
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return memory == MAP_FAILED ? &fixed : static_cast<const Shared*>(memory);
  }();
  return *found;
}

bool is_simulated() {
  static const bool yes = std::getenv("GSYNC_CLOCK_FILE") != nullptr;
  return yes;
}

/// How far that clock is ahead.
std::int64_t ahead(clockid_t clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return shared().date + shared().passed;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
      return shared().passed;
    default:
      return 0;
  }
}

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * second + time.tv_nsec;
}
timespec time_of(std::int64_t nanoseconds) {
  return {nanoseconds / second, nanoseconds % second};
}

std::int64_t now(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return nanoseconds(at);
}

}  // namespace

// The C library's own declarations differ in attributes from one version to the next.
extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static auto* const original = real<int(clockid_t, timespec*)>("clock_gettime");
  const int result = original(clock, now);
  if (const auto more = ahead(clock); result == 0 && more != 0) *now = time_of(nanoseconds(*now) + more);
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
  timespec at{};
  if (result == 0 && ahead(CLOCK_REALTIME) != 0 && clock_gettime(CLOCK_REALTIME, &at) == 0) *now = {at.tv_sec, at.tv_nsec / 1000};
  return result;
}

int poll(pollfd* fds, nfds_t count, int timeout) {
  static auto* const original = real<int(pollfd*, nfds_t, int)>("poll");
  if (!is_simulated() || timeout <= 0) return original(fds, count, timeout);
  const auto until = now(CLOCK_MONOTONIC) + timeout * (second / 1000);
  for (;;) {
    const auto left = std::clamp<std::int64_t>(until - now(CLOCK_MONOTONIC), 0, look);
    const int result = original(fds, count, static_cast<int>((left + second / 1000 - 1) / (second / 1000)));
    if (result != 0 || now(CLOCK_MONOTONIC) >= until) return result;
  }
}

int nanosleep(const timespec* time, timespec* rest) {
  static auto* const original = real<int(const timespec*, timespec*)>("nanosleep");
  if (!is_simulated()) return original(time, rest);
  const auto until = now(CLOCK_MONOTONIC) + nanoseconds(*time);
  for (;;) {
    const auto left = until - now(CLOCK_MONOTONIC);
    if (left <= 0) return 0;
    const auto step = time_of(std::min(left, look));
    if (original(&step, nullptr) == 0) continue;
    if (rest) *rest = time_of(std::max<std::int64_t>(until - now(CLOCK_MONOTONIC), 0));
    return -1;
  }
}

/// What waits on a condition has its own moment translated, and is not woken earlier: these waits are short.
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  static auto* const original = real<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>("pthread_cond_clockwait");
  const auto moment = time_of(std::max<std::int64_t>(nanoseconds(*until) - ahead(clock), 0));
  return original(condition, mutex, clock, &moment);
}
}
