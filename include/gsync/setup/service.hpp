#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gsync/config/config.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/util/error.hpp"

/// The daemon as a service of systemd, or a line for cron where there is no systemd.
namespace gsync::setup {

/// How the service has to be for one Pi-hole. A value, so that it can be looked at before anything is done.
struct ServicePlan {
  std::map<std::string, std::string> drop_ins;  ///< path: content. All other drop-ins of ours go
  std::vector<std::string> on;                  ///< units to enable and start, in this order
  std::vector<std::string> off;                 ///< units that must not run beside them
  std::string why;                              ///< what is unusual, in a sentence; empty: nothing
};
/// Error{config} for a configuration that the units cannot follow.
ServicePlan plan_service(const config::Config& config, const pihole::Installation& installation);

/// The crontab that does the same every five minutes. `program` is gravity-sync's path. Error{config} when there is no peer, or a path that
/// cannot stand in a crontab.
std::string cron_table(const config::Config& config, const std::string& program);

/// What the retired script of our name has left on this host, which starts that script or us whatever is said here; nullopt: nothing.
std::optional<Error> left_by_the_script();

bool has_systemd();
/// What is about to be done, for a person.
using Say = std::function<void(const std::string& step)>;
/// Each carries out what it says, step by step. Only root may. Errors: refused, not_found (no such unit, no cron), io (with what systemd
/// said).
void turn_on(const ServicePlan& plan, const Say& say);
void turn_on_cron(const std::string& table, const Say& say);
/// Stops and disables all of it. Does nothing where nothing is.
void turn_off(const Say& say);
/// Removes the drop-ins that turn_on() wrote.
void remove_drop_ins(const Say& say);

}  // namespace gsync::setup
