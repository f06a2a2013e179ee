#include "error.hpp"

#include <fmt/core.h>

#include <cerrno>

#include "gsync/util/error.hpp"

namespace gsync::sqlite {

void fail(int code, sqlite3* database, const std::string& path, std::string_view step) {
  // Not everything that fails tells the connection.
  const bool told = database != nullptr && sqlite3_errcode(database) != SQLITE_OK;
  const char* words = told ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  auto what = fmt::format("{}: cannot {}: {}", path, step, words);
  switch (code) {
    case SQLITE_READONLY_ROLLBACK:
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_CANTLOCK:
      throw Error(ErrorCode::busy, fmt::format("{}: an interrupted write has left a journal that must be played back first", path),
                  "pihole-FTL does that by itself when it next uses the database; if it is not running, start it");
    case SQLITE_READONLY_DBMOVED:
      throw Error(ErrorCode::conflict, fmt::format("{}: the file was replaced while it was open", path));
    case SQLITE_IOERR_NOMEM:
    case SQLITE_NOMEM:
      throw Error(ErrorCode::io, fmt::format("{}: out of memory", path));
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorCode::busy, what, "another program is writing to it; try again in a moment");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      throw Error(ErrorCode::corrupt, what);
    case SQLITE_CONSTRAINT:
      throw Error(ErrorCode::conflict, what);
    case SQLITE_IOERR:
      // SQLite knows a full disk only as ENOSPC of a write; one that shows at the fsync, or a quota, is the same to whoever reads this.
      if (const int error = database != nullptr ? sqlite3_system_errno(database) : 0; error != EDQUOT && error != ENOSPC)
        throw Error(ErrorCode::io, what);
      [[fallthrough]];
    case SQLITE_FULL:
      throw Error(ErrorCode::no_space, what, "free some space on that filesystem");
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      throw Error(ErrorCode::refused, what);
    case SQLITE_CANTOPEN:
      if (code == SQLITE_CANTOPEN_SYMLINK) throw Error(ErrorCode::refused, fmt::format("{}: its path holds a symbolic link", path));
      throw Error(ErrorCode::io, what);
    case SQLITE_INTERRUPT:
      throw Error(ErrorCode::cancelled, what);
    default:
      throw Error(ErrorCode::io, what);
  }
}

}  // namespace gsync::sqlite
