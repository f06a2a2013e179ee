#pragma once
#include <optional>

#include "gsync/config/config.hpp"
#include "gsync/model/node.hpp"
#include "gsync/pihole/ftl.hpp"
#include "gsync/replica/publish.hpp"
#include "live_state.hpp"
#include "record_access.hpp"

namespace gsync::pihole {

/// What a node here is made of.
struct Parts {
  std::string name;
  const Installation& installation;
  const config::Config& config;
  replica::StateStore& state;
  util::Clock& clock;
  replica::LiveFile& live;
  replica::Shadow& shadow;
  LiveState& live_state;
  RecordAccess& records;
  RootActions* root;  ///< null where nobody has root's rights, and on a Pi-hole 6
};

/// What is made of a database that `pihole -g` has put there. What that lost is found by what was live before: a row of ours that comes in
/// between is not in it, and would look as if somebody had deleted it there.
enum class AfterGravity : unsigned char {
  bring_back_first,  ///< else Error{conflict}
  anyway,            ///< by bring_back() itself, and edits of this host's people, which no pair has agreed on
};

/// Carries out one Change under the node's lock: check, build in the shadow, check again, publish, FTL, records, history.
model::ApplyReport apply_change(const Parts& parts, const model::Change& change, const model::Records& records_before,
                                model::BlocklistReader* rows, util::ByteReader* copy, AfterGravity after_gravity = AfterGravity::bring_back_first);

/// Finishes what a crash in the middle of a publish has left in the books: the history line is written if the exchange happened, and
/// forgotten if not.
void finish_interrupted(const Parts& parts);

}  // namespace gsync::pihole
