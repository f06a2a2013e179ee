#pragma once
#include <cstdint>

namespace gsync::sqlite {

class Database;

/// The name of the VFS, registered on first use. It forwards everything to the VFS that is the default at that moment.
const char* page_copying_vfs();

/// Reads a part of a database that is open under this VFS, and locked, for reads that follow. Does nothing for others.
void read_ahead(const Database& database, std::int64_t offset, int size);

}  // namespace gsync::sqlite
