#include "gsync/model/blocklist.hpp"

#include <map>

#include "gsync/util/codec.hpp"

namespace gsync::model {

Digest digest_of(const Blocklist& blocklist) {
  // An adlist without rows blocks nothing, whether it was compiled or not, so it counts as absent.
  std::map<RowKey, SetDigest> sets;
  for (const auto& state : blocklist)
    if (state.rows.count != 0) sets.emplace(state.key, state.rows);
  util::Encoder encoder;
  encoder(sets);
  return digest_of(encoder.bytes());
}

}  // namespace gsync::model
