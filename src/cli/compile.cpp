#include "compile.hpp"

#include <fmt/format.h>

#include "gsync/util/text.hpp"

namespace gsync::cli {
namespace {

void compile(Context& context) {
  auto& output = context.output();
  output.step("running `pihole -g`, if it was not run for these adlists yet");
  auto book = context.compiles();
  const auto run = pihole::compile_untried(context.shared(), context.installation(), context.root(), book,
                                           util::Deadline::in(context.config().sync.lock_deadline));
  if (!run) return;
  if (!run->left.empty()) output.warn(fmt::format("{} ({})", model::to_text(run->left), model::what_to_do(run->left)));
  if (const auto compiled = run->wanted.count - run->left.count)
    output.say(fmt::format("  `pihole -g` has compiled {} here; the next run takes {} to the peer", util::plural(compiled, "new adlist"),
                           compiled == 1 ? "it" : "them"));
}

}  // namespace

void look_after_uncompiled(Context& context, const model::Uncompiled& uncompiled) {
  if (context.invocation().dry_run) return;
  auto& output = context.output();
  const auto news = context.compiles().tell(uncompiled, context.shared().describe().uncompiled);
  const auto why = context.why_no_gravity(context.config());
  const bool runs_gravity = context.config().sync.run_gravity;
  if (!news.empty()) output.warn(fmt::format("{} ({})", model::to_text(news), model::what_to_do(news, runs_gravity && why.empty())));
  if (uncompiled.empty() || !runs_gravity) return;
  if (!why.empty()) {
    if (!news.empty()) output.warn(fmt::format("[sync] run_gravity can do nothing here: {}", why));
    return;
  }
  try {
    compile(context);
  } catch (const Error& error) {
    output.warn(fmt::format("{}{}", error.what(), error.hint().empty() ? "" : fmt::format(" ({})", error.hint())));
  }
}

}  // namespace gsync::cli
