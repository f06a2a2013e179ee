#include "support/sshd.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "gsync/util/deadline.hpp"
#include "gsync/util/fd.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"

namespace gsync::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto sshd_path = "/usr/sbin/sshd";

/// A free port of that address; 0 when the address cannot be used.
std::uint16_t free_port(const std::string& address) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (auto* v4 = reinterpret_cast<sockaddr_in*>(&storage); ::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    size = sizeof(sockaddr_in);
  } else if (auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage); ::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    size = sizeof(sockaddr_in6);
  }
  util::Fd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  if (!fd || ::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0) return 0;
  return ntohs(storage.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&storage)->sin_port
                                            : reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
}

pid_t parent_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  // The name in parentheses may contain anything.
  auto end = line.rfind(')');
  if (end == std::string::npos) return -1;
  std::istringstream rest(line.substr(end + 1));
  std::string state;
  pid_t parent = -1;
  rest >> state >> parent;
  return parent;
}

std::vector<pid_t> descendants_of(pid_t ancestor) {
  std::vector<std::pair<pid_t, pid_t>> all;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    auto name = entry.path().filename().string();
    pid_t pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) all.emplace_back(pid, parent_of(pid));
  }
  std::vector<pid_t> found{ancestor};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (auto [pid, parent] : all)
      if (parent == found[i]) found.push_back(pid);
  found.erase(found.begin());
  return found;
}

void signal_descendants(pid_t ancestor, int number) {
  for (const auto pid : descendants_of(ancestor)) ::kill(pid, number);
}

const passwd* current_user() {
  return ::getpwuid(::geteuid());
}

void must_succeed(const util::CommandResult& result, const std::string& what) {
  if (result.exit_code != 0) throw std::runtime_error(what + ": " + result.errors);
}

/// OpenSSH 9.8 and later turn away an address that fails often, which is what tests do.
bool knows_penalties(const std::string& host_key) {
  static const bool known =
      util::run({.argv = {sshd_path, "-t", "-f", "/dev/null", "-h", host_key, "-o", "PerSourcePenalties=no"}}, util::Deadline::in(30s))
          .exit_code == 0;
  return known;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& argv, const std::string& log) {
  std::vector<char*> arguments;
  for (const auto& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  util::Fd out(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  util::Fd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot start " + argv.front());
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(in.get(), 0);
    ::dup2(out.get(), 1);
    ::dup2(out.get(), 2);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
}

bool ChildProcess::ended() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = -1;
  return pid_ < 0;
}

void ChildProcess::signal_children(int number) const {
  if (pid_ > 0) signal_descendants(pid_, number);
}

std::vector<pid_t> ChildProcess::descendants() const {
  return pid_ > 0 ? descendants_of(pid_) : std::vector<pid_t>();
}

void ChildProcess::stop() {
  if (ended()) return;
  // Stopped first, so that it starts nothing more while its children are looked for.
  ::kill(pid_, SIGSTOP);
  signal_descendants(pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void make_key(const std::string& path, const std::string& type, const std::string& passphrase) {
  must_succeed(util::run({.argv = {"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "test", "-f", path}}, util::Deadline::in(60s)),
               "ssh-keygen");
}

std::optional<std::string> Sshd::unavailable(const std::string& address) {
  if (::access(sshd_path, X_OK) != 0) return std::string("there is no ") + sshd_path + " (openssh-server)";
  const auto* user = current_user();
  if (!user) return "the user who runs the tests has no passwd entry, so sshd lets nobody in";
  std::string shell = user->pw_shell ? user->pw_shell : "";
  if (shell.ends_with("/nologin") || shell.ends_with("/false"))
    return fmt::format("the shell of {} is {}, so sshd runs no command", user->pw_name, shell);
  if (free_port(address) == 0) return "the address " + address + " cannot be used here";
  return std::nullopt;
}

Sshd::Sshd(Options options) : options_(std::move(options)) {
  if (const auto* user = current_user()) user_ = user->pw_name;
  for (const auto& type : options_.host_key_types) make_key(directory_ / "host_" + type, type);
  make_key(client_key());
  auto line = read_text(client_key() + ".pub");
  write_text(directory_ / "authorized_keys", options_.key_options.empty() ? line : options_.key_options + " " + line, 0600);
  // sshd that is started by root changes into this directory to check who connects.
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
  // Between our looking for a free port and sshd's use of it somebody else may take it.
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = free_port(options_.address);
    write_configuration();
    if (start()) return;
  }
  throw std::runtime_error("sshd does not start:\n" + log());
}

void Sshd::write_configuration() {
  auto text = fmt::format("ListenAddress {}\nPort {}\n",
                          options_.address.find(':') == std::string::npos ? options_.address : "[" + options_.address + "]", port_);
  for (const auto& type : options_.host_key_types) text += fmt::format("HostKey {}\n", directory_ / "host_" + type);
  text += fmt::format(
      "PidFile {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nUseDNS no\nPasswordAuthentication no\nKbdInteractiveAuthentication "
      "no\n"
      "PermitRootLogin yes\nPrintMotd no\nPrintLastLog no\nMaxStartups 100\nLogLevel VERBOSE\n",
      directory_ / "pid", directory_ / "authorized_keys");
  if (knows_penalties(directory_ / "host_" + options_.host_key_types.front())) text += "PerSourcePenalties no\n";
  // bash reads ~/.bashrc when sshd starts it, and what stands there may take its time: `pyenv init` waits up to 60 s for a lock that another login, cut off by a test,
  // has left behind.
  auto environment = options_.environment;
  environment.emplace("HOME", directory_.path());
  text += "SetEnv";
  for (const auto& [name, value] : environment) text += fmt::format(" \"{}={}\"", name, value);
  text += '\n';
  write_text(configuration_file(), text + options_.configuration);
}

bool Sshd::start() {
  write_text(directory_ / "log", "");
  process_.emplace(std::vector<std::string>{sshd_path, "-D", "-e", "-f", configuration_file()}, directory_ / "log");
  auto deadline = util::Deadline::in(60s);
  while (!deadline.passed()) {
    if (log().find("Server listening on") != std::string::npos) return true;
    if (process_->ended()) return false;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

void Sshd::start_again() {
  if (!start()) throw std::runtime_error("sshd does not start again:\n" + log());
}

std::vector<pid_t> Sshd::running(const std::string& program) const {
  auto pids = process_->descendants();
  std::erase_if(pids, [&](pid_t pid) {
    std::error_code gone;
    return fs::read_symlink(fmt::format("/proc/{}/exe", pid), gone) != program;
  });
  return pids;
}

std::string Sshd::log() const {
  return read_text(directory_ / "log");
}

std::string Sshd::host_public_key(const std::string& type) const {
  auto line = read_text(directory_ / "host_" + type + ".pub");
  auto parts = util::split(line, ' ');
  return std::string(parts.at(0)) + " " + std::string(parts.at(1));
}

std::string Sshd::known_hosts_line(const std::string& type) const {
  return fmt::format("[{}]:{} {}\n", options_.address, port_, host_public_key(type));
}

}  // namespace gsync::test
