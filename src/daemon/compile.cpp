#include "gsync/daemon/compile.hpp"

#include <fmt/core.h>

#include "child.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "signals.hpp"

namespace gsync::daemon {
namespace {

Event event(const CompilerParts& parts, Level level, std::string text, std::string hint = {}) {
  return {parts.clock.unix_time(), level, "gravity", {}, std::move(text), std::move(hint)};
}

}  // namespace

void run_compiler(const CompilerParts& parts) {
  const TermWaits term;
  const util::Fd control(Child::control_fd);
  Report report;
  try {
    auto book = parts.book;
    const auto run = pihole::compile_untried(parts.here, parts.installation, parts.root, book, util::Deadline::in(parts.lock_deadline));
    if (!run) return;
    const auto compiled = run->wanted.count - run->left.count;
    report.events.push_back(event(parts, Level::info, fmt::format("`pihole -g` has compiled {}", util::plural(compiled, "new adlist"))));
    if (!run->left.empty()) report.events.push_back(event(parts, Level::warning, model::to_text(run->left), model::what_to_do(run->left)));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::busy) throw;
    report.gravity_problem = error.what();
    report.events.push_back(event(parts, Level::error, error.what(), error.hint()));
  }
  send(control, report);
}

}  // namespace gsync::daemon
