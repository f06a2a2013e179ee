#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gsync/model/lists.hpp"
#include "gsync/model/records.hpp"

namespace gsync::model {

/// One row of the lists on two sides; at least one of them is there.
struct RowChange {
  RowKey key;
  std::optional<Row> before;
  std::optional<Row> after;
};

/// Every row in which the two differ in what a person sets, in key order. What must be done to `from` to make it `to`.
std::vector<RowChange> diff(const Lists& from, const Lists& to);

/// One record line that only one side has. An order that differs shows as both (a removal and an addition of the same line).
struct RecordChange {
  RecordKind kind = RecordKind::dns;
  std::string line;
  bool added = false;  ///< only in `to`; else only in `from`
};
std::vector<RecordChange> diff(RecordKind kind, const RecordLines& from, const RecordLines& to);

/// Applies a diff to the lists that it was made from. Error{conflict} when `before` is not what is there.
Lists patched(Lists lists, const std::vector<RowChange>& changes);

/// What differs between two rows with one key, in Pi-hole's words: "comment", "enabled here, disabled there", "groups"…
std::string describe_difference(const RowChange& change, std::string_view before_name, std::string_view after_name);

template <class Archive>
void fields(Archive& a, RowChange& c) {
  a(c.key, c.before, c.after);
}
template <class Archive>
void fields(Archive& a, RecordChange& c) {
  a(c.kind, c.line, c.added);
}

}  // namespace gsync::model
