#include "gsync/ssh/session.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cctype>

#include "connection.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "known_hosts.hpp"

namespace gsync::ssh {
namespace {

class LibsshSession final : public Session {
 public:
  explicit LibsshSession(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  std::unique_ptr<util::ByteStream> execute(const std::string& command, util::Deadline deadline) override {
    return open_stream(connection_, command, deadline);
  }

 private:
  std::shared_ptr<Connection> connection_;
};

/// SHA256: and the 43 characters that 32 bytes take in base64 without padding.
void check_fingerprint(const std::string& text) {
  constexpr std::string_view prefix = "SHA256:";
  auto valid = text.starts_with(prefix) && text.size() == prefix.size() + 43;
  for (std::size_t i = prefix.size(); valid && i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    valid = std::isalnum(c) || c == '+' || c == '/';
  }
  if (!valid)
    throw Error(ErrorCode::config, util::printable(text) + " is not a fingerprint",
                "it is SHA256: and 43 characters, as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it on the peer");
}

}  // namespace

std::unique_ptr<Session> Session::connect(const config::PeerConfig& peer, const Defaults& defaults) {
  auto deadline = util::Deadline::in(peer.connect_timeout);
  auto connection = std::make_shared<Connection>(peer, defaults, deadline);
  check_host_key(*connection, peer);
  authenticate(*connection, defaults, deadline);
  return std::make_unique<LibsshSession>(std::move(connection));
}

HostKey host_key(const config::PeerConfig& peer, const Defaults& defaults) {
  Connection connection(peer, defaults, util::Deadline::in(peer.connect_timeout));
  auto key = connection.host_key();
  auto name = known_hosts_name(connection.host(), connection.port());
  auto verdict = look_up(util::read_file(connection.known_hosts_file()).value_or(""), name, key.get());
  return {fingerprint(key.get()), key_type(key.get()), known_hosts_line(name, key.get()), verdict.state};
}

void trust(const config::PeerConfig& peer, const Defaults& defaults, const std::string& wanted) {
  check_fingerprint(wanted);
  Connection connection(peer, defaults, util::Deadline::in(peer.connect_timeout));
  auto key = connection.host_key();
  auto shown = fingerprint(key.get());
  if (shown != wanted)
    throw Error(ErrorCode::host_key,
                fmt::format("{} shows another host key than the one to be trusted\n  shown:  {} {}\n  wanted: {}", connection.name(),
                            key_type(key.get()), shown, wanted),
                "nothing was changed; if the wanted one was read on that machine, somebody else answers in its place");
  const auto& file = connection.known_hosts_file();
  auto name = known_hosts_name(connection.host(), connection.port());
  // The directory of the state may not be there yet: this is often the first command after an installation.
  if (auto slash = file.rfind('/'); slash != std::string::npos && slash > 0) ::mkdir(file.substr(0, slash).c_str(), 0700);
  util::replace_file(file, with_line(util::read_file(file).value_or(""), name, known_hosts_line(name, key.get())), 0600);
}

bool distrust(const config::PeerConfig& peer, const Defaults& defaults) {
  const auto& file = peer.known_hosts.empty() ? defaults.known_hosts : peer.known_hosts;
  const auto content = util::read_file(file).value_or("");
  const auto rest = without_lines(content, Connection::known_hosts_name_of(peer, defaults));
  if (rest == content) return false;
  util::replace_file(file, rest, 0600);
  return true;
}

}  // namespace gsync::ssh
