#pragma once

#if !defined(__has_feature)
#define __has_feature(feature) 0
#endif

namespace gsync::test {

/// What watches this build. It takes several times the time and the memory, and some tests have to know.
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif
inline constexpr bool sanitized = address_sanitizer || thread_sanitizer;
/// Of tests/coverage.sh: the program is larger by its counters.
#if defined(GSYNC_COVERAGE)
inline constexpr bool counted = true;
#else
inline constexpr bool counted = false;
#endif

}  // namespace gsync::test
