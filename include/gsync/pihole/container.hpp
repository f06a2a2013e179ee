#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "gsync/config/config.hpp"
#include "gsync/util/deadline.hpp"
#include "gsync/util/helper_process.hpp"
#include "gsync/util/subprocess.hpp"

namespace gsync::pihole {

/// A directory or file of this host that stands somewhere in a container. Named volumes and bind mounts look the same.
struct Mount {
  std::string source;       ///< on this host
  std::string destination;  ///< in the container, without a slash at its end
};

/// A path in a container, with its symbolic links followed as the container would follow them: never into this host's own tree.
struct Located {
  std::string path;       ///< on this host
  bool exists = false;
  bool is_mount = false;  ///< a mount ends exactly here: nothing can be renamed over it
  bool linked = false;    ///< a symbolic link was followed
  bool operator==(const Located&) const = default;
};
/// nullopt when it is in the container's own layer, where the host does not reach it. Error{not_found} when the host does not have what is mounted there,
/// {refused} when we may not look at it, {corrupt} for links in a circle.
std::optional<Located> locate(const std::vector<Mount>& mounts, const std::string& inside);

/// What `docker container inspect` and `podman container inspect` say that concerns us.
struct Inspection {
  bool running = false;
  pid_t pid = 0;                       ///< of the container's first process as this host counts them; 0 when it does not run
  std::vector<Mount> mounts;
  std::vector<std::string> variables;  ///< the names of its environment variables, which `exec` gives to a command as well
  bool host_network = false;
  std::map<std::uint16_t, std::uint16_t> dns_ports;  ///< by the UDP port in the container: the one on 127.0.0.1 of this host

  /// The port on 127.0.0.1 that leads to `inside`; 0 when there is none.
  std::uint16_t host_port(std::uint16_t inside) const;
};
/// Error{incompatible} when it is not what we know. `label` is for messages.
Inspection parse_inspection(const std::string& json, const std::string& label);

/// A container that Pi-hole runs in, asked through its runtime's own command.
class Container {
 public:
  /// Runs `docker container inspect NAME`. Error{not_found} when there is no such command or container, {refused} when we may not ask, {io} when the runtime does not answer. With a
  /// `helper`, which share() gave to the process that started this one, that one runs what is to be run.
  static std::shared_ptr<Container> find(config::Runtime runtime, const std::string& name, util::Fd helper = {});
  Container(std::string command, std::string name, Inspection inspection = {});

  /// "container pihole (docker)"
  const std::string& label() const { return label_; }
  const Inspection& inspection() const { return inspection_; }

  /// Before this process gives up the rights that the runtime asks for: from here on the commands below are run by a child that keeps them, and that can do nothing else. While there is one thread.
  void keep_rights();
  /// A connection to that child for another child of this process; none before keep_rights().
  util::Fd share() const { return helper_ ? helper_->share() : util::Fd(); }

  /// What can be run. None has an effect outside of the container.
  enum class Action : std::uint8_t {
    set_records,         ///< pihole-FTL --config KEY VALUE, in the environment that the container was started with
    reload_lists,        ///< v5: pihole restartdns reload-lists
    reload_dns,          ///< v5: pihole restartdns reload, which reads custom.list again
    restart_dns,         ///< v5: pihole restartdns
    test_configuration,  ///< v5: pihole-FTL dnsmasq-test, whether FTL would start
    update_gravity,      ///< pihole -g
    restart,             ///< docker restart NAME: ends whatever runs in it and starts it again
    inspect,             ///< docker container inspect NAME
  };
  struct Request {
    Action action = Action::set_records;
    model::RecordKind kind = model::RecordKind::dns;  ///< set_records only
    std::string text{};                               ///< set_records only, see config_words()
  };
  /// Error{not_found, timeout, io}; a command that failed is no Error.
  util::CommandResult run(const Request& request, util::Deadline deadline) const;

 private:
  util::CommandResult run_here(const Request& request, util::Deadline deadline) const;

  std::string command_;
  std::string name_;
  std::string label_;
  Inspection inspection_;
  std::unique_ptr<util::HelperProcess> helper_;
};
constexpr Container::Action last_of(Container::Action) { return Container::Action::inspect; }
template <class Archive>
void fields(Archive& a, Container::Request& r) {
  a(r.action, r.kind, r.text);
}

}  // namespace gsync::pihole
