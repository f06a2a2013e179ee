#include "status_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gsync/util/text.hpp"

namespace gsync::cli {
namespace {

/// "12 s ago", "3 min ago", then the date.
std::string ago(std::int64_t then, std::int64_t now) {
  if (then == 0) return "never";
  const auto seconds = std::max<std::int64_t>(now - then, 0);
  if (seconds < 60) return fmt::format("{} s ago", seconds);
  if (seconds < 3'600) return fmt::format("{} min ago", seconds / 60);
  return util::human_time(then);
}

Line headline(const daemon::PeerStatus& peer) {
  if (peer.phase == daemon::Phase::paused)
    return {fmt::format("{} ({}): paused: {}", peer.name, daemon::to_string(peer.mode), peer.paused_why), Style::changed};
  std::string state = peer.connected_since == 0 ? (peer.failure ? "not connected" : "connecting") : "connected";
  auto style = Style::changed;
  if (peer.phase == daemon::Phase::working) {
    state = "syncing";
  } else if (peer.failure) {
    state = peer.command.empty() ? "failed" : "refused";
    style = Style::removed;
  } else if (peer.connected_since != 0 && peer.in_step) {
    state = *peer.in_step ? "in step" : "not in step";
    if (*peer.in_step) style = Style::added;
  }
  return {fmt::format("{} ({}): {}", peer.name, daemon::to_string(peer.mode), state), style};
}

std::string facts(const daemon::NodeFacts& node) {
  return fmt::format("{}: gravity-sync {}, Pi-hole {}, FTL {}, schema {}", node.name, node.software,
                     node.core_version.empty() ? "?" : node.core_version, node.ftl_version.empty() ? "?" : node.ftl_version, node.schema);
}

void add_peer(std::vector<Line>& lines, const daemon::PeerStatus& peer, std::int64_t now) {
  const auto add = [&](std::string text) { lines.push_back({"  " + std::move(text), Style::plain}); };
  lines.push_back(headline(peer));
  if (peer.phase == daemon::Phase::paused) {
    add(fmt::format("to go on: gravity-sync resume {}", peer.name));
    return;
  }
  if (peer.connected_since != 0)
    add(fmt::format("connected since {}, compared {}", util::human_time(peer.connected_since), ago(peer.last_check, now)));
  if (peer.last_sync != 0) add(fmt::format("last change {}: {}", ago(peer.last_sync, now), to_text(peer.last_changed)));
  if (peer.failure) {
    add(fmt::format("{}: {}", ago(peer.failure->time, now), peer.failure->what));
    if (!peer.failure->hint.empty()) add("  " + peer.failure->hint);
    if (!peer.command.empty()) add(fmt::format("to let it through: sudo {}", peer.command));
    if (peer.next_try != 0) add(fmt::format("tried again in {} s", std::max<std::int64_t>(peer.next_try - now, 0)));
  }
  if (!peer.there.name.empty()) {
    add(facts(peer.here));
    add(facts(peer.there));
  }
}

void add_uncompiled(std::vector<Line>& lines, const daemon::Status& status) {
  if (status.compiling) lines.push_back({"`pihole -g` was started for adlists that no Pi-hole has compiled", Style::changed});
  if (!status.gravity_problem.empty())
    lines.push_back({fmt::format("`pihole -g` is not run from here: {}", status.gravity_problem), Style::removed});
  model::Uncompiled uncompiled;
  for (const auto& adlist : status.uncompiled()) uncompiled.add({{model::Table::adlist, {}, adlist.address}, adlist.failed});
  if (uncompiled.empty()) return;
  lines.push_back({model::to_text(uncompiled), Style::changed});
  lines.push_back({fmt::format("  {}", model::what_to_do(uncompiled)), Style::plain});
}

}  // namespace

std::vector<Line> status_text(const daemon::Status& status, std::int64_t now) {
  std::vector<Line> lines;
  lines.push_back({fmt::format("{}: gravity-sync {} runs since {} (pid {})", status.name, status.software, util::human_time(status.started),
                               status.pid),
                   Style::heading});
  if (!status.config_error.empty())
    lines.push_back({fmt::format("the configuration was not taken over: {}", status.config_error), Style::removed});
  if (status.gravity_running) lines.push_back({"`pihole -g` runs here: syncs wait for its end", Style::changed});
  add_uncompiled(lines, status);
  if (status.peers.empty()) lines.push_back({"no peer is configured here", Style::faint});
  for (const auto& peer : status.peers) add_peer(lines, peer, now);
  for (const auto& agent : status.agents) {
    if (agent.since != 0)
      lines.push_back({fmt::format("serves {}{} since {}", agent.peer.empty() ? "a peer" : agent.peer,
                                   agent.read_only ? " (read-only)" : "", util::human_time(agent.since)),
                       Style::faint});
    if (!agent.paused_why.empty())
      lines.push_back(
          {fmt::format("{} may change nothing here: {}; to go on: gravity-sync resume {}", agent.peer, agent.paused_why, agent.peer),
           Style::changed});
  }
  return lines;
}

Line event_text(const daemon::Event& event) {
  auto text = fmt::format("{} {}{}", util::human_time(event.time), event.peer.empty() ? "" : event.peer + ": ", event.text);
  if (!event.hint.empty()) text += fmt::format(" ({})", event.hint);
  const auto style = event.level == daemon::Level::error     ? Style::removed
                     : event.level == daemon::Level::warning ? Style::changed
                                                             : Style::plain;
  return {std::move(text), style};
}

}  // namespace gsync::cli
