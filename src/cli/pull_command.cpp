#include "commands.hpp"
#include "compile.hpp"
#include "cron.hpp"
#include "publishing.hpp"

namespace gsync::cli {

ExitCode run_pull(Context& context) {
  const auto turn = cron_turn(context);
  if (!turn) return ExitCode::done;
  auto connection = context.connect(context.peer());
  auto options = engine_options(context, model::Action::pull, connection.node.get());
  options.agree = context.peer().mode == config::Mode::sync;
  auto result = sync::replicate(*connection.node, context.shared(), options);
  report_result(context, result, options, connection.node->label(), context.here().label());
  connection = {};
  look_after_uncompiled(context, result.uncompiled);
  return ExitCode::done;
}

}  // namespace gsync::cli
