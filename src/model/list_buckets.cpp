#include "gsync/model/list_buckets.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::model {
namespace {

/// A row takes some 64 bytes on its way and a bucket's digest 4, so that with n rows in b buckets one edit costs 64 n/b + 4 b.
constexpr std::size_t digests_in_row = 16;

/// Digests are big-endian on every machine.
std::uint32_t first_bits(const Digest& digest) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < sizeof bits; ++i) bits = bits << 8 | digest.bytes[i];
  return bits;
}

std::uint32_t bucket_of(const RowKey& key, std::size_t buckets) {
  return first_bits(digest_of(std::string_view(util::encode(key)))) & static_cast<std::uint32_t>(buckets - 1);
}

bool is_number_of_buckets(std::size_t n) {
  return std::has_single_bit(n) && n <= max_buckets;
}

}  // namespace

std::size_t buckets_for(std::size_t rows) {
  std::size_t buckets = 1;
  while (buckets < max_buckets && buckets * buckets < digests_in_row * rows) buckets *= 2;
  return buckets;
}

std::vector<std::uint32_t> bucket_digests(const Lists& lists, std::size_t buckets) {
  GSYNC_ASSERT(is_number_of_buckets(buckets));
  std::vector<util::Encoder> contents(buckets);
  for (const auto& [key, row] : lists) contents[bucket_of(key, buckets)](key, row.enabled, row.comment, row.title, row.groups);
  std::vector<std::uint32_t> digests;
  digests.reserve(buckets);
  for (const auto& content : contents) digests.push_back(first_bits(digest_of(std::string_view(content.bytes()))));
  return digests;
}

ListsBeside beside(const Lists& lists, const std::vector<std::uint32_t>& known) {
  if (known.empty()) return {digest_of(lists), {}, lists};
  if (!is_number_of_buckets(known.size()))
    throw Error(ErrorCode::protocol, "the lists are asked for in a number of buckets that there is not");
  ListsBeside answer;
  answer.digest = digest_of(lists);
  const auto ours = bucket_digests(lists, known.size());
  for (std::size_t i = 0; i < ours.size(); ++i)
    if (ours[i] != known[i]) answer.buckets.push_back(static_cast<std::uint32_t>(i));
  for (const auto& row : lists)
    if (std::ranges::binary_search(answer.buckets, bucket_of(row.first, known.size()))) answer.rows.insert(answer.rows.end(), row);
  return answer;
}

std::optional<Lists> completed(const Lists& known, std::size_t buckets, ListsBeside answer) {
  auto lists = std::move(answer.rows);
  if (buckets != 0) {
    GSYNC_ASSERT(is_number_of_buckets(buckets));
    const auto& theirs = answer.buckets;
    if (std::ranges::adjacent_find(theirs, std::ranges::greater_equal()) != theirs.end() || (!theirs.empty() && theirs.back() >= buckets))
      throw Error(ErrorCode::protocol, "the lists are answered in buckets that there are not");
    auto differs = [&](const RowKey& key) { return std::ranges::binary_search(theirs, bucket_of(key, buckets)); };
    for (const auto& row : lists)
      if (!differs(row.first)) throw Error(ErrorCode::protocol, "the lists are answered with a row of another bucket");
    for (const auto& row : known)
      if (!differs(row.first)) lists.insert(row);
  }
  if (digest_of(lists) != answer.digest) return std::nullopt;
  return lists;
}

}  // namespace gsync::model
