#pragma once
#include <span>
#include <string_view>

#include "invocation.hpp"

namespace gsync::cli {

/// The texts that a person learns the program from.
struct CommandHelp {
  Command command;
  std::string_view name;
  std::string_view summary;      ///< a line in the list of commands
  std::string_view description;  ///< a paragraph
  std::string_view examples;
};

const CommandHelp& help_of(Command command);
std::span<const CommandHelp> all_commands();
std::span<const std::string_view> command_names();
std::string_view program_description();
/// Exit codes and where to go on.
std::string_view program_footer();

}  // namespace gsync::cli
