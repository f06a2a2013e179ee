#include "gsync/daemon/metrics.hpp"

#include <fmt/format.h>

#include <functional>
#include <iterator>

namespace gsync::daemon {
namespace {

struct Metric {
  const char* name;
  const char* type;
  const char* help;
  std::function<double(const PeerStatus&)> value;
};

const Metric metrics[] = {
    {"connected", "gauge", "1 while the peer is connected", [](const PeerStatus& p) { return p.connected_since != 0; }},
    {"in_step", "gauge", "1 when this Pi-hole and the peer were the same at the last comparison",
     [](const PeerStatus& p) { return p.in_step == true; }},
    {"paused", "gauge", "1 while the peer is left alone", [](const PeerStatus& p) { return p.phase == Phase::paused; }},
    {"last_success_timestamp_seconds", "gauge", "when the two were last found or made the same",
     [](const PeerStatus& p) { return static_cast<double>(p.last_check); }},
    {"last_change_timestamp_seconds", "gauge", "when something was last changed",
     [](const PeerStatus& p) { return static_cast<double>(p.last_sync); }},
    {"syncs_total", "counter", "runs that changed something", [](const PeerStatus& p) { return static_cast<double>(p.syncs); }},
    {"failures_total", "counter", "tries that failed", [](const PeerStatus& p) { return static_cast<double>(p.failures); }},
    {"failures_in_row", "gauge", "tries that failed since the last success",
     [](const PeerStatus& p) { return static_cast<double>(p.failures_in_row); }},
    {"sent_bytes_total", "counter", "bytes sent over SSH", [](const PeerStatus& p) { return static_cast<double>(p.bytes_sent); }},
    {"received_bytes_total", "counter", "bytes received over SSH",
     [](const PeerStatus& p) { return static_cast<double>(p.bytes_received); }},
    {"rows_changed_total", "counter", "list entries and records that were added, changed or removed",
     [](const PeerStatus& p) { return static_cast<double>(p.rows_changed); }},
    {"publish_seconds", "gauge", "how long the last publish kept writers waiting",
     [](const PeerStatus& p) { return static_cast<double>(p.publish_microseconds) / 1e6; }},
};

/// Peers' names are letters, digits and a few signs (the configuration's grammar): nothing to escape.
void add(std::string& text, const Metric& metric, const Status& status) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "# HELP gravity_sync_{0} {1}\n# TYPE gravity_sync_{0} {2}\n", metric.name, metric.help, metric.type);
  for (const auto& peer : status.peers)
    fmt::format_to(out, "gravity_sync_{}{{peer=\"{}\",mode=\"{}\"}} {}\n", metric.name, peer.name, to_string(peer.mode),
                   metric.value(peer));
}

}  // namespace

std::string prometheus_text(const Status& status) {
  std::string text =
      fmt::format("# HELP gravity_sync_up 1 while the daemon runs\n# TYPE gravity_sync_up gauge\ngravity_sync_up{{version=\"{}\"}} 1\n",
                  status.software);
  for (const auto& metric : metrics) add(text, metric, status);
  fmt::format_to(std::back_inserter(text),
                 "# HELP gravity_sync_uncompiled_adlists enabled adlists that block nothing, because no Pi-hole has compiled them\n# TYPE "
                 "gravity_sync_uncompiled_adlists gauge\ngravity_sync_uncompiled_adlists {}\n",
                 status.uncompiled().size());
  return text;
}

}  // namespace gsync::daemon
