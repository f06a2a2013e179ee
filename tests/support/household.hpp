#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gsync::test {

/// Group 0, whatever its name is, in the `groups` of an item.
inline const std::string default_group = "Default";

inline constexpr std::int64_t default_date = 1'700'000'000;

struct GroupRow {
  std::string name;
  bool enabled = true;
  std::optional<std::string> description = {};
  std::int64_t added = default_date;
  std::int64_t modified = default_date;
};

struct AdlistRow {
  std::string address;
  int type = 0;  ///< 0 block, 1 allow
  bool enabled = true;
  std::optional<std::string> comment = {};
  std::vector<std::string> groups{default_group};
  std::int64_t added = default_date;
  std::int64_t modified = default_date;
  /// What the list compiles to: `content`, and then generated_domain(address, i) for i from `first_entry`, `entries` of them. Moving
  /// first_entry by n is the next version of the list, in which n domains are gone and n are new.
  std::vector<std::string> content = {};
  std::size_t entries = 0;
  std::size_t first_entry = 0;
};

struct DomainRow {
  std::string domain;
  int type = 1;  ///< 0 allow, 1 deny, 2 allow regex, 3 deny regex
  bool enabled = true;
  std::optional<std::string> comment = {};
  std::vector<std::string> groups{default_group};
  std::int64_t added = default_date;
  std::int64_t modified = default_date;
};

struct ClientRow {
  std::string ip;
  std::optional<std::string> comment = {};
  std::vector<std::string> groups{default_group};
  std::int64_t added = default_date;
  std::int64_t modified = default_date;
};

/// All that a person configures, as a value: change it to make the other node of a pair. Row ids are the builder's business.
struct Household {
  GroupRow zero{default_group, true, "The default group"};
  std::vector<GroupRow> groups;
  std::vector<AdlistRow> adlists;
  std::vector<DomainRow> domains;
  std::vector<ClientRow> clients;
};

/// How big realistic() makes it.
struct HouseholdSize {
  std::size_t groups = 6;
  std::size_t adlists = 12;
  std::size_t domains = 150;  ///< of the four types
  std::size_t clients = 30;
  std::size_t gravity = 20'000;  ///< rows that the adlists compile to, duplicates between lists included
};

/// A household's configuration: all domain types, disabled rows, items in no group and in several, a domain on both the allow and the deny
/// list, comments with quotes, newlines, tabs, emoji, NULL and ''. The same seed and size give the same rows. `typed` adds allow lists (for
/// shapes that have them).
Household realistic(std::uint64_t seed, const HouseholdSize& size = {}, bool typed = true);

/// `edits` changes as people make them: added, removed and altered domains, clients and adlists. Deterministic.
void drift(Household& household, std::uint64_t seed, std::size_t edits);

/// The i-th domain of the list with that address. Different for different i; roughly one in twelve is also on the other lists; one in
/// thirty is an ABP entry "||x^".
std::string generated_domain(const std::string& address, std::size_t i);

/// The same bytes on every platform and library (SplitMix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// 0 … bound-1.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace gsync::test
