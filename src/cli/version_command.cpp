#include <fmt/format.h>

#include "commands.hpp"
#include "json.hpp"

namespace gsync::cli {

ExitCode run_version(Output& output) {
  if (output.options().json)
    output.json(version_json(software_version(), protocol::protocol_version));
  else
    output.say(fmt::format("gravity-sync {} (protocol {})", software_version(), protocol::protocol_version));
  return ExitCode::done;
}

}  // namespace gsync::cli
