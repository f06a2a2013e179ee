#include "commands.hpp"
#include "compile.hpp"
#include "cron.hpp"
#include "publishing.hpp"

namespace gsync::cli {

ExitCode run_push(Context& context) {
  const auto turn = cron_turn(context);
  if (!turn) return ExitCode::done;
  auto connection = context.connect(context.peer());
  auto options = engine_options(context, model::Action::push, connection.node.get());
  options.agree = context.peer().mode == config::Mode::sync;
  auto result = sync::replicate(context.shared(), *connection.node, options);
  report_result(context, result, options, context.here().label(), connection.node->label());
  connection = {};
  look_after_uncompiled(context, result.uncompiled);
  return ExitCode::done;
}

}  // namespace gsync::cli
