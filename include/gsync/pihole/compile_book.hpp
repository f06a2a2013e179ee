#pragma once
#include <vector>

#include "gsync/model/uncompiled.hpp"
#include "gsync/replica/state_store.hpp"
#include "gsync/util/clock.hpp"

namespace gsync::pihole {

/// What was said and done about adlists that nobody has compiled, so that each is told of once and `pihole -g` is not started for it again
/// and again. Kept in the state database; processes share it.
class CompileBook {
 public:
  CompileBook(replica::StateStore& state, util::Clock& clock) : state_(state), clock_(clock) {}

  /// Those of `uncompiled` that nobody was told of yet, who are told now. What is not in `here`, all of this node's, is forgotten: it is
  /// news when it comes back.
  model::Uncompiled tell(const model::Uncompiled& uncompiled, const model::Uncompiled& here);

  /// Those for which `pihole -g` should run here: not tried for a day, and not left to another node.
  model::Uncompiled untried(const model::Uncompiled& uncompiled) const;
  /// The node that they came from runs `pihole -g` itself. If nothing has come of it after a week, in which Pi-hole runs it anyway, they
  /// are tried here.
  void leave_to_others(const model::Uncompiled& uncompiled);
  /// `pihole -g` is about to run; if nobody says how it ended, it may be tried again after an hour.
  void begin(const model::Uncompiled& uncompiled);
  /// It has run. What of that is still uncompiled is not tried again for a day.
  void end(const model::Uncompiled& uncompiled);

 private:
  void set(const model::Uncompiled& uncompiled, std::int64_t seconds);

  replica::StateStore& state_;
  util::Clock& clock_;
};

}  // namespace gsync::pihole
