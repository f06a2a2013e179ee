#include "support/dns_message.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gsync::test {

namespace {

constexpr std::size_t header_size = 12;

void put16(DnsBytes& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8 & 0xff));
  bytes.push_back(static_cast<std::uint8_t>(value & 0xff));
}

std::uint16_t get16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

/// The name at `at`, which is moved behind it. Compressed names are skipped, not followed: only answers have them and nobody needs their
/// text.
std::optional<std::string> get_name(std::span<const std::uint8_t> bytes, std::size_t& at) {
  std::string name;
  while (at < bytes.size()) {
    const std::size_t length = bytes[at++];
    if (length == 0) return name;
    if ((length & 0xc0) == 0xc0) {
      ++at;
      return name;
    }
    if (length > 63 || at + length > bytes.size()) return std::nullopt;
    if (!name.empty()) name += '.';
    for (std::size_t i = 0; i < length; ++i) {
      const char c = static_cast<char>(bytes[at + i]);
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    at += length;
  }
  return std::nullopt;
}

}  // namespace

DnsBytes dns_query(std::uint16_t id, const std::string& name, std::uint16_t type) {
  DnsBytes bytes;
  put16(bytes, id);
  put16(bytes, 0x0100);  // recursion desired
  for (const int count : {1, 0, 0, 0}) put16(bytes, static_cast<std::size_t>(count));
  for (std::size_t at = 0; at < name.size();) {
    const auto dot = std::min(name.find('.', at), name.size());
    bytes.push_back(static_cast<std::uint8_t>(dot - at));
    bytes.insert(bytes.end(), name.begin() + static_cast<std::ptrdiff_t>(at), name.begin() + static_cast<std::ptrdiff_t>(dot));
    at = dot + 1;
  }
  bytes.push_back(0);
  put16(bytes, type);
  put16(bytes, 1);
  return bytes;
}

std::optional<DnsQuestion> parse_query(std::span<const std::uint8_t> message) {
  if (message.size() < header_size || (message[2] & 0x80) != 0 || get16(message, 4) != 1) return std::nullopt;
  DnsQuestion question;
  question.id = get16(message, 0);
  std::size_t at = header_size;
  auto name = get_name(message, at);
  if (!name || at + 4 > message.size()) return std::nullopt;
  question.name = std::move(*name);
  question.type = get16(message, at);
  question.end = at + 4;
  return question;
}

DnsBytes dns_reply(std::span<const std::uint8_t> query, const DnsQuestion& question, const std::vector<DnsBytes>& data) {
  DnsBytes bytes(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(question.end));
  bytes[2] = 0x81;
  bytes[3] = 0x80;
  std::fill(bytes.begin() + 6, bytes.begin() + header_size, std::uint8_t{0});
  bytes[6] = static_cast<std::uint8_t>(data.size() >> 8);
  bytes[7] = static_cast<std::uint8_t>(data.size() & 0xff);
  for (const auto& each : data) {
    put16(bytes, 0xc000 | header_size);  // the name of the question
    put16(bytes, question.type);
    put16(bytes, 1);
    put16(bytes, 0);
    put16(bytes, 2);  // seconds to live
    put16(bytes, each.size());
    bytes.insert(bytes.end(), each.begin(), each.end());
  }
  return bytes;
}

std::optional<DnsReply> parse_reply(std::span<const std::uint8_t> message) {
  if (message.size() < header_size || (message[2] & 0x80) == 0) return std::nullopt;
  DnsReply reply;
  reply.id = get16(message, 0);
  reply.rcode = message[3] & 0x0f;
  std::size_t at = header_size;
  for (int i = get16(message, 4); i > 0; --i) {
    if (!get_name(message, at) || at + 4 > message.size()) return std::nullopt;
    at += 4;
  }
  for (int i = get16(message, 6); i > 0; --i) {
    if (!get_name(message, at) || at + 10 > message.size()) return std::nullopt;
    const auto type = get16(message, at);
    const std::size_t length = get16(message, at + 8);
    at += 10;
    if (at + length > message.size()) return std::nullopt;
    if (type == dns_type_a && length == 4)
      reply.addresses.push_back(fmt::format("{}.{}.{}.{}", message[at], message[at + 1], message[at + 2], message[at + 3]));
    for (std::size_t text = at; type == dns_type_txt && text < at + length; text += 1u + message[text])
      reply.texts.emplace_back(message.begin() + static_cast<std::ptrdiff_t>(text) + 1,
                               message.begin() + static_cast<std::ptrdiff_t>(std::min(text + 1 + message[text], at + length)));
    at += length;
  }
  return reply;
}

}  // namespace gsync::test
