#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gsync::test {

// As much of RFC 1035 as a stub resolver and a small server over UDP need.

inline constexpr std::uint16_t dns_type_a = 1;
inline constexpr std::uint16_t dns_type_txt = 16;

using DnsBytes = std::vector<std::uint8_t>;

DnsBytes dns_query(std::uint16_t id, const std::string& name, std::uint16_t type = dns_type_a);

struct DnsQuestion {
  std::uint16_t id = 0;
  std::string name;  ///< lower case, no dot at the end
  std::uint16_t type = 0;
  std::size_t end = 0;  ///< of the question in the message
};
/// nullopt for what is not a query with one question.
std::optional<DnsQuestion> parse_query(std::span<const std::uint8_t> message);

/// An answer to `query`, whose question was parsed. Each of `data` is the data of one record of the question's type.
DnsBytes dns_reply(std::span<const std::uint8_t> query, const DnsQuestion& question, const std::vector<DnsBytes>& data);

struct DnsReply {
  std::uint16_t id = 0;
  int rcode = 0;
  std::vector<std::string> addresses;  ///< of A records
  std::vector<std::string> texts;      ///< the character strings of TXT records
};
std::optional<DnsReply> parse_reply(std::span<const std::uint8_t> message);

}  // namespace gsync::test
