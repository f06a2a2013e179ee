#pragma once
#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/temp_directory.hpp"

namespace gsync::test {

/// A background program. Killed by its pid, with everything that it started, by the destructor, and by the kernel when the thread that made
/// it ends.
class ChildProcess {
 public:
  /// argv[0] is an absolute path. Its output and errors go to `log`.
  ChildProcess(const std::vector<std::string>& argv, const std::string& log);
  ~ChildProcess() { stop(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool ended();
  /// To all that it has started (sshd: the connections), not to the program itself.
  void signal_children(int number) const;
  /// All that it has started, and what these have started.
  std::vector<pid_t> descendants() const;
  void stop();

 private:
  pid_t pid_ = -1;
};

/// A real sshd on the loopback address, on a port that the system chose, with host keys, configuration and authorized_keys of its own.
/// Works as root and as an ordinary user (who can then log in as himself). Accepts `client_key()` for `user()`.
class Sshd {
 public:
  struct Options {
    std::string key_options{};                              ///< in front of the key in authorized_keys: `restrict,command="…"`
    std::map<std::string, std::string> environment{};       ///< for the remote command
    std::string address = "127.0.0.1";                      ///< to listen on
    std::vector<std::string> host_key_types = {"ed25519"};  ///< as ssh-keygen -t calls them
    std::string configuration{};                            ///< more lines for sshd_config
  };

  /// Why no sshd can be run and logged in to here; nullopt when it can. For GTEST_SKIP.
  static std::optional<std::string> unavailable(const std::string& address = "127.0.0.1");

  /// Returns when it accepts connections. Throws std::runtime_error with sshd's log when it does not come up.
  Sshd() : Sshd(Options{}) {}
  explicit Sshd(Options options);

  const std::string& address() const { return options_.address; }
  std::uint16_t port() const { return port_; }
  /// The user who runs the tests.
  const std::string& user() const { return user_; }
  /// The private key that it accepts; the public one is beside it with .pub.
  std::string client_key() const { return directory_ / "client_key"; }
  std::string configuration_file() const { return directory_ / "sshd_config"; }
  /// "type base64" of the host key of that type.
  std::string host_public_key(const std::string& type = "ed25519") const;
  /// "[127.0.0.1]:2222 ssh-ed25519 AAAA…\n".
  std::string known_hosts_line(const std::string& type = "ed25519") const;
  std::string log() const;
  /// Cuts the connections that there are; new ones are still accepted.
  void kill_connections() const { process_->signal_children(SIGKILL); }
  /// From now on those that there are hang.
  void stop_connections() const { process_->signal_children(SIGSTOP); }
  void stop() { process_->stop(); }
  /// After stop(), on the same port.
  void start_again();
  /// Of all that it has started, what runs this program.
  std::vector<pid_t> running(const std::string& program) const;

 private:
  void write_configuration();
  bool start();

  Options options_;
  TempDirectory directory_;
  std::string user_;
  std::uint16_t port_ = 0;
  std::optional<ChildProcess> process_;
};

/// Makes a key pair with ssh-keygen: `path` and `path`.pub.
void make_key(const std::string& path, const std::string& type = "ed25519", const std::string& passphrase = "");

}  // namespace gsync::test
