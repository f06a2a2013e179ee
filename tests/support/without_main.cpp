#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

#ifdef SYS_fcntl64
constexpr std::uint32_t fcntl_number = SYS_fcntl64;
#else
constexpr std::uint32_t fcntl_number = SYS_fcntl;
#endif

/// Where the lower half of an argument stands.
constexpr std::uint32_t argument(std::size_t index) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
#else
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t) + sizeof(std::uint32_t));
#endif
}

/// The call number `call` with `value` as its argument `index` fails with `error`.
void forbid(std::vector<sock_filter>& program, std::uint32_t call, std::size_t index, std::uint32_t value, int error) {
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(index)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA)));
}

void forbid(std::vector<sock_filter>& program, std::uint32_t call, int error) {
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA)));
}

int fail(const char* what) {
  std::fprintf(stderr, "without: %s: %s\n", what, std::strerror(errno));
  return 125;
}

}  // namespace

/// Runs a program as on a filesystem that cannot do something: without exchange:ERRNO lease:ERRNO room:ERRNO … -- PROGRAM ARGUMENTS. ERRNO
/// is a number. Without room no write at a given place succeeds, as files are written by us and by SQLite.
int main(int argc, char** argv) {
  std::vector<sock_filter> program;
  int i = 1;
  for (; i < argc && std::string(argv[i]) != "--"; ++i) {
    const std::string word = argv[i];
    const auto colon = word.find(':');
    const int error = colon == word.npos ? EINVAL : std::atoi(word.c_str() + colon + 1);
    const auto name = word.substr(0, colon);
    if (name == "exchange") {
      forbid(program, SYS_renameat2, 4, RENAME_EXCHANGE, error);
    } else if (name == "lease") {
      forbid(program, fcntl_number, 1, F_SETLEASE, error);
    } else if (name == "room") {
      forbid(program, SYS_pwrite64, error);
    } else {
      std::fprintf(stderr, "without: what is %s?\n", argv[i]);
      return 125;
    }
  }
  if (i + 1 >= argc) return 125;
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail("no_new_privs");
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return fail("seccomp");
  ::execvp(argv[i + 1], argv + i + 1);
  return fail(argv[i + 1]);
}
