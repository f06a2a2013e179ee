// bench-measure FILE COMMAND [ARG ...]: runs a command and appends one line of JSON to FILE: what the kernel says of the command and all
// that it waited for. Small, because a process's peak memory is at least that of the one that started it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const pid_t pid = ::fork();
  if (pid < 0) return 1;
  if (pid == 0) {
    ::execvp(argv[2], argv + 2);
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  if (::wait4(pid, &status, 0, &usage) != pid) return 1;
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  char line[200];
  // ru_oublock counts the 512-byte blocks that were made dirty on a real filesystem.
  const int n = std::snprintf(line, sizeof line, "{\"peak_kib\": %ld, \"written\": %ld, \"cpu\": %.6f}\n", usage.ru_maxrss,
                              usage.ru_oublock * 512, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  const int file = ::open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0 || ::write(file, line, static_cast<size_t>(n)) != n) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
