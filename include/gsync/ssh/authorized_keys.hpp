#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/ssh/keys.hpp"

/// The text of an authorized_keys file (sshd(8)) of which some lines are gravity-sync's. Nothing here touches a file.
namespace gsync::ssh {

/// What sshd is to run for a peer's key, and nothing else.
struct Admission {
  std::string program;  ///< gravity-sync's own path
  std::string config;   ///< --config for it; empty: the default
  std::string peer;     ///< --peer
  bool read_only = false;
};

/// A line for that key: `restrict,command="…" type base64 comment`. Error{config} for a path or name with anything in it that a shell or
/// sshd would read in another way than as a part of it.
std::string admitting_line(const Admission& admission, const PublicKey& key);

/// The content with `line` for `peer`, in the place of all lines that are for that peer or for that key. Whatever else stands there stays.
std::string with_admission(std::string_view content, const std::string& peer, const PublicKey& key, const std::string& line);
/// The content without the lines for `peer`; nullopt when there is none.
std::optional<std::string> without_admission(std::string_view content, std::string_view peer);

/// Those whom lines of ours let in, in the order of the file.
struct Admitted {
  std::string peer;
  bool read_only = false;
  bool restricted = false;  ///< the line has `restrict`
  std::string key;          ///< "ssh-ed25519 AAAA…", without its comment
};
std::vector<Admitted> admitted(std::string_view content);

}  // namespace gsync::ssh
