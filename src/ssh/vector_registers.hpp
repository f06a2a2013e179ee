#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gsync::ssh {

#if defined(__x86_64__)
[[gnu::target("avx")]] inline void zero_upper_halves() {
  _mm256_zeroupper();
}
#endif

/// Leaves the thread's vector registers as the x86-64 ABI wants them when a function returns. libcrypto's AES-GCM for processors with
/// AVX-512 does not (seen with OpenSSL 3.0 of Debian 12): their upper halves stay in use, and then each SSE instruction of this thread, and
/// of the threads that it starts, waits for the one before it. SQLite, zstd and we took twice the time.
class CleanVectorRegisters {
 public:
  CleanVectorRegisters() = default;
  ~CleanVectorRegisters() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx")) zero_upper_halves();
#endif
  }
  CleanVectorRegisters(const CleanVectorRegisters&) = delete;
  CleanVectorRegisters& operator=(const CleanVectorRegisters&) = delete;
};

}  // namespace gsync::ssh
