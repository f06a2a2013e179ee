#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gsync::pihole {

/// A DNS query (RFC 1035 §4.1) for the A record of `name`, with recursion desired.
std::string dns_query(std::uint16_t id, std::string_view name);

/// `packet` is a response to exactly this query: its id, the QR bit, one question, the same one. Any result code counts: who refuses lives
/// too.
bool answers_query(std::string_view packet, std::string_view query);

}  // namespace gsync::pihole
