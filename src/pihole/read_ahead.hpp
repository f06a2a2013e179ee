#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gsync/model/blocklist.hpp"

namespace gsync::pihole {

/// Reads rows in a thread of its own, a few blocks ahead of who takes them: what decrypts and unpacks rows need not wait for what writes
/// them. Nobody else may use the reader, nor the connection behind it, while this lives. Destroying it early waits until the reader has
/// returned from the row that it is at.
class ReadAhead final : public model::BlocklistReader {
 public:
  explicit ReadAhead(model::BlocklistReader& rows);
  ~ReadAhead() override;
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  const std::vector<model::BlocklistAnswer>& answers() const override { return rows_.answers(); }
  /// Throws what the reader threw; the last rows before that may be missing.
  std::optional<model::BlocklistRow> next() override;

 private:
  struct Row {
    std::uint32_t length;
    std::uint32_t adlist;
    bool removed;
  };
  struct Block {
    std::string domains;  // one behind the other
    std::vector<Row> rows;
  };

  void read();
  bool fill(Block& block);
  bool take();

  model::BlocklistReader& rows_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> blocks_;
  std::exception_ptr failure_;
  bool ended_ = false;
  bool stop_ = false;

  // Of who takes them.
  Block block_;
  std::size_t row_ = 0;
  std::size_t offset_ = 0;

  std::thread thread_;
};

}  // namespace gsync::pihole
