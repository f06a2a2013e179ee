#include <fmt/format.h>

#include "commands.hpp"
#include "gsync/setup/doctor.hpp"
#include "gsync/setup/service.hpp"
#include "own_path.hpp"

namespace gsync::cli {

ExitCode run_auto(const Invocation& invocation, Output& output) {
  const setup::Say say = [&](const std::string& step) { output.step(step); };
  if (!invocation.on) {
    setup::turn_off(say);
    output.done("gravity-sync does nothing by itself any more");
    return ExitCode::done;
  }
  const auto config = config::load(invocation.config);
  if (!setup::has_systemd()) {
    const auto table = setup::cron_table(config, own_path());
    const auto installation = pihole::detect(config.pihole);
    setup::turn_on_cron(table, say);
    for (const auto& finding : setup::check_served(config, installation)) output.warn(fmt::format("{}\n  {}", finding.text, finding.hint));
    output.done("cron syncs with the peers every five minutes");
    return ExitCode::done;
  }
  if (invocation.config && *invocation.config != config::default_path)
    throw Error(ErrorCode::config, fmt::format("the service reads {} and nothing else", config::default_path),
                "put the configuration there");
  const auto plan = setup::plan_service(config, pihole::detect(config.pihole));
  if (!plan.why.empty()) output.step(plan.why);
  setup::turn_on(plan, say);
  output.done("the daemon runs, and is started with this host; gravity-sync status shows what it does");
  return ExitCode::done;
}

}  // namespace gsync::cli
