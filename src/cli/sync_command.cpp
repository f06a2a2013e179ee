#include <fmt/format.h>

#include <algorithm>

#include "commands.hpp"
#include "compile.hpp"
#include "cron.hpp"
#include "gsync/util/text.hpp"
#include "json.hpp"
#include "publishing.hpp"
#include "text.hpp"
#include "words.hpp"

namespace gsync::cli {
namespace {

std::vector<config::PeerConfig> peers_of(const Context& context) {
  const auto& config = context.config();
  if (!context.invocation().peer.empty() || config.peers.size() == 1) return {context.peer()};
  std::vector<config::PeerConfig> peers;
  std::copy_if(config.peers.begin(), config.peers.end(), std::back_inserter(peers),
               [](const auto& peer) { return peer.mode == config::Mode::sync; });
  if (peers.empty()) context.peer();  // says what there is
  return peers;
}

sync::TwoWayOptions options_for(Context& context, const config::PeerConfig& peer, const protocol::RemoteNode* remote) {
  sync::TwoWayOptions options;
  static_cast<sync::Options&>(options) = engine_options(context, model::Action::sync, remote);
  options.unite = context.invocation().unite;
  std::vector<std::string> known;
  for (const auto& other : context.config().peers) known.push_back(other.name);
  const auto& name = context.invocation().prefer.empty() ? context.config().sync.prefer : context.invocation().prefer;
  options.prefer = sync::preferred(name, context.here().label(), peer.name, known);
  return options;
}

void say_half(Output& output, const sync::HalfResult& half, const std::string& name, const std::string& other, bool dry_run) {
  for (const auto& warning : half.plan.warnings) output.warn(warning);
  if (half.report)
    for (const auto& warning : half.report->warnings) output.warn(warning);
  if (dry_run && half.plan.refusal) output.warn(fmt::format("without --force this would be refused: on {}, {}", name, *half.plan.refusal));
  if (half.plan.nothing_to_do()) {
    output.say(fmt::format("  {}: nothing to change", name));
  } else if (dry_run) {
    output.lines(plan_text({half.info, half.info, half.plan, {}, {}}, other, name));
  } else if (half.report) {
    output.say(fmt::format("  {}: {}", name, counts_text(half.report->counts)));
    if (half.report->dns_paused)
      output.say(fmt::format("  {}: DNS paused for about a second: FTL restarts for cname and dhcp records, and for some settings", name));
  }
}

void say_result(Context& context, const sync::TwoWayResult& result, const sync::TwoWayOptions& options, const std::string& there) {
  auto& output = context.output();
  const auto here = context.here().label();
  const RunFacts facts{there, here, options.dry_run, options.bytes_sent(), options.bytes_received()};
  if (output.options().json) return output.json(two_way_json(result, facts));
  if (result.nothing_to_do())
    output.done(fmt::format("nothing to do: {} and {} hold the same", here, there));
  else if (!options.dry_run)
    output.done(fmt::format("{} and {} hold the same now", here, there));
  say_half(output, result.here, here, there, options.dry_run);
  say_half(output, result.there, there, here, options.dry_run);
  output.lines(conflicts_text(result.conflicts));
  if (options.dry_run) output.say("this was a dry run: nothing was changed");
  output.detail(fmt::format("{} sent, {} received", util::human_bytes(facts.bytes_sent), util::human_bytes(facts.bytes_received)));
}

}  // namespace

ExitCode run_sync(Context& context) {
  const auto turn = cron_turn(context);
  if (!turn) return ExitCode::done;
  model::Uncompiled uncompiled;
  for (const auto& peer : peers_of(context)) {
    auto connection = context.connect(peer);
    const auto options = options_for(context, peer, connection.node.get());
    const auto result = sync::synchronise(context.shared(), *connection.node, options);
    say_result(context, result, options, connection.node->label());
    for (const auto& adlist : result.uncompiled.adlists)
      if (!uncompiled.names(adlist.key)) uncompiled.add(adlist);
  }
  look_after_uncompiled(context, uncompiled);
  return ExitCode::done;
}

ExitCode run_forget(Context& context) {
  auto& here = context.here();
  const auto& name = context.invocation().peer;
  const auto known = here.paired();
  std::vector<std::string> names;
  for (const auto& [peer, label] : known) {
    names.push_back(label.empty() ? peer.name : label);
    if (peer.name != name && label != name && peer.id != name) continue;
    here.lock(util::Deadline::in(context.config().sync.lock_deadline));
    here.forget(peer.id, true);
    here.unlock();
    context.output().done(fmt::format("{} has forgotten its syncs with {}", here.label(), util::printable(name)));
    return ExitCode::done;
  }
  throw Error(ErrorCode::not_found, fmt::format("{} was never synced both ways with a '{}'", here.label(), util::printable(name)),
              names.empty() ? "it was never synced both ways with anybody" : fmt::format("it was with: {}", fmt::join(names, ", ")));
}

}  // namespace gsync::cli
