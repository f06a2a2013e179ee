#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/model/blocklist.hpp"

/// Rows of the blocklist on the wire. A batch is a sequence of domains in ascending order, each with all adlists that have it:
///
///     shared      varint   leading bytes in common with the domain before (of the batch before, for the first one)
///     suffix      string   the other bytes, with their length in front as a varint
///     adlists     varint   how many, at least one; then for each, in ascending order:
///     adlist      varint   index into the wishes, times two, plus one when the row is removed
namespace gsync::protocol {

inline constexpr std::size_t batch_size = 32u << 10;
inline constexpr std::size_t max_domain = 1024;

class RowEncoder {
 public:
  /// Rows in their order (BlocklistRow). Unsorted ones are encoded as they are; the far side refuses them.
  void add(const model::BlocklistRow& row);
  /// Bytes of the domains that are complete.
  std::size_t size() const { return batch_.size(); }
  /// The complete domains, which are forgotten here.
  std::string take();
  /// No further row follows: the last domain is complete.
  void finish();

 private:
  std::string batch_;
  std::string before_;   ///< the last domain in a batch
  std::string current_;  ///< the one whose adlists are being collected
  std::vector<std::uint64_t> entries_;
};

/// Checks what it decodes, in constant memory: order, uniqueness, adlists that exist, removed rows only in differences, domains of 1 to
/// 1024 bytes without control characters.
class RowDecoder {
 public:
  explicit RowDecoder(const std::vector<model::BlocklistAnswer>& answers) : answers_(answers) {}

  /// The batch before must be used up. Error{protocol} when it is empty.
  void feed(std::string batch);
  /// nullopt when the batch is used up. Error{protocol}. The row's domain is valid until the next call.
  std::optional<model::BlocklistRow> next();

 private:
  std::uint64_t number();
  void read_domain();

  const std::vector<model::BlocklistAnswer>& answers_;
  std::string batch_;
  std::string_view left_;
  std::string domain_;
  std::uint64_t entries_left_ = 0;
  std::int64_t last_adlist_ = -1;
};

}  // namespace gsync::protocol
