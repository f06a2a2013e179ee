#include "connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>

#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "known_hosts.hpp"
#include "ssh_config.hpp"
#include "tcp.hpp"

namespace gsync::ssh {
namespace {

using namespace std::chrono_literals;

constexpr auto keepalive_interval = 15s;

/// libssh expands % in paths.
std::string literal_path(const std::string& path) {
  std::string out;
  for (char c : path) {
    out += c;
    if (c == '%') out += c;
  }
  return out;
}

std::string in_home(const std::string& path, const config::PeerConfig& peer) {
  if (path.starts_with('/')) return path;
  const char* home = std::getenv("HOME");
  if (path.starts_with("~/") && home) return home + path.substr(1);
  throw Error(ErrorCode::config, peer.ssh_config + ": IdentityFile " + util::printable(path) + " is not an absolute path",
              "write the whole path");
}

std::string directory_of(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Connection::Connection(const config::PeerConfig& peer, const Defaults& defaults, std::optional<util::Deadline> deadline) {
  static std::once_flag once;
  std::call_once(once, [] { ssh_init(); });
  session_ = ssh_new();
  if (!session_) throw Error(ErrorCode::io, "libssh cannot make a session: out of memory");
  try {
    configure(peer, defaults);
    if (deadline) exchange_keys(*deadline);
  } catch (...) {
    ssh_free(session_);
    throw;
  }
}

std::string Connection::known_hosts_name_of(const config::PeerConfig& peer, const Defaults& defaults) {
  const Connection connection(peer, defaults, std::nullopt);
  return known_hosts_name(connection.host(), connection.port());
}

Connection::~Connection() {
  if (ssh_is_connected(session_)) ssh_disconnect(session_);
  ssh_free(session_);
}

void Connection::set(ssh_options_e option, const void* value) {
  if (ssh_options_set(session_, option, value) < 0)
    throw Error(ErrorCode::config, "libssh does not accept a setting for " + name_ + ": " + error_text(session_));
}

std::string Connection::option(ssh_options_e option) const {
  char* value = nullptr;
  if (ssh_options_get(session_, option, &value) != SSH_OK || !value) return {};
  CString owner(value);
  return value;
}

void Connection::configure(const config::PeerConfig& peer, const Defaults& defaults) {
  name_ = peer.name;
  known_hosts_file_ = peer.known_hosts.empty() ? defaults.known_hosts : peer.known_hosts;
  // Nothing of ~/.ssh or /etc/ssh has a say; the directory is set because libssh otherwise asks for a home, which a service's user may not
  // have.
  bool no = false;
  set(SSH_OPTIONS_PROCESS_CONFIG, &no);
  set(SSH_OPTIONS_SSH_DIR, literal_path(directory_of(known_hosts_file_)).c_str());
  set(SSH_OPTIONS_HOST, peer.host.c_str());
  if (!peer.ssh_config.empty()) read_ssh_config(peer);
  if (!peer.identity.empty()) identity_ = peer.identity;

  host_ = option(SSH_OPTIONS_HOST);
  unsigned int port = peer.port;
  if (port == 0 && (ssh_options_get_port(session_, &port) != SSH_OK || port == 0 || port > 65535)) port = 22;
  port_ = static_cast<std::uint16_t>(port);
  set(SSH_OPTIONS_PORT, &port);
  if (user_.empty()) user_ = peer.user;
  set(SSH_OPTIONS_USER, user_.c_str());
  name_ = fmt::format("{} ({}@{}, port {})", peer.name, user_, host_, port_);

  set(SSH_OPTIONS_KNOWNHOSTS, literal_path(known_hosts_file_).c_str());
  set(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
  set(SSH_OPTIONS_COMPRESSION, "no");
  int yes = 1;
  set(SSH_OPTIONS_NODELAY, &yes);
  proxy_ = !option(SSH_OPTIONS_PROXYCOMMAND).empty();
  ssh_set_blocking(session_, 0);
  ssh_set_counters(session_, &counter_, nullptr);
}

void Connection::read_ssh_config(const config::PeerConfig& peer) {
  auto content = util::read_file(peer.ssh_config, 1u << 20);
  if (!content)
    throw Error(ErrorCode::config, "the ssh_config file " + peer.ssh_config + " of peer " + peer.name + " does not exist",
                "correct ssh_config in [[peer]]");
  check_ssh_config(*content, peer.ssh_config);
  auto identity_before = option(SSH_OPTIONS_IDENTITY);
  if (ssh_options_parse_config(session_, literal_path(peer.ssh_config).c_str()) != 0)
    throw Error(ErrorCode::config, "libssh cannot use " + peer.ssh_config + ": " + error_text(session_));
  // libssh puts a file that was named in front of its own defaults.
  if (auto identity = option(SSH_OPTIONS_IDENTITY); identity != identity_before) identity_ = in_home(identity, peer);
  // The user of the peer's configuration always has a value, so only one that was set there wins over the file.
  if (peer.user == config::PeerConfig{}.user) user_ = option(SSH_OPTIONS_USER);
}

void Connection::exchange_keys(util::Deadline deadline) {
  if (!proxy_) {
    auto fd = connect_tcp(host_, port_, name_, deadline).release();
    set(SSH_OPTIONS_FD, &fd);
  }
  auto rc = drive(
      [this] {
        auto result = ssh_connect(session_);
        // libssh makes the socket blocking once it is connected; a write to a peer that reads nothing would then outlast every deadline.
        if (auto fd = ssh_get_fd(session_); fd >= 0) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
        return result;
      },
      SSH_AGAIN, deadline, "exchanging keys");
  if (rc == SSH_OK) return;
  if (!ssh_get_serverbanner(session_))
    throw Error(ErrorCode::unreachable, name_ + " closed the connection before it said what it is: " + error_text(session_),
                "is it an SSH server? One that has seen many failures turns an address away for a while (PerSourcePenalties, MaxStartups, "
                "fail2ban): see its log "
                "(journalctl -u ssh) and try again later");
  throw Error(ErrorCode::unreachable, "cannot agree on an encrypted connection with " + name_ + ": " + error_text(session_),
              "see the log of sshd there (journalctl -u ssh)");
}

Key Connection::host_key() const {
  ssh_key key = nullptr;
  if (ssh_get_server_publickey(session_, &key) != SSH_OK)
    throw Error(ErrorCode::protocol, name_ + " has shown no host key: " + error_text(session_));
  return Key(key);
}

int Connection::drive(const std::function<int()>& call, int again, util::Deadline deadline, const char* step) {
  for (;;) {
    auto rc = call();
    if (rc != again) return rc;
    acknowledge();
    wait(deadline, step);
  }
}

// sshd turns Nagle's algorithm off only when a command starts. Until then its second small packet waits for our acknowledgement of the
// first, which the kernel would delay by 40 ms.
void Connection::acknowledge() {
  int yes = 1;
  if (!proxy_) ::setsockopt(ssh_get_fd(session_), IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

void Connection::wait(util::Deadline deadline, const char* step) {
  if (deadline.passed()) {
    auto hint = std::string(
        "the host answers too slowly or not at all; connect_timeout_seconds and idle_timeout_seconds in [[peer]] can be raised");
    throw Error(ErrorCode::timeout, fmt::format("timed out while {} with {}", step, name_), hint);
  }
  wait_also_for(-1, deadline, step);
}

bool Connection::wait_also_for(int other, util::Deadline deadline, const char* step) {
  auto fd = ssh_get_fd(session_);
  if (fd < 0) fail(step);
  short events = POLLIN;
  if (ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) events |= POLLOUT;
  std::array<pollfd, 2> p{{{fd, events, 0}, {other, POLLIN, 0}}};
  const auto keepalive = util::Deadline::in(keepalive_interval);
  auto n = ::poll(p.data(), p.size(), deadline.at_most(keepalive_interval).poll_timeout());
  if (n < 0 && errno != EINTR) throw_errno(errno, "cannot wait for " + name_);
  if (n == 0 && authenticated_ && keepalive.passed() && !deadline.passed()) ssh_send_ignore(session_, "");
  return n > 0 && p[1].revents != 0;
}

void Connection::pump(std::chrono::milliseconds time) {
  std::unique_ptr<ssh_event_struct, decltype(&ssh_event_free)> event(ssh_event_new(), ssh_event_free);
  if (!event || ssh_event_add_session(event.get(), session_) != SSH_OK) return;
  ssh_event_dopoll(event.get(), static_cast<int>(time.count()));
  ssh_event_remove_session(event.get(), session_);
}

void Connection::fail(const char* step) const {
  throw Error(ErrorCode::unreachable, fmt::format("the connection to {} was lost while {}: {}", name_, step, error_text(session_)),
              "try again; if it happens again, see the log of sshd there (journalctl -u ssh)");
}

void check_host_key(const Connection& connection, const config::PeerConfig& peer) {
  auto key = connection.host_key();
  auto shown = fingerprint(key.get());
  auto type = key_type(key.get());
  const auto& file = connection.known_hosts_file();
  auto verdict = look_up(util::read_file(file).value_or(""), known_hosts_name(connection.host(), connection.port()), key.get());
  if (verdict.state == HostKey::State::known) return;
  auto command = fmt::format("sudo gravity-sync trust {} --fingerprint {}", peer.name, shown);
  auto compare = fmt::format("on {} itself, compare this with `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub`", peer.name);
  if (verdict.state == HostKey::State::unknown)
    throw Error(ErrorCode::host_key, fmt::format("the host key of {} is unknown: {} {}", connection.name(), type, shown),
                fmt::format("{}; if it is the same: {}", compare, command));
  std::string what = fmt::format(
      "WARNING: THE HOST KEY OF {} HAS CHANGED\n"
      "  Either that machine was set up anew, or somebody else answers in its place and wants its data.\n",
      connection.name());
  for (const auto& known : verdict.others) what += fmt::format("  known: {} {} ({}:{})\n", known.type, known.fingerprint, file, known.line);
  what += fmt::format("  shown: {} {}\n  Nothing was sent to it.", type, shown);
  throw Error(ErrorCode::host_key, what, fmt::format("{}; only if it is the same: {}", compare, command));
}

}  // namespace gsync::ssh
