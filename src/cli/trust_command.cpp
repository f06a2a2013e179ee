#include <fmt/format.h>

#include "commands.hpp"
#include "json.hpp"

namespace gsync::cli {
namespace {

std::string_view text_of(ssh::HostKey::State state) {
  switch (state) {
    case ssh::HostKey::State::known:
      return "known";
    case ssh::HostKey::State::unknown:
      return "unknown";
    case ssh::HostKey::State::changed:
      return "changed";
  }
  return "unknown";
}

/// Where sshd keeps the public half, for a key of this type: "ssh-ed25519" is in ssh_host_ed25519_key.pub, "ecdsa-sha2-nistp256" in
/// ssh_host_ecdsa_key.pub.
std::string public_key_file(const std::string& type) {
  auto name = type.find("ed25519") != std::string::npos ? "ed25519" : type.find("ecdsa") != std::string::npos ? "ecdsa" : "rsa";
  return fmt::format("/etc/ssh/ssh_host_{}_key.pub", name);
}

void explain(Output& output, const config::PeerConfig& peer, const ssh::HostKey& key) {
  if (key.state == ssh::HostKey::State::changed)
    output.warn(fmt::format("{} shows ANOTHER key than the one that was trusted before: it was set up anew, or somebody stands in between",
                            peer.name));
  output.say(fmt::format("{} ({}) shows the {} key", peer.name, peer.host, key.type));
  output.say(fmt::format("  {}", key.fingerprint));
  output.say("");
  output.say(
      fmt::format("Compare it with what this prints on {} itself (at its console, or over a connection that you trust):", peer.name));
  output.say(fmt::format("  ssh-keygen -lf {}", public_key_file(key.type)));
  output.say("If they are the same:");
  output.say(fmt::format("  sudo gravity-sync trust {} --fingerprint {}", peer.name, key.fingerprint));
}

ExitCode remove_trust(Context& context) {
  const auto& peer = context.peer();
  auto& output = context.output();
  const bool removed = ssh::distrust(peer, context.ssh_defaults());
  if (output.options().json)
    output.json(trust_json({peer.name, {}, {}, "unknown", false, {}}));
  else
    output.done(removed ? fmt::format("the host key of {} is trusted no more", peer.name)
                        : fmt::format("no host key of {} was trusted", peer.name));
  return ExitCode::done;
}

}  // namespace

ExitCode run_trust(Context& context) {
  const auto& peer = context.peer();
  const auto& fingerprint = context.invocation().fingerprint;
  auto& output = context.output();
  if (context.invocation().remove) return remove_trust(context);
  auto key = ssh::host_key(peer, context.ssh_defaults());
  TrustFacts facts{peer.name, key.fingerprint,
                   key.type,  std::string(text_of(key.state)),
                   false,     key.known_hosts_line.substr(key.known_hosts_line.find(' ') + 1)};
  if (fingerprint.empty() && key.state == ssh::HostKey::State::known) {
    if (output.options().json)
      output.json(trust_json(facts));
    else
      output.done(fmt::format("the key of {} is trusted already: {}", peer.name, key.fingerprint));
    return ExitCode::done;
  }
  if (fingerprint.empty()) {
    if (output.options().json)
      output.json(trust_json(facts));
    else
      explain(output, peer, key);
    return ExitCode::usage;
  }
  ssh::trust(peer, context.ssh_defaults(), fingerprint);
  facts.trusted = true;
  facts.state = "known";
  if (output.options().json)
    output.json(trust_json(facts));
  else
    output.done(fmt::format("{} is trusted with {}", peer.name, fingerprint));
  return ExitCode::done;
}

}  // namespace gsync::cli
