#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace gsync::cli {

/// Root sees to it that `owner` will reach these directories, which are his, even where one above them lets nobody else through
/// (/var/lib/docker, /root): in a mount namespace of this process an empty directory then stands in the place of that one, with nothing but
/// the way to them in it. Nobody else sees it, and nothing more of what is there can be read than before. Does nothing where they can be
/// reached anyway. While there is one thread. Error{refused} where we may not mount.
void keep_reachable(const std::vector<std::string>& directories, uid_t owner, gid_t group);

}  // namespace gsync::cli
