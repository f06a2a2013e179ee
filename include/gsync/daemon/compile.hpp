#pragma once
#include <chrono>

#include "gsync/model/node.hpp"
#include "gsync/pihole/compile_book.hpp"
#include "gsync/pihole/gravity_command.hpp"
#include "gsync/util/clock.hpp"

namespace gsync::daemon {

/// What the process that runs `pihole -g` works with. References must outlive it.
struct CompilerParts {
  model::Node& here;
  const pihole::Installation& installation;
  pihole::RootActions* root;
  pihole::CompileBook book;
  std::chrono::milliseconds lock_deadline;
  util::Clock& clock;
};

/// Runs `pihole -g` where adlists are uncompiled that it was not run for yet, and reports how it ended. It is Pi-hole's own program and is
/// not stopped half-way: SIGTERM, and the end of the daemon, wait for it. Error{busy} when another run does not let go of the node.
void run_compiler(const CompilerParts& parts);

}  // namespace gsync::daemon
