#pragma once
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

#include "gsync/util/fd.hpp"

namespace gsync::test {

/// A second process, because POSIX locks do not exist within one. It runs a function and then ends; the two take turns through pipes. Fork
/// it before this process opens an SQLite connection of its own, or the child inherits SQLite's picture of our locks.
class Child {
 public:
  /// The child's end.
  class Side {
   public:
    Side(int in, int out) : in_(in), out_(out) {}
    /// Tells the parent how far it is.
    void say(char word) {
      if (::write(out_, &word, 1) != 1) ::_exit(3);
    }
    /// The parent's next word. Ends the child when the parent is gone.
    char wait() {
      char word = 0;
      if (::read(in_, &word, 1) != 1) ::_exit(4);
      return word;
    }

   private:
    int in_;
    int out_;
  };

  explicit Child(const std::function<void(Side&)>& work) {
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) {
      ::close(to[1]);
      ::close(from[0]);
      ::alarm(120);  // in case the parent hangs
      Side side(to[0], from[1]);
      try {
        work(side);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "in the child: %s\n", error.what());
        ::_exit(1);
      }
      ::_exit(0);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = util::Fd(to[1]);
    from_ = util::Fd(from[0]);
  }
  ~Child() {
    if (pid_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The child's next word; throws after 60 seconds, or when it has ended without one.
  char hear() {
    struct pollfd wait {
      from_.get(), POLLIN, 0
    };
    if (::poll(&wait, 1, 60'000) != 1) throw std::runtime_error("the child says nothing");
    char word = 0;
    if (::read(from_.get(), &word, 1) != 1) throw std::runtime_error("the child has ended");
    return word;
  }
  void tell(char word = 'g') {
    if (::write(to_.get(), &word, 1) != 1) throw std::runtime_error("the child does not listen");
  }
  /// Tells it to go on and waits for its answer.
  char ask(char word = 'g') {
    tell(word);
    return hear();
  }
  /// As a power cut would.
  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  /// Its exit status, or 128 + signal.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  util::Fd to_;
  util::Fd from_;
};

}  // namespace gsync::test
