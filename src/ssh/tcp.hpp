#pragma once
#include <cstdint>
#include <string>

#include "gsync/util/deadline.hpp"
#include "gsync/util/fd.hpp"

namespace gsync::ssh {

/// A connected, non-blocking socket with TCP_NODELAY. Tries every address of the name in the system's order and gives each a fair share of
/// the time, so that one that swallows packets does not hide another that answers. `name` is how messages call the far side. Errors:
/// unreachable, timeout.
util::Fd connect_tcp(const std::string& host, std::uint16_t port, const std::string& name, util::Deadline deadline);

}  // namespace gsync::ssh
