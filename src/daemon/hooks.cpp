#include "hooks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "child.hpp"
#include "gsync/util/error.hpp"

namespace gsync::daemon {
namespace {

/// More at a time are not started: a hook that hangs must not fill the process table.
constexpr std::size_t most = 8;

}  // namespace

void Hooks::take(const config::DaemonConfig& config, const PeerStatus& now, bool synced, std::int64_t unix_time) {
  switch (policies_[now.name].take(now, synced, config.failures_before_hook)) {
    case HookPolicy::Tell::nothing:
      return;
    case HookPolicy::Tell::success: {
      Event event{unix_time, Level::info, "success", now.name, to_text(now.last_changed), {}};
      for (const auto& adlist : now.uncompiled) event.uncompiled.push_back(adlist.address);
      return start(config, config.on_success, event);
    }
    case HookPolicy::Tell::failure:
      return start(config, config.on_failure, {unix_time, Level::error, "failure", now.name, now.failure->what, now.failure->hint});
    case HookPolicy::Tell::recovery:
      return start(config, config.on_failure, {unix_time, Level::info, "recovery", now.name, "in step again", {}});
  }
}

void Hooks::start(const config::DaemonConfig& config, const std::vector<std::string>& command, const Event& event) {
  if (command.empty()) return;
  if (running_.size() >= most) return say_(Level::warning, fmt::format("{} hooks run already: {} was not started", most, command.front()));
  try {
    running_.emplace_back(command, to_json(event) + "\n", std::chrono::steady_clock::now() + config.hook_timeout);
  } catch (const Error& error) {
    say_(Level::warning, error.what());
  }
}

std::optional<Time> Hooks::next() const {
  std::optional<Time> next;
  for (const auto& hook : running_)
    if (!hook.killed()) next = std::min(next.value_or(hook.kill_at()), hook.kill_at());
  return next;
}

void Hooks::kill_late(Time now) {
  for (auto& hook : running_) {
    if (hook.killed() || now < hook.kill_at()) continue;
    hook.kill();
    say_(Level::warning, fmt::format("the hook {} did not end in time and was killed", hook.name()));
  }
}

void Hooks::reap() {
  running_.remove_if([&](Hook& hook) {
    const auto status = hook.ended();
    if (status && *status != 0 && !hook.killed()) say_(Level::warning, fmt::format("the hook {} {}", hook.name(), ending_text(*status)));
    return status.has_value();
  });
}

}  // namespace gsync::daemon
