#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "apply.hpp"

namespace gsync::pihole {

/// Has FTL read the lists anew. FTL 6 notices by itself when it cannot be signalled; FTL 5 does not (PIHOLE.md §3). False when nobody could
/// tell it.
bool have_ftl_reload(const Parts& parts, std::vector<std::string>& warnings);

/// What a person would type to have FTL read the lists anew.
std::string_view reload_command(const Installation& installation);

/// Ends the FTL that runs, so that its service starts another one: by Pi-hole's own command where root's helper is there, else by the
/// signal that has it fail, else by SIGKILL. True when the one that ran is gone.
bool restart_ftl(const Parts& parts, util::Deadline deadline, std::vector<std::string>& warnings);

}  // namespace gsync::pihole
