// A pass-through VFS (sqlite.org/vfs.html) for the two files of a copy.
//
// Its main-database files do not write what is there already. The backup API rewrites every page of its destination; under this VFS the
// copy of a database onto its own previous version writes the pages that differ, which spares an SD card a whole database per edit. It
// compares with what the file says, so it is right only while the file really holds what was written to it: after a failed write or fsync
// the caller must unlink the file (pages in the cache that never reached the card would count as equal).
//
// Pages that are read one behind the other are read many at a time, for a copy keeps its source locked as long as it reads. What was read
// so is forgotten with the lock. The destination, which is locked all the time, can be read before the source is (read_ahead()).

#include "page_copying_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "gsync/sqlite/database.hpp"
#include "gsync/util/error.hpp"

namespace gsync::sqlite {
namespace {

constexpr const char* vfs_name = "gsync-page-copying";
constexpr int piece = 64 << 10;        // to read at once of what is read in order
constexpr int most_ahead = 512 << 10;  // to read before it is asked for
std::atomic<std::uint64_t> total_written{0};

/// A part of a file as it is while the lock lasts.
struct Ahead {
  std::unique_ptr<char[]> bytes;
  int room = 0;
  int size = 0;
  sqlite3_int64 from = 0;
};

struct File {
  sqlite3_file base;
  bool is_database;    // not a journal or a temporary file, which are new
  bool locked;         // nobody else writes
  sqlite3_int64 end;   // nothing was ever written from here on, as far as we know
  sqlite3_int64 next;  // where the last read ended
  Ahead ahead;
  sqlite3_file* real;  // lies behind this struct in the memory that SQLite gave us
};

File* ours_of(sqlite3_file* file) {
  return reinterpret_cast<File*>(file);
}

sqlite3_file* real_of(sqlite3_file* file) {
  return ours_of(file)->real;
}

bool is_ahead(const File& file, int size, sqlite3_int64 offset) {
  return offset >= file.ahead.from && offset + size <= file.ahead.from + file.ahead.size;
}

char* ahead_at(File& file, sqlite3_int64 offset) {
  return file.ahead.bytes.get() + (offset - file.ahead.from);
}

/// As much of it as there is. What cannot be read so is read when it is asked for, and fails then.
void read_piece(File& file, int size, sqlite3_int64 offset) {
  auto& ahead = file.ahead;
  ahead.size = 0;
  sqlite3_int64 end = 0;
  if (file.real->pMethods->xFileSize(file.real, &end) != SQLITE_OK || offset >= end) return;
  size = static_cast<int>(std::min<sqlite3_int64>(size, end - offset));
  if (ahead.room < size) {
    ahead.bytes.reset(new (std::nothrow) char[static_cast<std::size_t>(size)]);
    ahead.room = ahead.bytes ? size : 0;
    if (!ahead.bytes) return;
  }
  if (file.real->pMethods->xRead(file.real, ahead.bytes.get(), size, offset) != SQLITE_OK) return;
  ahead.from = offset;
  ahead.size = size;
}

int read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  auto* ours = ours_of(file);
  const bool in_order = offset == ours->next;
  ours->next = offset + size;
  if (ours->locked && in_order && !is_ahead(*ours, size, offset)) read_piece(*ours, piece, offset);
  if (!is_ahead(*ours, size, offset)) return ours->real->pMethods->xRead(ours->real, data, size, offset);
  std::memcpy(data, ahead_at(*ours, offset), static_cast<std::size_t>(size));
  return SQLITE_OK;
}

bool already_there(sqlite3_file* file, const char* data, int size, sqlite3_int64 offset) {
  std::array<char, 4096> on_disk{};
  for (int done = 0; done < size;) {
    int part = std::min<int>(size - done, static_cast<int>(on_disk.size()));
    if (read(file, on_disk.data(), part, offset + done) != SQLITE_OK) return false;
    if (std::memcmp(on_disk.data(), data + done, static_cast<std::size_t>(part)) != 0) return false;
    done += part;
  }
  return true;
}

int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  auto* ours = ours_of(file);
  auto* real = ours->real;
  if (ours->is_database && offset < ours->end && already_there(file, static_cast<const char*>(data), size, offset)) return SQLITE_OK;
  int code = real->pMethods->xWrite(real, data, size, offset);
  if (code == SQLITE_OK && is_ahead(*ours, size, offset))
    std::memcpy(ahead_at(*ours, offset), data, static_cast<std::size_t>(size));
  else
    ours->ahead.size = 0;
  if (code != SQLITE_OK) return code;
  total_written += static_cast<std::uint64_t>(size);
  ours->end = std::max(ours->end, offset + size);
  return code;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  ours_of(file)->ahead.size = 0;
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

int lock(sqlite3_file* file, int level) {
  int code = real_of(file)->pMethods->xLock(real_of(file), level);
  if (code == SQLITE_OK) ours_of(file)->locked = true;
  return code;
}

int unlock(sqlite3_file* file, int level) {
  if (level == SQLITE_LOCK_NONE) {
    ours_of(file)->locked = false;
    ours_of(file)->ahead.size = 0;
  }
  return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

int close(sqlite3_file* file) {
  auto* real = real_of(file);
  int code = real->pMethods != nullptr ? real->pMethods->xClose(real) : SQLITE_OK;
  ours_of(file)->ahead.bytes.reset();
  file->pMethods = nullptr;
  return code;
}

// Version 1: no shared memory (no WAL) and no mmap, neither of which a shadow may have.
const sqlite3_io_methods methods = {
    1,
    close,
    read,
    write,
    truncate,
    [](sqlite3_file* f, int flags) { return real_of(f)->pMethods->xSync(real_of(f), flags); },
    [](sqlite3_file* f, sqlite3_int64* size) { return real_of(f)->pMethods->xFileSize(real_of(f), size); },
    lock,
    unlock,
    [](sqlite3_file* f, int* held) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), held); },
    [](sqlite3_file* f, int operation, void* argument) { return real_of(f)->pMethods->xFileControl(real_of(f), operation, argument); },
    [](sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); },
    [](sqlite3_file* f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); },
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* parent = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* ours = new (file) File{};
  ours->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  ours->real = reinterpret_cast<sqlite3_file*>(ours + 1);
  std::memset(ours->real, 0, static_cast<std::size_t>(parent->szOsFile));
  int code = parent->xOpen(parent, name, ours->real, flags, out_flags);
  // SQLite calls xClose exactly when pMethods is set, also after a failed xOpen.
  ours->base.pMethods = ours->real->pMethods != nullptr ? &methods : nullptr;
  if (code == SQLITE_OK && ours->real->pMethods->xFileSize(ours->real, &ours->end) != SQLITE_OK)
    ours->end = std::numeric_limits<sqlite3_int64>::max();
  return code;
}

sqlite3_vfs make_vfs(sqlite3_vfs* parent) {
  sqlite3_vfs vfs = *parent;  // everything but opening is the parent's own; it looks only at its own pAppData, which is why those calls are
                              // forwarded below
  vfs.zName = vfs_name;
  vfs.pNext = nullptr;
  vfs.pAppData = parent;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + parent->szOsFile;
  vfs.xOpen = open;
  vfs.xDelete = [](sqlite3_vfs* v, const char* name, int sync) {
    auto* p = static_cast<sqlite3_vfs*>(v->pAppData);
    return p->xDelete(p, name, sync);
  };
  vfs.xAccess = [](sqlite3_vfs* v, const char* name, int flags, int* result) {
    auto* p = static_cast<sqlite3_vfs*>(v->pAppData);
    return p->xAccess(p, name, flags, result);
  };
  vfs.xFullPathname = [](sqlite3_vfs* v, const char* name, int size, char* out) {
    auto* p = static_cast<sqlite3_vfs*>(v->pAppData);
    return p->xFullPathname(p, name, size, out);
  };
  return vfs;
}

}  // namespace

const char* page_copying_vfs() {
  static sqlite3_vfs vfs = [] {
    auto* parent = sqlite3_vfs_find(nullptr);
    GSYNC_ASSERT(parent != nullptr);
    return make_vfs(parent);
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  GSYNC_ASSERT(registered == SQLITE_OK);
  return vfs_name;
}

void read_ahead(const Database& database, std::int64_t offset, int size) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr) return;
  if (file->pMethods == &methods && ours_of(file)->locked) read_piece(*ours_of(file), std::min(size, most_ahead), offset);
}

std::uint64_t bytes_written() {
  return total_written;
}

}  // namespace gsync::sqlite
