#pragma once
#include <string>

#include "gsync/model/node.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/util/byte_stream.hpp"

namespace gsync::protocol {

struct AgentOptions {
  Hello hello;
  std::string peer;        ///< `--peer NAME`: whom we serve, for the history ("agent for ph1"); empty: what the peer calls itself
  bool read_only = false;  ///< refuses apply and note, and says so in NodeInfo
  Limits limits;           ///< idle: how long to wait for the next request before giving up (and freeing the lock)
};

/// Serves `node` on `stream` until the far side closes it. An Error of the node is sent to the far side and the conversation goes on; a
/// malformed message, a timeout or a lost connection ends it (Error). Never lets the peer name a path or a command.
void serve(model::Node& node, util::ByteStream& stream, const AgentOptions& options);

}  // namespace gsync::protocol
