#include "command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "components.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"
#include "help.hpp"

namespace gsync::cli {
namespace {

/// Where CLI11 puts what it read.
struct Raw {
  Invocation invocation;
  std::string config;
  std::string only;
  std::int64_t id = 0;
};

using App = CLI::App;

/// The list of commands has a line for each; the paragraphs are in the commands' own help.
class Formatter final : public CLI::Formatter {
 public:
  std::string make_subcommand(const App* sub) const override {
    for (const auto& help : all_commands())
      if (help.name == sub->get_name()) return fmt::format("  {:<10}{}\n", help.name, help.summary);
    return fmt::format("  {:<10}{}\n", sub->get_name(), sub->get_description());
  }
};

/// An id, or a number of things. CLI11's own check would print the range of a double.
std::string check_positive(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == std::string::npos;
  return digits && std::stol(text) > 0 ? std::string() : fmt::format("'{}' is not a number from 1 to 999999999", util::printable(text));
}

App* add_command(App& app, Command command, Raw& raw) {
  const auto& help = help_of(command);
  auto* sub = app.add_subcommand(std::string(help.name), std::string(help.description) + "\n");
  sub->group("Commands");
  sub->footer(
      fmt::format("{}\n\nOptions of all commands: --config FILE, --json, --quiet, --verbose (see gravity-sync --help)", help.examples));
  // Global options may stand behind the command too.
  sub->fallthrough();
  sub->callback([&raw, command] { raw.invocation.command = command; });
  return sub;
}

/// What the daemon starts, not people.
App* add_hidden(App& app, const std::string& name, Command command, Raw& raw) {
  auto* sub = app.add_subcommand(name, "started by the daemon");
  sub->group("");
  sub->fallthrough();
  sub->callback([&raw, command] { raw.invocation.command = command; });
  return sub;
}

void add_peer(App* sub, Raw& raw) {
  sub->add_option("PEER", raw.invocation.peer, "the peer's name in the configuration; not needed when there is only one")->type_name(" ");
}

void add_only(App* sub, Raw& raw) {
  sub->add_option("--only", raw.only, "look at these only: lists, blocklist, dns, cname, dhcp, settings (separated by commas)")
      ->type_name("WHAT");
}

void add_dry_run(App* sub, Raw& raw, const std::string& text = "show row by row what would change, and change nothing") {
  sub->add_flag("--dry-run,-n", raw.invocation.dry_run, text);
}

void add_force(App* sub, Raw& raw) {
  sub->add_flag("--force", raw.invocation.force, "let a change through that empties or halves what is there; never a damaged database");
}

void add_replication(App& app, Command command, Raw& raw) {
  auto* sub = add_command(app, command, raw);
  add_peer(sub, raw);
  add_dry_run(sub, raw);
  add_force(sub, raw);
  add_only(sub, raw);
  sub->add_flag("--cron", raw.invocation.cron, "do nothing while the daemon runs, or while the last such run is still at work");
  if (command == Command::sync) {
    sub->add_flag("--union", raw.invocation.unite, "join two that have no common past: everything that either has");
    sub->add_option("--prefer", raw.invocation.prefer, "whose edit stays where both edited the same field")->type_name("NAME");
    return;
  }
  sub->add_flag("--full", raw.invocation.full, "copy the whole database instead of rows: for a target that is damaged");
}

App* add_config_action(App* config, const std::string& name, const std::string& description, ConfigAction action, Raw& raw) {
  auto* sub = config->add_subcommand(name, description);
  sub->group("Commands");
  sub->fallthrough();
  sub->callback([&raw, action] { raw.invocation.config_action = action; });
  return sub;
}

void add_config(App& app, Raw& raw) {
  auto& in = raw.invocation;
  auto* config = add_command(app, Command::config, raw);
  config->require_subcommand(1);
  add_config_action(config, "check", "name all that is wrong with the configuration, with file and line", ConfigAction::check, raw);
  add_config_action(config, "show", "show every setting that is in force, and where it comes from", ConfigAction::show, raw);
  auto* init = add_config_action(config, "init", "write a configuration; asks only what cannot be found out", ConfigAction::init, raw);
  auto* import = add_config_action(config, "import", "take over the settings of the old gravity-sync script", ConfigAction::import, raw);
  for (auto* sub : {init, import}) {
    add_dry_run(sub, raw, "print it, and write nothing");
    sub->add_flag("--force", in.force, "replace settings that are there; they are kept beside it");
  }
  init->add_option("--host", in.first.host, "the other Pi-hole's address or name")->type_name("HOST");
  init->add_option("--name", in.first.name, "what to call it (default: the same)")->type_name("NAME");
  init->add_option("--port", in.first.port, "its SSH port")->type_name("PORT")->check(CLI::Range(1, 65535));
  init->add_option("--mode", in.first.mode, "what the daemon does with it: sync, pull or push (default: sync)")->type_name("MODE");
  init->add_option("--container", in.first.container, "the container that this host's Pi-hole runs in")->type_name("NAME");
  init->add_option("--directory", in.first.directory, "the directory of this host's Pi-hole")->type_name("DIRECTORY");
  init->add_flag("--no-peer", in.first.no_peer, "configure no peer");
  auto* peer = add_config_action(config, "peer", "add a peer, or change one, and leave the rest as it is", ConfigAction::peer, raw);
  peer->add_option("NAME", in.peer, "what the peer is called here")->type_name(" ")->required();
  peer->add_option("--host", in.first.host, "its address or name")->type_name("HOST");
  peer->add_option("--port", in.first.port, "its SSH port")->type_name("PORT")->check(CLI::Range(1, 65535));
  peer->add_option("--mode", in.first.mode, "what the daemon does with it: sync, pull or push (default: sync)")->type_name("MODE");
  peer->add_flag("--remove", in.remove, "take it out");
  import->add_option("FILE", in.file, "its configuration (default: /etc/gravity-sync/gravity-sync.conf)")->type_name(" ");
}

void add_pairing(App& app, Raw& raw) {
  auto& in = raw.invocation;
  auto* pair = add_command(app, Command::pair, raw);
  auto* unpair = add_command(app, Command::unpair, raw);
  pair->add_option("ADMIN@HOST", in.pair.admin, "who may become root on the other Pi-hole's host, and its address")
      ->type_name(" ")
      ->required();
  pair->add_option("--name", in.peer, "what to call the other Pi-hole here (default: the host's name)")->type_name("NAME");
  pair->add_option("--port", in.first.port, "its SSH port")->type_name("PORT")->check(CLI::Range(1, 65535));
  pair->add_option("--mode", in.first.mode, "what the daemon does with it: sync, pull or push (default: sync)")->type_name("MODE");
  pair->add_option("--fingerprint", in.fingerprint, "the fingerprint of its host key, as ssh-keygen -l prints it there")
      ->type_name("SHA256:…");
  pair->add_flag("--both", in.pair.both, "let the other Pi-hole connect to this one as well");
  pair->add_option("--own-address", in.pair.own_address, "with --both: this host's address (default: as it is seen there)")
      ->type_name("HOST");
  pair->add_option("--own-port", in.pair.own_port, "with --both: this host's SSH port")->type_name("PORT")->check(CLI::Range(1, 65535));
  pair->add_option("--first", in.pair.first, "which side is right now: pull (the other), push (this), both, or nothing yet (default: ask)")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"pull", "push", "both", "nothing"}));
  unpair->add_option("PEER", in.peer, "the peer's name in the configuration")->type_name(" ")->required();
  unpair->add_option("--admin", in.pair.admin, "who may become root there, to take this Pi-hole's key away")->type_name("ADMIN@HOST");
  for (auto* sub : {pair, unpair})
    sub->add_option("--identity,-i", in.pair.identity, "the private key file to log in as ADMIN with")->type_name("FILE");
}

void add_commands(App& app, Raw& raw) {
  auto& in = raw.invocation;
  add_pairing(app, raw);
  add_replication(app, Command::sync, raw);
  add_replication(app, Command::pull, raw);
  add_replication(app, Command::push, raw);

  auto* compare = add_command(app, Command::compare, raw);
  add_peer(compare, raw);
  add_only(compare, raw);
  compare->add_flag("--all", in.all, "show long lists whole");
  compare->add_flag("--exit-code", in.exit_code, "exit with 3 when there are differences");

  add_command(app, Command::info, raw);
  auto* forget = add_command(app, Command::forget, raw);
  forget->add_option("NAME", in.peer, "the Pi-hole that this one is not to know any more")->type_name(" ")->required();

  auto* history = add_command(app, Command::history, raw);
  history->add_option("--limit", in.limit, "how many runs to show")->type_name("N")->capture_default_str()->check(check_positive);
  history->add_option("--id", raw.id, "show one run with its rows")->type_name("ID")->check(check_positive);
  history->add_option("--peer", in.peer, "only runs from or to this Pi-hole")->type_name("NAME");
  history->add_option("--since", in.since, "only runs since then: 6h, 2d, 2026-11-20")->type_name("TIME");
  history->add_flag("--conflicts", in.conflicts, "only runs in which an edit lost to another one, and what it was");
  history->add_flag("--rows", in.rows, "show every row of these runs");

  auto* undo = add_command(app, Command::undo, raw);
  add_dry_run(undo, raw);

  auto* restore = add_command(app, Command::restore, raw);
  restore->add_option("ID", raw.id, "the version to bring back; without it, the versions are listed")
      ->type_name(" ")
      ->check(check_positive);
  add_dry_run(restore, raw);
  add_force(restore, raw);
  add_only(restore, raw);

  auto* trust = add_command(app, Command::trust, raw);
  add_peer(trust, raw);
  trust->add_option("--fingerprint", in.fingerprint, "the fingerprint that you compared, as ssh-keygen -l prints it")
      ->type_name("SHA256:…");
  trust->add_flag("--remove", in.remove, "trust its host key no more");

  add_command(app, Command::key, raw);
  auto* accept = add_command(app, Command::accept, raw);
  accept->add_option("NAME", in.peer, "what the other Pi-hole is called here")->type_name(" ")->required();
  accept->add_option("FILE", in.file, "the file with its public key; - or nothing: standard input")->type_name(" ");
  accept->add_option("--key", in.key, "the public key itself, in the place of FILE")->type_name("KEY");
  auto* read_only = accept->add_flag("--read-only", in.read_only, "let it read, but change nothing");
  accept->add_flag("--remove", in.remove, "let it in no more")->excludes(read_only);

  add_peer(add_command(app, Command::doctor, raw), raw);
  add_config(app, raw);
  auto* automatic = add_command(app, Command::automatic, raw);
  automatic
      ->add_option_function<std::string>(
          "WHAT", [&in](const std::string& word) { in.on = word == "on"; }, "on or off")
      ->type_name(" ")
      ->required()
      ->check(CLI::IsMember({"on", "off"}));
  auto* purge = add_command(app, Command::purge, raw);
  purge->add_flag("--yes", in.yes, "do not ask");
  add_command(app, Command::version, raw);

  add_command(app, Command::daemon, raw);
  auto* status = add_command(app, Command::status, raw);
  status->add_flag("--now", in.now, "sync with all peers first");
  status->add_flag("--watch", in.watch, "show it again after each event, until Ctrl-C");
  status->add_flag("--prometheus", in.prometheus, "print metrics in Prometheus' text format");
  status->add_flag("--exit-code", in.exit_code, "exit with 1 unless all peers are connected and in step");
  add_command(app, Command::monitor, raw);
  add_peer(add_command(app, Command::pause, raw), raw);
  add_peer(add_command(app, Command::resume, raw), raw);
  auto* worker = add_hidden(app, "worker", Command::worker, raw);
  worker->add_option("--peer", in.peer);
  for (auto* child : {worker, add_hidden(app, "serve", Command::serve, raw), add_hidden(app, "compile", Command::compile, raw)}) {
    child->add_option("--root-helper", in.root_helper);
    child->add_option("--container-helper", in.container_helper);
  }

  auto* agent = add_command(app, Command::agent, raw);
  agent->add_option("--peer", in.peer, "whom this agent serves, for the history")->type_name("NAME");
  agent->add_flag("--read-only", in.read_only, "let the peer read, but change nothing");
}

void add_globals(App& app, Raw& raw) {
  auto& in = raw.invocation;
  app.add_option("--config", raw.config,
                 "the configuration to read (default: $GRAVITY_SYNC_CONFIG, else /etc/gravity-sync/gravity-sync.toml)")
      ->type_name("FILE");
  app.add_flag("--json", in.json, "print the result as one JSON object");
  app.add_flag("--quiet,-q", in.quiet, "print errors and warnings only");
  app.add_flag("--verbose,-v", in.verbose, "say more, on stderr");
}

/// CLI11 takes a mistyped command for an argument that nobody wants.
std::optional<std::string> unknown_command(const App& app, int argc, const char* const* argv) {
  if (!app.get_subcommands().empty()) return std::nullopt;
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--config") {
      ++i;
    } else if (!word.empty() && word[0] != '-') {
      return std::string(word);
    }
  }
  return std::nullopt;
}

[[noreturn]] void throw_usage(const App& app, int argc, const char* const* argv, const CLI::ParseError& error) {
  if (auto word = unknown_command(app, argc, argv)) {
    auto near = util::nearest(*word, command_names());
    throw Error(ErrorCode::config, fmt::format("there is no command '{}'", util::printable(*word)),
                near.empty() ? "gravity-sync --help lists the commands"
                             : fmt::format("did you mean '{}'? gravity-sync --help lists the commands", near));
  }
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) throw Error(ErrorCode::config, util::printable(error.what()), "gravity-sync --help lists the commands");
  throw Error(ErrorCode::config, util::printable(error.what()),
              fmt::format("gravity-sync {} --help describes it", chosen.front()->get_name()));
}

/// What CLI11 cannot know.
void check_together(const Invocation& in) {
  if (in.quiet && in.verbose) throw Error(ErrorCode::config, "--quiet and --verbose contradict each other", "leave one of them out");
  if (in.command == Command::history && in.id &&
      (in.limit != Invocation{}.limit || in.rows || in.conflicts || !in.peer.empty() || !in.since.empty()))
    throw Error(ErrorCode::config, "--id shows one run: --limit, --peer, --since, --conflicts and --rows have no meaning with it",
                "leave it or them out");
  if (in.full && in.only && !(in.only->lists && in.only->blocklist))
    throw Error(ErrorCode::config, "--full replaces the whole database, lists and blocklist together",
                "leave --full out, or name both in --only");
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
  Raw raw;
  App app{std::string(program_description()) + "\n", "gravity-sync"};
  app.footer(std::string(program_footer()));
  app.require_subcommand(0, 1);
  auto formatter = std::make_shared<Formatter>();
  formatter->column_width(26);
  formatter->label("SUBCOMMAND", "COMMAND");
  app.formatter(formatter);
  add_globals(app, raw);
  add_commands(app, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, app.help()};
  } catch (const CLI::ParseError& error) {
    throw_usage(app, argc, argv, error);
  }
  auto& in = raw.invocation;
  if (app.get_subcommands().empty()) in.command = Command::sync;
  if (!raw.config.empty()) in.config = raw.config;
  if (!raw.only.empty()) in.only = parse_components(raw.only);
  if (raw.id != 0) in.id = raw.id;
  check_together(in);
  return {std::move(in), {}};
}

}  // namespace gsync::cli
