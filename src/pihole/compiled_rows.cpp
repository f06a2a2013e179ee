#include "compiled_rows.hpp"

#include <fmt/core.h>

namespace gsync::pihole {

CompiledRows::CompiledRows(sqlite::Database& database, const char* table)
    : statement_(database.prepare(fmt::format("SELECT domain, adlist_id FROM {} ORDER BY domain, adlist_id", table))) {
  next();
}

void CompiledRows::next() {
  while ((more_ = statement_.step())) {
    if (!statement_.is_text(0) || !statement_.is_integer(1)) continue;
    domain_ = statement_.text(0);
    if (can_travel(domain_)) return;
  }
}

}  // namespace gsync::pihole
