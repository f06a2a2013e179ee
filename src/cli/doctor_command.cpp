#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "commands.hpp"
#include "findings.hpp"
#include "gsync/setup/check_config.hpp"
#include "gsync/setup/doctor.hpp"
#include "gsync/util/files.hpp"

namespace gsync::cli {
namespace {

/// With the defaults where the configuration cannot be used, so that the rest can still be looked at.
struct Usable {
  config::Config config;
  bool as_written = false;
};
Usable usable_config(const Invocation& invocation, setup::Findings& all) {
  setup::look(all, "configuration", [&] {
    setup::Findings faults;
    const auto path = config::chosen_path(invocation.config);
    for (const auto& fault : config::faults_in(util::read_file(path).value_or(""), path))
      faults.push_back(setup::wrong("configuration", fault));
    return faults;
  });
  if (all.empty()) {
    try {
      auto config = config::load(invocation.config);
      setup::look(all, "configuration", [&] { return setup::check_configuration(config); });
      return {std::move(config), true};
    } catch (const Error& error) {
      all.push_back(setup::wrong("configuration", error));
    }
  }
  return {config::parse("", ""), false};
}

void look_at_pihole(const pihole::Installation& installation, const config::Config& config, setup::Findings& all) {
  const auto& state = config.node.state_directory;
  setup::look(all, "Pi-hole", [&] { return setup::check_pihole(installation, config.sync); });
  setup::look(all, "files", [&] { return setup::check_files(installation, state); });
  setup::look(all, "database", [&] { return setup::check_database(installation); });
  setup::look(all, "FTL", [&] { return setup::check_ftl(installation); });
  setup::look(all, "disk", [&] { return setup::check_disk(installation, state); });
}

void look_at_peers(Context& context, setup::Findings& all) {
  setup::PeerTools tools{context.ssh_defaults(), context.hello(), context.here(), {}};
  setup::look(all, "database", [&] {
    tools.here_info = context.here().describe();
    auto found = setup::check_node(tools.here_info);
    const auto& keep = context.config().sync.keep_local;
    if (!tools.here_info.damaged) setup::look(found, "configuration", [&] { return setup::check_keep_local(keep, context.here()); });
    return found;
  });
  if (const auto refusal = context.gravity_refusal(context.config()))
    all.push_back(setup::hint("Pi-hole", fmt::format("[sync] run_gravity can do nothing here: {}", refusal->what()), refusal->hint()));
  const auto& named = context.invocation().peer;
  for (const auto& peer : context.config().peers) {
    if (!named.empty() && peer.name != named) continue;
    context.output().step(fmt::format("asking {}", peer.name));
    setup::look(all, "peer " + peer.name, [&] { return setup::check_peer(peer, tools); });
  }
}

}  // namespace

ExitCode run_doctor(const Invocation& invocation, Output& output) {
  setup::Findings all;
  const auto usable = usable_config(invocation, all);
  const auto& config = usable.config;
  const bool configured = usable.as_written;
  if (configured && !invocation.peer.empty()) config.peer(invocation.peer);
  std::optional<pihole::Installation> installation;
  setup::look(all, "Pi-hole", [&]() -> setup::Findings {
    installation = pihole::detect(config.pihole);
    return {};
  });
  // These need root's eyes.
  setup::look(all, "Pi-hole", [&] { return setup::check_choice(config); });
  setup::look(all, "service", [&] { return setup::check_service(config); });
  setup::look(all, "SSH account", [&] { return setup::check_account(config); });
  setup::look(all, "sshd", [] { return setup::check_sshd(); });
  if (installation) {
    setup::look(all, "SSH account", [&] { return setup::check_served(config, *installation); });
    setup::look(all, "sockets", [&] { return setup::check_sockets(config, installation->owner); });
  }
  // Everything else as the owner of the Pi-hole, which is what makes a Context; but no check makes a state directory.
  std::optional<Context> context;
  const auto& state = config.node.state_directory;
  if (installation && ::access(state.c_str(), F_OK) != 0 && errno == ENOENT) {
    all.push_back(
        setup::hint("files", fmt::format("{} is not there yet", state), "sudo gravity-sync key makes it, and this Pi-hole's key"));
  } else if (installation && configured) {
    setup::look(all, "rights", [&]() -> setup::Findings {
      context.emplace(invocation, output);
      return {};
    });
  }
  if (installation) look_at_pihole(context ? context->installation() : *installation, config, all);
  if (context) look_at_peers(*context, all);
  show_findings(output, all);
  return setup::worst_of(all) == setup::Verdict::wrong ? ExitCode::failed : ExitCode::done;
}

}  // namespace gsync::cli
