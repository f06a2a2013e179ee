#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "connection.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/files.hpp"
#include "known_hosts.hpp"

namespace gsync::ssh {
namespace {

struct KeyFile {
  Key key;  ///< empty when it is protected by a passphrase
};

/// libssh asks for a passphrase through this: nobody is there to answer, but it shows that the file needs one.
int note_passphrase_wanted(const char*, char*, std::size_t, int, int, void* wanted) {
  *static_cast<bool*>(wanted) = true;
  return -1;
}

std::optional<KeyFile> load(const std::string& path) {
  std::optional<std::string> content;
  try {
    content = util::read_file(path, 64u << 10);
  } catch (const Error& e) {
    throw Error(ErrorCode::auth, std::string("the private key cannot be used: ") + e.what(),
                "the file must be readable by the user that gravity-sync runs as: chown it to that user, mode 0600");
  }
  if (!content) return std::nullopt;
  bool passphrase = false;
  ssh_key key = nullptr;
  auto rc = ssh_pki_import_privkey_base64(content->c_str(), nullptr, note_passphrase_wanted, &passphrase, &key);
  if (rc == SSH_OK) return KeyFile{Key(key)};
  if (passphrase) return KeyFile{};
  throw Error(ErrorCode::auth, path + " is not a private key that libssh can read",
              "make one with: ssh-keygen -t ed25519 -N '' -f " + path);
}

/// The socket of the ssh-agent, connected; empty when there is none.
util::Fd connect_agent() {
  const char* path = std::getenv("SSH_AUTH_SOCK");
  sockaddr_un address{};
  if (!path || !*path || std::strlen(path) >= sizeof address.sun_path) return {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path) + 1);
  // Non-blocking, since connecting to a stuck agent with a full queue would wait.
  util::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  return fd;
}

/// libssh talks to the agent without a deadline. At ours this ends the conversation from outside, so that libssh sees the agent hang up.
class Watchdog {
 public:
  Watchdog(util::Fd socket, util::Deadline deadline) : socket_(std::move(socket)), thread_([this, deadline] { watch(deadline); }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch(util::Deadline deadline) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, deadline.remaining(), [this] { return done_; })) ::shutdown(socket_.get(), SHUT_RDWR);
  }

  util::Fd socket_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

class Authentication {
 public:
  Authentication(Connection& connection, const Defaults& defaults, util::Deadline deadline)
      : connection_(connection), default_identity_(defaults.identity), deadline_(deadline) {}

  void run() {
    const auto& named = connection_.identity();
    if (!named.empty()) {
      auto file = load(named);
      if (!file)
        throw Error(ErrorCode::auth, fmt::format("the private key {} for {} does not exist", named, connection_.name()),
                    "correct identity in [[peer]], or make the key: ssh-keygen -t ed25519 -N '' -f " + named);
      if (!try_file(named, *file)) refused();
    } else if (!try_agent() && !try_default()) {
      refused();
    }
    connection_.authenticated();
  }

 private:
  bool try_file(const std::string& path, const KeyFile& file) {
    if (!file.key) {
      if (try_agent()) return true;
      if (agent_tried_) refused();
      throw Error(ErrorCode::auth,
                  fmt::format("the private key {} for {} is protected by a passphrase, and there is no ssh-agent that holds it", path,
                              connection_.name()),
                  fmt::format("load it into an ssh-agent (ssh-add {0}; SSH_AUTH_SOCK must reach gravity-sync), or take the passphrase off "
                              "it: ssh-keygen -p -N '' -f {0}",
                              path));
    }
    tried_.push_back(fmt::format("{} {} ({})", key_type(file.key.get()), fingerprint(file.key.get()), path));
    hint_key_ = path;
    return accepted(connection_.drive([&] { return ssh_userauth_publickey(connection_.get(), nullptr, file.key.get()); }, SSH_AUTH_AGAIN,
                                      deadline_, step));
  }

  bool try_default() {
    auto file = load(default_identity_);
    if (file) return try_file(default_identity_, *file);
    if (agent_tried_) return false;
    throw Error(ErrorCode::auth,
                fmt::format("there is no key to show to {}: no ssh-agent, and {} does not exist", connection_.name(), default_identity_),
                "`sudo gravity-sync key` makes one here and prints it; let it in there with `sudo gravity-sync accept NAME`, NAME being "
                "this Pi-hole's");
  }

  /// False when there is no agent or it has no key that the peer accepts.
  bool try_agent() {
    auto socket = connect_agent();
    if (!socket) return false;
    util::Fd watched(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
    if (!watched || ssh_set_agent_socket(connection_.get(), socket.get()) != SSH_OK) return false;
    (void)socket.release();
    agent_tried_ = true;
    tried_.emplace_back("the keys of the ssh-agent");
    Watchdog watchdog(std::move(watched), deadline_);
    auto rc = connection_.drive([&] { return ssh_userauth_agent(connection_.get(), nullptr); }, SSH_AUTH_AGAIN, deadline_, step);
    if (rc != SSH_AUTH_SUCCESS && deadline_.passed())
      throw Error(ErrorCode::timeout, "timed out while asking the ssh-agent for a key for " + connection_.name(),
                  "does the agent wait for somebody to confirm? Name a key file in [[peer]] identity instead");
    return accepted(rc);
  }

  bool accepted(int rc) {
    if (rc == SSH_AUTH_SUCCESS) return true;
    if (rc == SSH_AUTH_PARTIAL)
      throw Error(ErrorCode::auth, connection_.name() + " wants more than a key",
                  "allow this user to log in with a key alone there (AuthenticationMethods publickey)");
    if (rc != SSH_AUTH_ERROR) return false;
    if (agent_tried_ && !ssh_is_connected(connection_.get()))
      throw Error(
          ErrorCode::auth,
          fmt::format("{} ended the connection after it was shown {}: {}", connection_.name(), tried(), error_text(connection_.get())),
          "an ssh-agent with many keys uses up the attempts that a server allows: name the right key file in [[peer]] identity");
    connection_.fail(step);
  }

  std::string tried() const {
    std::string all;
    for (const auto& t : tried_) all += (all.empty() ? "" : ", ") + t;
    return all;
  }

  [[noreturn]] void refused() {
    std::string methods;
    auto list = static_cast<unsigned>(ssh_userauth_list(connection_.get(), nullptr));
    auto add = [&](unsigned method, const char* name) {
      if (list & method) methods += (methods.empty() ? "" : ", ") + std::string(name);
    };
    add(SSH_AUTH_METHOD_PUBLICKEY, "publickey");
    add(SSH_AUTH_METHOD_PASSWORD, "password");
    add(SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive");
    add(SSH_AUTH_METHOD_HOSTBASED, "hostbased");
    add(SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic");
    auto what = fmt::format("{} does not accept our key; tried: {}; it allows: {}", connection_.name(), tried(),
                            methods.empty() ? "not said" : methods);
    if (!(list & SSH_AUTH_METHOD_PUBLICKEY) && list != 0)
      throw Error(ErrorCode::auth, what, "allow keys there: PubkeyAuthentication yes in its sshd_config");
    if (hint_key_ == default_identity_)
      throw Error(
          ErrorCode::auth, what,
          "let it in there: `sudo gravity-sync accept NAME` (NAME being this Pi-hole's), with what `sudo gravity-sync key` prints here; if "
          "it is let in, `sudo gravity-sync doctor` there says what is wrong with the account, and journalctl -u ssh why");
    throw Error(ErrorCode::auth, what,
                fmt::format("add {} to ~{}/.ssh/authorized_keys there; if it is there, that file, its directory or the home may belong to "
                            "somebody else or be writable by "
                            "others, or the account may be locked or without a shell (journalctl -u ssh)",
                            hint_key_.empty() ? "the public key" : "what " + hint_key_ + ".pub contains", connection_.user()));
  }

  static constexpr auto step = "authenticating";
  Connection& connection_;
  std::string default_identity_;
  util::Deadline deadline_;
  std::vector<std::string> tried_;
  std::string hint_key_;
  bool agent_tried_ = false;
};

}  // namespace

void authenticate(Connection& connection, const Defaults& defaults, util::Deadline deadline) {
  Authentication(connection, defaults, deadline).run();
}

}  // namespace gsync::ssh
