#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace gsync::cli {

/// "pihole (uid 999)", or "uid 999" when it has no name.
std::string user_text(uid_t uid);

/// Makes the state directory (mode 0700, owned by `owner`) with its parents, or gives an existing one that root owns to `owner`. A caller
/// who is not root makes it for itself. Error{io, refused} with what to run.
void prepare_state_directory(const std::string& path, uid_t owner, gid_t group);

/// CAP_CHOWN, permitted but not effective, so that util::run can give it to the one child that needs it (`pihole-FTL --config` of v6,
/// PIHOLE.md §3); or nothing at all.
enum class Keep : std::uint8_t { nothing, chown };

/// Root becomes `owner` for good, with that user's groups, and keeps of his rights what `keep` says. Does nothing when root is the owner or
/// when we are the owner already. Error{refused} for anybody else: `path` is what the owner owns, `hint` what he can do.
/// `also` is one more group to be in.
void become_owner(uid_t owner, gid_t group, const std::string& path, const std::string& hint, Keep keep = Keep::chown,
                  std::optional<gid_t> also = std::nullopt);

/// Makes the directory of the daemon's sockets for `owner` (mode 0755: others pass through it to a socket that lets them in), or gives an
/// existing one that root owns, that is no symbolic link and that holds nothing but those, to `owner`. Error{io}.
void prepare_run_directory(const std::string& path, uid_t owner, gid_t group);

}  // namespace gsync::cli
