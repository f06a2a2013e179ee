#include "gsync/model/digest.hpp"

#include <xxhash.h>

#include <algorithm>

#include "gsync/model/blocklist.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/text.hpp"

namespace gsync::model {

std::string to_string(const Digest& digest) {
  return util::to_hex(digest.bytes);
}

Digest digest_of(std::string_view bytes) {
  // The canonical form is big-endian on every machine.
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Digest digest;
  static_assert(sizeof canonical.digest == sizeof digest.bytes);
  std::copy(std::begin(canonical.digest), std::end(canonical.digest), digest.bytes.begin());
  return digest;
}

Digest digest_of(const Lists& lists) {
  util::Encoder encoder;
  encoder(static_cast<std::uint64_t>(lists.size()));
  for (const auto& [key, row] : lists) encoder(key, row.enabled, row.comment, row.title, row.groups);
  return digest_of(encoder.bytes());
}

Digest digest_of(const RecordLines& lines) {
  util::Encoder encoder;
  encoder(lines);
  return digest_of(encoder.bytes());
}

PerKind<std::optional<Digest>> digests_of(const Records& records) {
  PerKind<std::optional<Digest>> result;
  for (std::size_t i = 0; i < records.size(); ++i)
    if (records[i]) result[i] = digest_of(*records[i]);
  return result;
}

void SetDigest::add(std::string_view domain) {
  auto hash = XXH3_128bits(domain.data(), domain.size());
  ++count;
  low += hash.low64;
  high += hash.high64 + (low < hash.low64 ? 1 : 0);
}

void SetDigest::remove(std::string_view domain) {
  auto hash = XXH3_128bits(domain.data(), domain.size());
  --count;
  auto borrow = low < hash.low64 ? 1u : 0u;
  low -= hash.low64;
  high -= hash.high64 + borrow;
}

}  // namespace gsync::model
