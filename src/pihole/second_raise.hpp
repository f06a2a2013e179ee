#pragma once
#include <functional>

#include "apply.hpp"

namespace gsync::pihole {

/// What is live after a second raise, and whether the shadow is the version that was published first.
struct RaisedAgain {
  LiveContent content;
  bool kept = false;
  bool edited = false;  ///< somebody wrote to that, in spite of the lock, when it had been replaced
};

/// Publishes live once more, with nothing changed but a higher info.updated. The poll of FTL 6 only notes the first value that it ever sees (PIHOLE.md §7): of a live file that had none before, or that was published just after FTL had started, it
/// serves the version before until there is a second raise, more than a second later.
///
/// `live` is what was published; whoever still reads the version before it keeps it, and the caller goes on keeping writers off it. `before_exchange` is told what will be live. Errors as those of a publish, and then live is as it was; Error{conflict} when
/// somebody edited it meanwhile.
RaisedAgain raise_again(const Parts& parts, const LiveContent& live, const replica::PublishHooks& hooks,
                        const std::function<void(const replica::Identity&)>& before_exchange);

}  // namespace gsync::pihole
