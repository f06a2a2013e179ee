#pragma once
#include <string>
#include <vector>

#include "gsync/config/config.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/subprocess.hpp"
#include "invocation.hpp"

/// What `pair` and `unpair` need of this host.
namespace gsync::cli {

/// Another command of ours, with the same configuration: as root, from where it becomes the Pi-hole's owner if it has to.
util::CommandResult run_here(const Invocation& invocation, const std::vector<std::string>& words);
/// The error that a gravity-sync which failed told a person, with its hint; all that it said where there is none. `hint` is for one
/// without.
Error error_in(const util::CommandResult& result, const std::string& hint = {});
/// What the configuration is before the first one has been written, too.
config::Config present_configuration(const Invocation& invocation);
/// The private keys to log in to another host with: the one that is named, else those of the person who said sudo, since ssh would look for
/// root's only.
std::vector<std::string> admin_identities(const std::string& named);
/// Error{refused} with what to say instead.
void require_root(const char* command);

}  // namespace gsync::cli
