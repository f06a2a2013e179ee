#pragma once
#include "gsync/daemon/status.hpp"

namespace gsync::daemon {

/// The daemon's own log: one line for each event, on stderr. Under systemd (JOURNAL_STREAM) with the priority in front, elsewhere with the
/// time.
void log(const Event& event);

}  // namespace gsync::daemon
