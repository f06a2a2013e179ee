#include "exit_status.hpp"

namespace gsync::cli {

ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::config:
      return ExitCode::usage;
    case ErrorCode::refused:
      return ExitCode::refused;
    case ErrorCode::busy:
    case ErrorCode::conflict:
      return ExitCode::busy;
    case ErrorCode::unreachable:
    case ErrorCode::auth:
    case ErrorCode::host_key:
      return ExitCode::unreachable;
    case ErrorCode::not_found:
    case ErrorCode::timeout:
    case ErrorCode::corrupt:
    case ErrorCode::incompatible:
    case ErrorCode::io:
    case ErrorCode::no_space:
    case ErrorCode::protocol:
    case ErrorCode::cancelled:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

}  // namespace gsync::cli
