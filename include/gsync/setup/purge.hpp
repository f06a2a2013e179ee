#pragma once
#include <string>
#include <vector>

#include "gsync/config/config.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/setup/service.hpp"

namespace gsync::setup {

/// What purge() would take away of this host, as sentences.
std::vector<std::string> what_goes(const config::Config& config, const pihole::Installation* installation);

/// Takes it away: service, drop-ins, the keys of peers, the account if it is as the package makes it, state, keys, configuration, our
/// directory beside gravity.db. Nothing of Pi-hole's. One step that fails does not end the others; the sentences say what was left, and
/// why. Error{refused} for who is not root, {busy} while a daemon or a run is at work.
std::vector<std::string> purge(const config::Config& config, const pihole::Installation* installation, const Say& say);

}  // namespace gsync::setup
