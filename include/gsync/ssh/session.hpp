#pragma once
#include <memory>
#include <string>

#include "gsync/config/config.hpp"
#include "gsync/util/byte_stream.hpp"
#include "gsync/util/deadline.hpp"

namespace gsync::ssh {

/// Where keys and known hosts are when the peer's configuration does not say.
struct Defaults {
  std::string identity;     ///< <state_directory>/id_ed25519
  std::string known_hosts;  ///< <state_directory>/known_hosts
};

/// One authenticated SSH connection to a peer. One thread at a time.
class Session {
 public:
  /// Connects, checks the host key strictly, authenticates by key. Everything within peer.connect_timeout. Errors: unreachable, timeout, host_key (unknown: with the
  /// fingerprint and the `gravity-sync trust` command as the hint; changed: a warning that cannot be missed), auth (with what was tried and what the peer allows),
  /// config (an ssh_config file with keywords that libssh does not know: reported, not ignored). All name peer, host and port.
  static std::unique_ptr<Session> connect(const config::PeerConfig& peer, const Defaults& defaults);
  virtual ~Session() = default;

  /// Runs a command on an exec channel and gives its standard input and output; its standard error is kept as diagnostics. The stream may outlive this object.
  virtual std::unique_ptr<util::ByteStream> execute(const std::string& command, util::Deadline deadline) = 0;
};

/// The host key that a peer shows now, and whether we know it. Opens a connection of its own, without authentication. Errors as connect().
struct HostKey {
  std::string fingerprint;   ///< "SHA256:…", as ssh-keygen -l prints it
  std::string type;          ///< "ssh-ed25519"
  std::string known_hosts_line;  ///< what trust() adds
  enum class State { known, unknown, changed } state = State::unknown;
};
HostKey host_key(const config::PeerConfig& peer, const Defaults& defaults);

/// Writes the peer's present host key into its known_hosts file (crash-safely, mode 0600 for a new file), replacing others for this host
/// and port, if it is `wanted` ("SHA256:…"). Error{host_key} with both fingerprints when it has another. Error{config} when the fingerprint
/// is malformed.
void trust(const config::PeerConfig& peer, const Defaults& defaults, const std::string& wanted);
/// Takes this host's keys out of its known_hosts file; connects to nobody. False when there were none.
bool distrust(const config::PeerConfig& peer, const Defaults& defaults);

}  // namespace gsync::ssh
