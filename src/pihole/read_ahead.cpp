#include "read_ahead.hpp"

#include <string_view>
#include <utility>

#include "gsync/util/thread.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t rows_in_block = 2048;
constexpr std::size_t blocks_ahead = 4;

}  // namespace

ReadAhead::ReadAhead(model::BlocklistReader& rows) : rows_(rows), thread_(util::thread_without_signals([this] { read(); })) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadAhead::read() {
  std::exception_ptr failure;
  try {
    for (bool more = true; more;) {
      Block block;
      more = fill(block);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || blocks_.size() < blocks_ahead; });
      if (stop_) return;
      if (!block.rows.empty()) blocks_.push_back(std::move(block));
      lock.unlock();
      changed_.notify_all();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    ended_ = true;
  }
  changed_.notify_all();
}

/// False at the end.
bool ReadAhead::fill(Block& block) {
  block.rows.reserve(rows_in_block);
  while (block.rows.size() < rows_in_block) {
    auto row = rows_.next();
    if (!row) return false;
    block.domains.append(row->domain);
    block.rows.push_back({static_cast<std::uint32_t>(row->domain.size()), row->adlist, row->removed});
  }
  return true;
}

bool ReadAhead::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || !blocks_.empty(); });
  if (blocks_.empty()) {
    if (failure_) std::rethrow_exception(failure_);
    return false;
  }
  block_ = std::move(blocks_.front());
  blocks_.pop_front();
  lock.unlock();
  changed_.notify_all();
  row_ = offset_ = 0;
  return true;
}

std::optional<model::BlocklistRow> ReadAhead::next() {
  if (row_ == block_.rows.size() && !take()) return std::nullopt;
  const auto& row = block_.rows[row_++];
  const auto domain = std::string_view(block_.domains).substr(offset_, row.length);
  offset_ += row.length;
  return model::BlocklistRow{domain, row.adlist, row.removed};
}

}  // namespace gsync::pihole
