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

void SimulatedClock::set_date(std::int64_t unix_time) {
  const auto now = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count() + shared_->passed;
  shared_->date = std::chrono::nanoseconds(std::chrono::seconds(unix_time)).count() - now;
}

std::int64_t SimulatedClock::date() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch() + ahead()).count();
}

std::vector<std::string> SimulatedClock::through() const {
  return {"/usr/bin/env", std::string("LD_PRELOAD=") + paths::clock_off, "GSYNC_CLOCK_FILE=" + (directory_ / "clock")};
}

}  // namespace gsync::test
