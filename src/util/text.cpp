#include "gsync/util/text.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>

#include "gsync/util/error.hpp"

namespace gsync::util {
namespace {

constexpr char digits[] = "0123456789abcdef";

/// The length of the well-formed UTF-8 sequence at the front (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF), and its
/// code point; 0 if there is none.
std::size_t utf8_at(std::string_view s, std::uint32_t& code) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  auto first = byte(0);
  std::size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0 || length > s.size()) return 0;
  code = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3Fu);
  }
  if (length == 3 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF))) return 0;
  if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return 0;
  return length;
}

/// Controls of the terminal, and those that turn the direction of writing and so can show a name as another one.
bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

/// Edit distance in which exchanging two neighbours counts as one edit.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (auto b : bytes) {
    out.push_back(digits[b >> 4]);
    out.push_back(digits[b & 15]);
  }
  return out;
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return plural(bytes, "byte");
  constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  // 999.95 would be printed as 1000.0.
  while (value >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string human_time(std::int64_t unix_time) {
  if (unix_time == 0) return "never";
  auto time = static_cast<std::time_t>(unix_time);
  std::tm local{};
  if (!::localtime_r(&time, &local)) return fmt::format("@{}", unix_time);
  char text[64];
  auto n = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return std::string(text, n);
}

std::optional<std::int64_t> parse_time(std::string_view text, std::int64_t now) {
  text = trim(text);
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end + 1 == text.data() + text.size() && count >= 0 && count < 1'000'000) {
    for (auto [unit, seconds] : {std::pair{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}}) {
      if (*end == unit) return now - count * seconds;
    }
    return std::nullopt;
  }
  for (const char* format : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm local{};
    local.tm_isdst = -1;
    const std::string whole(text);
    const char* rest = ::strptime(whole.c_str(), format, &local);
    if (rest != nullptr && *rest == '\0') return std::mktime(&local);
  }
  return std::nullopt;
}

std::string printable(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    std::uint32_t code = 0;
    auto length = utf8_at(bytes, code);
    auto taken = std::max<std::size_t>(length, 1);
    if (length > 0 && !is_control(code)) {
      out += bytes.substr(0, taken);
    } else {
      for (auto c : bytes.substr(0, taken)) {
        auto b = static_cast<unsigned char>(c);
        out += "\\x";
        out.push_back(digits[b >> 4]);
        out.push_back(digits[b & 15]);
      }
    }
    bytes.remove_prefix(taken);
  }
  return out;
}

std::string plural(std::uint64_t count, std::string_view singular, std::string_view plural_form) {
  if (count == 1) return fmt::format("1 {}", singular);
  return plural_form.empty() ? fmt::format("{} {}s", count, singular) : fmt::format("{} {}", count, plural_form);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view white = " \t\r\n\v\f";
  auto first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  auto limit = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (auto candidate : candidates) {
    auto d = distance(word, candidate);
    if (d < limit && d < std::max(word.size(), candidate.size())) {
      best = candidate;
      limit = d;
    }
  }
  return std::string(best);
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> data(bytes);
  std::size_t have = 0;
  while (have < bytes) {
    auto n = ::getrandom(data.data() + have, bytes - have, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno(errno, "cannot get random bytes");
    }
    have += static_cast<std::size_t>(n);
  }
  return to_hex(data);
}

}  // namespace gsync::util
