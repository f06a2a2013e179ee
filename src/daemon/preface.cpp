#include "preface.hpp"

#include <fmt/format.h>

#include <array>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::daemon {
namespace {

constexpr std::string_view word = "gravity-sync-agent";
constexpr std::size_t longest = 512;

[[noreturn]] void wrong(const std::string& line) {
  throw Error(ErrorCode::protocol,
              fmt::format("what connected to agent.sock is not gravity-sync's agent: it said '{}'", util::printable(line)));
}

}  // namespace

std::string to_line(const Preface& preface) {
  return fmt::format("{} {} {}\n", word, preface.read_only ? "read-only" : "read-write", preface.peer);
}

Preface read_preface(util::ByteStream& stream, util::Deadline deadline) {
  std::string line;
  for (;;) {
    std::array<std::byte, 1> byte{};
    if (stream.read(byte, deadline) == 0) wrong(line);
    const auto c = static_cast<char>(byte[0]);
    if (c == '\n') break;
    line += c;
    if (line.size() > longest) wrong(line);
  }
  const auto words = util::split(line, ' ');
  if (words.size() != 3 || words[0] != word || (words[1] != "read-only" && words[1] != "read-write")) wrong(line);
  return {std::string(words[2]), words[1] == "read-only"};
}

}  // namespace gsync::daemon
