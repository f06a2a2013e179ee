#include "gsync/pihole/gravity_command.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include "gsync/util/error.hpp"
#include "gsync/util/subprocess.hpp"

namespace gsync::pihole {
namespace {

/// Slow lines and dozens of lists.
constexpr auto limit = std::chrono::minutes(30);

bool needs_root(const Installation& installation) {
  return installation.generation == Generation::v5 && !installation.container && ::geteuid() != 0;
}

[[noreturn]] void failed(const util::CommandResult& result) {
  throw Error(ErrorCode::io, fmt::format("`pihole -g` failed with exit code {}: {}", result.exit_code, util::last_words_of(result)),
              "run it by hand");
}

/// Its script asks who it is by USER, and lets "pihole" do it without being root: so FTL starts it.
util::CommandResult run_here(const Installation& installation) {
  util::Command command;
  command.argv = {installation.pihole_command, "-g"};
  command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                         {"LANG", "C"},
                         {"TERM", "dumb"},
                         {"USER", ::geteuid() == 0 ? "root" : "pihole"}};
  command.keep_end = true;
  return util::run(command, util::Deadline::in(limit));
}

}  // namespace

std::optional<Error> why_no_gravity_run(const Installation& installation, const RootActions* root) {
  const auto refused = [](const char* why, const char* hint) { return Error(ErrorCode::refused, why, hint); };
  if (installation.container) return std::nullopt;
  if (installation.runtime == config::Runtime::volume)
    return refused("of this container only the volume is known",
                   "set [pihole] runtime to \"docker\" or \"podman\", or run `pihole -g` in it");
  if (installation.pihole_command.empty())
    return refused("there is no command pihole on this host", "set [pihole] pihole_command to where it is");
  if (needs_root(installation) && root == nullptr)
    return refused("on a Pi-hole 5 it needs root", "let root start gravity-sync, or run `pihole -g` by hand");
  return std::nullopt;
}

void run_gravity(const Installation& installation, RootActions* root) {
  if (const auto why = why_no_gravity_run(installation, root)) throw why->within("`pihole -g` cannot be started");
  if (needs_root(installation)) return root->run(PiholeCommand::update_gravity, util::Deadline::in(limit));
  const auto result = installation.container ? installation.container->run({Container::Action::update_gravity}, util::Deadline::in(limit))
                                             : run_here(installation);
  if (result.exit_code != 0) failed(result);
}

std::optional<CompileRun> compile_untried(model::Node& here, const Installation& installation, RootActions* root, CompileBook& book,
                                          util::Deadline lock_deadline) {
  CompileRun run;
  run.wanted = book.untried(here.lock(lock_deadline).uncompiled);
  here.unlock();
  if (run.wanted.empty()) return std::nullopt;
  book.begin(run.wanted);
  try {
    run_gravity(installation, root);
  } catch (const Error&) {
    book.end(run.wanted);
    throw;
  }
  book.end(run.wanted);
  for (const auto& adlist : here.describe().uncompiled.adlists)
    if (run.wanted.names(adlist.key)) run.left.add(adlist);
  return run;
}

}  // namespace gsync::pihole
