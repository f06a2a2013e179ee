#include "publishing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "components.hpp"
#include "gsync/util/text.hpp"
#include "json.hpp"
#include "text.hpp"
#include "words.hpp"

namespace gsync::cli {
namespace {

/// Turns the engine's progress into one line per step, and a bar for the long ones.
class Steps {
 public:
  Steps(Output& output, std::function<std::uint64_t()> transferred) : output_(output), transferred_(std::move(transferred)) {}

  void operator()(const sync::Progress& progress) {
    auto bytes = progress.bytes ? progress.done : transferred_();
    if (progress.step != step_) {
      step_ = progress.step;
      base_ = progress.bytes ? 0 : bytes;
      output_.step(step_);
    }
    if (progress.done > 0) output_.progress({progress.step, progress.done, progress.total, bytes - std::min(base_, bytes)});
  }

 private:
  Output& output_;
  std::function<std::uint64_t()> transferred_;
  std::string step_;
  std::uint64_t base_ = 0;
};

void warn_all(Output& output, const sync::Result& result) {
  for (const auto& warning : result.plan.warnings) output.warn(warning);
  if (!result.report) return;
  for (const auto& warning : result.report->warnings) output.warn(warning);
}

std::string scope(const model::Components& components) {
  return components.all() ? "" : fmt::format(" (looked at {} only)", to_text(components));
}

void say_nothing_to_do(Output& output, const sync::Result& result, const sync::Options& options, const std::string& source,
                       const std::string& target) {
  if (options.action == model::Action::undo || options.action == model::Action::restore)
    output.done(fmt::format("nothing to do: {} is as in {} already", target, source));
  else
    output.done(fmt::format("nothing to do: {} already has everything of {}{}{}", target, source,
                            result.plan.warnings.empty() ? "" : " that it can take", scope(options.components)));
}

void say_what_changed(Output& output, const sync::Result& result, const sync::Options& options, const std::string& source,
                      const std::string& target) {
  const auto& report = *result.report;
  output.done(fmt::format("{} is now as {}{}: {}", target, source, scope(options.components), counts_text(report.counts)));
  if (report.dns_paused) output.say("  DNS paused for about a second: FTL restarts for cname and dhcp records, and for some settings");
  if (report.version > 0) {
    // A push keeps the version on the other host.
    auto where = options.action == model::Action::push ? fmt::format(" on {}", target) : std::string();
    output.say(fmt::format("  what was there before is version {}{}; `gravity-sync undo`{} brings it back", report.version, where, where));
  }
  if (report.publish_microseconds > 0)
    output.detail(
        fmt::format("the database was locked for writers for {:.2f} ms", static_cast<double>(report.publish_microseconds) / 1000));
}

}  // namespace

sync::Options engine_options(Context& context, model::Action action, const protocol::RemoteNode* remote) {
  const auto& invocation = context.invocation();
  sync::Options options;
  options.action = action;
  options.components = invocation.only.value_or(context.config().sync.components);
  options.shrink = context.config().sync.shrink;
  options.dry_run = invocation.dry_run;
  options.force = invocation.force;
  options.full = invocation.full;
  options.started_by = fmt::format("{} on {}", model::to_string(action), context.here().label());
  options.lock_deadline = context.config().sync.lock_deadline;
  if (remote) {
    options.bytes_sent = [remote] { return remote->bytes_sent(); };
    options.bytes_received = [remote] { return remote->bytes_received(); };
  }
  options.progress = Steps(context.output(), [remote] { return remote ? remote->bytes_sent() + remote->bytes_received() : 0; });
  return options;
}

void report_result(Context& context, const sync::Result& result, const sync::Options& options, const std::string& source,
                   const std::string& target) {
  auto& output = context.output();
  RunFacts facts{source, target, options.dry_run, options.bytes_sent ? options.bytes_sent() : 0,
                 options.bytes_received ? options.bytes_received() : 0};
  warn_all(output, result);
  if (options.dry_run && result.plan.refusal && !result.plan.change.force)
    output.warn(fmt::format("without --force this would be refused: {}", *result.plan.refusal));
  if (output.options().json) {
    output.json(result_json(result, options.action, facts));
    return;
  }
  if (!result.report && result.plan.nothing_to_do()) {
    say_nothing_to_do(output, result, options, source, target);
  } else if (options.dry_run) {
    output.lines(plan_text(result, source, target));
    output.say("");
    output.say(fmt::format("this was a dry run: nothing was changed on {}", target));
  } else if (result.report) {
    say_what_changed(output, result, options, source, target);
  }
  if (facts.bytes_sent + facts.bytes_received > 0)
    output.detail(fmt::format("{} sent, {} received", util::human_bytes(facts.bytes_sent), util::human_bytes(facts.bytes_received)));
}

}  // namespace gsync::cli
