#pragma once

namespace gsync::replica {

enum class OpenElsewhere : unsigned char {
  no,
  yes,
  unknown,  ///< this filesystem has no leases, or the file is not ours
};

/// Whether anybody else, on this host and this filesystem, has an open file description of `fd`'s file. Not for live: while the question is asked, somebody who opens the
/// file waits.
OpenElsewhere open_elsewhere(int fd);

}  // namespace gsync::replica
