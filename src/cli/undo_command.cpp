#include "commands.hpp"
#include "publishing.hpp"
#include "undo_pause.hpp"

namespace gsync::cli {

ExitCode run_undo(Context& context) {
  auto options = engine_options(context, model::Action::undo, nullptr);
  UndoPause pause(context, "the last change was undone");
  auto result = sync::restore(context.here(), 0, options);
  report_result(context, result, options, result.source.name, context.here().label());
  if (result.report) pause.keep();
  return ExitCode::done;
}

}  // namespace gsync::cli
