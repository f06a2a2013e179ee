#include "commands.hpp"
#include "publishing.hpp"

namespace gsync::cli {

ExitCode run_undo(Context& context) {
  auto options = engine_options(context, model::Action::undo, nullptr);
  auto result = sync::restore(context.here(), 0, options);
  report_result(context, result, options, result.source.name, context.here().label());
  return ExitCode::done;
}

}  // namespace gsync::cli
