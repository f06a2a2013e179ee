#pragma once
#include "gsync/cli/exit_code.hpp"
#include "gsync/util/error.hpp"

namespace gsync::cli {

/// What a script learns of an error. A timeout is a plain failure here: one of connecting has become `unreachable` where it happened.
ExitCode exit_code_of(ErrorCode code);

}  // namespace gsync::cli
