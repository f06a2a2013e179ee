#include <fmt/core.h>
#include <sys/wait.h>

#include "supervisor_loop.hpp"

namespace gsync::daemon {
namespace {

using std::chrono::steady_clock;

/// The book knows what was tried; this only saves a process in each look at the interval.
constexpr auto ask_again = std::chrono::hours(24);
constexpr std::size_t most_wanted = 64;

}  // namespace

void Supervisor::look_whether_gravity_can_run() {
  gravity_problem_ = parts_.why_no_gravity ? parts_.why_no_gravity(config_) : std::string();
  if (!gravity_problem_.empty())
    say(Level::warning, "gravity", fmt::format("[sync] run_gravity can do nothing here: {}", gravity_problem_));
}

void Supervisor::want_gravity(const std::vector<Uncompiled>& uncompiled) {
  if (stopping_ || compiler_) return;
  std::string addresses;
  for (const auto& adlist : uncompiled) addresses += adlist.address + '\n';
  const auto now = steady_clock::now();
  if (const auto asked = compiles_wanted_.find(addresses); asked != compiles_wanted_.end() && now < asked->second + ask_again) return;
  if (compiles_wanted_.size() >= most_wanted) compiles_wanted_.clear();
  compiles_wanted_[addresses] = now;
  compiler_.emplace(start_child({"compile"}));
}

void Supervisor::take_compiler_report() {
  std::string bytes;
  while (receive_packet(compiler_->control().get(), bytes) == Packet::there) {
    const auto report = util::decode<Report>(bytes);
    gravity_problem_ = report.gravity_problem;
    for (const auto& event : report.events) publish(event);
  }
}

void Supervisor::reap_compiler() {
  if (!compiler_) return;
  const auto status = compiler_->ended();
  if (!status) return;
  take_compiler_report();
  compiler_.reset();
  if (*status == 0) return;
  // Somebody else worked here all the time, or it was killed: whoever reports them next has it tried again.
  compiles_wanted_.clear();
  say(Level::warning, "gravity", fmt::format("the process that was to run `pihole -g` {}", ending_text(*status)));
}

}  // namespace gsync::daemon
