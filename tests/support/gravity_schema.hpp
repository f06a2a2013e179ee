#pragma once
#include <array>
#include <cstdint>
#include <string>

namespace gsync::test {

/// The shapes of gravity.db that are out there, made by a template of `pihole -g` or by migrating an older one, which changes less.
/// `info.version` alone does not tell them apart (PIHOLE.md §1).
enum class Shape : std::uint8_t {
  v5,            ///< 15: adlists unique on the address, domain_audit, no antigravity, white/blacklist views
  v16,           ///< migrated: adlist.abp_entries
  v17,           ///< migrated: adlist.type, antigravity
  v18,           ///< migrated: adlist_id in the views of both
  v19_migrated,  ///< BEFORE DELETE triggers
  v6_19,         ///< template of 6.0: unique on (address, type), no domain_audit, no cascade, AFTER DELETE triggers
  v19_cascade,   ///< template of 6.1: cascade
  v6_template,   ///< 20, template of 6.2: allow/denylist views
  v6_migrated,   ///< 20, of a v5 file: as v19_migrated with the new views
  v21,           ///< by_group tables and info WITHOUT ROWID, indexes on group_id, update triggers by id
  v21_migrated,  ///< the same of a v5 file
};
inline constexpr std::array all_shapes{Shape::v5,           Shape::v16,   Shape::v17,         Shape::v18,
                                       Shape::v19_migrated, Shape::v6_19, Shape::v19_cascade, Shape::v6_template,
                                       Shape::v6_migrated,  Shape::v21,   Shape::v21_migrated};

struct ShapeTraits {
  int version;
  const char* name;       ///< for test names
  bool has_abp;           ///< adlist.abp_entries
  bool has_type;          ///< adlist.type, antigravity
  bool ids_in_views;      ///< vw_gravity.adlist_id
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
