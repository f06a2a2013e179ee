#pragma once
#include <vector>

#include "gsync/daemon/status.hpp"
#include "output.hpp"

namespace gsync::cli {

/// The daemon's state for a person, as of `now` (seconds since 1970).
std::vector<Line> status_text(const daemon::Status& status, std::int64_t now);
Line event_text(const daemon::Event& event);

}  // namespace gsync::cli
