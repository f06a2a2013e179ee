#pragma once
#include <functional>
#include <string>

#include "gsync/model/node.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "gsync/util/byte_stream.hpp"

namespace gsync::protocol {

struct AgentOptions {
  Hello hello;
  std::string peer;        ///< `--peer NAME`: whom we serve, for the history ("agent for ph1"); empty: what the peer calls itself
  /// Called with what the far side introduced itself as, before `node` is asked for anything. May be empty.
  std::function<void(const Hello& theirs)> greeted;
  bool read_only = false;  ///< refuses apply and note, and says so in NodeInfo
  /// Asked before `peer` (or what it calls itself) changes anything here; an Error of it is the answer. May be empty.
  std::function<void(const std::string& peer)> may_change;
  /// Called when a run of `peer` has given the lock back. May be empty.
  std::function<void()> unlocked;
  Limits limits;           ///< quiet: after so long without a sign of the client we give up (and free the lock)
  /// What the client is to be told of while it asks nothing: `take` is called when the descriptor is readable, and says whether something
  /// changed on this node. An Error of it ends the conversation.
  int changes = -1;
  std::function<bool()> take_change;
};

/// Serves `node` on `stream` until the far side closes it. An Error of the node is sent to the far side and the conversation goes on; a
/// malformed message, a timeout or a lost connection ends it (Error). Never lets the peer name a path or a command.
void serve(model::Node& node, util::ByteStream& stream, const AgentOptions& options);

}  // namespace gsync::protocol
