#include "dns_question.hpp"

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t header_bytes = 12;

void put16(std::string& out, unsigned value) {
  out.push_back(static_cast<char>(value >> 8 & 0xff));
  out.push_back(static_cast<char>(value & 0xff));
}

}  // namespace

std::string dns_query(std::uint16_t id, std::string_view name) {
  std::string packet;
  put16(packet, id);
  put16(packet, 0x0100);  // a standard query, recursion desired
  put16(packet, 1);       // one question and nothing else
  packet.append(6, '\0');
  for (auto label : util::split(name, '.')) {
    GSYNC_ASSERT(!label.empty() && label.size() < 64);
    packet.push_back(static_cast<char>(label.size()));
    packet += label;
  }
  packet.push_back('\0');
  put16(packet, 1);  // A
  put16(packet, 1);  // IN
  return packet;
}

bool answers_query(std::string_view packet, std::string_view query) {
  if (packet.size() < query.size() || query.size() < header_bytes) return false;
  const bool response = (static_cast<unsigned char>(packet[2]) & 0x80) != 0;
  const bool same_id = packet.substr(0, 2) == query.substr(0, 2);
  const bool one_question = packet.substr(4, 2) == query.substr(4, 2);
  const auto question = query.substr(header_bytes);
  return response && same_id && one_question && packet.substr(header_bytes, question.size()) == question;
}

}  // namespace gsync::pihole
