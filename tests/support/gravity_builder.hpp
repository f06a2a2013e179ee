#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "support/gravity_schema.hpp"
#include "support/household.hpp"
#include "support/sql.hpp"

namespace gsync::test {

/// Makes a gravity.db: page size 4096, journal mode delete, idx_gravity made after the rows as `pihole -g` does. The same input gives the
/// same rows.
///
///   GravityBuilder(Shape::v6_template).household(realistic(1)).numbering(7).build(path);
class GravityBuilder {
 public:
  explicit GravityBuilder(Shape shape = Shape::v6_template) : shape_(shape) {}

  GravityBuilder& household(Household household);
  GravityBuilder& group(GroupRow row);
  GravityBuilder& adlist(AdlistRow row);
  GravityBuilder& domain(DomainRow row);
  GravityBuilder& client(ClientRow row);

  /// 0: ids 1, 2, 3… in the order given. Another seed: another order, with gaps as after deletions. Two nodes with the same rows have
  /// different ids.
  GravityBuilder& numbering(std::uint64_t seed);
  /// info.updated and the adlists' date_updated; nullopt leaves the row out, as on a fresh Pi-hole.
  GravityBuilder& updated(std::optional<std::int64_t> time);
  /// Whether to leave ANALYZE's sqlite_stat1 behind. Default: for the v6 shapes that `pihole -g` made.
  GravityBuilder& statistics(bool on);
  /// false leaves idx_gravity out: nothing is slow to notice that in a small database.
  GravityBuilder& index(bool on);

  const Household& rows() const { return household_; }
  Shape shape() const { return shape_; }

  /// Replaces the file. Mode 0664, as gravity.sh leaves it.
  void build(const std::string& path) const;

 private:
  using Ids = std::map<std::string, std::int64_t>;
  void insert_lists(Sql& sql, std::int64_t updated) const;
  void insert_items(Sql& sql, const Ids& groups, std::int64_t updated) const;
  void insert_blocklist(Sql& sql) const;
  std::vector<std::int64_t> ids_for(std::size_t count, std::uint64_t salt) const;

  Shape shape_;
  Household household_;
  std::uint64_t numbering_ = 0;
  std::optional<std::int64_t> updated_ = 1'750'000'000;
  std::optional<bool> statistics_;
  bool index_ = true;
};

}  // namespace gsync::test
