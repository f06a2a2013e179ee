#pragma once

namespace gsync::replica {

/// Whether `fd` is the only open file description of its file, on this host and this filesystem. False also where leases are not known or
/// the file is not ours: the careful answer. Not for live: while the question is asked, somebody who opens the file waits.
bool nobody_else_has_it_open(int fd);

}  // namespace gsync::replica
