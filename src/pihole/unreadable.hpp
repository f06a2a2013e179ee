#pragma once
#include <string>

namespace gsync::pihole {

/// Error{refused} that names whose the file is, or the nearest directory above it that we can see, and what to run instead.
[[noreturn]] void refuse_unreadable(const std::string& path);

}  // namespace gsync::pihole
