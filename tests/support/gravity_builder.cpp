#include "support/gravity_builder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace gsync::test {

namespace {

/// Replaces the assignment to group 0 that the insert trigger made.
class Assigner {
 public:
  Assigner(Sql& sql, const std::string& item)
      : clear_(sql, ("DELETE FROM " + item + "_by_group WHERE " + item + "_id = ?1").c_str()),
        add_(sql, ("INSERT INTO " + item + "_by_group (" + item + "_id, group_id) VALUES (?1, ?2)").c_str()) {}

  void assign(std::int64_t id, const std::vector<std::string>& names, const std::map<std::string, std::int64_t>& groups) {
    clear_.bind(1, id).run();
    for (const auto& name : names) {
      const auto group = groups.find(name);
      if (group == groups.end()) throw std::runtime_error("no group " + name);
      add_.bind(1, id).bind(2, group->second).run();
    }
  }

 private:
  Prepared clear_;
  Prepared add_;
};

bool is_abp(const std::string& domain) {
  return domain.rfind("||", 0) == 0 || domain.rfind("@@||", 0) == 0;
}

std::size_t compiled_size(const AdlistRow& row) {
  return row.content.size() + row.entries;
}

}  // namespace

GravityBuilder& GravityBuilder::household(Household household) {
  household_ = std::move(household);
  return *this;
}

GravityBuilder& GravityBuilder::group(GroupRow row) {
  household_.groups.push_back(std::move(row));
  return *this;
}

GravityBuilder& GravityBuilder::adlist(AdlistRow row) {
  household_.adlists.push_back(std::move(row));
  return *this;
}

GravityBuilder& GravityBuilder::domain(DomainRow row) {
  household_.domains.push_back(std::move(row));
  return *this;
}

GravityBuilder& GravityBuilder::client(ClientRow row) {
  household_.clients.push_back(std::move(row));
  return *this;
}

GravityBuilder& GravityBuilder::numbering(std::uint64_t seed) {
  numbering_ = seed;
  return *this;
}

GravityBuilder& GravityBuilder::updated(std::optional<std::int64_t> time) {
  updated_ = time;
  return *this;
}

GravityBuilder& GravityBuilder::statistics(bool on) {
  statistics_ = on;
  return *this;
}

GravityBuilder& GravityBuilder::index(bool on) {
  index_ = on;
  return *this;
}

std::vector<std::int64_t> GravityBuilder::ids_for(std::size_t count, std::uint64_t salt) const {
  std::vector<std::int64_t> ids(count);
  std::iota(ids.begin(), ids.end(), 1);
  if (numbering_ == 0) return ids;
  Random random(numbering_ * 31 + salt);
  std::int64_t id = 0;
  for (auto& each : ids) each = id += 1 + static_cast<std::int64_t>(random.below(3));
  for (std::size_t i = count; i > 1; --i) std::swap(ids[i - 1], ids[random.below(i)]);
  return ids;
}

void GravityBuilder::insert_lists(Sql& sql, std::int64_t updated) const {
  Ids groups{{default_group, 0}};
  // REPLACE runs no delete trigger, and unlike UPDATE it keeps the dates.
  Prepared insert(
      sql, "INSERT OR REPLACE INTO \"group\" (id, enabled, name, date_added, date_modified, description) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
  const auto put = [&](std::int64_t id, const GroupRow& row) {
    insert.bind(1, id)
        .bind(2, std::int64_t{row.enabled})
        .bind(3, row.name)
        .bind(4, row.added)
        .bind(5, row.modified)
        .bind(6, row.description)
        .run();
  };
  put(0, household_.zero);
  const auto ids = ids_for(household_.groups.size(), 1);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    put(ids[i], household_.groups[i]);
    groups[household_.groups[i].name] = ids[i];
  }
  insert_items(sql, groups, updated);
}

void GravityBuilder::insert_items(Sql& sql, const Ids& groups, std::int64_t updated) const {
  const bool typed = traits(shape_).has_type;
  Prepared adlist(sql, typed
                           ? "INSERT INTO adlist (id, address, enabled, date_added, date_modified, comment, date_updated, number, status, "
                             "type) "
                             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                           : "INSERT INTO adlist (id, address, enabled, date_added, date_modified, comment, date_updated, number, status) "
                             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  Assigner adlist_groups(sql, "adlist");
  auto ids = ids_for(household_.adlists.size(), 2);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const AdlistRow& row = household_.adlists[i];
    if (row.type != 0 && !typed) throw std::runtime_error("this shape has no allow lists");
    const auto compiled = static_cast<std::int64_t>(compiled_size(row));
    adlist.bind(1, ids[i])
        .bind(2, row.address)
        .bind(3, std::int64_t{row.enabled})
        .bind(4, row.added)
        .bind(5, row.modified)
        .bind(6, row.comment);
    adlist.bind(7, compiled > 0 ? updated : 0).bind(8, compiled).bind(9, std::int64_t{compiled > 0 ? 1 : 0});
    if (typed) adlist.bind(10, std::int64_t{row.type});
    adlist.run();
    adlist_groups.assign(ids[i], row.groups, groups);
  }

  Prepared domain(
      sql, "INSERT INTO domainlist (id, type, domain, enabled, date_added, date_modified, comment) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  Assigner domain_groups(sql, "domainlist");
  ids = ids_for(household_.domains.size(), 3);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const DomainRow& row = household_.domains[i];
    domain.bind(1, ids[i]).bind(2, std::int64_t{row.type}).bind(3, row.domain).bind(4, std::int64_t{row.enabled});
    domain.bind(5, row.added).bind(6, row.modified).bind(7, row.comment).run();
    domain_groups.assign(ids[i], row.groups, groups);
  }

  Prepared client(sql, "INSERT INTO client (id, ip, date_added, date_modified, comment) VALUES (?1, ?2, ?3, ?4, ?5)");
  Assigner client_groups(sql, "client");
  ids = ids_for(household_.clients.size(), 4);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const ClientRow& row = household_.clients[i];
    client.bind(1, ids[i]).bind(2, row.ip).bind(3, row.added).bind(4, row.modified).bind(5, row.comment).run();
    client_groups.assign(ids[i], row.groups, groups);
  }
}

void GravityBuilder::insert_blocklist(Sql& sql) const {
  const auto ids = ids_for(household_.adlists.size(), 2);
  std::vector<std::size_t> order(ids.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return ids[a] < ids[b]; });
  for (const char* table : {"gravity", "antigravity"}) {
    const int type = table[0] == 'a' ? 1 : 0;
    if (type == 1 && !traits(shape_).has_type) continue;
    Prepared insert(sql, (std::string("INSERT INTO ") + table + " (domain, adlist_id) VALUES (?1, ?2)").c_str());
    for (const std::size_t i : order) {
      const AdlistRow& row = household_.adlists[i];
      if (row.type != type) continue;
      std::int64_t abp = 0;
      const auto put = [&](const std::string& domain) {
        insert.bind(1, domain).bind(2, ids[i]).run();
        abp += is_abp(domain);
      };
      for (const auto& domain : row.content) put(domain);
      for (std::size_t n = 0; n < row.entries; ++n) put(generated_domain(row.address, row.first_entry + n));
      if (traits(shape_).has_abp) sql.execute(fmt::format("UPDATE adlist SET abp_entries = {} WHERE id = {}", abp, ids[i]));
    }
  }
}

void GravityBuilder::build(const std::string& path) const {
  const ShapeTraits& shape = traits(shape_);
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
  {
    Sql sql(path, Sql::Mode::create);
    sql.execute(
        "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = "
        "-65536; BEGIN");
    sql.execute(schema_sql(shape_));
    insert_lists(sql, updated_.value_or(default_date));
    insert_blocklist(sql);
    if (index_) sql.execute(gravity_index_sql);
    const auto info = [&](const char* property, const std::string& value) {
      sql.execute(fmt::format("INSERT INTO info (property, value) VALUES ('{}', {})", property, value));
    };
    if (updated_) info("updated", fmt::format("'{}'", *updated_));
    info("gravity_count", "(SELECT count(DISTINCT domain) FROM gravity)");
    info("abp_domains", "(SELECT EXISTS (SELECT 1 FROM gravity WHERE domain GLOB '||*'))");
    if (!shape.audit) info("gravity_restored", "'false'");
    if (shape.audit) sql.execute("INSERT INTO domain_audit (id, domain) VALUES (2, 'audited.example'), (5, 'looked-at.example')");
    sql.execute("COMMIT");
    if (statistics_.value_or(!shape.audit)) sql.execute("ANALYZE");
  }
  ::chmod(path.c_str(), 0664);
}

}  // namespace gsync::test
