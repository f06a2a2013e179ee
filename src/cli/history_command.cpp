#include <fmt/format.h>

#include "commands.hpp"
#include "json.hpp"
#include "text.hpp"

namespace gsync::cli {
namespace {

ExitCode show_entry(Context& context, std::int64_t id) {
  auto entry = context.state().history_entry(id);
  if (!entry)
    throw Error(ErrorCode::not_found, fmt::format("there is no run {} in the history of {}", id, context.here().label()),
                "list them with: gravity-sync history");
  auto& output = context.output();
  if (output.options().json)
    output.json(history_entry_json(*entry));
  else
    output.lines(history_entry_text(*entry));
  return ExitCode::done;
}

}  // namespace

ExitCode run_history(Context& context) {
  const auto& invocation = context.invocation();
  if (invocation.id) return show_entry(context, *invocation.id);
  auto entries = context.state().history(invocation.limit, false);
  auto& output = context.output();
  if (output.options().json)
    output.json(history_json(entries));
  else if (entries.empty())
    output.say("no run has changed or refused anything here yet");
  else
    output.lines(history_text(entries));
  return ExitCode::done;
}

}  // namespace gsync::cli
