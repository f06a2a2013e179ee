#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "commands.hpp"
#include "components.hpp"
#include "gsync/sync/engine.hpp"
#include "json.hpp"
#include "text.hpp"

namespace gsync::cli {
namespace {

/// How many lines of a section are shown without --all.
constexpr std::size_t section_limit = 20;

model::Kept kept_of(model::SharedNode& here, const model::Components& components) {
  auto kept = here.kept();
  if (!components.lists) kept.rows.clear();
  for (auto kind : model::record_kinds) {
    if (!components.records[model::index_of(kind)]) kept.records[model::index_of(kind)].clear();
  }
  return kept;
}

using Keys = std::vector<std::string>;

/// Both in alphabetical order.
void name_lone_settings(const Keys& here, const Keys& there, sync::Comparison& comparison) {
  std::ranges::set_difference(here, there, std::back_inserter(comparison.settings_only_here));
  std::ranges::set_difference(there, here, std::back_inserter(comparison.settings_only_there));
}

}  // namespace

ExitCode run_compare(Context& context) {
  const auto& invocation = context.invocation();
  auto& output = context.output();
  auto connection = context.connect(context.peer());
  auto components = invocation.only.value_or(context.config().sync.components);
  auto comparison = sync::compare(context.shared(), *connection.node, components);
  comparison.kept_here = kept_of(context.shared(), components);
  if (components.records[model::index_of(model::RecordKind::setting)])
    name_lone_settings(context.here().settings(), connection.node->peer_hello().keep_local.settings().value_or(Keys()), comparison);
  const auto here = context.here().label();
  const auto there = connection.node->label();
  if (output.options().json) {
    output.json(comparison_json(comparison, here, there));
  } else {
    output.lines(comparison_text(comparison, here, there, invocation.all ? 0 : section_limit));
    if (!components.all()) output.line({fmt::format("only {} were compared", to_text(components)), Style::faint});
  }
  return invocation.exit_code && !comparison.equal() ? ExitCode::differences : ExitCode::done;
}

}  // namespace gsync::cli
