#include <unistd.h>

#include "commands.hpp"
#include "gsync/pihole/ftl.hpp"
#include "json.hpp"
#include "privileges.hpp"
#include "text.hpp"

namespace gsync::cli {

ExitCode run_info(Context& context) {
  pihole::Ftl ftl(context.installation());
  NodeReport report;
  report.config = context.config();
  report.installation = context.installation();
  report.node = context.here().describe();
  report.user = user_text(::geteuid());
  report.ftl_pid = ftl.pid();
  report.ftl = ftl.describe();
  report.gravity_running = pihole::gravity_is_running(context.installation());
  report.versions = context.state().versions().size();
  auto& output = context.output();
  if (output.options().json)
    output.json(report_json(report));
  else
    output.lines(report_text(report));
  return ExitCode::done;
}

}  // namespace gsync::cli
