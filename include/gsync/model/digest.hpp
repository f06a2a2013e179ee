#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gsync/model/lists.hpp"
#include "gsync/model/records.hpp"

namespace gsync::model {

/// 128 bits of XXH3: recognises equality, proves nothing against somebody who forges. A peer may set our lists anyway.
struct Digest {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Digest&) const = default;
  bool operator==(const Digest&) const = default;
};
std::string to_string(const Digest& digest);  ///< 32 hex digits
Digest digest_of(std::string_view bytes);

/// Every field that a person sets, in canonical order; no ids, no dates, nothing that `pihole -g` writes.
Digest digest_of(const Lists& lists);
Digest digest_of(const RecordLines& lines);
/// As in Digests.
PerKind<std::optional<Digest>> digests_of(const Records& records);

/// The digest of a set of domains, independent of order and changed by one addition per domain, so that its cost grows with the change and not with the set: the number
/// of members and the sum modulo 2^128 of their hashes.
struct SetDigest {
  std::uint64_t count = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  void add(std::string_view domain);
  void remove(std::string_view domain);  ///< of a member
  auto operator<=>(const SetDigest&) const = default;
  bool operator==(const SetDigest&) const = default;
};

/// What two nodes compare first.
struct Digests {
  Digest lists;
  Digest blocklist;                               ///< of the AdlistStates of blocklist.hpp
  PerKind<std::optional<Digest>> records;         ///< nullopt where not available
  auto operator<=>(const Digests&) const = default;
  bool operator==(const Digests&) const = default;
};

template <class Archive>
void fields(Archive& a, Digest& d) {
  a(d.bytes);
}
template <class Archive>
void fields(Archive& a, SetDigest& d) {
  a(d.count, d.low, d.high);
}
template <class Archive>
void fields(Archive& a, Digests& d) {
  a(d.lists, d.blocklist, d.records);
}

}  // namespace gsync::model
