#pragma once
#include <string>

#include "gsync/ssh/keys.hpp"

namespace gsync::setup {

struct NodeKey {
  ssh::PublicKey public_key;
  bool made = false;  ///< just now
};

/// The key that this node logs in to its peers with. Where there is no file `path` an ed25519 key is made, mode 0600 from its first byte,
/// its public half beside it in `path`.pub; an existing one is never replaced, whoever makes one at the same time. Must be called as the
/// user that is to own it. Errors: config (what is there is no usable key), io, no_space.
NodeKey node_key(const std::string& path, const std::string& comment);

}  // namespace gsync::setup
