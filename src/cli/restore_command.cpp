#include <fmt/format.h>

#include "commands.hpp"
#include "json.hpp"
#include "publishing.hpp"
#include "text.hpp"
#include "undo_pause.hpp"

namespace gsync::cli {
namespace {

ExitCode list_versions(Context& context) {
  auto versions = context.state().versions();
  auto& output = context.output();
  if (output.options().json) {
    output.json(versions_json(versions));
  } else if (versions.empty()) {
    output.say("no version is kept yet: nothing was published here");
  } else {
    output.lines(versions_text(versions));
    output.line({"gravity-sync restore ID brings one back; --dry-run shows what that would change", Style::faint});
  }
  return ExitCode::done;
}

}  // namespace

ExitCode run_restore(Context& context) {
  const auto& id = context.invocation().id;
  if (!id) return list_versions(context);
  auto options = engine_options(context, model::Action::restore, nullptr);
  UndoPause pause(context, fmt::format("version {} was restored", *id));
  auto result = sync::restore(context.here(), *id, options);
  report_result(context, result, options, result.source.name, context.here().label());
  if (result.report) pause.keep();
  return ExitCode::done;
}

}  // namespace gsync::cli
