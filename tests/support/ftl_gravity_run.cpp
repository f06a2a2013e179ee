#include "support/ftl_gravity_run.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "support/household.hpp"
#include "support/sql.hpp"

namespace gsync::test {
namespace {

constexpr std::size_t rows_each = 3;

void compile(Sql& sql) {
  for (const auto& row : sql.rows("SELECT id, address FROM adlist WHERE enabled = 1 AND status NOT IN (1, 2)")) {
    const auto& id = row[0].value();
    const auto& address = row[1].value();
    if (address.find("unreachable") != std::string::npos) {
      sql.execute(fmt::format("UPDATE adlist SET status = 4, number = 0 WHERE id = {}", id));
      continue;
    }
    for (std::size_t i = 0; i < rows_each; ++i)
      sql.execute(fmt::format("INSERT INTO gravity (domain, adlist_id) VALUES ('{}', {})", generated_domain(address, i), id));
    sql.execute(
        fmt::format("UPDATE adlist SET status = 1, number = {}, date_updated = strftime('%s', 'now') WHERE id = {}", rows_each, id));
  }
  // The date, whatever stood there; two runs within one second happen to nobody else.
  sql.execute(
      "UPDATE info SET value = iif(abs(value - strftime('%s', 'now')) < 60, value + 1, strftime('%s', 'now')) WHERE property = 'updated'");
}

}  // namespace

int run_gravity(const std::string& directory) {
  const auto live = directory + "/gravity.db";
  const auto temporary = live + "_temp";
  std::filesystem::remove(temporary);
  execute(live, fmt::format("VACUUM INTO '{}'", temporary));
  {
    Sql sql(temporary);
    compile(sql);
  }
  swap_gravity(directory, temporary);
  std::filesystem::permissions(live, std::filesystem::perms(0664));
  return 0;
}

void swap_gravity(const std::string& directory, const std::string& compiled) {
  const auto live = directory + "/gravity.db";
  std::filesystem::create_directories(directory + "/gravity_backups");
  std::filesystem::rename(live, directory + "/gravity_backups/gravity.db.1");
  std::filesystem::rename(compiled, live);
}

}  // namespace gsync::test
