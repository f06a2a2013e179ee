#pragma once
#include "gsync/model/node.hpp"
#include "gsync/sync/engine.hpp"

namespace gsync::sync {

/// Has `target` make the planned change, and brings from `source` what it needs for it: nothing, rows, or a copy of the source's database.
/// Where a copy may answer the wishes (Plan::by_copy) that is tried first, and given up for rows when the link turns out too slow for it or
/// the copy is not one that the target can take; and whole sets where changes of sets turn out not to fit. Nothing has changed on the
/// target by then. Needs both nodes' locks. Errors as Node::apply() and the source's readers.
model::ApplyReport deliver(const model::Plan& plan, model::Node& source, model::Node& target, const Options& options);

}  // namespace gsync::sync
