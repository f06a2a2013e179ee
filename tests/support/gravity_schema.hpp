#pragma once
#include <array>
#include <cstdint>
#include <string>

namespace gsync::test {

/// The shapes of gravity.db that are out there. `info.version` alone does not tell them apart: two of them say 20 (PIHOLE.md §1).
enum class Shape : std::uint8_t {
  v5,           ///< 15: adlists unique on the address, domain_audit, no antigravity, white/blacklist views
  v6_19,        ///< 19: unique on (address, type), antigravity, white/blacklist views, no cascade
  v6_template,  ///< 20 as `pihole -g` makes it: cascade, allow/denylist views
  v6_migrated,  ///< 20 as the migration of a v5 file leaves it: unique on the address, no cascade, BEFORE DELETE triggers, domain_audit
                ///< kept
  v21,          ///< 21: by_group tables and info WITHOUT ROWID, indexes on group_id, update triggers by id
};
inline constexpr std::array all_shapes{Shape::v5, Shape::v6_19, Shape::v6_template, Shape::v6_migrated, Shape::v21};

struct ShapeTraits {
  int version;
  const char* name;       ///< for test names
  bool has_type;          ///< adlist.type, adlist.abp_entries, antigravity
  bool unique_with_type;  ///< adlist is unique on (address, type)
  bool cascade;
  bool audit;             ///< the table domain_audit
  bool deletes_before;    ///< delete triggers run BEFORE DELETE
  bool allow_deny_names;  ///< views are called vw_allowlist, not vw_whitelist
  bool without_rowid;
};
const ShapeTraits& traits(Shape shape);

/// Tables, triggers, views and the rows that an empty database has (group 0, info.version), without idx_gravity. The wording is ours, so
/// the text in sqlite_master differs from Pi-hole's; names, columns and behaviour are the same.
std::string schema_sql(Shape shape);
/// Separate, because `pihole -g` makes it after the rows and so do we.
inline constexpr const char* gravity_index_sql = "CREATE INDEX idx_gravity ON gravity(domain, adlist_id)";

}  // namespace gsync::test
