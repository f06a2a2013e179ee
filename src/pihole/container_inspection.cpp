#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "gsync/pihole/container.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::pihole {
namespace {

using Json = nlohmann::json;

/// What stands at the end of a path of keys; null where one of them is not there.
const Json& at(const Json& root, std::initializer_list<const char*> keys) {
  static const Json none;
  const Json* here = &root;
  for (const char* key : keys) {
    const auto found = here->is_object() ? here->find(key) : here->end();
    if (found == here->end()) return none;
    here = &*found;
  }
  return *here;
}

std::string text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<std::uint16_t> port(std::string_view digits) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number == 0) return std::nullopt;
  return number;
}

/// What stands on a path of this host. The rest (tmpfs, images) the host does not reach.
std::vector<Mount> mounts_of(const Json& list) {
  std::vector<Mount> mounts;
  for (const auto& entry : list) {
    Mount mount{text(at(entry, {"Source"})), text(at(entry, {"Destination"}))};
    const auto type = text(at(entry, {"Type"}));
    if ((type != "bind" && type != "volume") || !mount.source.starts_with('/') || !mount.destination.starts_with('/')) continue;
    while (mount.destination.size() > 1 && mount.destination.ends_with('/')) mount.destination.pop_back();
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

/// {"53/udp": [{"HostIp": "0.0.0.0", "HostPort": "53"}, …], "80/tcp": null}
std::map<std::uint16_t, std::uint16_t> udp_ports_of(const Json& published) {
  std::map<std::uint16_t, std::uint16_t> ports;
  if (!published.is_object()) return ports;
  for (const auto& [name, bindings] : published.items()) {
    if (!name.ends_with("/udp") || !bindings.is_array()) continue;
    const auto inside = port(std::string_view(name).substr(0, name.size() - 4));
    for (const auto& binding : bindings) {
      const auto address = text(at(binding, {"HostIp"}));
      const auto outside = port(text(at(binding, {"HostPort"})));
      if (inside && outside && (address.empty() || address == "0.0.0.0" || address == "127.0.0.1")) ports[*inside] = *outside;
    }
  }
  return ports;
}

}  // namespace

std::uint16_t Inspection::host_port(std::uint16_t inside) const {
  if (host_network) return inside;
  const auto found = dns_ports.find(inside);
  return found == dns_ports.end() ? std::uint16_t{0} : found->second;
}

Inspection parse_inspection(const std::string& json, const std::string& label) {
  const auto root = Json::parse(json, nullptr, false);
  if (!root.is_array() || root.size() != 1 || !at(root[0], {"State"}).is_object()) {
    throw Error(ErrorCode::incompatible,
                fmt::format("the description of {} is not one that is known here: {}", label, util::printable(json.substr(0, 200))),
                "please report this, with the version of docker or podman");
  }
  const auto& container = root[0];
  Inspection result;
  const auto& running = at(container, {"State", "Running"});
  result.running = running.is_boolean() && running.get<bool>();
  const auto& pid = at(container, {"State", "Pid"});
  if (result.running && pid.is_number_integer()) result.pid = pid.get<pid_t>();
  result.mounts = mounts_of(at(container, {"Mounts"}));
  for (const auto& variable : at(container, {"Config", "Env"})) {
    const auto whole = text(variable);
    result.variables.push_back(whole.substr(0, whole.find('=')));
  }
  result.host_network = text(at(container, {"HostConfig", "NetworkMode"})) == "host";
  result.dns_ports = udp_ports_of(at(container, {"NetworkSettings", "Ports"}));
  return result;
}

}  // namespace gsync::pihole
