#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "commands.hpp"
#include "gsync/daemon/client.hpp"
#include "gsync/setup/ssh_account.hpp"
#include "gsync/util/files.hpp"
#include "own_path.hpp"
#include "setup_json.hpp"

namespace gsync::cli {
namespace {

constexpr std::size_t longest_key_file = 16u << 10;

/// From the file, or from standard input for "-".
ssh::PublicKey read_key(const std::string& file, Output& output) {
  if (file != "-") {
    const auto text = util::read_file(file, longest_key_file);
    if (!text)
      throw Error(ErrorCode::config, fmt::format("there is no file {}", file),
                  "name the file with the public key, or - for standard input");
    return ssh::parse_public_key(*text, file);
  }
  if (::isatty(0) == 1) output.step("the public key, one line, as `sudo gravity-sync key` prints it on the other Pi-hole:");
  std::string text;
  char buffer[4096];
  // A person ends it by Enter, a file by its end; what comes behind the line is looked at as well.
  while (text.size() <= longest_key_file && !(::isatty(0) == 1 && text.ends_with('\n'))) {
    const auto n = ::read(0, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(errno, "cannot read the standard input");
    if (n == 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return ssh::parse_public_key(text, "standard input");
}

std::string whole_path(const std::string& path) {
  if (path.front() == '/') return path;
  std::string directory(4096, '\0');
  if (!::getcwd(directory.data(), directory.size())) throw_errno(errno, "cannot tell the present directory");
  directory.resize(directory.find('\0'));
  return directory + "/" + path;
}

/// What the agent has to be told, because it does not find it by itself; empty: nothing.
std::string named_configuration(const Invocation& invocation) {
  const auto path = config::chosen_path(invocation.config);
  return !invocation.config && path == config::default_path ? std::string() : whole_path(path);
}

/// A connection that stands has the rights that it began with.
void part_with_peers(const Invocation& invocation, Output& output) {
  std::string run_directory = config::DaemonConfig{}.run_directory;
  try {
    run_directory = config::load(invocation.config).daemon.run_directory;
  } catch (const Error&) {
    // Then no daemon runs by it, or by one that is not read any more.
  }
  if (!daemon::reload(run_directory) && daemon::is_listening(run_directory))
    output.warn("the daemon does not answer, so the connections that it has stay: sudo systemctl restart gravity-sync");
}

ExitCode remove_peer(const Invocation& invocation, const setup::SshAccount& account, Output& output) {
  const auto& peer = invocation.peer;
  if (!setup::dismiss(account, peer))
    throw Error(ErrorCode::not_found, fmt::format("{} lets nobody in as {}", account.authorized_keys(), peer),
                "`sudo gravity-sync doctor` names those whom it lets in");
  part_with_peers(invocation, output);
  if (output.options().json)
    output.json(accept_json({peer, account.authorized_keys(), {}, false, true, {}, false}));
  else
    output.done(fmt::format("{} may not log in to this Pi-hole any more; an SSH connection that stands goes on until it ends", peer));
  return ExitCode::done;
}

}  // namespace

ExitCode run_accept(const Invocation& invocation, Output& output) {
  // Before anything is read: what the name may be is a question of safety.
  if (const auto fault = config::fault_in_name(invocation.peer); !fault.empty())
    throw Error(ErrorCode::config, fmt::format("NAME {}", fault), "letters, digits, '.', '_' and '-' may stand in it");
  const auto account = setup::require_ssh_account();
  if (invocation.remove) return remove_peer(invocation, account, output);
  const auto key = invocation.key.empty() ? read_key(invocation.file.empty() ? "-" : invocation.file, output)
                                          : ssh::parse_public_key(invocation.key, "--key");
  const auto before = setup::admitted(account);
  const auto same = std::ranges::find(before, invocation.peer, &ssh::Admitted::peer);
  const bool replaced = same != before.end();
  const bool other_key = replaced && !key.line().starts_with(same->key);
  setup::admit(account, {own_path(), named_configuration(invocation), invocation.peer, invocation.read_only}, key);
  // Their number tells of a key that came in by another name.
  if (replaced || setup::admitted(account).size() <= before.size()) part_with_peers(invocation, output);
  if (other_key && !output.options().json)
    output.warn(
        fmt::format("another key was let in as {0} before, and is not any more: if it is another Pi-hole's, each needs a name of its own "
                    "([node] name), and both are to be accepted again",
                    invocation.peer));
  if (account.shell_refuses())
    output.warn(fmt::format("the shell of {} is {}, so sshd runs nothing for it: sudo usermod --shell /bin/sh {}", setup::ssh_account_name,
                            account.shell, setup::ssh_account_name));
  if (output.options().json)
    output.json(accept_json({invocation.peer, account.authorized_keys(), key.fingerprint, invocation.read_only, replaced,
                             other_key ? same->key : std::string(), other_key && same->read_only}));
  else
    output.done(fmt::format("{} may {} this Pi-hole's lists and records with {} {}", invocation.peer,
                            invocation.read_only ? "read" : "read and set", key.type, key.fingerprint));
  return ExitCode::done;
}

}  // namespace gsync::cli
