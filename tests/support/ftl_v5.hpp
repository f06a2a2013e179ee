#pragma once
#include <string>
#include <vector>

#include "support/ftl_toml.hpp"

namespace gsync::test {

/// What FTL 5 reads at its start: pihole-FTL.conf and custom.list in `directory`, the cname and dhcp files in `dnsmasq_directory`.
TomlSettings read_v5_files(const std::string& directory, const std::string& dnsmasq_directory);
/// custom.list without comments, which SIGHUP has read again.
std::vector<std::string> read_v5_hosts(const std::string& directory);
/// What `pihole-FTL dnsmasq-test` complains about, and what a start ends with; "" when it is content.
std::string v5_problem(const std::string& dnsmasq_directory);

}  // namespace gsync::test
