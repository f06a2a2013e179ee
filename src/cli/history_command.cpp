#include <fmt/format.h>

#include <ctime>

#include "commands.hpp"
#include "gsync/util/text.hpp"
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
  replica::HistoryFilter filter{invocation.peer, 0, invocation.conflicts};
  const bool whole = invocation.rows || invocation.conflicts;
  if (!invocation.since.empty()) {
    auto since = util::parse_time(invocation.since, std::time(nullptr));
    if (!since) {
      throw Error(ErrorCode::config, fmt::format("--since {} is no time", util::printable(invocation.since)),
                  "write how long ago (90m, 6h, 2d, 1w) or a date (2026-11-20, \"2026-11-20 18:30\")");
    }
    filter.since = *since;
  }
  auto entries = context.state().history(invocation.limit, whole, filter);
  auto& output = context.output();
  if (output.options().json)
    output.json(history_json(entries, whole));
  else if (entries.empty() && filter.peer.empty() && filter.since == 0 && !filter.conflicts)
    output.say("no run has changed or refused anything here yet");
  else if (entries.empty())
    output.say(filter.conflicts ? "nobody's edit has lost to another one here" : "no such run has changed or refused anything here");
  else if (!whole)
    output.lines(history_text(entries));
  else if (!invocation.rows)
    for (const auto& entry : entries) {
      output.lines(history_text({entry}));
      output.lines(conflicts_text(entry.conflicts));
    }
  else
    for (const auto& entry : entries) output.lines(history_entry_text(entry));
  return ExitCode::done;
}

}  // namespace gsync::cli
