#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "gsync/model/blocklist.hpp"
#include "gsync/model/lists.hpp"

namespace gsync::model {

struct NodeInfo;

/// An adlist that a person enabled and that blocks (or allows) nothing.
struct UncompiledAdlist {
  RowKey key;
  bool failed = false;  ///< `pihole -g` ran and could not download it; else it has not run since the adlist was added or enabled
  bool operator==(const UncompiledAdlist&) const = default;
};

struct Uncompiled {
  static constexpr std::size_t max_named = 50;
  static constexpr std::size_t longest_address = 1'024;  ///< longer ones are counted and not named

  std::vector<UncompiledAdlist> adlists;  ///< in the order of their keys, the first max_named
  std::uint64_t count = 0;                ///< of all

  bool empty() const { return count == 0; }
  bool names(const RowKey& key) const;
  void add(UncompiledAdlist adlist);
  bool operator==(const Uncompiled&) const = default;
};

/// Whether its rows are what `pihole -g` made of it: an adlist that is empty in truth is compiled, too. `adlist` is its row.
bool is_compiled(const AdlistState& state, const Row& adlist);

/// Enabled adlists, in a group that is enabled, of which `blocklist` has no compiled set.
Uncompiled uncompiled(const Lists& lists, const Blocklist& blocklist);

/// What neither of two that are in step has compiled; of what only one of them can hold, that one.
Uncompiled uncompiled(const NodeInfo& a, const NodeInfo& b);

/// Those of `now` that are not in `before`.
Uncompiled newly(const Uncompiled& before, const Uncompiled& now);

/// "2 adlists block nothing, no Pi-hole has compiled them: https://a, https://b"; "1 adlist blocks nothing, its download failed:
/// https://c"; both with "; " in between. Few are named. Empty when there is none.
std::string to_text(const Uncompiled& uncompiled);
/// What a person does about it; or that there is nothing to do, where a Pi-hole runs `pihole -g` by itself.
std::string what_to_do(const Uncompiled& uncompiled, bool is_seen_to = false);

template <class Archive>
void fields(Archive& a, UncompiledAdlist& u) {
  a(u.key, u.failed);
}
template <class Archive>
void fields(Archive& a, Uncompiled& u) {
  a(u.adlists, u.count);
}

}  // namespace gsync::model
