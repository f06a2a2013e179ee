#include "ask.hpp"

#include <fmt/format.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "gsync/util/text.hpp"

namespace gsync::cli {

bool can_ask() {
  return ::isatty(0) == 1 && ::isatty(2) == 1;
}

namespace {

/// What is typed, without the end of the line.
void read_line(std::string& line) {
  constexpr std::size_t longest = 4096;
  // Never moved while it grows: a secret would stay where it was.
  line.reserve(longest);
  char c = 0;
  // Byte by byte: what is typed ahead belongs to the next question.
  while (line.size() < longest) {
    const auto n = ::read(0, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Error(ErrorCode::cancelled, "there was no answer", "nothing was changed");
    if (c == '\n') break;
    line += c;
  }
}

}  // namespace

std::string ask(Output& output, const std::string& question, const std::string& otherwise) {
  output.step(otherwise.empty() ? question : fmt::format("{} [{}]", question, otherwise));
  std::string line;
  read_line(line);
  const auto answer = std::string(util::trim(line));
  return answer.empty() ? otherwise : answer;
}

std::string ask_secret(Output& output, const std::string& question) {
  termios before{};
  if (::tcgetattr(0, &before) != 0) throw_errno(errno, "cannot turn the terminal's echo off");
  auto silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(0, TCSAFLUSH, &silent);
  std::string secret;
  try {
    output.step(question);
    read_line(secret);
  } catch (...) {
    ::tcsetattr(0, TCSAFLUSH, &before);
    ::explicit_bzero(secret.data(), secret.size());
    throw;
  }
  ::tcsetattr(0, TCSAFLUSH, &before);
  return secret;
}

bool confirm(Output& output, const std::string& question) {
  return ask(output, question + " (yes or no)", "no") == "yes";
}

}  // namespace gsync::cli
