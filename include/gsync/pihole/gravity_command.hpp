#pragma once
#include <optional>

#include "gsync/model/node.hpp"
#include "gsync/pihole/compile_book.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/pihole/root_actions.hpp"
#include "gsync/util/deadline.hpp"
#include "gsync/util/error.hpp"

/// Pi-hole's own program that downloads adlists and compiles them, started by us.
namespace gsync::pihole {

/// Error{refused} with what to do where `pihole -g` cannot be started from here; nullopt where it can. A Pi-hole 6 lets its own user start
/// it, as FTL's web page does; on a Pi-hole 5 it takes root, and in a container its runtime's command. `root` may be null.
std::optional<Error> why_no_gravity_run(const Installation& installation, const RootActions* root);

/// Runs it to its end. Error{io} with its last words when it failed, {timeout} after half an hour, {refused} where it cannot be started.
void run_gravity(const Installation& installation, RootActions* root);

/// What a run of it was for, and what of that it could not compile.
struct CompileRun {
  model::Uncompiled wanted;
  model::Uncompiled left;
};

/// Runs it if adlists of `here` are uncompiled which the book has not tried yet; nullopt: there were none. Waits for `here`'s lock first,
/// so that what another run publishes is compiled too, but does not hold it meanwhile. Errors as run_gravity() and Node::lock().
std::optional<CompileRun> compile_untried(model::Node& here, const Installation& installation, RootActions* root, CompileBook& book,
                                          util::Deadline lock_deadline);

}  // namespace gsync::pihole
