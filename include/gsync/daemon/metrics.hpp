#pragma once
#include <string>

#include "gsync/daemon/status.hpp"

namespace gsync::daemon {

/// For Prometheus: the text format 0.0.4, by peer.
std::string prometheus_text(const Status& status);

}  // namespace gsync::daemon
