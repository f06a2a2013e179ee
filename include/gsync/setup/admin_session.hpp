#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"

namespace gsync::setup {

/// Who may become root on another host, and how one gets there.
struct Admin {
  std::string user;
  std::string host;
  std::uint16_t port = 0;               ///< 0: what ssh takes
  std::vector<std::string> identities;  ///< private keys to try besides ssh's own
  std::string host_key;                 ///< "type base64": no other is accepted
};
/// Of "ADMIN@HOST"; an IPv6 address may stand in brackets. Error{config} for what is not that.
Admin parse_admin(const std::string& text);

/// A login as an administrator of another host, by the ssh program of this one: it knows keys, agents and passwords, and asks on the
/// terminal itself. One connection for all commands, which ends with this object. Files of it are in a directory of its own, mode 0700.
class AdminSession {
 public:
  /// Error{auth} when ssh does not get in (it has said why), {not_found} where there is no ssh.
  explicit AdminSession(Admin admin);
  ~AdminSession();
  AdminSession(const AdminSession&) = delete;
  AdminSession& operator=(const AdminSession&) = delete;

  const Admin& admin() const { return admin_; }
  std::string label() const { return admin_.user + "@" + admin_.host; }

  /// What the host says of itself.
  struct Facts {
    bool root = false;
    bool sudo = false;  ///< there is one
    bool systemd = false;
    std::string machine;      ///< uname -m
    std::string name;         ///< uname -n
    std::string our_address;  ///< of this host, as it is seen there
    std::string version;      ///< what `gravity-sync version --json` printed; empty: there is none
  };
  Facts facts();

  /// How commands become root. `ask` gives the administrator's password for sudo, and is called only where sudo wants one, three times at
  /// most. The password is kept in memory until this object ends and goes to sudo's standard input only. Errors: auth, refused (no sudo).
  void become_root(const Facts& facts, const std::function<std::string(const std::string& question)>& ask);
  /// Runs gravity-sync there, as root.
  util::CommandResult gravity_sync(const std::vector<std::string>& arguments);
  /// The same for any program.
  util::CommandResult as_root(const std::vector<std::string>& words);

 private:
  util::CommandResult run(const std::string& command, const std::string& input = {});
  std::vector<std::string> ssh(const std::vector<std::string>& options, const std::string& command) const;

  Admin admin_;
  std::string directory_;
  std::vector<std::string> prefix_;
  std::string password_;
};

/// As one word of a shell command.
std::string shell_word(const std::string& text);

}  // namespace gsync::setup
