#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "gsync/util/error.hpp"
#include "support/sql.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {

/// The directory's path without symbolic links: SQLITE_OPEN_NOFOLLOW is about the whole path, and $TMPDIR may hold one.
inline std::string real_path(const TempDirectory& directory) {
  std::unique_ptr<char, decltype(&::free)> resolved(::realpath(directory.path().c_str(), nullptr), &::free);
  if (!resolved) throw std::runtime_error("realpath " + directory.path());
  return resolved.get();
}

/// A table t(id, x) with `rows` rows of about 100 bytes.
inline void make_table(const std::string& path, int rows) {
  Sql sql(path, Sql::Mode::create);
  sql.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)");
  sql.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" + std::to_string(rows) +
              ") INSERT INTO t SELECT i, printf('row %d %.*c', i, 90, 'x') FROM n");
}

/// The code of the Error that `call` throws; a test failure when it throws none.
template <class Call>
ErrorCode code_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error was thrown";
  return ErrorCode::cancelled;
}

}  // namespace gsync::test

namespace gsync {
inline void PrintTo(ErrorCode code, std::ostream* out) {
  *out << to_string(code);
}
}  // namespace gsync
