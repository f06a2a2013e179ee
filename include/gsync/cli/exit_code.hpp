#pragma once

namespace gsync::cli {

/// Documented in `gravity-sync --help`, the man page and README.md; scripts depend on them.
enum class ExitCode : int {
  done = 0,         ///< done, or nothing to do
  failed = 1,
  usage = 2,        ///< command line or configuration
  differences = 3,  ///< compare --exit-code found some
  refused = 4,      ///< a safety check said no
  unreachable = 5,  ///< the peer cannot be reached or does not let us in
  busy = 75,        ///< try later (EX_TEMPFAIL)
};

}  // namespace gsync::cli
