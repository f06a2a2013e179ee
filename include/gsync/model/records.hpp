#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gsync::model {

/// Local DNS names, CNAMEs and static DHCP hosts: dns.hosts, dns.cnameRecords and dhcp.hosts of v6, three files of v5. And what else of
/// v6's pihole.toml travels, see setting.hpp.
enum class RecordKind : std::uint8_t { dns, cname, dhcp, setting };
constexpr RecordKind last_of(RecordKind) {
  return RecordKind::setting;
}
inline constexpr std::array record_kinds{RecordKind::dns, RecordKind::cname, RecordKind::dhcp, RecordKind::setting};
constexpr std::size_t index_of(RecordKind kind) { return static_cast<std::size_t>(kind); }
/// One of each kind.
template <class T>
using PerKind = std::array<T, record_kinds.size()>;
std::string_view to_string(RecordKind kind);  ///< "dns", "cname", "dhcp", "settings"
std::string_view plural_of(RecordKind kind);  ///< "dns records", "settings"

/// The lines of one kind, in their order (dnsmasq answers in it), in canonical form. v6's form is the common one: "IP name [name…] [#
/// comment]", "alias[,alias…],target[,TTL]", what stands after "dhcp-host=". Settings are sorted.
using RecordLines = std::vector<std::string>;

/// nullopt where this node cannot give or take that kind (its reason is in NodeInfo).
using Records = PerKind<std::optional<RecordLines>>;

/// Parses one record by our own grammar and gives its canonical form (single spaces, names in lower case, addresses as written). It is what stands between a peer and
/// dnsmasq's configuration, where a newline begins a new directive: control characters, anything outside printable ASCII in a dns or cname or dhcp record's
/// significant part, and every construct that is not listed in `src/model/records.cpp` are refused. Comments (" # text", dns only) may be UTF-8.
/// Error{refused} that names the record (made printable) and what is wrong with it.
std::string parse_record(RecordKind kind, std::string_view line);

/// parse_record for each line, and no more than 10,000 lines of at most 1,024 bytes. cname: no alias twice, no alias that leads back to
/// itself. Settings: no key twice; they come out in their order.
RecordLines parse_records(RecordKind kind, const RecordLines& lines);

}  // namespace gsync::model
