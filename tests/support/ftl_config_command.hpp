#pragma once
#include <string>
#include <vector>

namespace gsync::test {

/// `pihole-FTL --config [KEY [VALUE]]` on the pihole.toml in `directory`, with the exit codes of PIHOLE.md §3: 0; 1 no rights or
/// misc.readOnly; 2 unparsable; 3 a validator said no; 4 unknown key; 5 set by the environment.
int config_command(const std::string& directory, const std::vector<std::string>& arguments);

}  // namespace gsync::test
