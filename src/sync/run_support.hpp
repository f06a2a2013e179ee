#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gsync/model/node.hpp"
#include "gsync/sync/engine.hpp"
#include "gsync/util/error.hpp"

/// What replicate, compare and restore share.
namespace gsync::sync {

/// Error{refused} when both ends carry one node id.
void require_two_nodes(const model::Node& a, const model::NodeInfo& a_info, const model::Node& b, const model::NodeInfo& b_info);

/// Both have the kind and hold the same lines. A kind that one of them cannot give counts as equal: nothing can be done about it.
bool records_differ(const model::Digests& a, const model::Digests& b, model::RecordKind kind);

/// They differ, and the target can take them.
bool records_can_be_synced(const model::NodeInfo& source, const model::NodeInfo& target, model::RecordKind kind);

/// Whether `components` are the same on both by digest, as far as both can hold them.
bool lists_differ(const model::NodeInfo& a, const model::NodeInfo& b);
bool blocklists_differ(const model::NodeInfo& a, const model::NodeInfo& b);

/// Tells the person what begins now. Does nothing when nobody listens.
void begin_step(const Options& options, std::string step);

/// A history line of this run without counts: what was tried, and how it ended.
model::HistoryEntry history_entry(const Options& options, const std::string& source, const std::string& target, model::Outcome outcome,
                                  std::string text);

/// Writes a line where it can; a history that cannot be written must not hide why the run ended.
void note_quietly(model::Node& node, const model::HistoryEntry& entry) noexcept;

/// Unlocks a node at the end of its life, quietly: the lock is gone anyway when the connection or the process ends.
class NodeLock {
 public:
  NodeLock() = default;
  /// Locks. Errors as Node::lock().
  NodeLock(model::Node& node, util::Deadline deadline) : info_(node.lock(deadline)), node_(&node) {}
  NodeLock(NodeLock&& other) noexcept : info_(std::move(other.info_)), node_(std::exchange(other.node_, nullptr)) {}
  NodeLock& operator=(NodeLock&& other) noexcept {
    if (this != &other) {
      release();
      info_ = std::move(other.info_);
      node_ = std::exchange(other.node_, nullptr);
    }
    return *this;
  }
  ~NodeLock() { release(); }

  const model::NodeInfo& info() const { return info_; }
  void release() noexcept;

 private:
  model::NodeInfo info_;
  model::Node* node_ = nullptr;
};

/// Passes rows on and reports how many.
class ReportingRows final : public model::BlocklistReader {
 public:
  ReportingRows(std::unique_ptr<model::BlocklistReader> inner, const Options& options, std::string step);
  const std::vector<model::BlocklistAnswer>& answers() const override { return inner_->answers(); }
  std::optional<model::BlocklistRow> next() override;

 private:
  std::unique_ptr<model::BlocklistReader> inner_;
  const Options& options_;
  Progress progress_;
  std::chrono::steady_clock::time_point last_report_;
};

/// Passes bytes on and reports how many.
class ReportingBytes final : public util::ByteReader {
 public:
  ReportingBytes(model::Node::Copy&& copy, const Options& options, std::string step);
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  std::unique_ptr<util::ByteReader> inner_;
  const Options& options_;
  Progress progress_;
  std::chrono::steady_clock::time_point last_report_;
};

}  // namespace gsync::sync
