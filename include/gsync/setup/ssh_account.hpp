#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "gsync/ssh/authorized_keys.hpp"

/// The account of this host that peers log in to by SSH.
namespace gsync::setup {

inline constexpr const char* ssh_account_name = "gravity-sync";

struct SshAccount {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;

  std::string authorized_keys() const { return home + "/.ssh/authorized_keys"; }
  /// "nologin" and its like, with which sshd runs no command.
  bool shell_refuses() const;
};
/// nullopt when there is none.
std::optional<SshAccount> find_ssh_account();
/// Error{not_found} with how to make it.
SshAccount require_ssh_account();

/// What a person can do where nobody serves who logs in: no daemon runs, and the account is not the owner of the Pi-hole.
std::string how_to_serve(uid_t owner, gid_t group);

/// Lets the key in, in the place of what let the same peer or the same key in before. Makes ~/.ssh where there is none. Only root may: the
/// files are root's, so that nobody who is logged in as the account can let others in. After a crash the file is the old or the new one.
/// Errors: config (a name or path that cannot stand there), refused (not root; a directory that is not root's), busy, io, no_space.
void admit(const SshAccount& account, const ssh::Admission& admission, const ssh::PublicKey& key);
/// False when nobody of that name was let in. Errors as above.
bool dismiss(const SshAccount& account, const std::string& peer);
/// Whom the file lets in. Empty without a file. Error{io} when it cannot be read.
std::vector<ssh::Admitted> admitted(const SshAccount& account);

}  // namespace gsync::setup
