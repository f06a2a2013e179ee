#include "gsync/sqlite/visit.hpp"

#include <fmt/core.h>
#include <sqlite3.h>

#include <exception>

#include "error.hpp"

namespace gsync::sqlite {
namespace {

constexpr const char* function = "gsync_visit";

struct Visitor {
  const std::function<void(const VisitedRow&)>& visit;
  std::exception_ptr failure;
};

/// No exception may pass through SQLite.
void step(sqlite3_context* context, int, sqlite3_value** columns) {
  auto& visitor = *static_cast<Visitor*>(sqlite3_user_data(context));
  try {
    visitor.visit(VisitedRow(columns));
  } catch (...) {
    visitor.failure = std::current_exception();
    sqlite3_result_error(context, "stopped by the visitor", -1);
  }
}

void finish(sqlite3_context*) {}

/// The aggregate function, for as long as this lives. Nothing that is written in a schema may call it.
class Registered {
 public:
  Registered(Database& database, Visitor& visitor) : database_(database) {
    const auto code = sqlite3_create_function_v2(database_.handle(), function, -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, &visitor, nullptr, step,
                                                 finish, nullptr);
    if (code != SQLITE_OK) fail(code, database_.handle(), database_.path(), "walk through rows");
  }
  ~Registered() { sqlite3_create_function_v2(database_.handle(), function, -1, SQLITE_UTF8, nullptr, nullptr, nullptr, nullptr, nullptr); }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;

 private:
  Database& database_;
};

}  // namespace

bool VisitedRow::is_text(int column) const {
  return sqlite3_value_type(columns_[column]) == SQLITE_TEXT;
}

bool VisitedRow::is_integer(int column) const {
  return sqlite3_value_type(columns_[column]) == SQLITE_INTEGER;
}

std::int64_t VisitedRow::integer(int column) const {
  return sqlite3_value_int64(columns_[column]);
}

std::string_view VisitedRow::text(int column) const {
  const void* data = sqlite3_value_blob(columns_[column]);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_value_bytes(columns_[column]))};
}

void visit_rows(Database& database, const std::string& columns, const std::string& rest,
                const std::function<void(const VisitedRow&)>& visit) {
  Visitor visitor{visit, nullptr};
  const Registered registered(database, visitor);
  try {
    database.prepare(fmt::format("SELECT {}({}) FROM {}", function, columns, rest)).run();
  } catch (...) {
    if (visitor.failure) std::rethrow_exception(visitor.failure);
    throw;
  }
}

}  // namespace gsync::sqlite
