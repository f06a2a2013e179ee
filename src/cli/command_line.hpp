#pragma once
#include <optional>
#include <string>

#include "invocation.hpp"

namespace gsync::cli {

/// What came of the arguments: something to run, or a help text to print.
struct ParsedCommandLine {
  std::optional<Invocation> invocation;
  std::string help;
};

/// Error{config} for anything that is not a valid command line; the hint names the help, or the word that was probably meant.
ParsedCommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace gsync::cli
