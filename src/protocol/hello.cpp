#include "hello.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::protocol {
namespace {

constexpr std::string_view greeting_word = "gravity-sync ";
constexpr std::size_t max_line = 64u << 10;
constexpr std::size_t max_shown = 200;
/// How long the rest of a line that cannot be a hello is worth waiting for.
constexpr std::chrono::milliseconds patience_with_junk{1'000};

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '+' ||
         c == '~';
}

std::string encoded(std::string_view text, std::size_t limit) {
  std::string out;
  for (char c : text.substr(0, limit)) {
    if (plain(c))
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.front() != '%') {
      if (!plain(text.front())) return std::nullopt;
      out.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    unsigned value = 0;
    if (text.size() < 3 || std::from_chars(text.data() + 1, text.data() + 3, value, 16).ptr != text.data() + 3) return std::nullopt;
    out.push_back(static_cast<char>(value));
    text.remove_prefix(3);
  }
  return util::printable(out);
}

constexpr std::string_view settings_word = "settings:";
constexpr std::string_view time_word = "time:";
constexpr std::string_view gravity_word = "gravity:weekly";
constexpr std::size_t max_settings = 200;

std::string encoded(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out.append(out.empty() ? "" : ",").append(encoded(text, model::KeepLocal::max_length));
  return out;
}

/// The last words, with a blank in front.
std::string encoded(const model::KeepLocal& keep) {
  std::string out;
  if (const auto patterns = keep.patterns(); !patterns.empty()) out.append(" ").append(encoded(patterns));
  if (keep.settings() && !keep.settings()->empty()) out.append(" ").append(settings_word).append(encoded(*keep.settings()));
  return out;
}

std::optional<std::vector<std::string>> decoded_texts(std::string_view text) {
  std::vector<std::string> texts;
  for (auto part : util::split(text, ',')) {
    auto decoded_part = decoded(part);
    if (!decoded_part) return std::nullopt;
    texts.push_back(*decoded_part);
  }
  return texts;
}

/// The words behind the name. False for what cannot stand there.
bool take_last_words(std::span<const std::string_view> words, Hello& hello) {
  std::vector<std::string> patterns;
  std::vector<std::string> settings;
  for (std::size_t i = 0; i < words.size(); ++i) {
    auto word = words[i];
    if (word.starts_with(settings_word)) {
      auto keys = decoded_texts(word.substr(settings_word.size()));
      if (!keys || keys->size() > max_settings) return false;
      settings = std::move(*keys);
    } else if (word.starts_with(time_word)) {
      word.remove_prefix(time_word.size());
      auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), hello.time);
      if (error != std::errc() || end != word.data() + word.size() || hello.time < 0) return false;
    } else if (word == gravity_word) {
      hello.weekly_gravity = true;
    } else {
      auto texts = decoded_texts(word);
      if (!texts || i != 0) return false;
      patterns = std::move(*texts);
    }
  }
  try {
    hello.keep_local = model::KeepLocal(patterns).but_settings(std::move(settings));
  } catch (const Error&) {
    return false;
  }
  return true;
}

/// nullopt for what is no hello of any version. Of another version's hello only the first three words are understood, and that much will
/// stay.
std::optional<Hello> parse_hello(std::string_view line) {
  auto words = util::split(line, ' ');
  if (words.size() < 3 || words[0] != "gravity-sync") return std::nullopt;
  Hello hello;
  auto number = words[1];
  if (number.empty() || number.size() > 9) return std::nullopt;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), hello.protocol);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  auto software = decoded(words[2]);
  if (!software) return std::nullopt;
  hello.software = *software;
  if (hello.protocol != protocol_version) return hello;
  if (words.size() < 5) return std::nullopt;
  auto node_id = decoded(words[3]);
  auto name = decoded(words[4]);
  if (!node_id || !name) return std::nullopt;
  hello.node_id = *node_id;
  hello.name = *name;
  if (!take_last_words(std::span(words).subspan(5), hello)) return std::nullopt;
  return hello;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Reads until a whole line is there, or until it is certain that none will come.
struct FirstWords {
  std::string bytes;
  std::optional<Error> failure;  ///< why reading stopped, when not at the far side's end

  bool may_become_hello() const {
    auto n = std::min(bytes.size(), greeting_word.size());
    return bytes.size() <= max_line && bytes.compare(0, n, greeting_word.substr(0, n)) == 0;
  }
  bool is_beginning_of_hello() const { return !bytes.empty() && !contains(bytes, "\n") && may_become_hello(); }
  bool has_line() const { return contains(bytes, "\n") && !util::trim(std::string_view(bytes).substr(0, bytes.rfind('\n'))).empty(); }
};

FirstWords read_first_words(util::ByteStream& stream, util::Deadline deadline) {
  FirstWords words;
  std::array<std::byte, 4096> buffer{};
  try {
    while (!words.has_line() && words.bytes.size() <= max_line) {
      auto n = stream.read(buffer, words.may_become_hello() ? deadline : deadline.at_most(patience_with_junk));
      if (n == 0) break;
      words.bytes.append(reinterpret_cast<const char*>(buffer.data()), n);
    }
  } catch (const Error& error) {
    words.failure = error;
  }
  return words;
}

/// The first line with something in it, as a terminal may be shown it.
std::string first_line(std::string_view bytes) {
  auto start = bytes.find_first_not_of("\r\n");
  if (start == std::string_view::npos) return {};
  bytes.remove_prefix(start);
  auto shown = util::printable(bytes.substr(0, std::min(bytes.find_first_of("\r\n"), max_shown)));
  if (shown.size() > max_shown) shown.resize(max_shown);
  return shown;
}

/// What to try, from what shells, login programs and a daemon that is full are known to say.
std::string hint_for(std::string_view said, std::string_view peer, Side side) {
  if (side == Side::agent) return "only gravity-sync on the other host can talk to this command; run `gravity-sync pull` or `push` there";
  if (contains(said, "not available"))
    return fmt::format(
        "the account on {} has a login shell that refuses everybody (nologin); a forced command needs a real one: usermod --shell /bin/sh "
        "ACCOUNT",
        peer);
  if (contains(said, "not found") || contains(said, "No such file"))
    return fmt::format(
        "install gravity-sync on {}, or name its full path in the peer's `remote_command` (under a forced command: in authorized_keys "
        "there)",
        peer);
  if (contains(said, "ermission denied"))
    return fmt::format("the account on {} may not run gravity-sync; check the mode of the binary and of the directories above it", peer);
  if (contains(said, "takes no more")) return fmt::format("take another Pi-hole that follows {} as the peer of this one", peer);
  if (contains(said, "does not answer"))
    return fmt::format(
        "the service on {} listens, and does not start or hangs: see there what `sudo gravity-sync doctor` and `journalctl -u "
        "gravity-sync` say",
        peer);
  if (said.empty())
    return fmt::format(
        "see what `ssh {} gravity-sync version` says, and check the forced command in authorized_keys there: it must run `gravity-sync "
        "agent`",
        peer);
  return fmt::format(
      "something on {} speaks before gravity-sync does: keep the shell's start files (~/.bashrc, ~/.profile, /etc/profile) silent when "
      "they are not "
      "interactive, and check that the forced command in authorized_keys runs `gravity-sync agent`",
      peer);
}

/// Nothing came at all, and the connection stands. What runs before us is the login shell.
std::string hint_for_silence(std::string_view peer) {
  return fmt::format(
      "see how long `ssh {0} true` takes: the account's shell reads its start files (~/.bashrc) first, and what stands there may wait for "
      "something. If that is quick, see whether its daemon answers (`gravity-sync status` there), and check the forced command in "
      "authorized_keys: it must "
      "run `gravity-sync agent`",
      peer);
}

[[noreturn]] void report_junk(util::ByteStream& stream, const FirstWords& words, const Limits& limits, std::string_view peer, Side side) {
  const auto line = words.is_beginning_of_hello() ? std::string() : first_line(words.bytes);
  auto diagnostics = stream.diagnostics();
  auto stderr_line = util::printable(util::trim(diagnostics).substr(0, 2 * max_shown));
  const auto said = line.empty() || stderr_line.empty() ? line + stderr_line : line + " " + stderr_line;
  const auto hint = hint_for(said, peer, side);
  const auto wrote = stderr_line.empty() ? std::string() : fmt::format("; on its standard error: \"{}\"", stderr_line);
  if (!line.empty())
    throw Error(ErrorCode::protocol,
                fmt::format("{} did not answer as gravity-sync does. The first line from there: \"{}\"{}", peer, line, wrote), hint);
  if (words.failure && words.failure->code() == ErrorCode::timeout)
    throw Error(
        ErrorCode::timeout,
        fmt::format("{} did not introduce itself within {:g} s{}", peer, std::chrono::duration<double>(limits.connect).count(), wrote),
        said.empty() && side == Side::client ? hint_for_silence(peer) : hint);
  // A command that ended and said why is no lost connection, whichever of the two we noticed first.
  if (words.failure && (wrote.empty() || words.failure->code() != ErrorCode::unreachable))
    throw Error(words.failure->code(), fmt::format("{}: {}{}", peer, words.failure->what(), wrote), hint);
  if (!words.bytes.empty())
    throw Error(ErrorCode::unreachable, fmt::format("the connection to {} ended in the middle of its first line{}", peer, wrote), hint);
  throw Error(ErrorCode::protocol, fmt::format("{} ended the connection before it said anything{}", peer, wrote), hint);
}

[[noreturn]] void report_mismatch(const Hello& ours, const Hello& theirs, std::string_view peer) {
  const auto older = theirs.protocol < ours.protocol ? std::string(peer) : "this host";
  throw Error(ErrorCode::incompatible,
              fmt::format("{} speaks protocol {} (gravity-sync {}), this host speaks {} ({})", peer, theirs.protocol, theirs.software,
                          ours.protocol, ours.software),
              fmt::format("upgrade gravity-sync on {}", older));
}

}  // namespace

std::string hello_line(const Hello& hello) {
  return fmt::format("{}{} {} {} {}{}{}{}\n", greeting_word, hello.protocol, encoded(hello.software, 32), encoded(hello.node_id, 64),
                     encoded(hello.name, 64), encoded(hello.keep_local), hello.time > 0 ? fmt::format(" {}{}", time_word, hello.time) : "",
                     hello.weekly_gravity ? fmt::format(" {}", gravity_word) : "");
}

Greeting exchange_hellos(util::ByteStream& stream, const Hello& ours, const Limits& limits, std::string_view peer, Side side,
                         std::string_view behind) {
  const auto deadline = util::Deadline::in(limits.connect);
  try {
    const auto line = hello_line(ours).append(behind);
    stream.write(std::as_bytes(std::span(line)), deadline);
  } catch (const Error& error) {
    // A far side that is gone already may have said why.
    auto words = read_first_words(stream, deadline);
    if (words.bytes.empty() && !words.failure) words.failure = error;
    report_junk(stream, words, limits, peer, side);
  }
  auto words = read_first_words(stream, deadline);
  auto end = words.bytes.find('\n');  // npos is greater than everything
  if (end > max_line) report_junk(stream, words, limits, peer, side);
  auto theirs = parse_hello(std::string_view(words.bytes).substr(0, end));
  if (!theirs) report_junk(stream, words, limits, peer, side);
  if (theirs->protocol != ours.protocol) report_mismatch(ours, *theirs, peer);
  return {std::move(*theirs), words.bytes.substr(end + 1)};
}

}  // namespace gsync::protocol
