#pragma once
#include <chrono>
#include <optional>
#include <string_view>

namespace gsync::daemon {

/// sd_notify(3): tells the service manager ("READY=1"); does nothing where there is none.
void notify(std::string_view message);

/// How often "WATCHDOG=1" must be said, with a margin; nullopt: nobody listens for it.
std::optional<std::chrono::milliseconds> watchdog_interval();

}  // namespace gsync::daemon
