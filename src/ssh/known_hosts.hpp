#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/ssh/session.hpp"
#include "libssh.hpp"

namespace gsync::ssh {

/// "SHA256:…" as ssh-keygen -l prints it.
std::string fingerprint(ssh_key key);
/// "ssh-ed25519".
std::string key_type(ssh_key key);
/// How a known_hosts file calls a host: "host", or "[host]:port" when the port is not 22.
std::string known_hosts_name(std::string_view host, std::uint16_t port);
/// "name type base64", without a newline.
std::string known_hosts_line(const std::string& name, ssh_key key);

struct KnownKey {
  std::size_t line = 0;
  std::string type;
  std::string fingerprint;
};

struct Verdict {
  HostKey::State state = HostKey::State::unknown;
  std::vector<KnownKey> others;  ///< keys of this name that are not the one shown
};

/// What the content of a known_hosts file says about this key of this name.
Verdict look_up(std::string_view content, const std::string& name, ssh_key key);
/// The content with `added` as the only one for `name`. What else is in it, comments and the other names of a shared line included, stays.
std::string with_line(std::string_view content, const std::string& name, const std::string& added);
/// The content without any line for `name`.
std::string without_lines(std::string_view content, const std::string& name);

}  // namespace gsync::ssh
