#pragma once
#include <cstdint>
#include <vector>

#include "apply.hpp"

namespace gsync::pihole {

/// Removes what Pi-hole has cached of downloaded lists under these ids of adlists. An adlist that is new under an id must not be compiled
/// from what another one has left there: the server would answer 304, and `pihole -g` would take it.
void remove_list_caches(const Parts& parts, const std::vector<std::int64_t>& adlists);

}  // namespace gsync::pihole
