#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "ask.hpp"
#include "commands.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/setup/purge.hpp"

namespace gsync::cli {

ExitCode run_purge(const Invocation& invocation, Output& output) {
  if (::geteuid() != 0) throw Error(ErrorCode::refused, "only root takes gravity-sync away", "run: sudo gravity-sync purge");
  const auto config = config::load(invocation.config);
  std::optional<pihole::Installation> installation;
  try {
    installation = pihole::detect(config.pihole);
  } catch (const Error& error) {
    output.warn(fmt::format("no Pi-hole was found, so nothing beside a gravity.db is removed: {}", error.what()));
  }
  const auto* there = installation ? &*installation : nullptr;
  output.step("This goes, and does not come back:");
  for (const auto& line : setup::what_goes(config, there)) output.step("  " + line);
  if (!invocation.yes) {
    if (!can_ask()) throw Error(ErrorCode::refused, "nobody is there to be asked", "say --yes");
    if (!confirm(output, "Take all of it away?")) throw Error(ErrorCode::cancelled, "nothing was changed");
  }
  const auto left = setup::purge(config, there, [&](const std::string& step) { output.step(step); });
  for (const auto& line : left) output.warn("left: " + line);
  if (left.empty()) output.done("gravity-sync is gone from this host, but for its program; Pi-hole is as it was");
  return left.empty() ? ExitCode::done : ExitCode::failed;
}

}  // namespace gsync::cli
