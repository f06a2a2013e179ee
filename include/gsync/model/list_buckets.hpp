#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "gsync/model/digest.hpp"
#include "gsync/model/lists.hpp"

/// How two sides with nearly the same lists find out in one question and answer which rows differ. Rows are put into buckets by a hash of
/// their keys; one side says a short digest of each of its buckets, the other answers with the rows of those that are different there.
/// Dates are no difference.
namespace gsync::model {

inline constexpr std::size_t max_buckets = 4096;

/// The number of buckets, a power of two, with which so many rows and a few edits among them take the fewest bytes.
std::size_t buckets_for(std::size_t rows);

/// The first 32 bits of a digest for each bucket. Two buckets that differ may have the same one; ListsBeside::digest notices.
std::vector<std::uint32_t> bucket_digests(const Lists& lists, std::size_t buckets);

/// Lists, as somebody needs to hear of them who has other ones.
struct ListsBeside {
  Digest digest;                       ///< of all rows
  std::vector<std::uint32_t> buckets;  ///< those in which the two differ, ascending
  Lists rows;                          ///< all rows in these; all rows there are where no buckets were named
};
template <class Archive>
void fields(Archive& a, ListsBeside& l) {
  a(l.digest, l.buckets, l.rows);
}

/// `lists` for somebody whose buckets have these digests; for nobody's, all of them. Error{protocol}: not a number of buckets that
/// buckets_for() gives.
ListsBeside beside(const Lists& lists, const std::vector<std::uint32_t>& known);

/// The lists that the answer is about, for the side that has `known` and said the digests of so many of its buckets (0: it asked for all).
/// nullopt when they do not come out: a digest of a bucket was the same by chance. Error{protocol}: what no beside() answers.
std::optional<Lists> completed(const Lists& known, std::size_t buckets, ListsBeside answer);

}  // namespace gsync::model
