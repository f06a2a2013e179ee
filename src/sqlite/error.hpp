#pragma once
#include <sqlite3.h>

#include <string>
#include <string_view>

namespace gsync::sqlite {

/// Throws the gsync::Error for an extended result code; `database` may be null.
[[noreturn]] void fail(int code, sqlite3* database, const std::string& path, std::string_view step);

}  // namespace gsync::sqlite
