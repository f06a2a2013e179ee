#pragma once
#include <string>
#include <string_view>

namespace gsync::ssh {

/// Checks that an ssh_config file says nothing that would silently have no effect: a keyword that libssh does not know, or one that is
/// settled elsewhere (host keys, deadlines). Error{config} "FILE:LINE: …" for the first such line.
void check_ssh_config(std::string_view content, const std::string& path);

}  // namespace gsync::ssh
