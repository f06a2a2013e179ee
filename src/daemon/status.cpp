#include "gsync/daemon/status.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gsync/util/text.hpp"

namespace gsync::daemon {

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::connecting:
      return "connecting";
    case Phase::idle:
      return "idle";
    case Phase::working:
      return "working";
    case Phase::waiting:
      return "waiting";
    case Phase::paused:
      return "paused";
  }
  return "";
}

std::string_view to_string(config::Mode mode) {
  switch (mode) {
    case config::Mode::pull:
      return "pull";
    case config::Mode::push:
      return "push";
    case config::Mode::sync:
      return "sync";
  }
  return "";
}

std::string_view to_string(Level level) {
  switch (level) {
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "";
}

Changed changed_of(const model::ChangeCounts& c) {
  return {c.rows_added,        c.rows_changed,  c.rows_removed,    c.adlists_compiled, c.blocklist_added,
          c.blocklist_removed, c.records_added, c.records_removed, c.settings_changed};
}

std::string to_text(const Changed& c) {
  std::vector<std::string> parts;
  if (const auto rows = c.rows_added + c.rows_changed + c.rows_removed)
    parts.push_back(
        fmt::format("{} (+{} ~{} -{})", util::plural(rows, "list entry", "list entries"), c.rows_added, c.rows_changed, c.rows_removed));
  if (c.adlists_compiled)
    parts.push_back(
        fmt::format("{} (+{} -{} domains)", util::plural(c.adlists_compiled, "compiled adlist"), c.blocklist_added, c.blocklist_removed));
  if (const auto records = c.records_added + c.records_removed)
    parts.push_back(fmt::format("{} (+{} -{})", util::plural(records, "record"), c.records_added, c.records_removed));
  if (c.settings_changed) parts.push_back(util::plural(c.settings_changed, "setting"));
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<Uncompiled> shown(const model::Uncompiled& uncompiled) {
  std::vector<Uncompiled> result;
  for (const auto& adlist : uncompiled.adlists) result.push_back({adlist.key.name, adlist.failed});
  return result;
}

std::vector<Uncompiled> Status::uncompiled() const {
  std::vector<Uncompiled> result;
  const auto add = [&](const std::vector<Uncompiled>& more) {
    for (const auto& adlist : more)
      if (std::none_of(result.begin(), result.end(), [&](const Uncompiled& known) { return known.address == adlist.address; }))
        result.push_back(adlist);
  };
  for (const auto& peer : peers) add(peer.uncompiled);
  for (const auto& agent : agents) add(agent.uncompiled);
  return result;
}

bool Status::healthy() const {
  return std::all_of(peers.begin(), peers.end(), [](const PeerStatus& p) {
    return p.phase == Phase::paused || (p.connected_since != 0 && p.in_step == true && !p.failure);
  });
}

}  // namespace gsync::daemon
