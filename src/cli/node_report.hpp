#pragma once
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "gsync/config/config.hpp"
#include "gsync/model/node_info.hpp"
#include "gsync/pihole/installation.hpp"

namespace gsync::cli {

/// What `info` found, as values.
struct NodeReport {
  config::Config config;
  pihole::Installation installation;
  model::NodeInfo node;
  std::string user;  ///< "pihole (uid 999)"
  std::optional<pid_t> ftl_pid;
  std::string ftl;  ///< Ftl::describe()
  bool gravity_running = false;
  std::size_t versions = 0;

  /// One sentence each: the kinds of records that are not available here and the node's own notes.
  std::vector<std::string> not_synced() const;
};

}  // namespace gsync::cli
