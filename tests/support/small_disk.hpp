#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "support/private_mounts.hpp"
#include "support/temp_directory.hpp"

namespace gsync::test {

/// A small filesystem in memory, on which temporary directories are made as long as this lives. Where nothing can be mounted reason() says
/// so, and they are made where they always are.
class SmallDisk {
 public:
  explicit SmallDisk(std::uint64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& reason() const { return mounts_.reason(); }
  /// Writes a file that leaves so many bytes, rounded down to whole pages.
  void leave_free(std::uint64_t bytes);
  void empty();
  void make_read_only(bool read_only = true) { mounts_.make_read_only(where_.path(), read_only); }

 private:
  TempDirectory where_;
  std::optional<std::string> before_;
  PrivateMounts mounts_;  // unmounted before the directory goes
};

}  // namespace gsync::test
