#pragma once
#include <map>
#include <string>
#include <vector>

namespace gsync::test {

// The checks that FTL and dnsmasq make of records, as loose as they are (PIHOLE.md §4): a newline in a cname or dhcp line passes. Each
// gives what is wrong, or "".
std::string hosts_problem(const std::vector<std::string>& lines);
std::string cname_problem(const std::vector<std::string>& lines);
std::string dhcp_problem(const std::vector<std::string>& lines, bool dhcp_active);

/// Name to IPv4 addresses; a name with none (IPv6 only) has an empty list. Aliases are resolved through cname records.
std::map<std::string, std::vector<std::string>> local_names(const std::vector<std::string>& hosts, const std::vector<std::string>& cnames);

/// Words split at any of `separators`, empty ones left out.
std::vector<std::string> words_of(const std::string& line, const char* separators);

}  // namespace gsync::test
