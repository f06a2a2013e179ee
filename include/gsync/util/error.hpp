#pragma once
#include <exception>
#include <string>
#include <string_view>

namespace gsync {

/// What the caller can do about it, not where it came from.
enum class ErrorCode : unsigned char {
  not_found,     ///< what was named is not there
  busy,          ///< somebody else works on it; trying later helps
  timeout,       ///< a deadline passed
  unreachable,   ///< the peer cannot be connected to, or the connection broke
  auth,          ///< the peer does not accept our key
  host_key,      ///< the peer's host key is unknown or has changed
  corrupt,       ///< a file is damaged
  incompatible,  ///< versions or schemas do not fit together
  refused,       ///< a safety check says no
  conflict,      ///< the thing changed under our feet; plan again
  io,            ///< a system call failed
  no_space,      ///< disk or quota is full
  protocol,      ///< the far side said something that it must not say
  config,        ///< the configuration or the command line is wrong
  cancelled,     ///< we were told to stop
};

/// The only exception type of the project. `what()` names host, step and cause; `hint()` is the next thing for a person to try (may be empty).
/// Errors of other libraries are turned into it where they enter. Thrown or logged, never both.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string what, std::string hint = {}) : code_(code), what_(std::move(what)), hint_(std::move(hint)) {}

  ErrorCode code() const noexcept { return code_; }
  const char* what() const noexcept override { return what_.c_str(); }
  const std::string& hint() const noexcept { return hint_; }

  /// The same error with "context: " in front, for a caller that knows the host or the step.
  Error within(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string what_;
  std::string hint_;
};

/// The name as it stands above ("no_space"), for --json and the protocol.
std::string_view to_string(ErrorCode code);

/// Throws Error for an errno value: ENOSPC/EDQUOT are no_space, ENOENT is not_found, EAGAIN/EBUSY are busy, all else is io. `what` says what was tried on
/// what ("cannot open /etc/pihole/gravity.db"); the system's text is appended.
[[noreturn]] void throw_errno(int error, std::string_view what, std::string_view hint = {});

/// Our own bug, on in release builds: prints and aborts. Never for what a peer, a file or a user says.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
#define GSYNC_ASSERT(x) ((x) ? void(0) : ::gsync::assertion_failed(#x, __FILE__, __LINE__))

}  // namespace gsync
