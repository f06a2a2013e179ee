#pragma once
#include <sys/types.h>

#include <functional>
#include <string>

#include "gsync/config/config.hpp"
#include "gsync/model/node.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/setup/finding.hpp"
#include "gsync/ssh/session.hpp"

/// What `doctor` looks at. No check changes anything of Pi-hole's, and none ends another: what one throws is a finding (see look()).
namespace gsync::setup {

/// Of this host, for which root sees more than others.
Findings check_service(const config::Config& config);
Findings check_sockets(const config::Config& config, uid_t owner);
Findings check_account(const config::Config& config);
/// Whether who logs in is served where no service manager starts a daemon: by one that runs, or by the account itself if it is the owner of
/// the Pi-hole.
Findings check_served(const config::Config& config, const pihole::Installation& installation);
/// Whether the OpenSSH server of this host lets the account of the peers log in (AllowUsers and the like).
Findings check_sshd();
/// The files with the public halves of this host's SSH keys.
std::vector<std::string> own_host_keys();

/// Whether it is clear which Pi-hole of this host is meant. Root sees more containers.
Findings check_choice(const config::Config& config);
/// Of this host's Pi-hole, asked as its owner.
Findings check_pihole(const pihole::Installation& installation, const config::SyncConfig& sync);
Findings check_files(const pihole::Installation& installation, const std::string& state_directory);
Findings check_database(const pihole::Installation& installation);
Findings check_ftl(const pihole::Installation& installation);
Findings check_disk(const pihole::Installation& installation, const std::string& state_directory);
/// What it can give and take.
Findings check_node(const model::NodeInfo& here);
/// Whether what is to be kept local is there.
Findings check_keep_local(const model::KeepLocal& keep, model::Node& here);

/// What a look at a peer needs of this node.
struct PeerTools {
  ssh::Defaults ssh;
  protocol::Hello hello;
  model::Node& here;
  model::NodeInfo here_info;
};
Findings check_peer(const config::PeerConfig& peer, const PeerTools& tools);

}  // namespace gsync::setup
