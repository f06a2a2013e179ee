#include <fmt/format.h>

#include "commands.hpp"
#include "gsync/setup/node_key.hpp"
#include "setup_json.hpp"

namespace gsync::cli {

ExitCode run_key(Context& context) {
  const auto path = context.ssh_defaults().identity;
  const auto& name = context.config().node.name;
  const auto key = setup::node_key(path, "gravity-sync of " + name);
  auto& output = context.output();
  if (output.options().json) {
    output.json(key_json(key, path));
    return ExitCode::done;
  }
  if (key.made) output.step(fmt::format("made {}, which stays here; its public half is below", path));
  output.say(key.public_key.line());
  output.step(fmt::format("on the other Pi-hole: sudo gravity-sync accept {}, and give it this line", name));
  return ExitCode::done;
}

}  // namespace gsync::cli
