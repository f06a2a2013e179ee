#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace gsync::test {

/// Whether tests that measure run as long as their figures need (GSYNC_CAMPAIGN=1), and not only as long as shows what must hold.
inline bool campaign() {
  return std::getenv("GSYNC_CAMPAIGN") != nullptr;
}

/// GSYNC_SEED repeats what a random test did.
inline std::uint64_t campaign_seed() {
  const char* given = std::getenv("GSYNC_SEED");
  return given ? std::stoull(given) : std::random_device{}();
}

/// Something that was measured, for whoever reads the output. What a test expects holds on a slow machine, too.
template <class... Values>
void figure(fmt::format_string<Values...> text, Values&&... values) {
  fmt::print("[  figure  ] {}\n", fmt::format(text, std::forward<Values>(values)...));
}

/// Of at least one.
inline std::chrono::milliseconds percentile(std::vector<std::chrono::milliseconds> times, int percent) {
  std::sort(times.begin(), times.end());
  return times[(times.size() - 1) * static_cast<std::size_t>(percent) / 100];
}

}  // namespace gsync::test
