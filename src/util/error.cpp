#include "gsync/util/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace gsync {
namespace {

ErrorCode code_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::no_space;
    case ENOENT:
      return ErrorCode::not_found;
    case EAGAIN:
    case EBUSY:
      return ErrorCode::busy;
    default:
      return ErrorCode::io;
  }
}

/// What helps wherever it happens.
std::string_view usual_hint(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space on that filesystem";
    case EROFS:
      return "it is mounted read-only, as a card that fails often is: look at dmesg";
    default:
      return {};
  }
}

}  // namespace

Error Error::within(std::string_view context) const {
  return Error(code_, std::string(context) + ": " + what_, hint_);
}

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::unreachable:
      return "unreachable";
    case ErrorCode::auth:
      return "auth";
    case ErrorCode::host_key:
      return "host_key";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::incompatible:
      return "incompatible";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::io:
      return "io";
    case ErrorCode::no_space:
      return "no_space";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::config:
      return "config";
    case ErrorCode::cancelled:
      return "cancelled";
  }
  return "unknown";
}

void throw_errno(int error, std::string_view what, std::string_view hint) {
  throw Error(code_of(error), std::string(what) + ": " + std::generic_category().message(error),
              std::string(hint.empty() ? usual_hint(error) : hint));
}

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "gravity-sync: internal error: %s does not hold (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace gsync
