#pragma once
#include <string>

#include "apply.hpp"
#include "gsync/model/pair.hpp"
#include "gsync/replica/state_store.hpp"

namespace gsync::pihole {

/// The books of this node's pairs, in the state database. `name` is this node's.
model::PairBook pair_book(replica::StateStore& state, const std::string& name);

/// The node's part in an interrupted sync with `peer`: model::Node::catch_up.
void catch_up(const Parts& parts, const std::string& peer, const model::Records& records);

/// To be called when another file may be live: if `pihole -g` put it there, that is remembered until bring_back(), with the lists that are
/// in it at first sight.
void notice_gravity_swap(replica::StateStore& state, const std::string& live_path, const replica::Identity& before,
                         const replica::Identity& now, const model::Lists& lists);

/// Whether one is remembered.
bool gravity_swap_is_noticed(const replica::StateStore& state);

/// To be called before what is live is kept as a version, or becomes what a pair agrees on: if `pihole -g` has begun and has not ended, these
/// may hold edits that it has not copied.
void note_gravity_meanwhile(replica::StateStore& state, const Installation& installation);

/// What was published and edited while `pihole -g` ran is not in what it put in the place of live, but in the database that it moved away:
/// publishes it again, if that is still there. Needs the lock. True when it may have. To be called before anything is published over what
/// `pihole -g` made: see AfterGravity.
bool bring_back(const Parts& parts, const model::Records& records);

}  // namespace gsync::pihole
