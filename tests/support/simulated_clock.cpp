#include "support/simulated_clock.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <stdexcept>

#include "gsync/util/fd.hpp"
#include "support/paths.hpp"

namespace gsync::test {

SimulatedClock::SimulatedClock() {
  write_text(directory_ / "clock", std::string(sizeof(Shared), '\0'), 0644);
  const util::Fd fd(::open((directory_ / "clock").c_str(), O_RDWR | O_CLOEXEC));
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) throw std::runtime_error("mmap");
  shared_ = static_cast<Shared*>(memory);
}

SimulatedClock::~SimulatedClock() {
  ::munmap(shared_, sizeof(Shared));
}

std::vector<std::string> SimulatedClock::through() const {
  return {"/usr/bin/env", std::string("LD_PRELOAD=") + paths::clock_off, "GSYNC_CLOCK_FILE=" + (directory_ / "clock")};
}

}  // namespace gsync::test
