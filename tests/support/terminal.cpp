#include "support/terminal.hpp"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>

#include "gsync/util/deadline.hpp"

namespace gsync::test {
namespace {

constexpr std::chrono::minutes patience{3};

}  // namespace

Terminal::Terminal(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<char*> arguments;
  std::vector<char*> all;
  for (const auto& word : argv) arguments.push_back(const_cast<char*>(word.c_str()));
  for (const auto& variable : variables) all.push_back(const_cast<char*>(variable.c_str()));
  arguments.push_back(nullptr);
  all.push_back(nullptr);
  int master = -1;
  pid_ = ::forkpty(&master, nullptr, nullptr, nullptr);
  if (pid_ < 0) throw std::runtime_error("no terminal can be made here");
  if (pid_ == 0) {
    ::execve(arguments[0], arguments.data(), all.data());
    ::_exit(127);
  }
  terminal_ = util::Fd(master);
}

Terminal::~Terminal() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

bool Terminal::read_more() {
  char buffer[4096];
  pollfd p{terminal_.get(), POLLIN, 0};
  if (::poll(&p, 1, 1'000) < 0) return errno == EINTR;
  if (p.revents == 0) return true;
  const auto n = ::read(terminal_.get(), buffer, sizeof buffer);
  if (n > 0) shown_.append(buffer, static_cast<std::size_t>(n));
  // EIO: nobody has the other end any more.
  return n > 0 || (n < 0 && errno == EINTR);
}

bool Terminal::answer(const std::string& question, const std::string& line) {
  const auto deadline = util::Deadline::in(patience);
  for (;;) {
    const auto at = shown_.find(question, answered_);
    if (at != std::string::npos) {
      answered_ = at + question.size();
      const auto typed = line + "\n";
      return ::write(terminal_.get(), typed.data(), typed.size()) == static_cast<ssize_t>(typed.size());
    }
    if (deadline.passed() || !read_more()) return false;
  }
}

int Terminal::wait() {
  const auto deadline = util::Deadline::in(patience);
  while (!deadline.passed() && read_more()) {
  }
  int status = 0;
  if (deadline.passed() || ::waitpid(pid_, &status, 0) != pid_) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace gsync::test
