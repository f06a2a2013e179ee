#pragma once
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "gsync/model/history.hpp"
#include "gsync/model/plan.hpp"

namespace gsync::model::testing {

/// Random values for tests of properties. The seed is printed; GSYNC_SEED=N repeats a run.
class Random {
 public:
  Random() {
    const char* given = std::getenv("GSYNC_SEED");
    seed_ = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "seed: GSYNC_SEED=" << seed_ << '\n';
    engine_.seed(seed_);
  }
  std::mt19937_64& engine() { return engine_; }

  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool flip() { return below(2) == 0; }
  std::int64_t number() { return static_cast<std::int64_t>(engine_() >> below(64)) * (flip() ? 1 : -1); }

  /// Any bytes, NUL and broken UTF-8 among them.
  std::string bytes(std::size_t most = 20) {
    std::string text(below(most + 1), '\0');
    for (auto& c : text) c = static_cast<char>(below(256));
    return text;
  }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

  Row row(const std::vector<RowKey>& groups) {
    Row row;
    row.enabled = flip();
    row.comment = pick<std::string>({"", "a", "b", "it's \"quoted\"\n\t", "żółw 🐢", bytes()});
    for (const auto& group : groups)
      if (below(3) == 0) row.groups.insert(group);
    row.added = number();
    row.modified = number();
    return row;
  }

  /// Valid lists from a small space of names, so that two of them overlap.
  Lists lists(std::size_t rows = 30) {
    Lists lists;
    std::vector<RowKey> groups{default_group_key()};
    for (auto n = below(4); n > 0; --n) groups.push_back({Table::group, kind::named_group, "group " + std::to_string(below(6))});
    for (const auto& group : groups) lists[group] = row({});
    lists[default_group_key()].title = flip() ? "Default" : "Everybody";
    for (auto n = below(rows + 1); n > 0; --n) {
      auto name = "name" + std::to_string(below(rows));
      switch (below(3)) {
        case 0:
          lists[{Table::adlist, static_cast<std::uint8_t>(below(2)), "https://" + name}] = row(groups);
          break;
        case 1:
          lists[{Table::domain, static_cast<std::uint8_t>(below(4)), name}] = row(groups);
          break;
        default: {
          auto client = row(groups);
          client.enabled = true;
          lists[{Table::client, 0, name}] = client;
        }
      }
    }
    return lists;
  }

  RecordLines lines(std::size_t most, std::size_t kinds) {
    RecordLines lines;
    for (auto n = below(most + 1); n > 0; --n) lines.push_back("10.0.0.1 host" + std::to_string(below(kinds)));
    return lines;
  }
  SetDigest set_digest() { return {engine_(), engine_(), engine_()}; }
  Digest digest() {
    Digest digest;
    for (auto& byte : digest.bytes) byte = static_cast<std::uint8_t>(below(256));
    return digest;
  }

 private:
  std::uint64_t seed_ = 0;
  std::mt19937_64 engine_;
};

/// Equal in everything, dates included: what a codec must keep.
inline bool identical(const Row& a, const Row& b) {
  return a.same_edit(b) && a.added == b.added && a.modified == b.modified;
}

/// Equal in what people set.
inline bool same_edits(const Lists& a, const Lists& b) {
  if (a.size() != b.size()) return false;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y)
    if (x->first != y->first || !x->second.same_edit(y->second)) return false;
  return true;
}

}  // namespace gsync::model::testing
