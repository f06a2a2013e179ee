#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gsync/util/deadline.hpp"

namespace gsync::util {

struct Command {
  std::vector<std::string> argv;                    ///< argv[0] is an absolute path or is looked up in PATH; there is never a shell
  std::string standard_input{};                     ///< at most what a pipe takes is sent without waiting; more is sent as it is read
  std::optional<std::map<std::string, std::string>> environment{};  ///< nullopt: ours
  std::vector<int> ambient_capabilities{};          ///< given to this child only (CAP_CHOWN for `pihole-FTL --config`); skipped where we do not have them
  std::size_t output_limit = 1u << 20;              ///< of each stream; the rest is read and dropped
  bool keep_end = false;                            ///< of more than the limit the end is kept, and not the beginning
};

struct CommandResult {
  int exit_code = 0;   ///< 128 + signal when a signal ended it
  std::string output;
  std::string errors;
};

/// Runs a command to its end. Error{not_found} when it cannot be started, Error{timeout} after killing it (SIGKILL to it and its process group) at the
/// deadline. No descriptor but 0, 1 and 2 is inherited. Thread-safe.
CommandResult run(const Command& command, Deadline deadline);

/// What it said, errors first, on one printable line of bounded length.
std::string words_of(const CommandResult& result);

/// The last of it, errors last, in the same form: where a long report ends with what went wrong.
std::string last_words_of(const CommandResult& result);

/// Between fork() and exec(), async-signal-safe: these capabilities outlast the exec(). One that we do not have permitted is skipped:
/// whether the child can do without it is the caller's question.
void raise_ambient(const int* capabilities, std::size_t count);

}  // namespace gsync::util
