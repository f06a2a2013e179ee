#pragma once

namespace gsync::sqlite {

/// Of a connection: 512 KiB, where SQLite's default is four times as much. What we read and write goes through a database in order, and
/// comes back to a page at once or never; and a run has up to three connections.
constexpr int most_cached_pages = 128;

}  // namespace gsync::sqlite
