#include <fmt/format.h>

#include <algorithm>

#include "ask.hpp"
#include "commands.hpp"
#include "findings.hpp"
#include "gsync/config/import.hpp"
#include "gsync/config/settings.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/setup/check_config.hpp"
#include "gsync/setup/first_config.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"
#include "setup_json.hpp"
#include "words.hpp"

namespace gsync::cli {
namespace {

constexpr const char* old_configuration = "/etc/gravity-sync/gravity-sync.conf";

ExitCode check(const Invocation& invocation, Output& output) {
  setup::Findings findings;
  const auto path = config::chosen_path(invocation.config);
  for (const auto& fault : config::faults_in(util::read_file(path).value_or(""), path))
    findings.push_back(setup::wrong("configuration", fault));
  // A file that is named and not there is an Error of load().
  if (findings.empty()) findings = setup::check_configuration(config::load(invocation.config));
  show_findings(output, findings);
  return setup::worst_of(findings) == setup::Verdict::wrong ? ExitCode::usage : ExitCode::done;
}

ExitCode show(const Invocation& invocation, Output& output) {
  const auto config = config::load(invocation.config);
  const auto settings = config::settings_of(config);
  if (output.options().json) {
    output.json(settings_json(config.path, settings));
    return ExitCode::done;
  }
  output.say(config.path.empty() ? "There is no configuration: these are the defaults." : config.path);
  std::string section;
  for (const auto& each : settings) {
    if (each.section != section) {
      section = each.section;
      output.say("");
      output.line({section, Style::heading});
    }
    const auto value = each.value.empty() ? fmt::format("({})", each.otherwise) : each.value;
    const auto origin = each.line ? fmt::format("line {}", each.line) : std::string("default");
    output.line({fmt::format("  {:<24} {:<32} {}", each.key, value, origin), each.line ? Style::plain : Style::faint});
  }
  return ExitCode::done;
}

/// Nothing of what is there goes without a word from somebody.
bool may_replace(const std::string& path, const Invocation& invocation, Output& output) {
  if (setup::existing_configuration(path) != setup::Existing::settings || invocation.force) return true;
  return can_ask() && confirm(output, fmt::format("{} has settings already. Replace it, and keep it as {}.old?", path, path));
}

/// The name of a peer that nobody named: its host, with the signs that a name cannot have taken out.
std::string name_for(const std::string& host) {
  auto name = host;
  std::ranges::replace_if(
      name, [](char c) { return c == ':' || c == '%'; }, '-');
  name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
  return name;
}

std::string pihole_section(const Invocation& invocation, Output& output) {
  const auto& options = invocation.first;
  if (!options.directory.empty()) {
    config::PiholeConfig wanted;
    wanted.directory = options.directory;
    const auto found = pihole::detect(wanted);
    output.step(fmt::format("found Pi-hole: {}", found.directory));
    return fmt::format("[pihole]\ndirectory = {}\n\n", config::quoted(options.directory));
  }
  auto found = setup::find_piholes(options.container.empty() ? "pihole" : options.container);
  if (!options.container.empty()) std::erase_if(found, [](const auto& each) { return each.config.runtime == config::Runtime::automatic; });
  if (found.empty())
    throw Error(ErrorCode::not_found, "no Pi-hole was found: not in /etc/pihole, and not in a container called pihole",
                "say where it is: --container NAME, or --directory DIRECTORY");
  std::size_t chosen = 0;
  if (found.size() > 1) {
    std::string names;
    for (std::size_t i = 0; i < found.size(); ++i) names += fmt::format("{}{}: {}", i ? ", " : "", i + 1, found[i].what);
    if (!can_ask())
      throw Error(ErrorCode::config, fmt::format("there are several Pi-holes here: {}", names),
                  "choose one: --container NAME, or --directory /etc/pihole");
    const auto answer = ask(output, fmt::format("There are several Pi-holes here ({}). Which one?", names), "1");
    if (answer.size() != 1 || answer[0] < '1' || static_cast<std::size_t>(answer[0] - '1') >= found.size())
      throw Error(ErrorCode::config, fmt::format("'{}' is none of them", answer), "nothing was changed");
    chosen = static_cast<std::size_t>(answer[0] - '1');
  }
  const auto& pihole = found[chosen];
  output.step(fmt::format("found Pi-hole: {}", pihole.what));
  if (pihole.config.runtime == config::Runtime::automatic) return {};
  return fmt::format("[pihole]\nruntime = \"{}\"\ncontainer = {}\n\n", runtime_name(pihole.config.runtime),
                     config::quoted(pihole.config.container));
}

config::Mode mode_of(const std::string& word) {
  if (word.empty() || word == "sync") return config::Mode::sync;
  if (word == "pull") return config::Mode::pull;
  if (word == "push") return config::Mode::push;
  throw Error(ErrorCode::config, fmt::format("the mode '{}' is not sync, pull or push", util::printable(word)), "nothing was changed");
}

std::string peer_section(const Invocation& invocation, Output& output) {
  const auto& options = invocation.first;
  if (options.no_peer) return {};
  config::PeerConfig peer;
  peer.host = options.host;
  if (peer.host.empty()) {
    if (!can_ask())
      throw Error(ErrorCode::config, "nobody is there to be asked for the other Pi-hole", "name it: --host ADDRESS; or say --no-peer");
    peer.host = ask(output, "The other Pi-hole's address or name (Enter: none yet):");
    if (peer.host.empty()) return {};
  }
  if (const auto fault = config::fault_in_name(peer.host, ":%"); !fault.empty())
    throw Error(ErrorCode::config, fmt::format("the host '{}' {}", util::printable(peer.host), fault),
                "name it as ssh would: ph2.lan, 192.168.1.3");
  peer.name = options.name.empty() ? name_for(peer.host) : options.name;
  peer.port = options.port;
  auto mode = options.mode;
  if (mode.empty() && can_ask()) mode = ask(output, "What the daemon does with it: sync (edits of either), pull or push?", "sync");
  peer.mode = mode_of(mode);
  return config::peer_section(peer);
}

void say_next_steps(const config::Config& config, Output& output) {
  output.say("What comes next:");
  output.say("  sudo gravity-sync key                 this Pi-hole's public key, for `gravity-sync accept` on the other one");
  for (const auto& peer : config.peers) output.say(fmt::format("  sudo gravity-sync trust {}", peer.name));
  output.say("  sudo gravity-sync doctor");
}

ExitCode write(const Invocation& invocation, Output& output, const std::string& toml) {
  const auto path = config::chosen_path(invocation.config);
  const auto parsed = config::parse(toml, path);
  if (invocation.dry_run) {
    output.say(toml);
    return ExitCode::done;
  }
  if (!may_replace(path, invocation, output))
    throw Error(ErrorCode::refused, fmt::format("{} has settings already", path),
                "edit it, or say --force: it is then kept beside the new one");
  setup::write_configuration(path, toml, true);
  output.done(fmt::format("wrote {}", path));
  say_next_steps(parsed, output);
  return ExitCode::done;
}

ExitCode init(const Invocation& invocation, Output& output) {
  auto toml = pihole_section(invocation, output);
  toml += peer_section(invocation, output);
  return write(invocation, output, "# Written by `gravity-sync config init`. `gravity-sync config show` has all settings.\n" + toml);
}

ExitCode import(const Invocation& invocation, Output& output) {
  const auto file = invocation.file.empty() ? std::string(old_configuration) : invocation.file;
  const auto text = util::read_file(file, 1u << 20);
  if (!text) throw Error(ErrorCode::config, fmt::format("there is no file {}", file), "name the gravity-sync.conf of the old script");
  const auto imported = config::import_script(*text, file);
  if (output.options().json) output.json(imported_json(imported));
  for (const auto& line : imported.taken) output.line({"taken over  " + line, Style::added});
  for (const auto& line : imported.left) output.line({"left        " + line, Style::changed});
  return write(invocation, output, fmt::format("# Taken over from {}.\n{}", file, imported.toml));
}

ExitCode peer(const Invocation& invocation, Output& output) {
  const auto path = config::chosen_path(invocation.config);
  if (invocation.remove) {
    if (!setup::remove_peer(path, invocation.peer))
      throw Error(ErrorCode::not_found, fmt::format("{} has no peer {}", path, invocation.peer), "gravity-sync config show lists them");
    output.done(fmt::format("{} is no peer any more; what runs already reads the configuration with `systemctl reload gravity-sync`",
                            invocation.peer));
    return ExitCode::done;
  }
  const auto& options = invocation.first;
  config::PeerConfig wanted;
  const auto text = util::read_file(path).value_or("");
  for (const auto& there : config::parse(text, path).peers) {
    if (there.name == invocation.peer) wanted = there;
  }
  const bool fresh = wanted.name.empty();
  if (fresh && options.host.empty()) throw Error(ErrorCode::config, "a new peer needs its address", "add --host HOST");
  wanted.name = invocation.peer;
  if (!options.host.empty()) wanted.host = options.host;
  if (options.port != 0) wanted.port = options.port;
  if (fresh || !options.mode.empty()) wanted.mode = mode_of(options.mode);
  if (setup::write_peer(path, wanted))
    output.done(fmt::format("wrote {} into {}", wanted.name, path));
  else
    output.done(fmt::format("{} has {} as it is already", path, wanted.name));
  return ExitCode::done;
}

}  // namespace

ExitCode run_config(const Invocation& invocation, Output& output) {
  switch (invocation.config_action) {
    case ConfigAction::check:
      return check(invocation, output);
    case ConfigAction::show:
      return show(invocation, output);
    case ConfigAction::init:
      return init(invocation, output);
    case ConfigAction::import:
      return import(invocation, output);
    case ConfigAction::peer:
      return peer(invocation, output);
  }
  return ExitCode::failed;
}

}  // namespace gsync::cli
