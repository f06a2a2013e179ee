#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "gsync/replica/live_file.hpp"
#include "gsync/sqlite/database.hpp"
#include "gsync/util/files.hpp"

namespace gsync::replica {

/// Our second database, on live's filesystem, in the directory `.gravity-sync` beside it. It is whole whenever it is called `shadow.db`; while it is written to it is called
/// `shadow.building`, because a half-copied file can pass integrity_check. Everything but lock() needs the node's lock.
class Shadow {
 public:
  explicit Shadow(LiveFile& live);

  /// The one lock per node: `.gravity-sync/lock`. Makes the directory, with the owner and the mode of the one around it. Error{busy} at the deadline.
  util::FileLock lock(util::Deadline deadline);

  /// nullopt when there is no whole shadow.
  std::optional<Identity> identity();

  /// What becomes of the shadow that there is when a new one is begun.
  enum class Previous : unsigned char {
    reuse,  ///< it becomes the file under construction: pages that stay the same are not written again
    keep,   ///< it stays readable through open_previous() until finish() or discard()
  };
  /// Makes shadow.building, having removed left-over journals and what a crash left. After a crash from here to finish() the next begin() starts from nothing.
  void begin(Previous previous = Previous::reuse);
  sqlite::Database open_previous();
  /// A connection to the file under construction: no journal, no syncs (a crash loses the file by design), pages that are equal already are not written.
  sqlite::Database open_building();
  /// For reading, when open_building()'s is closed, which lets nobody else in.
  sqlite::Database open_building_reader();
  /// A descriptor of it, for raw writing (a whole copy that arrives). Never closed while open_building()'s connection is open.
  util::Fd open_building_raw(int flags);
  /// Owner and mode of `like`, fsync, rename to shadow.db, fsync of the directory. After an error the file is gone.
  void finish(const struct stat& like);
  /// Removes the file under construction; what `keep` kept is the shadow again. Never throws.
  void discard() noexcept;

  /// A read-only connection to the whole shadow.
  sqlite::Database open_reader();
  util::Fd open_raw();
  void remove();

  std::string path() const { return path_ + "/shadow.db"; }
  std::string building_path() const { return path_ + "/shadow.building"; }
  std::string previous_path() const { return path_ + "/shadow.previous"; }
  int directory();
  static constexpr const char* name = "shadow.db";

 private:
  void remove_journals(const std::string& of);
  void clear(const std::string& file);

  LiveFile& live_;
  std::string path_;
  util::Fd directory_;
};

}  // namespace gsync::replica
