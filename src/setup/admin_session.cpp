#include "gsync/setup/admin_session.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"

extern char** environ;

namespace gsync::setup {
namespace {

using namespace std::chrono_literals;

/// A first pull of a big blocklist is not run this way; what is, is done in seconds.
constexpr auto patience = 120s;

/// In our own process group and with our terminal, so that ssh can ask there. The exit code.
int run_on_terminal(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (const int error = ::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ); error != 0)
    throw Error(ErrorCode::not_found, fmt::format("cannot start {}: {}", words.front(), ::strerror(error)),
                "sudo apt install openssh-client");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno(errno, "cannot wait for ssh");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// What sudo needs of the other host is a shell with these directories: those of an administrator who is not root may lack some.
// What programs say there is looked at.
constexpr const char* path = "LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; ";

constexpr const char* questions =
    "echo \"gsync-uid $(id -u)\"; echo \"gsync-machine $(uname -m)\"; echo \"gsync-name $(uname -n)\"; "
    "echo \"gsync-from ${SSH_CONNECTION%% *}\"; command -v sudo >/dev/null && echo \"gsync-sudo yes\"; "
    "[ -d /run/systemd/system ] && echo \"gsync-systemd yes\"; "
    "command -v gravity-sync >/dev/null && gravity-sync version --json";

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + shell_word(word);
  return text;
}

}  // namespace

std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (char c : text) {
    if (c == '\'')
      word += "'\\''";
    else
      word += c;
  }
  return word + "'";
}

Admin parse_admin(const std::string& text) {
  const auto at = text.rfind('@');
  Admin admin;
  if (at != std::string::npos) {
    admin.user = text.substr(0, at);
    admin.host = text.substr(at + 1);
  }
  if (admin.host.size() > 2 && admin.host.front() == '[' && admin.host.back() == ']')
    admin.host = admin.host.substr(1, admin.host.size() - 2);
  const auto plain = [](const std::string& part, std::string_view also) {
    // ssh takes what begins with '-' for an option.
    if (part.empty() || part.front() == '-') return false;
    for (char c : part) {
      const bool usual = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
      if (!usual && also.find(c) == std::string_view::npos) return false;
    }
    return true;
  };
  if (!plain(admin.user, "\\") || !plain(admin.host, ":%"))
    throw Error(ErrorCode::config, fmt::format("'{}' is not ADMIN@HOST", util::printable(text)),
                "name who may become root there, and the host: sudo gravity-sync pair pi@192.168.1.3");
  return admin;
}

AdminSession::AdminSession(Admin admin) : admin_(std::move(admin)) {
  std::string name = "/tmp/gravity-sync-XXXXXX";
  if (!::mkdtemp(name.data())) throw_errno(errno, "cannot make a directory in /tmp");
  directory_ = name;
  try {
    // For any name: ssh may know the host by another one than we do.
    util::create_file(directory_ + "/known_hosts", "* " + admin_.host_key + "\n", 0600);
    if (run_on_terminal(ssh({"-o", "ControlMaster=yes", "-o", "ControlPersist=300"}, "true")) != 0)
      throw Error(ErrorCode::auth, fmt::format("cannot log in to {} as {}", admin_.host, admin_.user),
                  fmt::format("what ssh said is above; does `ssh {}` let you in? --identity names a private key", label()));
  } catch (...) {
    ::unlink((directory_ + "/known_hosts").c_str());
    ::rmdir(directory_.c_str());
    throw;
  }
}

AdminSession::~AdminSession() {
  ::explicit_bzero(password_.data(), password_.size());
  try {
    util::run({.argv = ssh({"-O", "exit"}, {})}, util::Deadline::in(10s));
  } catch (const Error&) {
    // It ends by itself after five minutes.
  }
  for (const char* name : {"/known_hosts", "/s"}) ::unlink((directory_ + name).c_str());
  ::rmdir(directory_.c_str());
}

std::vector<std::string> AdminSession::ssh(const std::vector<std::string>& options, const std::string& command) const {
  // Of the type that the trusted key has, so that the host does not show another one.
  auto type = admin_.host_key.substr(0, admin_.host_key.find(' '));
  if (type == "ssh-rsa") type = "rsa-sha2-512,rsa-sha2-256";
  std::vector<std::string> words{"ssh",
                                 "-o",
                                 "ControlPath=" + directory_ + "/s",
                                 "-o",
                                 "UserKnownHostsFile=" + directory_ + "/known_hosts",
                                 "-o",
                                 "GlobalKnownHostsFile=/dev/null",
                                 "-o",
                                 "StrictHostKeyChecking=yes",
                                 "-o",
                                 "CheckHostIP=no",
                                 "-o",
                                 "HostKeyAlgorithms=" + type,
                                 "-o",
                                 "ConnectTimeout=15",
                                 "-o",
                                 "ForwardAgent=no",
                                 "-o",
                                 "ForwardX11=no",
                                 "-o",
                                 "LogLevel=ERROR",
                                 "-T"};
  if (admin_.port != 0) words.insert(words.end(), {"-p", std::to_string(admin_.port)});
  for (const auto& identity : admin_.identities) words.insert(words.end(), {"-i", identity});
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"-l", admin_.user, "--", admin_.host});
  if (!command.empty()) words.push_back(command);
  return words;
}

util::CommandResult AdminSession::run(const std::string& command, const std::string& input) {
  util::Command all{.argv = ssh({"-o", "ControlMaster=no", "-o", "BatchMode=yes"}, "sh -c " + shell_word(path + command))};
  all.standard_input = input;
  auto result = util::run(all, util::Deadline::in(patience));
  ::explicit_bzero(all.standard_input.data(), all.standard_input.size());
  if (result.exit_code == 255 && result.output.empty())
    throw Error(ErrorCode::unreachable, fmt::format("the login as {} was lost: {}", label(), util::words_of(result)), "try again");
  return result;
}

AdminSession::Facts AdminSession::facts() {
  const auto result = run(questions);
  Facts facts;
  for (auto line : util::split(result.output, '\n')) {
    const auto value_of = [&](std::string_view key, std::string& value) {
      if (line.starts_with(key)) value = util::printable(util::trim(line.substr(key.size())));
    };
    std::string uid;
    value_of("gsync-uid ", uid);
    facts.root = facts.root || uid == "0";
    facts.sudo = facts.sudo || line == "gsync-sudo yes";
    facts.systemd = facts.systemd || line == "gsync-systemd yes";
    value_of("gsync-machine ", facts.machine);
    value_of("gsync-name ", facts.name);
    value_of("gsync-from ", facts.our_address);
  }
  if (const auto brace = result.output.find('{'); brace != std::string::npos) facts.version = result.output.substr(brace);
  if (facts.machine.empty())
    throw Error(ErrorCode::protocol, fmt::format("{} runs no commands: {}", label(), util::words_of(result)),
                "log in as somebody with a usual shell");
  return facts;
}

void AdminSession::become_root(const Facts& facts, const std::function<std::string(const std::string& question)>& ask) {
  prefix_.clear();
  if (facts.root) return;
  if (!facts.sudo)
    throw Error(
        ErrorCode::refused, fmt::format("{} is not root on {}, and there is no sudo", admin_.user, admin_.host),
        fmt::format("log in as root: sudo gravity-sync pair root@{}; or do by hand what `gravity-sync key` and `accept` do", admin_.host));
  // -k: what sudo remembers of an earlier login must not decide whether it reads a password from what we send.
  if (run("sudo -k -n true").exit_code == 0) {
    prefix_ = {"sudo", "-k", "-n", "--"};
    return;
  }
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto answer = ask(fmt::format("{}'s password, for sudo on {}:", admin_.user, admin_.host));
    ::explicit_bzero(password_.data(), password_.size());
    password_.reserve(answer.size() + 1);
    password_ = answer;
    password_ += '\n';
    ::explicit_bzero(answer.data(), answer.size());
    prefix_ = {"sudo", "-k", "-S", "-p", "", "--"};
    const auto result = as_root({"true"});
    if (result.exit_code == 0) return;
    if (result.errors.find("incorrect") == std::string::npos && result.errors.find("try again") == std::string::npos)
      throw Error(ErrorCode::refused,
                  fmt::format("sudo on {} does not let {} be root: {}", admin_.host, admin_.user, util::words_of(result)),
                  "log in as somebody who may use sudo there, or as root");
  }
  throw Error(ErrorCode::auth, fmt::format("sudo on {} did not take the password", admin_.host), "nothing was changed there");
}

util::CommandResult AdminSession::as_root(const std::vector<std::string>& words) {
  auto all = prefix_;
  all.insert(all.end(), words.begin(), words.end());
  return run(joined(all), password_);
}

util::CommandResult AdminSession::gravity_sync(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"gravity-sync"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return as_root(words);
}

}  // namespace gsync::setup
