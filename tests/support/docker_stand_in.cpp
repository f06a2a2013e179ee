#include "support/docker_stand_in.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace gsync::test {
namespace {

constexpr const char* description = R"json([{{
    "Name": "/{name}",
    "State": {{"Status": "@STATUS@", "Running": @RUNNING@, "Pid": @PID@}},
    "HostConfig": {{"NetworkMode": "bridge"}},
    "Mounts": [{{"Type": "bind", "Source": "{directory}", "Destination": "/etc/pihole", "Mode": "", "RW": true, "Propagation": "rprivate"}}{dnsmasq}],
    "Config": {{"Env": [{variables}]}},
    "NetworkSettings": {{"Ports": {{}}}}
}}]
)json";

constexpr const char* script = R"sh(#!/bin/sh
fail() {{ echo "$1" >&2; exit 1; }}
{anybody}[ "$(id -u)" = 0 ] ||
  fail 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock'
running=true pid=$(cat '{pid_file}' 2>/dev/null)
[ -e '{root}/stopped' ] && running=false pid=0
case "$1 $2 $3" in
'container inspect {name}')
  exec sed "s/@RUNNING@/$running/; s/@PID@/${{pid:-0}}/" '{root}/inspect.json' ;;
'exec {name} pihole-FTL')
  [ $running = true ] || fail 'Error response from daemon: container {name} is not running'
  shift 3
  echo "$@" >>'{root}/executed'
  exec env -i PATH=/usr/bin:/bin{assignments} '{ftl}' "$@" ;;
'exec {name} pihole')
  [ $running = true ] || fail 'Error response from daemon: container {name} is not running'
  shift 3
  echo "pihole $@" >>'{root}/executed'
  exec '{pihole}' "$@" ;;
'restart {name} ')
  echo restart >>'{root}/executed'
  kill -KILL "$pid" ;;
*)
  echo '[]'
  fail "Error response from daemon: No such container: $3" ;;
esac
)sh";

}  // namespace

void write_docker_stand_in(const PiholeDirectory& pihole) {
  const auto& options = pihole.options();
  std::string variables;
  std::string assignments;
  for (const auto& variable : options.variables) {
    variables += (variables.empty() ? "" : ", ") + toml_string(variable);
    assignments += " '" + variable + "'";
  }
  std::string dnsmasq;
  if (options.v5)
    dnsmasq = fmt::format(R"(, {{"Type": "bind", "Source": "{}", "Destination": "/etc/dnsmasq.d", "RW": true}})", pihole.dnsmasq());
  using namespace fmt::literals;
  write_text(pihole.root() + "/inspect.json",
             fmt::format(fmt::runtime(description), "name"_a = options.name, "directory"_a = pihole.directory(), "variables"_a = variables,
                         "dnsmasq"_a = dnsmasq));
  if (::mkdir(pihole.bin_directory().c_str(), 0755) != 0)
    throw std::system_error(errno, std::generic_category(), "mkdir " + pihole.bin_directory());
  write_text(pihole.bin_directory() + "/docker",
             fmt::format(fmt::runtime(script), "anybody"_a = options.docker_needs_root ? "" : "true || ", "pid_file"_a = pihole.pid_file(),
                         "root"_a = pihole.root(), "name"_a = options.name, "assignments"_a = assignments, "ftl"_a = pihole.ftl_binary(),
                         "pihole"_a = pihole.pihole_command()),
             0755);
}

}  // namespace gsync::test
