#pragma once
#include <string>

namespace gsync::test {

/// `pihole -g` on the Pi-hole in that directory: adlists that are enabled and were not compiled yet get three rows each, or are marked as
/// not downloaded where their address says "unreachable"; then the databases are swapped as gravity.sh does. Gives the exit code.
int run_gravity(const std::string& directory);

/// The last step of it alone: live becomes gravity_backups/gravity.db.1, and `compiled` live.
void swap_gravity(const std::string& directory, const std::string& compiled);

}  // namespace gsync::test
