#include "run_support.hpp"

#include <fmt/format.h>

#include "gsync/model/fit.hpp"

namespace gsync::sync {
namespace {

constexpr auto report_interval = std::chrono::milliseconds(100);

bool due(std::chrono::steady_clock::time_point& last) {
  auto now = std::chrono::steady_clock::now();
  if (now - last < report_interval) return false;
  last = now;
  return true;
}

}  // namespace

void require_two_nodes(const model::Node& a, const model::NodeInfo& a_info, const model::Node& b, const model::NodeInfo& b_info) {
  if (a_info.node_id != b_info.node_id) return;
  throw Error(ErrorCode::refused,
              fmt::format("{} and {} have the same node id ({}): either the peer's address leads back to this very host, or one of them "
                          "was made by copying the "
                          "other's card or disk",
                          a.label(), b.label(), a_info.node_id),
              "check the peer's `host` in the configuration; if one is a copy of the other, remove <state_directory>/state.db (normally "
              "/var/lib/gravity-sync/state.db) on one of them: it then gets an id of its own");
}

bool records_differ(const model::Digests& a, const model::Digests& b, model::RecordKind kind) {
  const auto& x = a.records[model::index_of(kind)];
  const auto& y = b.records[model::index_of(kind)];
  return x && y && *x != *y;
}

bool records_can_be_synced(const model::NodeInfo& source, const model::NodeInfo& target, model::RecordKind kind) {
  return records_differ(source.digests, target.digests, kind) && target.capabilities.records_read_only[model::index_of(kind)].empty();
}

bool lists_differ(const model::NodeInfo& a, const model::NodeInfo& b) {
  const auto fit = model::common_fit(a, b);
  return model::digests_at(a, fit).lists != model::digests_at(b, fit).lists;
}

bool blocklists_differ(const model::NodeInfo& a, const model::NodeInfo& b) {
  const auto fit = model::common_fit(a, b);
  return model::digests_at(a, fit).blocklist != model::digests_at(b, fit).blocklist;
}

bool in_step(const model::NodeInfo& source, const model::NodeInfo& target, const model::Components& components) {
  // A damaged node has no digests and no schema.
  if (source.damaged || target.damaged) return false;
  if (components.lists && lists_differ(source, target)) return false;
  if (components.blocklist && blocklists_differ(source, target)) return false;
  for (auto kind : model::record_kinds)
    if (components.records[model::index_of(kind)] && records_can_be_synced(source, target, kind)) return false;
  return true;
}

model::Uncompiled uncompiled(const model::NodeInfo& here, const model::NodeInfo& there, const model::Components& components) {
  return components.blocklist ? model::uncompiled(here, there) : here.uncompiled;
}

void begin_step(const Options& options, std::string step) {
  if (options.progress) options.progress({std::move(step), 0, 0, false});
}

model::HistoryEntry history_entry(const Options& options, const std::string& source, const std::string& target, model::Outcome outcome,
                                  std::string text) {
  model::HistoryEntry entry;
  entry.action = options.action;
  entry.source = source;
  entry.target = target;
  entry.started_by = options.started_by;
  entry.outcome = outcome;
  entry.text = std::move(text);
  if (options.bytes_sent) entry.bytes_sent = options.bytes_sent();
  if (options.bytes_received) entry.bytes_received = options.bytes_received();
  return entry;
}

void note_quietly(model::Node& node, const model::HistoryEntry& entry) noexcept {
  try {
    node.note(entry);
  } catch (const std::exception&) {
    // The error that is on its way to the person matters more, and it is often the same lost connection.
  }
}

void NodeLock::release() noexcept {
  auto* node = std::exchange(node_, nullptr);
  if (!node) return;
  try {
    node->unlock();
  } catch (const std::exception&) {
    // Gone with the connection.
  }
}

ReportingRows::ReportingRows(std::unique_ptr<model::BlocklistReader> inner, const Options& options, std::string step)
    : inner_(std::move(inner)), options_(options), last_report_(std::chrono::steady_clock::now()) {
  progress_.step = std::move(step);
  for (const auto& answer : inner_->answers()) {
    // How many rows a delta has is not known before its end.
    if (answer.delta) {
      progress_.total = 0;
      break;
    }
    progress_.total += answer.rows.count;
  }
  if (options_.progress) options_.progress(progress_);
}

std::optional<model::BlocklistRow> ReportingRows::next() {
  auto row = inner_->next();
  if (row) {
    ++progress_.done;
    // The clock is asked only now and then: there may be millions of rows.
    if (options_.progress && progress_.done % 256 == 0 && due(last_report_)) options_.progress(progress_);
  } else if (options_.progress) {
    options_.progress(progress_);
  }
  return row;
}

ReportingBytes::ReportingBytes(model::Node::Copy&& copy, const Options& options, std::string step)
    : inner_(std::move(copy.reader)),
      options_(options),
      progress_{std::move(step), 0, copy.bytes, true},
      last_report_(std::chrono::steady_clock::now()) {
  if (options_.progress) options_.progress(progress_);
}

std::size_t ReportingBytes::read(std::span<std::byte> buffer) {
  auto n = inner_->read(buffer);
  progress_.done += n;
  if (options_.progress && (n == 0 || due(last_report_))) options_.progress(progress_);
  return n;
}

}  // namespace gsync::sync
