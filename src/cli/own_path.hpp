#pragma once
#include <string>

namespace gsync::cli {

/// Where this program stands, for those that are to start it: an administrator's own copy is the one that they get, too. Error{io}.
std::string own_path();

}  // namespace gsync::cli
