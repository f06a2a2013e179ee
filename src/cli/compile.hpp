#pragma once
#include "context.hpp"
#include "gsync/model/uncompiled.hpp"

namespace gsync::cli {

/// At the end of a run: names the adlists that no Pi-hole has compiled and that nobody was told of yet, and runs `pihole -g` here if
/// [sync] run_gravity says so and it was not tried for them. What it compiles goes to the peers with the next run. Its failure is a
/// warning: the run itself is done.
void look_after_uncompiled(Context& context, const model::Uncompiled& uncompiled);

}  // namespace gsync::cli
