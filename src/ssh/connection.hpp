#pragma once
#include <libssh/callbacks.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gsync/config/config.hpp"
#include "gsync/ssh/session.hpp"
#include "gsync/util/deadline.hpp"
#include "libssh.hpp"

namespace gsync::ssh {

/// A libssh session in non-blocking mode: every step is a call that is repeated, with poll() on its socket in between, until it is done or
/// its deadline passes. Shared by the Session and the streams made from it.
class Connection {
 public:
  /// By which name known_hosts has the peer, after its ssh_config: nothing is connected. Error{config}.
  static std::string known_hosts_name_of(const config::PeerConfig& peer, const Defaults& defaults);
  /// Connects and exchanges keys; the host key is not checked yet. Without a deadline it only reads the ssh_config.
  Connection(const config::PeerConfig& peer, const Defaults& defaults, std::optional<util::Deadline> deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  ssh_session get() const { return session_; }
  /// "ph2 (gravity-sync@10.0.0.2, port 22)".
  const std::string& name() const { return name_; }
  const std::string& host() const { return host_; }
  const std::string& user() const { return user_; }
  std::uint16_t port() const { return port_; }
  const std::string& known_hosts_file() const { return known_hosts_file_; }
  /// The key file that the configuration or the ssh_config file names; empty if none does.
  const std::string& identity() const { return identity_; }

  /// The host key that the far side has proven to have.
  Key host_key() const;

  /// Repeats `call` until it gives something else than `again`. Error{timeout} naming `step`.
  int drive(const std::function<int()>& call, int again, util::Deadline deadline, const char* step);
  /// Waits until something can be read from the socket, or written if something is to be sent. While nothing comes, a keepalive is sent now
  /// and then.
  void wait(util::Deadline deadline, const char* step);
  /// The same, and for `other` (a descriptor; -1: none) to be readable: true. The deadline is no Error.
  bool wait_also_for(int other, util::Deadline deadline, const char* step);
  /// Takes in what has arrived, waiting for at most `time`.
  void pump(std::chrono::milliseconds time);
  /// The connection is lost: Error{unreachable} with libssh's reason.
  [[noreturn]] void fail(const char* step) const;

  /// From now on keepalives may be sent.
  void authenticated() { authenticated_ = true; }

  std::uint64_t bytes_sent() const { return counter_.out_bytes; }
  std::uint64_t bytes_received() const { return counter_.in_bytes; }

 private:
  void set(ssh_options_e option, const void* value);
  void configure(const config::PeerConfig& peer, const Defaults& defaults);
  void read_ssh_config(const config::PeerConfig& peer);
  void exchange_keys(util::Deadline deadline);
  void acknowledge();
  std::string option(ssh_options_e option) const;

  ssh_session session_ = nullptr;
  ssh_counter_struct counter_{};
  std::string name_;
  std::string host_;
  std::string user_;
  std::uint16_t port_ = 22;
  std::string known_hosts_file_;
  std::string identity_;
  bool proxy_ = false;
  bool authenticated_ = false;
};

/// Error{host_key} unless the far side's key is in the known_hosts file.
void check_host_key(const Connection& connection, const config::PeerConfig& peer);

/// Shows our keys. Error{auth}, or Error{config} for a key file that cannot be used.
void authenticate(Connection& connection, const Defaults& defaults, util::Deadline deadline);

/// A command on an exec channel.
std::unique_ptr<util::ByteStream> open_stream(std::shared_ptr<Connection> connection, const std::string& command, util::Deadline deadline);

}  // namespace gsync::ssh
