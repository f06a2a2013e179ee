#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "gsync/model/plan.hpp"

namespace gsync::cli {

enum class Command {
  pull,
  push,
  sync,
  compare,
  info,
  history,
  undo,
  restore,
  trust,
  version,
  agent,
  daemon,
  status,
  monitor,
  pause,
  resume,
  worker,
  serve,
  compile,
  forget,
  key,
  accept,
  config,
  doctor,
  automatic,
  purge,
  pair,
  unpair
};

enum class ConfigAction { check, show, init, import, peer };

/// What `config init` is told, so that it need not ask.
struct FirstConfig {
  std::string host;
  std::string name;
  std::uint16_t port = 0;
  std::string mode;
  std::string container;
  std::string directory;
  bool no_peer = false;
};

/// What `pair` is told besides.
struct PairOptions {
  std::string admin;     ///< ADMIN@HOST; unpair: may be empty
  std::string identity;  ///< for the login as ADMIN
  bool both = false;
  std::string own_address;
  std::uint16_t own_port = 0;
  std::string first;  ///< "pull", "push", "both" or "nothing"; empty: ask
};

/// What the command line says, checked and typed. Options that a command does not have keep their defaults.
struct Invocation {
  Command command = Command::version;

  std::optional<std::string> config;
  bool json = false;
  bool quiet = false;
  bool verbose = false;

  std::string peer;  ///< empty: the only one that is configured
  bool dry_run = false;
  bool force = false;
  bool full = false;
  bool cron = false;  ///< pull, push
  std::optional<model::Components> only;
  bool exit_code = false;          ///< compare, status
  bool now = false;                ///< status
  bool prometheus = false;         ///< status
  bool watch = false;              ///< status
  bool all = false;                ///< compare: show long lists whole
  std::size_t limit = 20;          ///< history
  std::string since;               ///< history: as it was written
  bool rows = false;               ///< history
  bool conflicts = false;          ///< history
  bool unite = false;              ///< sync --union
  std::string prefer;              ///< sync: a node's name
  std::optional<std::int64_t> id;  ///< history --id, restore ID
  std::string fingerprint;         ///< trust
  bool read_only = false;          ///< agent, accept
  std::string file;                ///< accept, config import
  std::string key;                 ///< accept
  bool remove = false;             ///< accept, trust, config peer
  bool on = false;                 ///< auto
  bool yes = false;                ///< purge
  ConfigAction config_action = ConfigAction::check;
  FirstConfig first;
  PairOptions pair;
  int root_helper = -1;            ///< worker, serve: a descriptor
  int container_helper = -1;       ///< worker, serve: a descriptor
};

}  // namespace gsync::cli
