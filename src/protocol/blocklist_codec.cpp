#include "blocklist_codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::protocol {
namespace {

void put_number(std::string& out, std::uint64_t n) {
  while (n >= 0x80) {
    out.push_back(static_cast<char>(n | 0x80));
    n >>= 7;
  }
  out.push_back(static_cast<char>(n));
}

[[noreturn]] void malformed(std::string_view why) {
  throw Error(ErrorCode::protocol, fmt::format("rows of the blocklist: {}", why));
}

[[noreturn]] void malformed(std::string_view domain, std::string_view why) {
  malformed(fmt::format("\"{}\": {}", util::printable(domain.substr(0, 100)), why));
}

}  // namespace

void RowEncoder::add(const model::BlocklistRow& row) {
  if (entries_.empty() || row.domain != current_) {
    finish();
    current_ = row.domain;
  }
  entries_.push_back(std::uint64_t{row.adlist} * 2 + (row.removed ? 1 : 0));
}

void RowEncoder::finish() {
  if (entries_.empty()) return;
  auto differ = std::mismatch(before_.begin(), before_.end(), current_.begin(), current_.end());
  auto shared = static_cast<std::size_t>(differ.first - before_.begin());
  put_number(batch_, shared);
  put_number(batch_, current_.size() - shared);
  batch_.append(current_, shared, std::string::npos);
  put_number(batch_, entries_.size());
  for (auto entry : entries_) put_number(batch_, entry);
  entries_.clear();
  before_.swap(current_);
}

std::string RowEncoder::take() {
  return std::exchange(batch_, {});
}

void RowDecoder::feed(std::string batch) {
  GSYNC_ASSERT(left_.empty() && entries_left_ == 0);
  if (batch.empty()) malformed("a batch without rows");
  batch_ = std::move(batch);
  left_ = batch_;
}

std::optional<model::BlocklistRow> RowDecoder::next() {
  if (entries_left_ == 0) {
    if (left_.empty()) return std::nullopt;
    read_domain();
  }
  --entries_left_;
  const auto entry = number();
  const auto adlist = entry / 2;
  const bool removed = entry % 2 != 0;
  if (adlist >= answers_.size()) malformed(domain_, fmt::format("there is no adlist {}", adlist));
  if (static_cast<std::int64_t>(adlist) <= last_adlist_) malformed(domain_, "its adlists are out of order");
  if (removed && !answers_[adlist].delta) malformed(domain_, "it is removed from a whole set");
  last_adlist_ = static_cast<std::int64_t>(adlist);
  return model::BlocklistRow{domain_, static_cast<std::uint32_t>(adlist), removed};
}

void RowDecoder::read_domain() {
  const auto shared = number();
  const auto added = number();
  if (shared > domain_.size() || added > left_.size()) malformed("a length exceeds the message");
  if (shared + added == 0 || shared + added > max_domain) malformed("a domain is empty or too long");
  auto suffix = left_.substr(0, static_cast<std::size_t>(added));
  left_.remove_prefix(suffix.size());
  bool control = false;
  for (char c : suffix) control |= static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  if (control) malformed(suffix, "a domain with control characters");
  // The old domain and the new one agree in the first `shared` bytes, so their tails decide the order.
  if (std::string_view(domain_).substr(static_cast<std::size_t>(shared)) >= suffix) malformed(suffix, "the domains are out of order");
  domain_.resize(static_cast<std::size_t>(shared));
  domain_ += suffix;
  entries_left_ = number();
  if (entries_left_ == 0) malformed(domain_, "it is on no adlist");
  if (entries_left_ > left_.size()) malformed(domain_, "a length exceeds the message");
  last_adlist_ = -1;
}

std::uint64_t RowDecoder::number() {
  std::uint64_t n = 0;
  for (unsigned shift = 0; shift < 63; shift += 7) {
    if (left_.empty()) malformed("the batch ends too early");
    auto byte = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    if (byte == 0 && shift > 0) malformed("a number is longer than it need be");
    n |= std::uint64_t{byte & 0x7Fu} << shift;
    if (!(byte & 0x80)) return n;
  }
  malformed("a number is too large");
}

}  // namespace gsync::protocol
