#pragma once
#include <cstdint>
#include <span>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gsync::util {

std::string to_hex(std::span<const std::uint8_t> bytes);
/// "34.2 MB", decimal units as disks and networks are sold.
std::string human_bytes(std::uint64_t bytes);
/// "2026-11-23 14:05:09" in local time; "never" for 0.
std::string human_time(std::int64_t unix_time);
/// The other way round, as people write it: "90m", "6h", "2d", "1w" before `now`, "2026-11-20" or "2026-11-20 18:30[:05]" in local time.
std::optional<std::int64_t> parse_time(std::string_view text, std::int64_t now);
/// Bytes that a terminal may be shown: control characters (a peer's escape sequences) and invalid UTF-8 become \xNN.
std::string printable(std::string_view bytes);
/// "1 domain", "3 domains".
std::string plural(std::uint64_t count, std::string_view singular, std::string_view plural_form = {});
std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
/// The candidate with the smallest edit distance, or empty when none is near: for "did you mean".
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);
/// `bytes` random bytes of the kernel as lower-case hex.
std::string random_hex(std::size_t bytes);

}  // namespace gsync::util
